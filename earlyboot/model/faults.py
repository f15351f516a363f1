"""Everything that is wrong with a document of settings, found by walking it along the model's types.

msgspec stops at the first fault, so this runs only after it found one. Nothing here prints a value: it may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec.inspect as mi

from earlyboot.model.check import KeyFault, decode
from earlyboot.model.key import MAX_KEY_CHARS, format_segment
from earlyboot.model.phrases import (
    choices,
    example,
    place,
    quoted,
    range_of,
    such_as,
    suggestion,
    wanted,
    word_for,
    write,
)
from earlyboot.model.shape import bare, group_kind, name_scalar, value_compound, value_scalar, written_forms
from earlyboot.model.table import Compound, Table
from earlyboot.model.tree import ROOT

if TYPE_CHECKING:
    from earlyboot.model.custom import CustomGroup

MAX_FAULTS = 100
# Of one group of the image builder's: then the rest is not looked for.
MAX_GATHERED = 10 * MAX_FAULTS

Path = tuple[str | int, ...]


def find_faults(
    settings: object, groups: Sequence[str], custom: Mapping[str, CustomGroup], error: str = ""
) -> tuple[KeyFault, ...]:
    """All faults in the order of the document, the first hundred in full; `error` stands in if none is found."""
    walk = _Walk()
    walk.root(settings, groups, custom)
    if not walk.count:
        # What is between quotes may be a value.
        reason = re.sub(r"'.*'", "…", error, flags=re.DOTALL)
        walk.add((), "bad-value", f"cannot be used: {reason}", "compare them with the settings reference")
    return walk.found()


def find_key_faults(settings: Mapping[str, object]) -> tuple[KeyFault, ...]:
    """Those of the settings, in their stable form and otherwise good, that no key can be made for."""
    walk = _Walk()
    walk.keys(settings, (), len(ROOT))
    return walk.found()


class _Walk:
    def __init__(self) -> None:
        self.faults: list[KeyFault] = []
        self.count = 0
        self.is_cut = False

    def add(self, path: Path, code: str, what: str, fix: str) -> None:
        self.count += 1
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(KeyFault(path, code, f"{place(path)} {what}", fix))

    def found(self) -> tuple[KeyFault, ...]:
        if self.count > len(self.faults):
            least = "at least " if self.is_cut else ""
            more = f"{least}{self.count - len(self.faults)} more faults are not shown"
            self.faults.append(KeyFault((), "too-many", more, "mend these and check again"))
        return tuple(self.faults)

    def keys(self, table: Mapping[str, object], path: Path, length: int) -> None:
        for name, value in table.items():
            try:
                key_length = length + 1 + len(format_segment(name))
            except ValueError:
                what = "has a name that no settings key can have"
                self.add((*path, name), "bad-value", what, "use letters, digits, '-', '_', '/' and '.'")
                continue
            if isinstance(value, Mapping):
                self.keys(value, (*path, name), key_length)
            elif key_length > MAX_KEY_CHARS:
                what = f"has a key of {key_length} characters; at most {MAX_KEY_CHARS} are allowed"
                self.add((*path, name), "bad-value", what, "use a shorter name")

    def root(self, settings: object, groups: Sequence[str], custom: Mapping[str, CustomGroup]) -> None:
        if not isinstance(settings, Mapping):
            fix = "write a table, such as [settings.network]"
            self.add((), "wrong-type", f"must be a table, not {word_for(settings)}", fix)
            return
        for name, value in settings.items():
            if not isinstance(name, str):
                self.unnamed(())
            elif name in custom:
                faults = custom[name].faults(value)
                self.is_cut |= len(faults) >= MAX_GATHERED
                for fault in faults:
                    self.take(fault)
            elif name in groups:
                self.visit(value, group_kind(name), (name,))
            else:
                self.unknown(name, [*groups, *custom], ())

    def take(self, fault: KeyFault) -> None:
        self.count += 1
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(fault)

    def visit(self, value: object, kind: mi.Type, path: Path) -> None:
        kind = bare(kind)
        match kind:
            case _ if value is None:
                self.add(path, "wrong-type", f"must be {wanted(kind)}, not null", "leave it out instead")
            case mi.StructType():
                self.table(value, kind, path)
            case mi.DictType():
                self.map(value, kind, path)
            case mi.VarTupleType():
                self.items(value, kind, path)
            case mi.TupleType():
                self.row(value, kind, path)
            case mi.CustomType() if issubclass(kind.cls, Compound):
                self.compound(value, kind, path)
            case mi.CustomType():
                self.scalar(value, kind, path)
            case mi.LiteralType():
                self.literal(value, kind, path)
            case mi.IntType():
                self.integer(value, kind, path)
            case mi.FloatType() if isinstance(value, bool) or not isinstance(value, int | float):
                self.wrong_type(value, kind, path)
            case mi.BoolType() if not isinstance(value, bool):
                self.wrong_type(value, kind, path)

    def wrong_type(self, value: object, kind: mi.Type, path: Path) -> None:
        self.add(path, "wrong-type", f"must be {wanted(kind)}, not {word_for(value)}", write(kind))

    def table(self, value: object, kind: mi.StructType, path: Path) -> None:
        if not isinstance(value, Mapping):
            self.wrong_type(value, kind, path)
            return
        fields = {field.encode_name: field for field in kind.fields}
        aliases = _aliases(kind)
        for name, member in value.items():
            if not isinstance(name, str):
                self.unnamed(path)
            elif name in fields:
                self.visit(member, fields[name].type, (*path, name))
            elif name not in aliases:
                self.unknown(name, list(fields), path)
            elif aliases[name] in value:
                what = f"is another name of {aliases[name]}, which is there too"
                self.add((*path, name), "bad-value", what, "keep one of the two")
            else:
                self.visit(member, fields[aliases[name]].type, (*path, name))
        for name, field in fields.items():
            if field.required and name not in value:
                fix = f"add {name} = {example(field.type)}"
                self.add((*path, name), "missing-key", "is missing", fix)

    def unknown(self, name: str, known: list[str], path: Path) -> None:
        code, what, all_known = (
            ("unknown-key", "is not a known key", f"the keys here are: {', '.join(known)}")
            if path
            else ("unknown-group", "is not a group of settings here", f"the groups are: {', '.join(known) or 'none'}")
        )
        if not path and name == ROOT:
            self.add((name,), code, what, "leave out the outer 'settings'")
            return
        fix = "" if self.count >= MAX_FAULTS else suggestion(name, known)  # costs more than the rest of the walk
        if not path:
            fix = f"{fix} {all_known}".lstrip()
        self.add((*path, name), code, what, fix or all_known)

    def unnamed(self, path: Path) -> None:
        self.add(path, "wrong-type", "has a key that is not text", "write every key as text")

    def map(self, value: object, kind: mi.DictType, path: Path) -> None:
        if not isinstance(value, Mapping):
            self.wrong_type(value, kind, path)
            return
        scalar = name_scalar(kind)
        member_kind = bare(kind.value_type)
        for name, member in value.items():
            if not isinstance(name, str):
                self.unnamed(path)
                continue
            if isinstance(member, Mapping) and not _may_be_table(member_kind):
                fix = f"put a name that has dots in quotes: {quoted(scalar.example)} = {example(member_kind)}"
                self.add((*path, name), "wrong-type", f"must be {wanted(member_kind)}, not a table", fix)
                continue
            if not scalar.accepts(name):
                fix = f"rename it, for example to {quoted(scalar.example)}"
                self.add((*path, name), "bad-value", f"has a name that must be {scalar.rule}", fix)
            self.visit(member, member_kind, (*path, name))

    def items(self, value: object, kind: mi.VarTupleType, path: Path) -> None:
        if not isinstance(value, list | tuple):
            self.wrong_type(value, kind, path)
            return
        if len(value) < (kind.min_length or 0):
            self.add(path, "bad-value", "must not be an empty list", write(kind))
        for index, item in enumerate(value):
            self.visit(item, kind.item_type, (*path, index))

    def row(self, value: object, kind: mi.TupleType, path: Path) -> None:
        if not isinstance(value, list | tuple):
            self.wrong_type(value, kind, path)
            return
        if len(value) != len(kind.item_types):
            self.add(path, "bad-value", f"must be a list of {len(kind.item_types)} items", write(kind))
        for index, (item, item_kind) in enumerate(zip(value, kind.item_types, strict=False)):
            self.visit(item, item_kind, (*path, index))

    def compound(self, value: object, kind: mi.CustomType, path: Path) -> None:
        compound = value_compound(kind)
        before = self.count
        try:
            form = bare(mi.type_info(compound.form(value)))
            if isinstance(form, mi.VarTupleType) and not isinstance(value, list | tuple):
                self.wrong_type(value, kind, path)
                return
            # One of several short forms says too little about the others: the rule names them all.
            if len(compound.forms) == 1 or not _is_scalar(form):
                self.visit(value, form, path)
            elif isinstance(value, bool) is not isinstance(form, mi.BoolType) or not isinstance(value, int | str):
                self.wrong_type(value, kind, path)
            if self.count == before:
                compound.from_plain(value, decode)
        except ValueError:
            self.add(path, "bad-value", f"must be {compound.rule}", write(kind))

    def scalar(self, value: object, kind: mi.CustomType, path: Path) -> None:
        if isinstance(value, int | float):
            self.add(path, "wrong-type", f"must be text, not {word_for(value)}", write(kind).replace("text", "it", 1))
            return
        if not isinstance(value, str):
            self.wrong_type(value, kind, path)
            return
        scalar = value_scalar(kind)
        if not scalar.accepts(value):
            self.add(path, "bad-value", f"must be {scalar.rule}", such_as(scalar))

    def literal(self, value: object, kind: mi.LiteralType, path: Path) -> None:
        if not isinstance(value, str):
            self.wrong_type(value, kind, path)
        elif value not in kind.values:
            self.add(path, "bad-value", f"must be {choices(kind)}", write(kind))

    def integer(self, value: object, kind: mi.IntType, path: Path) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            self.wrong_type(value, kind, path)
        elif not (kind.ge is None or kind.ge <= value) or not (kind.le is None or value <= kind.le):
            self.add(path, "bad-value", f"must be {range_of(kind)}", "write a number within that range")


def _aliases(kind: mi.StructType) -> Mapping[str, str]:
    assert issubclass(kind.cls, Table)
    return kind.cls.aliases


def _is_scalar(kind: mi.Type) -> bool:
    return not isinstance(kind, mi.StructType | mi.DictType | mi.VarTupleType | mi.TupleType)


def _may_be_table(kind: mi.Type) -> bool:
    if isinstance(kind, mi.CustomType) and issubclass(kind.cls, Compound):
        return any(map(_may_be_table, written_forms(kind.cls)))
    return isinstance(kind, mi.StructType | mi.DictType)
