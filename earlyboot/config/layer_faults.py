"""Whether what the drop-ins say fits together: what they name must be there, beside them or in the profile."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from earlyboot.config.dropin import FILE_LIMIT_BYTES, DropIn, segments
from earlyboot.config.layers import Table, beside, is_enabled
from earlyboot.config.paths import Paths
from earlyboot.config.profile import Layers
from hostkit import files, toml
from hostkit.errors import Fault, HostError
from providers.registry import PROVIDERS

Found = Iterator[tuple[toml.Path, Fault]]

# A job that a stage waits for may be ordered after that stage.
_WAITING_VERBS = frozenset({"start", "restart", "reload-or-restart", "isolate"})


class Check:
    """The faults of merged drop-ins, each with its path in them. Entries that none touched are the program's own affair.

    `schemas` are those of the image builder's groups, once `all` has been gone through.
    """

    def __init__(
        self,
        merged: Layers,
        shipped: Layers,
        drop_ins: list[DropIn],
        model_groups: Collection[str],
        paths: Paths,
        refused_groups: Collection[str] = (),
    ) -> None:
        """`refused_groups` were named and are at fault already: nothing is said of what refers to them."""
        self._merged = merged
        self._shipped = shipped
        self._drop_ins = drop_ins
        self._model_groups = model_groups
        self._paths = paths
        self._groups = merged.groups | set(merged.custom)
        self._refused_groups = refused_groups
        self._listed = False
        self.schemas: dict[str, Mapping[str, Any]] = {}

    def all(self) -> Found:
        yield from self._providers()
        yield from self._removed_groups()
        yield from self._own_groups()
        yield from self._defaults()
        for name, entry in self._touched("files"):
            if is_enabled(entry):
                yield from self._file(name, entry)
        yield from self._shared_paths()
        for name, entry in self._touched("services"):
            if is_enabled(entry):
                yield from self._service(name, entry)
        for name, entry in self._touched("generators"):
            if is_enabled(entry):
                yield from self._generator(name, entry)

    def _touched(self, section: str) -> Iterator[tuple[str, Table]]:
        names = dict.fromkeys(name for drop_in in self._drop_ins for name in drop_in.document.get(section, {}))
        entries: Mapping[str, Table] = getattr(self._merged, section)
        yield from ((name, entries[name]) for name in names)

    def _providers(self) -> Found:
        known = [provider.name for provider in PROVIDERS]
        for place, name in enumerate(self._merged.providers):
            if name not in known:
                fix = f"the sources are {', '.join(known)}"
                yield ("providers", place), Fault("unknown-provider", f"'{name}' is not a source", fix=fix)
            elif name in self._merged.providers[:place]:
                what = f"the source {name} is there twice"
                yield ("providers", place), Fault("bad-value", what, fix="keep the place where it should win")

    def _removed_groups(self) -> Found:
        for drop_in in self._drop_ins:
            for place, name in enumerate(drop_in.document.get("remove-groups", ())):
                if name not in self._model_groups:
                    fix = f"the groups are {', '.join(sorted(self._model_groups))}"
                    yield ("remove-groups", place), Fault("unknown-group", f"'{name}' is not a group", fix=fix)

    def _own_groups(self) -> Found:
        for name, entry in self._merged.custom.items():
            path = ("groups", name)
            if name in self._model_groups:
                fix = "give it a name of its own"
                yield path, Fault("bad-value", f"{name} is a group of settings already", fix=fix)
            elif "schema" not in entry:
                yield path, _missing(path, "schema", '"NAME.schema.json"')
            else:
                try:
                    self.schemas[name] = _read_schema(beside(entry["schema"], self._paths), self._paths)
                except _UnusableError as error:
                    yield (*path, "schema"), Fault("schema", str(error), fix=error.fix)

    def _defaults(self) -> Found:
        for drop_in in self._drop_ins:
            for group in drop_in.document.get("defaults", {}):
                yield from self._group(("defaults", group), group)

    def _group(self, path: toml.Path, group: str) -> Found:
        if group in self._groups or group in self._refused_groups:
            return
        what = f"{toml.dotted(path)} is outside the groups of this profile: there is no {group}"
        # Once: the list is longer than all else.
        fix = f"add [groups.{group}], or name another" if self._listed else self._list()
        yield path, Fault("unknown-group", what, fix=fix)

    def _list(self) -> str:
        self._listed = True
        return f"the groups are {', '.join(sorted(self._groups))}"

    def _keys(self, path: toml.Path, keys: str | list[str]) -> Found:
        if isinstance(keys, str):
            yield from self._group(path, segments(keys)[0])
            return
        for place, key in enumerate(keys):
            yield from self._keys((*path, place), key)

    def _file(self, name: str, entry: Table) -> Found:
        path = ("files", name)
        needed = {"path": '"/etc/…"', "keys": '["settings.…"]', "template": '"NAME.j2"'}
        for key, example in needed.items():
            if key not in entry and not (key == "template" and name in self._shipped.files):
                yield path, _missing(path, key, example)
        if name not in self._shipped.files or self._is_set(path, "keys"):
            yield from self._keys((*path, "keys"), entry.get("keys", []))
        if "also" in entry:
            yield from self._keys((*path, "also"), entry["also"])
        if self._is_set(path, "template"):
            try:
                _read_text(beside(entry["template"], self._paths), self._paths)
            except _UnusableError as error:
                yield (*path, "template"), Fault("template", str(error), fix=error.fix)
        if "path" in entry and (entry.get("renderer") is None or self._is_set(path, "template")):
            yield from self._star(path, entry)

    def _is_set(self, path: tuple[str, str], key: str) -> bool:
        section, name = path
        return any(key in drop_in.document.get(section, {}).get(name, {}) for drop_in in self._drop_ins)

    def _star(self, path: tuple[str, ...], entry: Table) -> Found:
        """A path with a `*` is for the members of a map, which `each` names."""
        if "each" in entry:
            yield from self._keys((*path, "each"), entry["each"])
        if "each" in entry and "*" not in entry["path"]:
            what = f"{toml.dotted(path)} is a file for each member of a map, all of them at one path"
            yield (*path, "path"), Fault("bad-value", what, fix="put a '*' where the member's name belongs")
        elif "*" in entry["path"] and "each" not in entry:
            what = f"{toml.dotted(path)} has a '*' in its path and no map whose members it stands for"
            yield (*path, "path"), Fault("missing-key", what, fix="add each = \"settings.…\", or take the '*' away")

    def _shared_paths(self) -> Found:
        seen: dict[str, str] = {}
        touched = {name for name, _ in self._touched("files")}
        for name, entry in self._merged.files.items():
            place = entry.get("path")
            if place is None or not is_enabled(entry):
                continue
            if place in seen and (name in touched or seen[place] in touched):
                late = name if name in touched else seen[place]
                what = f"{place} is the path of {seen[place]} and of {name}"
                yield ("files", late, "path"), Fault("bad-value", what, fix="give each a path of its own")
            seen.setdefault(place, name)

    def _service(self, name: str, entry: Table) -> Found:
        path = ("services", name)
        for key, example in {"files": '["NAME"]', "commands": '[["systemctl", "try-restart", "NAME.service"]]'}.items():
            if key not in entry:
                yield path, _missing(path, key, example)
        for place, file in enumerate(entry.get("files", []) if self._is_set(path, "files") else []):
            if file not in self._merged.files:
                what = f"the service {name} has the file '{file}', which is none"
                fix = f"add [files.{file}], or name another; see: earlyboot schema --format markdown"
                yield (*path, "files", place), Fault("unknown-file", what, fix=fix)
        for place, command in enumerate(entry.get("commands", []) if self._is_set(path, "commands") else []):
            if _waits(command):
                what = f"at boot the service {name} would wait for a job that may wait for the boot"
                fix = "use try-restart or try-reload-or-restart, or add --no-block"
                yield (*path, "commands", place), Fault("bad-value", what, fix=fix)

    def _generator(self, name: str, entry: Table) -> Found:
        path = ("generators", name)
        if "key" not in entry:
            yield path, _missing(path, "key", '"settings.…"')
        if "command" not in entry and name not in self._shipped.generators:
            yield path, _missing(path, "command", '["/usr/libexec/NAME"]')
        for key in ("key", "needs", "when"):
            if key in entry and self._is_set(path, key):
                yield from self._keys((*path, key), entry[key])


def _waits(command: list[str]) -> bool:
    verbs = [word for word in command[1:] if not word.startswith("-")]
    is_systemctl = os.path.basename(command[0]) == "systemctl"
    return is_systemctl and bool(_WAITING_VERBS & set(verbs[:1])) and "--no-block" not in command


def _missing(path: tuple[str, str], key: str, example: str) -> Fault:
    return Fault("missing-key", f"{toml.dotted(path)} has no {key}", fix=f"add {key} = {example}")


class _UnusableError(Exception):
    """A file beside the drop-in that cannot be used."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.fix = fix


def _read_text(path: str, paths: Paths) -> str:
    name = paths.outside(path)
    try:
        data = files.read(path, FILE_LIMIT_BYTES)
    except HostError as error:
        raise _UnusableError(error.faults[0].what.replace(path, name), error.faults[0].fix) from None
    if data is None:
        raise _UnusableError(f"there is no file {name}", "put it there, or correct its name")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise _UnusableError(f"{name} is not UTF-8", "save it as UTF-8") from None


def _read_schema(path: str, paths: Paths) -> Mapping[str, Any]:
    """A JSON object. Whether it is a schema is for the model to say, where it is needed."""
    import json

    name = paths.outside(path)
    text = _read_text(path, paths)
    try:
        schema = json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        what = f"{name} is not JSON: {error.msg[:1].lower()}{error.msg[1:]} at line {error.lineno}"
        raise _UnusableError(what, "correct that line") from None
    except (ValueError, RecursionError) as error:
        raise _UnusableError(f"{name} is not JSON: {error}", "correct it") from None
    if not isinstance(schema, dict):
        raise _UnusableError(f"{name} is not a JSON object", 'write a schema such as {"type": "object"}')
    return schema


def _no_constant(name: str) -> object:
    raise ValueError(f"it has {name}, which is no number of JSON")
