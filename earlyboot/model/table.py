"""What the groups are built from: `Table`, a fixed set of keys; `Compound`, a value with more than one written form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import msgspec


class Table(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """A table with known keys. A key that is not given is `UNSET` and appears in no output.

    Fields are `Annotated[SomeType | UnsetType, Meta(description=…)] = UNSET`; the reference pages are made from these.
    """

    # Names that a key of a group is read by besides its own, to its own.
    aliases: ClassVar[Mapping[str, str]] = {}
    # Its keys that the merged settings must have. Each may come from a source of its own, so that its type requires none
    # of them: `lacking` tells which are missing, in a rule of its group. What is one value, a table in a list or one with a
    # single key, has it required by its type.
    needs: ClassVar[tuple[str, ...]] = ()


def with_own_names(kind: object, value: object) -> object:
    """The value of a group of type `kind` with no aliases left. `ValueError` if a key stands in it under both names."""
    aliases = kind.aliases if isinstance(kind, type) and issubclass(kind, Table) else {}
    if not aliases or not isinstance(value, Mapping):
        return value
    own = {aliases.get(name, name) if isinstance(name, str) else name: member for name, member in value.items()}
    if len(own) != len(value):
        raise ValueError("a key is there under two names")
    return own


class Compound:
    """A value that may be written in several forms, or whose rule spans its items; `value` is the one stable form.

    msgspec allows no custom type in a union, so the choice is made here. `settled` turns a converted form into `value`.
    """

    __slots__ = ("value",)

    rule: ClassVar[str]
    example: ClassVar[str]  # in TOML
    forms: ClassVar[tuple[object, ...]]

    def __init__(self, value: object) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.value!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Compound) and type(self) is type(other) and self.value == other.value

    def __hash__(self) -> int:
        return hash((type(self), self.value))

    @classmethod
    def form(cls, value: object) -> object:
        """Which of `forms` the plain `value` is written in; `ValueError` for none."""
        return cls.forms[0]

    @classmethod
    def settled(cls, converted: Any) -> object:
        """The stable form of a converted value; `ValueError` where a rule across its items is broken."""
        return converted

    @classmethod
    def from_plain(cls, value: object, dec_hook: Callable[[type, Any], Any]) -> Self:
        return cls(cls.settled(msgspec.convert(value, cls.form(value), dec_hook=dec_hook)))


class TextOrOther(Compound):
    """`forms` are that of anything but text, and that of text."""

    __slots__ = ()

    @classmethod
    def form(cls, value: object) -> object:
        other, text = cls.forms
        return text if isinstance(value, str) else other


class OneOrSeveral(Compound):
    """`forms` are that of one value, and that of a list of them."""

    __slots__ = ()

    @classmethod
    def form(cls, value: object) -> object:
        one, several = cls.forms
        return several if isinstance(value, list | tuple) else one


class Listed(OneOrSeveral):
    """One text or a list of them, stored as the list."""

    __slots__ = ()

    @classmethod
    def settled(cls, converted: Any) -> object:
        return (converted,) if isinstance(converted, str) else converted
