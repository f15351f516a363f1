"""A profile: the sources of a platform in their order, the groups and defaults, the files and what they belong to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from earlyboot.config.options import Options
from earlyboot.config.paths import PROFILE_NAMES, PROFILES
from hostkit.errors import Fault, OperatorError, Where


class FileSpec(NamedTuple):
    """A rendered file: where, from which settings keys, with which permission bits, for which consumer.

    `consumer` is a path that exists where something reads the file; `owned` says that the file is ours alone.
    """

    name: str
    path: str
    keys: tuple[str, ...]
    mode: int
    consumer: str | None
    owned: bool


class ServiceSpec(NamedTuple):
    """What files belong to, and the commands that make it take a change."""

    name: str
    files: tuple[str, ...]
    commands: tuple[tuple[str, ...], ...]


class Profile(NamedTuple):
    """What one platform gets. `groups` is `None` where every group of the model exists."""

    name: str
    providers: tuple[str, ...]
    groups: frozenset[str] | None
    defaults: Mapping[str, object]
    files: tuple[FileSpec, ...]
    services: tuple[ServiceSpec, ...]


def name_of(options: Options) -> str:
    """The profile that earlyboot.toml names, else its platform's, else `metal`."""
    return options.text("profile") or options.text("platform") or "metal"


def load(name: str) -> Profile:
    """Reads a profile that came with the program. `OperatorError` for a name that is none."""
    if name not in PROFILE_NAMES:
        fix = f"use one of {', '.join(PROFILE_NAMES)}"
        raise OperatorError(Fault("unknown-profile", f"there is no profile '{name}'", Where(), fix))
    own = _read(f"{name}.toml")
    shared = _read("files.toml")
    return Profile(
        name=name,
        providers=tuple(own["providers"]),
        groups=frozenset(own["groups"]) if "groups" in own else None,
        defaults=own.get("defaults", {}),
        files=tuple(_file(name, spec) for name, spec in shared["files"].items()),
        services=tuple(_service(name, spec) for name, spec in shared["services"].items()),
    )


def _read(name: str) -> dict[str, dict[str, dict[str, object]]]:
    import tomli

    with open(os.path.join(PROFILES, name), "rb") as file:
        return tomli.load(file)


def _file(name: str, spec: Mapping[str, object]) -> FileSpec:
    keys, consumer = spec["keys"], spec.get("consumer")
    assert isinstance(keys, list)
    return FileSpec(
        name=name,
        path=str(spec["path"]),
        keys=tuple(keys),
        mode=int(str(spec.get("mode", "0644")), 8),
        consumer=None if consumer is None else str(consumer),
        owned=spec.get("owned") is True,
    )


def _service(name: str, spec: Mapping[str, object]) -> ServiceSpec:
    files, commands = spec["files"], spec["commands"]
    assert isinstance(files, list)
    assert isinstance(commands, list)
    return ServiceSpec(name, tuple(files), tuple(tuple(command) for command in commands))
