"""A profile: the sources of a platform in their order, the groups and defaults, the files and what they belong to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from earlyboot.config.options import Options
from earlyboot.config.paths import PROFILE_NAMES, PROFILES, TEMPLATES, Paths
from hostkit.errors import Fault, OperatorError, Where

Format = Literal["text", "free", "toml", "ini", "json", "shell", "systemd"]
Strength = Literal["strong", "weak"]


class FileSpec(NamedTuple):
    """A rendered file: where, from which settings keys, with which permission bits, for which consumer.

    `path` may hold one `*`: then it is a set of files, one for each name that the renderer, or the map of settings that
    `each` names, has. `format` says how values are quoted. `template` is the absolute path of a template, `renderer` a
    name in `earlyboot.render.renderers`; a file has one of them. `consumer` is a path that exists where something reads
    the file; `owned` says that the file is ours alone.
    """

    name: str
    path: str
    keys: tuple[str, ...]
    mode: int = 0o644
    consumer: str | None = None
    owned: bool = False
    format: Format = "text"
    template: str | None = None
    renderer: str | None = None
    each: str | None = None


class ServiceSpec(NamedTuple):
    """What files belong to, and the commands that make it take a change."""

    name: str
    files: tuple[str, ...]
    commands: tuple[tuple[str, ...], ...]


class GeneratorSpec(NamedTuple):
    """What makes up a setting that nobody gave.

    `command` is a program of the image builder's; without one it is the built-in generator called `name`. A value of a
    `weak` generator is made again when the program or its configuration changes. It runs after the generators of the
    keys in `needs`; only where a key at or below one of `when` is set, if it names some; only where `consumer` exists.
    `depth` is how many levels of names below `key` it fills: with 1, each member of a map.
    """

    name: str
    key: str
    command: tuple[str, ...] | None = None
    strength: Strength = "strong"
    needs: tuple[str, ...] = ()
    when: tuple[str, ...] = ()
    consumer: str | None = None
    depth: int = 0
    deadline_s: float = 10.0


class Profile(NamedTuple):
    """What one platform gets. `custom` are the image builder's own groups: name to JSON Schema.

    `access_user` is the account that `settings.access` lets in.
    """

    name: str
    providers: tuple[str, ...]
    groups: frozenset[str] | None
    defaults: Mapping[str, object]
    files: tuple[FileSpec, ...]
    services: tuple[ServiceSpec, ...]
    generators: tuple[GeneratorSpec, ...] = ()
    custom: Mapping[str, Mapping[str, Any]] = {}
    access_user: str = "root"


def name_of(options: Options) -> str:
    """The profile that earlyboot.toml names, else its platform's, else `metal`."""
    return options.text("profile") or options.text("platform") or "metal"


def load(name: str, paths: Paths) -> Profile:
    """Reads a profile that came with the program and the drop-ins of the image builder.

    `OperatorError` for a name that is none, and with every fault of every drop-in.
    """
    if name not in PROFILE_NAMES:
        fix = f"use one of {', '.join(PROFILE_NAMES)}"
        raise OperatorError(Fault("unknown-profile", f"there is no profile '{name}'", Where(), fix))
    own = _read(f"{name}.toml")
    shared = [_read(f"files/{file}") for file in sorted(os.listdir(os.path.join(PROFILES, "files")))]
    generators = _read("generators.toml")
    return Profile(
        name=name,
        providers=tuple(own["providers"]),
        groups=frozenset(own["groups"]) if "groups" in own else None,
        defaults=own.get("defaults", {}),
        files=tuple(_file(name, spec) for part in shared for name, spec in part.get("files", {}).items()),
        services=tuple(_service(name, spec) for part in shared for name, spec in part.get("services", {}).items()),
        generators=tuple(
            _generator(generator, generators["generators"][generator]) for generator in own.get("generators", ())
        ),
    )


def _read(name: str) -> dict[str, dict[str, dict[str, Any]]]:
    import tomli

    with open(os.path.join(PROFILES, name), "rb") as file:
        return tomli.load(file)


def _file(name: str, spec: Mapping[str, Any]) -> FileSpec:
    renderer = spec.get("renderer")
    return FileSpec(
        name=name,
        path=spec["path"],
        keys=tuple(spec["keys"]),
        mode=int(spec.get("mode", "0644"), 8),
        consumer=spec.get("consumer"),
        owned=spec.get("owned") is True,
        format=spec.get("format", "text"),
        template=os.path.join(TEMPLATES, f"{name}.j2") if renderer is None else None,
        renderer=renderer,
        each=spec.get("each"),
    )


def _service(name: str, spec: Mapping[str, Any]) -> ServiceSpec:
    return ServiceSpec(name, tuple(spec["files"]), tuple(tuple(command) for command in spec["commands"]))


def _generator(name: str, spec: Mapping[str, Any]) -> GeneratorSpec:
    return GeneratorSpec(
        name=name,
        key=spec["key"],
        strength=spec.get("strength", "strong"),
        needs=tuple(spec.get("needs", ())),
        when=tuple(spec.get("when", ())),
        consumer=spec.get("consumer"),
        depth=spec.get("depth", 0),
        deadline_s=spec.get("deadline", 10.0),
    )
