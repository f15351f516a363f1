"""What a table needs: nothing while its keys come one by one, everything once they are merged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec.inspect as mi
import pytest

from earlyboot.model.check import check
from earlyboot.model.rules import broken_rules
from earlyboot.model.settings import GROUPS
from earlyboot.model.shape import bare, group_kind, is_needed, name_scalar
from earlyboot.model.table import Compound
from earlyboot.model.tree import flatten, unflatten
from tests.earlyboot.model.documents import complete


class Found(NamedTuple):
    """A table of the model that is stored key by key; `path` has `None` for a name of one's own."""

    path: tuple[str | None, ...]
    kind: mi.StructType


def stored(kind: mi.Type, path: tuple[str | None, ...]) -> Iterator[Found]:
    kind = bare(kind)
    if isinstance(kind, mi.StructType):
        yield Found(path, kind)
        for field in kind.fields:
            yield from stored(field.type, (*path, field.encode_name))
    elif isinstance(kind, mi.DictType):
        assert name_scalar(kind)
        yield from stored(kind.value_type, (*path, None))
    elif isinstance(kind, mi.CustomType) and issubclass(kind.cls, Compound):
        # A list, in whichever form it was written, is stored as one value.
        forms = [bare(mi.type_info(form)) for form in kind.cls.forms]
        if not any(isinstance(form, mi.VarTupleType) for form in forms):
            for form in forms:
                yield from stored(form, path)


TABLES = [table for group in GROUPS for table in stored(group_kind(group), (group,))]
NEEDY = [table for table in TABLES if any(is_needed(table.kind, field) for field in table.kind.fields)]


def test_a_table_whose_keys_may_come_from_several_sources_requires_none_of_them() -> None:
    several = [table for table in TABLES if len(table.kind.fields) > 1]
    assert [table.path for table in several if any(field.required for field in table.kind.fields)] == []
    assert {table.path[:2] for table in NEEDY} == {
        ("kernel", "hugepages"),
        ("kernel", "drivers"),
        ("oci-defaults", "resource-limits"),
        ("kubernetes", "credential-providers"),
        ("kubernetes", "memory-manager-reserved-memory"),
    }


def matches(path: tuple[str, ...], shape: tuple[str | None, ...]) -> bool:
    return len(path) == len(shape) and all(
        mine == theirs or theirs is None for mine, theirs in zip(path, shape, strict=True)
    )


@pytest.mark.parametrize(
    "table", [table for table in NEEDY if len(table.kind.fields) > 1], ids=lambda table: str(table.path)
)
def test_every_key_that_is_needed_is_missed_when_all_is_merged(table: Found) -> None:
    whole = flatten(check(complete())[0])
    from earlyboot.model.key import format_key, parse_key

    keys = {parse_key(key)[1:]: value for key, value in whole.items()}
    for field in table.kind.fields:
        if not is_needed(table.kind, field):
            continue
        gone = next(path for path in keys if matches(path, (*table.path, field.encode_name)))
        rest = {format_key(("settings", *path)): value for path, value in keys.items() if path != gone}
        settings, faults = check(unflatten(rest))
        assert faults == ()
        found = [fault for fault in broken_rules(settings) if fault.code == "missing-key"]
        assert [fault.path for fault in found] == [gone]
        assert found[0].what == f"{format_key(('settings', *gone))} is missing"
        assert found[0].fix.startswith(f"add {field.encode_name} = ")
