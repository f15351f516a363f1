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
    name in `earlyboot.render.renderers`; a file has one of them. The settings in `also` stand in it too, and do not call
    for it where none of `keys` is set. `consumer` is a path that exists where something reads
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
    also: tuple[str, ...] = ()

    @property
    def reads(self) -> tuple[str, ...]:
        """All settings that flow into it."""
        return self.keys + self.also


class ServiceSpec(NamedTuple):
    """What files belong to, and the commands that make it take a change; nobody is told where its `consumer` is not."""

    name: str
    files: tuple[str, ...]
    commands: tuple[tuple[str, ...], ...]
    consumer: str | None = None


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

    `access_user` is the account that `settings.access` lets in. `drop_ins` are the files of the image builder that are in
    this, as the image names them. `filling` are those of the `defaults` that nobody asked for: they came with the program.
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
    drop_ins: tuple[str, ...] = ()
    filling: Mapping[str, object] = {}


class Layers(NamedTuple):
    """A profile as the plain tables of its files, entries by name; what the drop-ins are laid over."""

    providers: list[str]
    groups: frozenset[str]
    defaults: dict[str, Any]
    files: dict[str, dict[str, Any]]
    services: dict[str, dict[str, Any]]
    generators: dict[str, dict[str, Any]]
    access_user: str
    custom: Mapping[str, Mapping[str, Any]] = {}
    drop_ins: tuple[str, ...] = ()
    filling: Mapping[str, object] = {}


def name_of(options: Options) -> str:
    """The profile that earlyboot.toml names, else its platform's, else `metal`."""
    return options.text("profile") or options.text("platform") or "metal"


def load(name: str, paths: Paths) -> Profile:
    """Reads a profile that came with the program and the drop-ins of the image builder.

    `OperatorError` for a name that is none, and with every fault of every drop-in. Whether schemas, defaults and keys fit
    the settings is for `earlyboot.model.fit` to say.
    """
    if name not in PROFILE_NAMES:
        fix = f"use one of {', '.join(PROFILE_NAMES)}"
        raise OperatorError(Fault("unknown-profile", f"there is no profile '{name}'", Where(), fix))
    layers = _shipped(name)
    if os.path.isdir(paths.profiles_folder):
        from earlyboot.config.layers import with_drop_ins

        layers = with_drop_ins(layers, name, model_groups(), paths)
    return Profile(
        name=name,
        providers=tuple(layers.providers),
        groups=layers.groups,
        defaults=layers.defaults,
        files=tuple(_file(file, spec) for file, spec in layers.files.items()),
        services=tuple(_service(service, spec) for service, spec in layers.services.items()),
        generators=tuple(
            _generator(generator, spec) for generator, spec in layers.generators.items() if spec["enabled"]
        ),
        custom=layers.custom,
        access_user=layers.access_user,
        drop_ins=layers.drop_ins,
        filling=layers.filling,
    )


def model_groups() -> frozenset[str]:
    """The groups of all profiles together."""
    return frozenset(group for name in PROFILE_NAMES for group in _read(f"{name}.toml")["groups"])


def profiles_with(group: str) -> tuple[str, ...]:
    """The profiles that came with the program and have a group."""
    return tuple(name for name in PROFILE_NAMES if group in _read(f"{name}.toml")["groups"])


def _shipped(name: str) -> Layers:
    own = _read(f"{name}.toml")
    shared = [_read(f"files/{file}") for file in sorted(os.listdir(os.path.join(PROFILES, "files")))]
    generators = _read("generators.toml").get("generators", {})
    used = own.get("generators", ())
    return Layers(
        providers=own["providers"],
        groups=frozenset(own["groups"]),
        defaults=own.get("defaults", {}),
        files={file: spec for part in shared for file, spec in part.get("files", {}).items()},
        services={service: spec for part in shared for service, spec in part.get("services", {}).items()},
        generators={generator: {**spec, "enabled": generator in used} for generator, spec in generators.items()},
        access_user=own["access-user"],
        filling=own.get("defaults", {}),
    )


def _read(name: str) -> dict[str, Any]:
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
        template=spec.get("template", os.path.join(TEMPLATES, f"{name}.j2")) if renderer is None else None,
        renderer=renderer,
        each=spec.get("each"),
        also=tuple(spec.get("also", ())),
    )


def _service(name: str, spec: Mapping[str, Any]) -> ServiceSpec:
    commands = tuple(tuple(command) for command in spec["commands"])
    return ServiceSpec(name, tuple(spec["files"]), commands, spec.get("consumer"))


def _generator(name: str, spec: Mapping[str, Any]) -> GeneratorSpec:
    return GeneratorSpec(
        name=name,
        key=spec["key"],
        command=tuple(spec["command"]) if "command" in spec else None,
        strength=spec.get("strength", "strong"),
        needs=tuple(spec.get("needs", ())),
        when=tuple(spec.get("when", ())),
        consumer=spec.get("consumer"),
        depth=spec.get("depth", 0),
        deadline_s=spec.get("deadline", 10.0),
    )
