"""What an apply left behind, so that a later boot sees from a few stats whether anything differs."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from earlyboot.config.paths import PROFILES, TEMPLATES, Paths
from hostkit import files, machine
from hostkit.errors import HostError

if TYPE_CHECKING:
    from earlyboot.config.profile import FileSpec

FILE_LIMIT_BYTES = 4 << 20
_INPUTS = (".toml", ".json", ".j2", ".py")


class AppliedFile(NamedTuple):
    """A file as it was left: a stat that still agrees spares reading it, else the hash decides. `path` is the image's.

    `owned` says that the file is ours alone, should nobody know its `name` any more.
    """

    path: str
    name: str
    sha256: str
    size: int
    mtime_ns: int
    ctime_ns: int
    mode: int
    owned: bool = False


class Applied(NamedTuple):
    """The last apply: of which generation, by which program and configuration (`digest`), with which notes."""

    generation: int
    digest: str
    notes: Mapping[str, object]
    files: tuple[AppliedFile, ...]


def observe(spec: FileSpec, path: str, sha256: str, paths: Paths) -> AppliedFile:
    """The record of a file that was just written or found to be right."""
    found = os.stat(paths.inside(path))
    return AppliedFile(
        path, spec.name, sha256, found.st_size, found.st_mtime_ns, found.st_ctime_ns, spec.mode, spec.owned
    )


def has_changed(record: AppliedFile, paths: Paths) -> bool:
    """Whether a file is missing or is not what the record says; read only where its stat differs from the recorded."""
    path = paths.inside(record.path)
    try:
        found = os.stat(path)
    except OSError:
        return True
    if stat.S_IMODE(found.st_mode) != record.mode or found.st_size != record.size:
        return True
    if (found.st_mtime_ns, found.st_ctime_ns) == (record.mtime_ns, record.ctime_ns):
        return False
    try:
        data = files.read(path, FILE_LIMIT_BYTES)
    except HostError:
        return True
    return data is None or hashlib.sha256(data).hexdigest() != record.sha256


def digest(paths: Paths, profile_name: str | None = None) -> str:
    """One hash over all that decides how settings become files: templates and the code around them, profiles, the
    image builder's choices, which image it is.

    `profile_name` is given where the server was told to use another profile than the configured one.
    """
    result = hashlib.sha256((profile_name or "").encode())
    for folder in (PROFILES, os.path.dirname(TEMPLATES), paths.options_folder, paths.profiles_folder):
        for path in _tree(folder):
            _add(result, os.path.relpath(path, folder), path)
        result.update(b"\n")
    _add(result, os.path.basename(paths.options), paths.options)
    # Programs of the image that generate settings are not looked at themselves; another image says so here.
    result.update(repr(sorted(machine.os_release(paths.root).items())).encode())
    return result.hexdigest()


def _add(result: hashlib._Hash, name: str, path: str) -> None:
    data = files.read(path, FILE_LIMIT_BYTES)
    if data is not None:
        result.update(f"{name} {len(data)}\n".encode())
        result.update(data)


def _tree(folder: str) -> Iterator[str]:
    """The files below a folder that are code or configuration, in one order."""
    for parent, folders, names in os.walk(folder):
        folders.sort()
        yield from (os.path.join(parent, name) for name in sorted(names) if name.endswith(_INPUTS))
