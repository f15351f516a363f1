"""The model describes itself, for the reference pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec.inspect as mi
import pytest

from earlyboot.model.image_verifier_plugins import VerifierPlugin
from earlyboot.model.settings import GROUPS
from earlyboot.model.shape import bare, group_kind, written_forms
from earlyboot.model.table import Compound, Table
from tests.earlyboot.model.documents import complete


def parts(kind: mi.Type) -> Iterator[mi.Type]:
    """The types of the values within a value of `kind`."""
    match kind:
        case mi.DictType():
            yield kind.value_type
        case mi.VarTupleType():
            yield kind.item_type
        case mi.TupleType():
            yield from kind.item_types
        case mi.CustomType() if issubclass(kind.cls, Compound):
            yield from written_forms(kind.cls)
        case mi.StructType():
            yield from (field.type for field in kind.fields)


def tables(kind: mi.Type) -> Iterator[mi.StructType]:
    kind = bare(kind)
    if isinstance(kind, mi.StructType):
        yield kind
    for part in parts(kind):
        yield from tables(part)


def is_sentence(text: object) -> bool:
    return isinstance(text, str) and len(text) > 5 and text[0] == text[0].upper() and text.endswith(".")


@pytest.mark.parametrize("group", GROUPS)
def test_every_key_has_a_description(group: str) -> None:
    without = [
        f"{table.cls.__name__}.{field.encode_name}"
        for table in tables(group_kind(group))
        for field in table.fields
        if not is_sentence(
            ((isinstance(field.type, mi.Metadata) and field.type.extra_json_schema) or {}).get("description")
        )
    ]
    assert without == []


@pytest.mark.parametrize("group", GROUPS)
def test_every_group_has_a_description(group: str) -> None:
    kind = group_kind(group)
    if isinstance(kind, mi.Metadata):
        assert is_sentence((kind.extra_json_schema or {}).get("description"))
    else:
        assert isinstance(kind, mi.StructType)
        assert is_sentence(" ".join((kind.cls.__doc__ or "").split()))


@pytest.mark.parametrize("group", GROUPS)
def test_another_name_is_that_of_a_key_and_stands_where_it_is_read(group: str) -> None:
    kind = bare(group_kind(group))
    for table in tables(kind):
        keys = {field.encode_name for field in table.fields}
        assert issubclass(table.cls, Table)
        assert set(table.cls.aliases.values()) <= keys
        assert not set(table.cls.aliases) & keys
        # Below the group they are read only where a form sees to it itself.
        assert table is kind or table.cls is VerifierPlugin or table.cls.aliases == {}


@pytest.mark.parametrize("group", GROUPS)
def test_every_compound_describes_its_forms(group: str) -> None:
    def compounds(kind: mi.Type) -> Iterator[type[Compound]]:
        kind = bare(kind)
        if isinstance(kind, mi.CustomType) and issubclass(kind.cls, Compound):
            yield kind.cls
        for part in parts(kind):
            yield from compounds(part)

    import tomli

    from earlyboot.model.check import decode

    for compound in compounds(group_kind(group)):
        value = tomli.loads(f"example = {compound.example}")["example"]
        assert compound.from_plain(value, decode).value not in ("", None)
        assert compound.rule


@pytest.mark.parametrize("group", GROUPS)
def test_the_document_for_the_tests_uses_every_key(group: str) -> None:
    def unused(kind: mi.Type, values: list[Any], place: str) -> Iterator[str]:
        kind = bare(kind)
        if not values:
            yield place
        match kind:
            case mi.StructType():
                for field in kind.fields:
                    name = field.encode_name
                    below = [value[name] for value in values if isinstance(value, dict) and name in value]
                    yield from unused(field.type, below, f"{place}.{name}")
            case mi.DictType():
                below = [member for value in values if isinstance(value, dict) for member in value.values()]
                yield from unused(kind.value_type, below, f"{place}.*")
            case mi.VarTupleType():
                items = [item for value in values if isinstance(value, list) for item in value]
                yield from unused(kind.item_type, items, f"{place}[]")
            case mi.CustomType() if issubclass(kind.cls, Compound):
                # Tables and lists of tables; a map that says the same is never the stable form.
                for form in written_forms(kind.cls):
                    inner = bare(form.item_type) if isinstance(form, mi.VarTupleType) else form
                    if isinstance(inner, mi.StructType):
                        yield from unused(form, values, place)

    assert list(unused(group_kind(group), [complete()[group]], group)) == []
