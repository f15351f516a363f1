"""The reference of the settings, in Markdown: every key with its rule, default and example, and what a change touches."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec.inspect as mi

from earlyboot.config.dropin import segments
from earlyboot.config.profile import Profile
from earlyboot.model.custom import CustomGroup
from earlyboot.model.json_schema import group_sentence
from earlyboot.model.key import format_key
from earlyboot.model.phrases import example, wanted
from earlyboot.model.rules import rules_of
from earlyboot.model.schema_faults import TYPES
from earlyboot.model.secrets import is_secret
from earlyboot.model.settings import GROUPS
from earlyboot.model.shape import bare, group_kind, is_needed, name_scalar, value_compound, value_scalar, written_forms
from earlyboot.model.table import Compound, Table
from earlyboot.model.tree import ROOT

_INTRODUCTION = """\
# The settings

Every key that there can be below `[settings]`. Unknown keys are refused, and so are values that break the rule of their
key. NAME stands for a name of your own. A key with `[]` lies in each table of a list, and a list is one value: a later
source replaces it whole.

This page is the output of `earlyboot schema --format markdown`; on an image it has the groups of the image's drop-ins too.
"""
# A name of its own in a path, and the place in a list.
_NAME = "NAME"
_ITEM = "[]"
_DEPTH = 8
_NO_EXAMPLE = '"…"'


class _Row(NamedTuple):
    """One key: `path` below the settings; `rule` completes "must be …"; `example` is TOML."""

    path: tuple[str, ...]
    says: str
    rule: str
    example: str = ""


def reference(profiles: Sequence[Profile], custom: Mapping[str, CustomGroup]) -> str:
    """The page for these profiles and the image builder's groups."""
    here = [group for group in GROUPS if any(_has(profile, group) for profile in profiles)]
    parts = [_INTRODUCTION]
    for group in here:
        kind = group_kind(group)
        rows = [*_rows((group,), kind)]
        parts.append(_section(group, group_sentence(group), rows, profiles, custom))
    for name, own in custom.items():
        says = own.schema.get("description") or own.schema.get("title") or "A group of the image builder's."
        parts.append(_section(name, str(says), [*_own_rows((name,), _inlined(own.schema))], profiles, custom))
    return "\n".join([*parts, _files(profiles)])


def _section(
    group: str, says: str, rows: list[_Row], profiles: Sequence[Profile], custom: Mapping[str, CustomGroup]
) -> str:
    lines = [f"## {group}", "", _prose(says), ""]
    only = [profile.name for profile in profiles if _has(profile, group)]
    if len(only) < len(profiles):
        lines += [f"Only in the profile{'s' if len(only) > 1 else ''} {', '.join(f'`{name}`' for name in only)}.", ""]
    lines += ["| key | what it is | must be | default | example | secret | touches |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        cells = (
            _code(_dotted(row.path)),
            _prose(row.says),
            _prose(row.rule),
            _default(row.path, profiles),
            _code(row.example if row.example != _NO_EXAMPLE else ""),
            "yes" if not row.rule.startswith("a table") and _is_secret(row.path, custom) else "",
            _touches(row.path, profiles),
        )
        lines.append(f"| {' | '.join(cells)} |")
    notes = [rule.says for rule in rules_of(group)] + _generated(group, profiles)
    return "\n".join([*lines, *([""] if notes else []), *(f"- {_prose(note)}" for note in notes), ""])


def _rows(path: tuple[str, ...], kind: mi.Type, says: str = "") -> Iterator[_Row]:
    """The row of a key, and those of all keys below it."""
    while isinstance(kind, mi.Metadata):
        says = says or str((kind.extra_json_schema or {}).get("description", ""))
        kind = kind.type
    match kind:
        case mi.StructType():
            if len(path) > 1 and path[-1] not in (_NAME, _ITEM):
                yield _Row(path, says, "a table")
            yield from _fields(path, kind)
        case mi.DictType():
            named = f"NAME is {name_scalar(kind).rule}"
            member = bare(kind.value_type)
            rule = "a table" if isinstance(member, mi.StructType) else _rule(member)
            shown = "" if isinstance(member, mi.StructType) else example(member)
            yield _Row((*path, _NAME), says, f"{rule}; {named}", shown)
            yield from _inside((*path, _NAME), member)
        case _:
            yield _Row(path, says, _rule(kind), example(kind))
            yield from _inside(path, kind)


