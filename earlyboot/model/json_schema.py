"""The model as JSON Schema (draft 2020-12), for editors, for the OpenAPI document and for other programs.

The schema accepts all that `check` accepts. It refuses what a schema can refuse: keys, types, patterns and ranges, but not
the rules that only code can express, such as whether a certificate parses.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

import msgspec.inspect as mi

from earlyboot.model.settings import GROUPS
from earlyboot.model.shape import group_kind, name_scalar, value_compound, value_scalar, written_forms
from earlyboot.model.table import Compound, Table
from earlyboot.model.tree import ROOT
from earlyboot.model.types import Scalar, SecretScalar

if TYPE_CHECKING:
    from earlyboot.model.custom import CustomGroup

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, object]

# JSON carries no lone surrogate, and other regular expression engines know none.
_SURROGATES = r"\ud800-\udfff"


def document_schema(groups: Collection[str] | None = None, custom: Mapping[str, CustomGroup] = {}) -> Schema:
    """The schema of a whole user data document. A table beside `[settings]` is no error: a boot only warns of it."""
    return {
        "$schema": DIALECT,
        "title": "earlyboot user data",
        "type": "object",
        "required": [ROOT],
        "properties": {ROOT: settings_schema(groups, custom)},
    }


def settings_schema(groups: Collection[str] | None = None, custom: Mapping[str, CustomGroup] = {}) -> Schema:
    """The schema of the content of the settings table, without a reference to anything outside itself.

    `groups` are those of the model that exist here, all if `None`; `custom` are the image builder's own, by name.
    """
    known = {group: group_schema(group) for group in GROUPS if groups is None or group in groups}
    own = {name: _embedded(group) for name, group in custom.items()}
    return {
        "type": "object",
        "description": "The settings of this machine, in groups.",
        "properties": {**known, **own},
        "additionalProperties": False,
    }


def group_schema(group: str) -> Schema:
    """The schema of the value of one of the model's groups."""
    return {**schema_of(group_kind(group)), "description": group_sentence(group)}


def group_sentence(group: str) -> str:
    """What a group is for: the docstring of its module, which begins with the group's name."""
    module = import_module(f"earlyboot.model.{group.replace('-', '_')}")
    words = " ".join((module.__doc__ or "").partition("\n\n")[0].split()).partition(": ")[2]
    return words[:1].upper() + words[1:]


def schema_of(kind: mi.Type) -> Schema:
    """The schema of one of the model's types."""
    match kind:
        case mi.Metadata():
            return _described(schema_of(kind.type), kind.extra_json_schema or {})
        case mi.StructType():
            return _table(kind)
        case mi.DictType():
            return _map(kind)
        case mi.VarTupleType():
            sizes = {"minItems": kind.min_length, "maxItems": kind.max_length}
            return {"type": "array", "items": schema_of(kind.item_type), **_given(sizes)}
        case mi.TupleType():
            items = [schema_of(item) for item in kind.item_types]
            return {"type": "array", "prefixItems": items, "items": False, "minItems": len(items)}
        case mi.CustomType() if issubclass(kind.cls, Compound):
            return _compound(value_compound(kind))
        case mi.CustomType():
            return _scalar(value_scalar(kind))
        case mi.LiteralType():
            return {"type": "string", "enum": list(kind.values)}
        case mi.IntType() | mi.FloatType():
            return _number(kind)
        case mi.BoolType():
            return {"type": "boolean"}
        case mi.UnionType():
            return {"anyOf": [schema_of(member) for member in kind.types]}
        case mi.StrType():
            sizes = {"minLength": kind.min_length, "maxLength": kind.max_length}
            pattern = {} if kind.pattern is None else {"pattern": ecma_pattern(kind.pattern)}
            return {"type": "string", **pattern, **_given(sizes)}
        case _:
            raise TypeError(f"no JSON Schema for {kind}")


def _described(schema: Schema, extra: Mapping[str, object]) -> Schema:
    """A key's own words first, then what its type says of itself."""
    texts = [text for text in (extra.get("description"), schema.get("description")) if isinstance(text, str)]
    return {**schema, **extra, **({"description": " ".join(texts)} if texts else {})}


def _given(values: Mapping[str, object]) -> Schema:
    return {name: value for name, value in values.items() if value is not None}


def _table(kind: mi.StructType) -> Schema:
    properties = {field.encode_name: schema_of(field.type) for field in kind.fields}
    aliases = kind.cls.aliases if issubclass(kind.cls, Table) else {}
    for alias, name in aliases.items():
        properties[alias] = {**properties[name], "description": f"Another name of {name}.", "deprecated": True}
    required = [field.encode_name for field in kind.fields if field.required]
    return {
        "type": "object",
        "properties": properties,
        **({"required": required} if required else {}),
        **({"allOf": [{"not": {"required": [*both]}} for both in aliases.items()]} if aliases else {}),
        "additionalProperties": False,
    }


def _map(kind: mi.DictType) -> Schema:
    sizes = {"minProperties": kind.min_length, "maxProperties": kind.max_length}
    return {
        "type": "object",
        "patternProperties": {ecma_pattern(name_scalar(kind).pattern): schema_of(kind.value_type)},
        "additionalProperties": False,
        **_given(sizes),
    }


def _compound(compound: type[Compound]) -> Schema:
    import tomli

    forms = [schema_of(form) for form in written_forms(compound)]
    return {
        **(forms[0] if len(forms) == 1 else {"anyOf": forms}),
        "description": f"Must be {compound.rule}.",
        "examples": [tomli.loads(f"example = {compound.example}")["example"]],
    }


def _scalar(scalar: type[Scalar | SecretScalar]) -> Schema:
    plain = scalar.plain if issubclass(scalar, SecretScalar) else scalar
    return {
        "type": "string",
        **({"pattern": ecma_pattern(plain.pattern)} if _must_match(plain) else {}),
        "description": f"Must be {scalar.rule}.",
        **({"examples": [scalar.example]} if scalar.example else {}),
        **({"writeOnly": True} if scalar.secret else {}),
    }


def _must_match(scalar: type[Scalar]) -> bool:
    """Whether all text of this kind matches its `pattern`: where code decides, only a pattern made for it counts."""
    decides = any("accepts" in vars(kind) for kind in scalar.__mro__ if kind is not Scalar)
    return not decides or scalar.pattern != Scalar.pattern


def _number(kind: mi.IntType | mi.FloatType) -> Schema:
    limits = {
        "minimum": kind.ge,
        "exclusiveMinimum": kind.gt,
        "maximum": kind.le,
        "exclusiveMaximum": kind.lt,
        "multipleOf": kind.multiple_of,
    }
    return {"type": "integer" if isinstance(kind, mi.IntType) else "number", **_given(limits)}


def ecma_pattern(pattern: str) -> str:
    """A pattern of ours, which must match the whole text, in the syntax of ECMA-262, which JSON Schema speaks."""
    text = pattern.replace(r"\A", "^").replace(r"\Z", "$").replace(_SURROGATES, "")
    return text if text.startswith("^(?:") and text.endswith(")$") else f"^(?:{text})$"


def _embedded(group: CustomGroup) -> Schema:
    """A schema within another. Its references begin at its own root, which an `$id` says."""
    schema = dict(group.schema)
    if "$id" not in schema and _refers(schema):
        return {"$id": f"urn:earlyboot:settings:{group.name}", **schema}
    return schema


def _refers(node: object) -> bool:
    if isinstance(node, Mapping):
        return "$ref" in node or "$dynamicRef" in node or any(map(_refers, node.values()))
    return isinstance(node, list) and any(map(_refers, node))
