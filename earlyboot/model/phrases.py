"""The words of a fault: where it is, what was wanted, what there is instead, how to mend it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec.inspect as mi

from earlyboot.model.key import format_segment
from earlyboot.model.shape import bare, is_needed, name_scalar, value_scalar
from earlyboot.model.table import Compound
from earlyboot.model.tree import ROOT
from earlyboot.model.types import Scalar, SecretScalar

_MAX_NAME_CHARS = 80


def place(path: Sequence[str | int]) -> str:
    """`settings.network.hosts[0][1]`; a name that no key could hold is quoted, escaped and cut to a bearable length."""
    return ROOT + "".join(f"[{part}]" if isinstance(part, int) else f".{_name(part)}" for part in path)


def _name(name: str) -> str:
    if "@" in name or "://" in name:
        # A value that lost its key, maybe a secret one.
        return quoted("…")
    if len(name) > _MAX_NAME_CHARS:
        name = name[:_MAX_NAME_CHARS] + "…"
    try:
        return format_segment(name)
    except ValueError:
        return quoted("".join(c if c.isprintable() else repr(c)[1:-1] for c in name))


def quoted(text: str) -> str:
    return f'"{text}"'


def wanted(kind: mi.Type) -> str:
    """What a value of `kind` is, at first sight: completes "must be …"."""
    match kind:
        case mi.StructType() | mi.DictType():
            return "a table"
        case mi.VarTupleType() | mi.TupleType():
            return "a list"
        case mi.CustomType() if issubclass(kind.cls, Compound):
            rule: str = kind.cls.rule
            return rule
        case mi.LiteralType():
            return choices(kind)
        case mi.IntType():
            return range_of(kind)
        case mi.FloatType():
            return "a number"
        case mi.BoolType():
            return "true or false"
        case _:
            return "text"


def choices(kind: mi.LiteralType) -> str:
    *first, last = (quoted(str(value)) for value in kind.values)
    return f"{', '.join(first)} or {last}" if first else last


def range_of(kind: mi.IntType) -> str:
    lower = "" if kind.ge is None else f" from {kind.ge}"
    upper = "" if kind.le is None else f" to {kind.le}"
    return f"a whole number{lower}{upper}"


def word_for(value: object) -> str:
    """What kind of value there is, without showing it."""
    kinds: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (type(None), "null"),
        (bool, "true or false"),
        (int, "a number"),
        (float, "a number with a decimal point"),
        (str, "text"),
        (Mapping, "a table"),
        ((list, tuple), "a list"),
    )
    word = next((word for kind, word in kinds if isinstance(value, kind)), None)
    if word is None:
        word = "a date or time" if type(value).__module__ == "datetime" else "a value of another kind"
    return word


def write(kind: mi.Type) -> str:
    """How to mend a value of the wrong type."""
    kind = bare(kind)
    match kind:
        case mi.BoolType():
            return "write true or false, without quotes"
        case mi.IntType():
            return "write a whole number, without quotes"
        case mi.FloatType():
            return "write a number, without quotes"
        case mi.LiteralType():
            return f"write {'one of these' if len(kind.values) > 1 else 'it'}, in quotes"
        case mi.StructType():
            return f"write a table, such as {example(kind)}; its keys are: {', '.join(_keys(kind))}"
        case mi.DictType() | mi.VarTupleType() | mi.TupleType():
            return f"write {wanted(kind)}, such as {example(kind)}"
        case mi.CustomType() if issubclass(kind.cls, Compound):
            return f"write it such as {kind.cls.example}"
        case mi.CustomType() if value_scalar(kind).example:
            return f"write text in quotes, such as {example(kind)}"
        case _:
            return "write text in quotes"


def such_as(scalar: type[Scalar | SecretScalar]) -> str:
    """How to mend text that breaks the rule of `scalar`."""
    return scalar.how or f"write for example {quoted(scalar.example)}"


def example(kind: mi.Type) -> str:
    """A good value of `kind`, in TOML."""
    kind = bare(kind)
    match kind:
        case mi.StructType():
            fields = [field for field in kind.fields if is_needed(kind, field)] or kind.fields[:1]
            return f"{{ {', '.join(f'{field.encode_name} = {example(field.type)}' for field in fields)} }}"
        case mi.DictType():
            name = name_scalar(kind).example
            return f"{{ {quoted(name) if '.' in name else name} = {example(kind.value_type)} }}"
        case mi.VarTupleType():
            return f"[{example(kind.item_type)}]"
        case mi.TupleType():
            return f"[{', '.join(map(example, kind.item_types))}]"
        case mi.CustomType() if issubclass(kind.cls, Compound):
            text: str = kind.cls.example
            return text
        case mi.CustomType():
            return quoted(value_scalar(kind).example or "…")
        case mi.LiteralType():
            return quoted(str(kind.values[0]))
        case mi.BoolType():
            return "true"
        case _:
            return "1"


def _keys(kind: mi.StructType) -> list[str]:
    return [field.encode_name for field in kind.fields]


def suggestion(name: str, known: Sequence[str]) -> str:
    """`did you mean "motd"?`, or nothing if no known name is close."""
    if "@" in name or "://" in name:
        # A value that lost its key, maybe a secret one.
        return ""
    if len(name) > _MAX_NAME_CHARS:
        return ""
    import difflib

    by_lower = {other.lower(): other for other in known}
    close = difflib.get_close_matches(name.lower().replace("_", "-"), by_lower, n=1, cutoff=0.7)
    return f"did you mean {quoted(by_lower[close[0]])}?" if close else ""