def _fields(path: tuple[str, ...], kind: mi.StructType) -> Iterator[_Row]:
    aliases = kind.cls.aliases if issubclass(kind.cls, Table) else {}
    others = {name: alias for alias, name in aliases.items()}
    alike: dict[type, str] = {}
    for field in kind.fields:
        name = field.encode_name
        rows = [*_rows((*path, name), field.type)]
        first = rows[0]
        if name in others:
            first = first._replace(says=f"{first.says} Read as {others[name]} too.")
        if is_needed(kind, field):
            first = first._replace(says=f"{first.says} Needed.")
        kind_of_field = bare(field.type)
        cls = kind_of_field.cls if isinstance(kind_of_field, mi.StructType | mi.CustomType) else None
        if cls is not None and len(rows) > 1 and alike.setdefault(cls, name) != name:
            yield first._replace(rule=f"{first.rule}, with the keys of {alike[cls]}")
        else:
            yield from (first, *rows[1:])


def _inside(path: tuple[str, ...], kind: mi.Type) -> Iterator[_Row]:
    """The keys of the tables within a value whose own row is there already."""
    kind = bare(kind)
    match kind:
        case mi.StructType():
            yield from _fields(path, kind)
        case mi.DictType():
            yield from _rows(path, kind)
        case mi.VarTupleType() if isinstance(item := bare(kind.item_type), mi.StructType):
            yield from _fields((*path, _ITEM), item)
        case mi.CustomType() if issubclass(kind.cls, Compound):
            # The first form that has tables says it for all others.
            yield from next((rows for form in written_forms(kind.cls) if (rows := [*_inside(path, form)])), [])


def _rule(kind: mi.Type) -> str:
    kind = bare(kind)
    match kind:
        case mi.VarTupleType():
            least = f" of at least {kind.min_length}" if kind.min_length else ""
            return f"a list{least}, each {_rule(kind.item_type)}"
        case mi.TupleType():
            return f"a list of {' and '.join(_rule(item) for item in kind.item_types)}"
        case mi.StructType() | mi.DictType():
            return "a table"
        case mi.CustomType() if issubclass(kind.cls, Compound):
            return value_compound(kind).rule
        case mi.CustomType():
            return value_scalar(kind).rule
        case _:
            return wanted(kind)


def _inlined(schema: Mapping[str, Any]) -> Any:
    import jsonschema_rs

    return jsonschema_rs.dereference(dict(schema), offline=True)


def _own_rows(path: tuple[str, ...], schema: Any) -> Iterator[_Row]:
    """The keys that a schema names."""
    if not isinstance(schema, Mapping) or len(path) > _DEPTH:
        return
    if len(path) > 1 or "properties" not in schema:
        examples = schema.get("examples") or []
        shown = json.dumps(examples[0], ensure_ascii=False) if examples else ""
        yield _Row(path, str(schema.get("description") or schema.get("title") or ""), _own_rule(schema), shown)
    for name, member in schema.get("properties", {}).items():
        yield from _own_rows((*path, name), member)
    for member in (*schema.get("patternProperties", {}).values(), schema.get("additionalProperties")):
        yield from _own_rows((*path, _NAME), member)
    items = schema.get("items")
    if isinstance(items, Mapping) and "properties" in items:
        for name, member in items["properties"].items():
            yield from _own_rows((*path, _ITEM, name), member)


