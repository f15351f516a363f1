"""Keys as people write them: under another name of theirs, or wrong. Which key is meant, or why there can be none."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import msgspec.inspect as mi

from earlyboot.model.check import KeyFault
from earlyboot.model.phrases import place, quoted, suggestion
from earlyboot.model.settings import GROUPS
from earlyboot.model.shape import bare, group_kind, name_scalar, written_forms
from earlyboot.model.table import Compound, Table

if TYPE_CHECKING:
    from earlyboot.model.custom import CustomGroup

Path = tuple[str, ...]


def own_path(path: Path) -> Path:
    """`path`, below the root, with the names that its keys are stored under."""
    return (path[0], *_own_names(group_kind(path[0]), path[1:])) if path and path[0] in GROUPS else path


def unknown_key(
    path: Path, groups: Collection[str] | None = None, custom: Mapping[str, CustomGroup] = {}
) -> KeyFault | None:
    """Why there can be no setting at or below `path`, which is below the root; `None` if there can be one.

    `groups` are those of the model that exist here, all if `None`; `custom` are the image builder's own, by name.
    """
    if not path:
        return None
    here = [group for group in GROUPS if groups is None or group in groups]
    if path[0] in custom:
        return _unknown_to_schema(path, custom[path[0]])
    if path[0] in here:
        return _unknown_to(group_kind(path[0]), path, 1)
    known = [*here, *custom]
    fix = f"{suggestion(path[0], known)} the groups are: {', '.join(known) or 'none'}".lstrip()
    return KeyFault(path[:1], "unknown-group", f"{place(path[:1])} is not a group of settings here", fix)


def _own_names(kind: mi.Type, path: Path) -> Path:
    kind = bare(kind)
    if not path:
        return path
    match kind:
        case mi.StructType():
            name = _aliases(kind).get(path[0], path[0])
            inner = next((field.type for field in kind.fields if field.encode_name == name), None)
            return (name, *(path[1:] if inner is None else _own_names(inner, path[1:])))
        case mi.DictType():
            return (path[0], *_own_names(kind.value_type, path[1:]))
        case mi.CustomType() if issubclass(kind.cls, Compound):
            return next((own for form in written_forms(kind.cls) if (own := _own_names(form, path)) != path), path)
        case _:
            return path


def _unknown_to(kind: mi.Type, path: Path, depth: int) -> KeyFault | None:
    """`kind` is the type of what lies at the first `depth` segments of `path`."""
    kind = bare(kind)
    if depth == len(path):
        return None
    name = path[depth]
    match kind:
        case mi.StructType():
            own = _aliases(kind).get(name, name)
            fields = {field.encode_name: field.type for field in kind.fields}
            if own in fields:
                return _unknown_to(fields[own], path, depth + 1)
            fix = suggestion(name, list(fields)) or f"the keys here are: {', '.join(fields)}"
            return _unknown(path[: depth + 1], "is not a known key", fix)
        case mi.DictType():
            scalar = name_scalar(kind)
            if not scalar.accepts(name):
                what = f"has a name that must be {scalar.rule}"
                return _unknown(path[: depth + 1], what, f"a name is for example {quoted(scalar.example)}")
            fault = _unknown_to(kind.value_type, path, depth + 1)
            dotted = ".".join(path[depth:])
            if fault is None or isinstance(bare(kind.value_type), mi.StructType) or not scalar.accepts(dotted):
                return fault
            return fault._replace(fix=f"put a name that has dots in quotes: {place((*path[:depth], dotted))}")
        case mi.CustomType() if issubclass(kind.cls, Compound):
            faults = [_unknown_to(form, path, depth) for form in written_forms(kind.cls)]
            # The form that knows most of the key says best what is wrong with it.
            return None if None in faults else max(filter(None, faults), key=lambda fault: len(fault.path))
        case _:
            return _unknown(path[: depth + 1], "is not a known key", f"{place(path[:depth])} has no keys below it")


def _unknown(path: Path, what: str, fix: str) -> KeyFault:
    return KeyFault(path, "unknown-key", f"{place(path)} {what}", fix)


def _unknown_to_schema(path: Path, group: CustomGroup) -> KeyFault | None:
    value: object = {}
    for name in reversed(path[1:]):
        value = {name: value}
    for fault in group.faults(value) if path[1:] else ():
        if fault.code == "unknown-key":
            return fault
        if fault.code == "wrong-type" and len(fault.path) < len(path):
            at = path[: len(fault.path) + 1]
            return _unknown(at, "is not a known key", f"{place(at[:-1])} has no keys below it")
    return None


def _aliases(kind: mi.StructType) -> Mapping[str, str]:
    assert issubclass(kind.cls, Table)
    return kind.cls.aliases
