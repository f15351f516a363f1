"""What a JSON Schema says against a value, in the words of all other faults. Nothing here prints a value."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from earlyboot.model.check import KeyFault
from earlyboot.model.faults import MAX_FAULTS, MAX_GATHERED
from earlyboot.model.key import MAX_KEY_CHARS, format_segment
from earlyboot.model.phrases import place, suggestion, word_for
from earlyboot.model.tree import ROOT

Path = tuple[str | int, ...]

_MAX_DEPTH = 32
# The validator makes all its errors at once, a kilobyte or two for each value that breaks a rule.
MAX_VALUES = 20_000
_MAX_SHOWN_CHARS = 200
_INT64 = range(-(1 << 63), 1 << 63)
# JSON Schema's types as a fault names them, and how one is written.
TYPES = {
    "object": ("a table", "write a table"),
    "array": ("a list", "write a list, such as [1, 2]"),
    "string": ("text", "write it in quotes"),
    "integer": ("a whole number", "write a whole number, without quotes"),
    "number": ("a number", "write a number, without quotes"),
    "boolean": ("true or false", "write true or false, without quotes"),
}
# Rules with a limit: what the limit is of.
_LIMITS = {
    "minimum": "must be at least {}",
    "maximum": "must be at most {}",
    "exclusiveMinimum": "must be more than {}",
    "exclusiveMaximum": "must be less than {}",
    "minLength": "must have at least {} characters",
    "maxLength": "must have at most {} characters",
    "minItems": "must have at least {} items",
    "maxItems": "must have at most {} items",
    "minProperties": "must have at least {} keys",
    "maxProperties": "must have at most {} keys",
}
_OTHERS = {
    "uniqueItems": "must not have the same item twice",
    "contains": "lacks an item that its schema asks for",
    "not": "is what its schema excludes",
    "falseSchema": "is not allowed here",
    "oneOf": "must have exactly one of the forms that its schema gives",
    "anyOf": "must have one of the forms that its schema gives",
}


class _Plain(NamedTuple):
    """A fault of a value by itself; `ends` is whether no validator can take the value at all."""

    fault: KeyFault
    ends: bool = False


def find_schema_faults(
    name: str, schema: Mapping[str, Any], validator: Any, value: object, wanted: Callable[[KeyFault], bool]
) -> tuple[KeyFault, ...]:
    """The `wanted` faults of the value of the group `name` in the order of the document: what no setting can be, and
    what the schema says. Of more than `MAX_GATHERED` the others are not looked for."""
    plain = list(islice(_plain_faults((name,), value), MAX_GATHERED))
    faults = [found.fault for found in plain]
    if len(plain) == MAX_GATHERED or any(found.ends for found in plain):
        return tuple(fault for fault in faults if wanted(fault))
    if _holds_more(value, MAX_VALUES):
        what = f"{place((name,))} holds more than {MAX_VALUES:,} values"
        fault = KeyFault((name,), "bad-value", what, "large data belongs into a file of its own")
        return (fault,) if wanted(fault) else ()
    known = {fault.path for fault in faults}
    words = _Words(schema)
    found = (fault for error in validator.iter_errors(value) for fault in words.faults((name,), error))
    others = (fault for fault in found if fault.path not in known and wanted(fault))
    every = dict.fromkeys([*filter(wanted, faults), *islice(others, MAX_GATHERED)])
    order = _Order(value)
    return tuple(sorted(every, key=lambda fault: order.place(fault.path[1:])))


class _Order:
    """Where a path stands in a document, to sort by; what is missing comes last in its table."""

    def __init__(self, document: Any) -> None:
        self._document = document
        self._places: dict[int, dict[str, int]] = {}

    def place(self, path: Path) -> tuple[int, ...]:
        places: list[int] = []
        value = self._document
        for part in path:
            if isinstance(value, Mapping) and isinstance(part, str):
                if id(value) not in self._places:
                    self._places[id(value)] = {name: place for place, name in enumerate(value)}
                places.append(self._places[id(value)].get(part, len(value)))
                value = value.get(part)
            elif isinstance(value, list | tuple) and isinstance(part, int):
                places.append(part)
                value = value[part]
        return tuple(places)


def _holds_more(value: object, limit: int) -> bool:
    left = [value]
    number = 0
    while left and number <= limit:
        member = left.pop()
        if isinstance(member, Mapping | list | tuple):
            number += len(member)
            if number <= limit:
                left += member.values() if isinstance(member, Mapping) else member
    return number > limit


def _plain_faults(path: Path, value: object) -> Iterator[_Plain]:
    """What JSON or TOML cannot hold, or no settings key can name."""
    if len(path) > _MAX_DEPTH:
        what = f"{place(path[:1])} is nested deeper than {_MAX_DEPTH}"
        yield _Plain(KeyFault(path, "too-deep", what, "flatten the tables and lists here"), ends=True)
        return
    match value:
        case None:
            yield _Plain(KeyFault(path, "wrong-type", f"{place(path)} must not be null", "leave it out instead"))
        case bool():
            pass
        case int() if value not in _INT64:
            yield _Plain(KeyFault(path, "bad-value", f"{place(path)} does not fit 64 bits", "write a smaller number"))
        case float() if not math.isfinite(value):
            what = f"{place(path)} is not a finite number"
            yield _Plain(KeyFault(path, "bad-value", what, "write a number with digits"))
        case str() if not _is_unicode(value):
            what = f"{place(path)} is no Unicode text"
            yield _Plain(KeyFault(path, "bad-value", what, "write it without lone surrogates"), ends=True)
        case int() | float() | str():
            pass
        case Mapping():
            for name, member in value.items():
                yield from _name_faults(path, name)
                if isinstance(name, str):
                    yield from _plain_faults((*path, name), member)
        case list() | tuple():
            for index, item in enumerate(value):
                yield from _plain_faults((*path, index), item)
        case _:
            what = f"{place(path)} is {word_for(value)}, which no setting is"
            yield _Plain(KeyFault(path, "wrong-type", what, "write it as text"), ends=True)


def _is_unicode(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _name_faults(path: Path, name: object) -> Iterator[_Plain]:
    if not isinstance(name, str):
        what = f"{place(path)} has a key that is not text"
        yield _Plain(KeyFault(path, "wrong-type", what, "write every key as text"), ends=True)
        return
    if any(isinstance(part, int) for part in path) and _is_unicode(name):
        # A list is one value: what is inside has no key of its own.
        return
    try:
        length = len(".".join(format_segment(str(part)) for part in (ROOT, *path, name)))
    except ValueError:
        what = f"{place((*path, name))} has a name that no settings key can have"
        fault = KeyFault((*path, name), "bad-value", what, "use letters, digits, '-', '_', '/' and '.'")
        yield _Plain(fault, ends=not _is_unicode(name))
        return
    if length > MAX_KEY_CHARS:
        what = f"{place((*path, name))} is a key of more than {MAX_KEY_CHARS} characters"
        yield _Plain(KeyFault((*path, name), "bad-value", what, "use shorter names"))


class _Words:
    """The faults of one schema's errors."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema
        self._suggestions_left = MAX_FAULTS  # one costs more than all the rest of a fault, and nobody sees later ones

    def faults(self, group: Path, error: Any) -> Iterator[KeyFault]:
        path: Path = (*group, *error.instance_path)
        kind = error.kind
        match kind.name:
            case "type":
                yield self._type(path, error)
            case "required":
                missing = (*path, kind.property)
                yield KeyFault(missing, "missing-key", f"{place(missing)} is missing", f"add {_named(kind.property)}")
            case "additionalProperties" | "unevaluatedProperties":
                yield from self._unexpected(path, kind.unexpected, error)
            case "falseSchema" if list(error.schema_path[-1:]) == ["additionalProperties"]:
                yield from self._unexpected(path, list(error.instance), error)
            case "anyOf" | "oneOf" if (branch := _meant(kind, error)) is not None:
                for inner in branch:
                    yield from self.faults(group, inner)
            case "propertyNames":
                name = (*path, str(kind.error.instance))
                what = f"{place(name)} has a name that {self._rule(kind.error)}"
                yield KeyFault(name, "bad-value", what, "rename it")
            case _:
                yield KeyFault(path, "bad-value", f"{place(path)} {self._rule(error)}", self._fix(error))

    def _type(self, path: Path, error: Any) -> KeyFault:
        kinds = [TYPES[name] for name in TYPES if name in error.kind.types]
        if not kinds:
            return KeyFault(path, "wrong-type", f"{place(path)} has no type that a setting can have", "leave it out")
        wanted = " or ".join(word for word, _ in kinds)
        fix = " or ".join(dict.fromkeys(write for _, write in kinds))
        return KeyFault(path, "wrong-type", f"{place(path)} must be {wanted}, not {word_for(error.instance)}", fix)

    def _unexpected(self, path: Path, names: list[str], error: Any) -> Iterator[KeyFault]:
        known = self._known(error)
        keys = f"the keys here are: {', '.join(known)}" if known else "take it away"
        for name in names:
            self._suggestions_left -= 1
            fix = (suggestion(name, known) if self._suggestions_left >= 0 else "") or keys
            yield KeyFault((*path, name), "unknown-key", f"{place((*path, name))} is not a known key", fix)

    def _known(self, error: Any) -> list[str]:
        subschema = self._at(error.schema_path[:-1])
        properties = subschema.get("properties", {}) if isinstance(subschema, Mapping) else {}
        return list(properties) if isinstance(properties, Mapping) else []

    def _at(self, path: list[str | int]) -> Any:
        """The part of the schema at a path of the validator's; `None` where it leads elsewhere."""
        found: Any = self._schema
        for part in path:
            try:
                found = found[part]
            except (KeyError, IndexError, TypeError):
                return None
        return found

    def _rule(self, error: Any) -> str:
        """Completes "settings.NAME.KEY …"."""
        kind = error.kind
        if kind.name in _LIMITS:
            return _LIMITS[kind.name].format(kind.limit)
        match kind.name:
            case "type":
                return "must be text"
            case "enum":
                return f"must be one of {_shown(kind.options)}"
            case "const":
                return f"must be {_shown([kind.expected_value])}"
            case "pattern":
                return f"must match the pattern {kind.pattern[:_MAX_SHOWN_CHARS]}"
            case "format":
                return f"must be in the format {kind.format}"
            case "multipleOf":
                return f"must be a multiple of {kind.multiple_of}"
            case name:
                return _OTHERS.get(name, f"breaks the rule {name} of its schema")

    def _fix(self, error: Any) -> str:
        """An example from the schema, else its own words, else none better."""
        if error.kind.name in ("enum", "const"):
            return "write that" if error.kind.name == "const" else "write one of these"
        subschema = self._at(error.schema_path[:-1])
        if isinstance(subschema, Mapping):
            examples, description = subschema.get("examples"), subschema.get("description")
            if isinstance(examples, list) and examples:
                return f"write for example {_shown(examples[:1])}"
            if isinstance(description, str) and description:
                return f"it is: {description[:_MAX_SHOWN_CHARS]}"
        return "correct it"


def _meant(kind: Any, error: Any) -> list[Any] | None:
    """The errors of the one form that the value has at first sight; `None` where none or several may be meant."""
    if type(kind).__name__ == "OneOfMultipleValid":
        return None
    own = list(error.instance_path)
    shaped = [
        branch
        for branch in kind.context
        if not any(
            inner.kind.name in ("type", "const", "enum") and list(inner.instance_path) == own for inner in branch
        )
    ]
    return shaped[0] if len(shaped) == 1 else None


def _named(name: str) -> str:
    return place((name,)).partition(".")[2]


def _shown(values: list[Any]) -> str:
    text = ", ".join(json.dumps(value, ensure_ascii=False) for value in values)
    return text if len(text) <= _MAX_SHOWN_CHARS else text[:_MAX_SHOWN_CHARS] + "…"