def _own_rule(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return "one of " + ", ".join(json.dumps(value, ensure_ascii=False) for value in schema["enum"])
    kinds = schema.get("type", [])
    words = [TYPES[kind][0] for kind in ([kinds] if isinstance(kinds, str) else kinds) if kind in TYPES]
    limits = [
        f"{word} {schema[key]}"
        for key, word in {"minimum": "from", "maximum": "to", "pattern": "matching", "format": "in the format"}.items()
        if key in schema
    ]
    return " ".join([" or ".join(words) or "what its schema says", *limits])


def _dotted(path: tuple[str, ...]) -> str:
    text = ""
    for part in path:
        text += part if part == _ITEM else f".{format_key([part])}" if text else part
    return text


def _prefix(path: tuple[str, ...]) -> tuple[str, ...]:
    """The path of the setting: what lies within a list has none of its own."""
    return path[: path.index(_ITEM)] if _ITEM in path else path


def _default(path: tuple[str, ...], profiles: Sequence[Profile]) -> str:
    values: dict[str, list[str]] = {}
    for profile in profiles:
        found: object = profile.defaults
        for part in path:
            found = found.get(part) if isinstance(found, Mapping) else None
        if found is not None and not isinstance(found, Mapping):
            values.setdefault(json.dumps(found, ensure_ascii=False), []).append(profile.name)
        elif any(segments(generator.key) == path and not generator.depth for generator in profile.generators):
            values.setdefault("", []).append(profile.name)
    everywhere = sum(_has(profile, path[0]) for profile in profiles)
    return ", ".join(
        (_code(value) if value else "generated") + ("" if len(names) == everywhere else f" ({', '.join(names)})")
        for value, names in values.items()
    )


def _has(profile: Profile, group: str) -> bool:
    return profile.groups is None or group in profile.groups or group in profile.custom


def _is_secret(path: tuple[str, ...], custom: Mapping[str, CustomGroup]) -> bool:
    return is_secret(format_key((ROOT, *_prefix(path))), custom)


def _related(path: tuple[str, ...], key: tuple[str, ...]) -> bool:
    """Whether a change at `path` is one of `key`, in which a name of one's own stands as it is."""
    return all(mine in (theirs, _NAME) for mine, theirs in zip(path, key, strict=False))


def _touches(path: tuple[str, ...], profiles: Sequence[Profile]) -> str:
    names: dict[str, None] = {}
    for profile in profiles:
        for spec in profile.files:
            if any(_related(_prefix(path), segments(key)) for key in spec.reads):
                names[spec.name] = None
    return ", ".join(names)


def _generated(group: str, profiles: Iterable[Profile]) -> list[str]:
    """What is made up within a map, which has no cell of its own."""
    found = {
        f"What nobody sets in {group} is made up by the generator {generator.name}, where it can be."
        for profile in profiles
        for generator in profile.generators
        if segments(generator.key) == (group,)
    }
    return sorted(found)


def _files(profiles: Sequence[Profile]) -> str:
    specs = {(spec.name, spec.path): spec for profile in profiles for spec in profile.files}
    services = {service.name: service for profile in profiles for service in profile.services}
    lines = [
        "## Files",
        "",
        "What the last column above names. A file is made where one of its keys is set, and where the image has what reads",
        "it; then the services that it belongs to are told.",
        "",
        "| name | path | mode | where there is | services |",
        "|---|---|---|---|---|",
    ]
    for spec in specs.values():
        told = ", ".join(service.name for service in services.values() if spec.name in service.files)
        lines.append(f"| {spec.name} | {_code(spec.path)} | {spec.mode:04o} | {_code(spec.consumer or '')} | {told} |")
    return "\n".join([*lines, ""])


def _code(text: str) -> str:
    """A code span in a table, which may not be empty and ends at no backtick within."""
    if not text:
        return ""
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}".replace("|", "\\|").replace("\n", " ")


def _prose(text: str) -> str:
    return re.sub(r"([\\`*_|<>\[\]])", r"\\\1", " ".join(text.split()))
