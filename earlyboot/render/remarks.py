"""Where the running machine is not as the settings ask although all files are, and why."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from earlyboot.model.tree import unflatten
from earlyboot.render.hugepages import is_essential, pools
from hostkit import files

CONTAINERD_CONFIG = "/etc/containerd/config.toml"
CONTAINERD_DROP_IN = "/etc/containerd/conf.d/earlyboot.toml"
LOCKDOWN = "/sys/kernel/security/lockdown"
_CONTAINERD = ("settings.container-", "settings.oci-defaults.", "settings.kubernetes.")
_MODES = ("none", "integrity", "confidentiality")
_USERS = "/etc/passwd"
_FILE_LIMIT_BYTES = 1 << 20


class Remarks(NamedTuple):
    """`texts` for the status; `failures` of what is essential, by the name of the service that it belongs to."""

    texts: tuple[str, ...] = ()
    failures: Mapping[str, str] = {}


def remarks_on(settings: Mapping[str, object], access_user: str) -> Remarks:
    """What to say after an apply of flat `settings` to this machine."""
    texts = (*lockdown_remarks(settings), *access_remarks(settings, access_user), *containerd_remarks(settings))
    if not any(key.startswith("settings.kernel.hugepages.") for key in settings):
        return Remarks(texts)
    nested = unflatten(settings)
    missing = tuple(missing_hugepages(nested))
    if missing and is_essential(nested):
        return Remarks(texts, {"hugepages": "; ".join(missing)})
    return Remarks((*texts, *missing))


def read_file(path: str) -> str | None:
    """The content of a file of the kernel or of the machine, or `None` where there is none."""
    data = files.read(path, _FILE_LIMIT_BYTES)
    return None if data is None else data.decode("ascii", "replace").strip()


def lockdown_remarks(settings: Mapping[str, object], read: Callable[[str], str | None] = read_file) -> Iterator[str]:
    """Why the lockdown of the kernel is another than the flat `settings` say; nothing if it is not."""
    wanted = settings.get("settings.kernel.lockdown")
    if wanted not in _MODES:
        return
    modes = read(LOCKDOWN)
    if modes is None:
        if wanted != "none":
            yield f"kernel.lockdown is '{wanted}', and this kernel has no lockdown"
        return
    now = next((mode for mode in _MODES if f"[{mode}]" in modes), "none")
    if _MODES.index(now) > _MODES.index(wanted):
        yield f"kernel.lockdown is '{wanted}', and the kernel is at '{now}' already: it goes down only with a reboot"
    elif now != wanted:
        yield f"kernel.lockdown is '{wanted}', and the kernel stayed at '{now}'"


def access_remarks(
    settings: Mapping[str, object], user: str, read: Callable[[str], str | None] = read_file
) -> Iterator[str]:
    """Why nobody can log in with the keys; nothing if the user is there."""
    if not settings.get("settings.access.authorized-keys"):
        return
    if not any(line.startswith(f"{user}:") for line in (read(_USERS) or "").splitlines()):
        yield f"access.authorized-keys lets in the user '{user}', whom {_USERS} does not have"


def containerd_remarks(settings: Mapping[str, object], read: Callable[[str], str | None] = read_file) -> Iterator[str]:
    """Why containerd may not read its drop-in; nothing if there is none, or if the image's configuration imports it."""
    if not any(key.startswith(_CONTAINERD) for key in settings) or read(CONTAINERD_DROP_IN) is None:
        return
    config = read(CONTAINERD_CONFIG)
    if config is None:
        return
    from fnmatch import fnmatchcase

    import tomli

    imports = tomli.loads(config).get("imports", [])
    folder = os.path.dirname(CONTAINERD_CONFIG)
    if not any(fnmatchcase(CONTAINERD_DROP_IN, os.path.join(folder, path)) for path in map(str, imports)):
        yield f"{CONTAINERD_CONFIG} does not import {CONTAINERD_DROP_IN}: a containerd before 2.2 does not read it"


def missing_hugepages(settings: Mapping[str, object], read: Callable[[str], str | None] = read_file) -> Iterator[str]:
    """The pools with fewer pages than nested `settings` ask for: the kernel reserves what it can, and says nothing."""
    for pool in pools(settings):
        pages = read(pool.path)
        if pages is None and pool.pages:
            yield f"{pool.path} is not there: the machine has no such node or no pages of this size"
        elif pages is not None and pages.isascii() and pages.isdecimal() and int(pages) < pool.pages:
            yield f"{pool.path} is {pages}, not {pool.pages}: there is not enough memory in one piece"
