"""Good settings made from the model's own types, for properties."""

from __future__ import annotations

import functools
from typing import Any

import msgspec.inspect as mi
import tomli
from hypothesis import strategies as st

from earlyboot.model.check import decode
from earlyboot.model.settings import GROUPS
from earlyboot.model.shape import bare, group_kind, name_scalar, value_compound, value_scalar, written_forms
from earlyboot.model.table import Compound
from earlyboot.model.types import Scalar, SecretScalar
from tests.earlyboot.model.tables import GOOD

_INT64 = 2**63

Value = st.SearchStrategy[Any]


def settings() -> st.SearchStrategy[dict[str, Any]]:
    """One to three groups with good values, some of them in a form that is not the stable one."""
    some = st.lists(st.sampled_from(GROUPS), min_size=1, max_size=3, unique=True)
    return some.flatmap(lambda groups: st.fixed_dictionaries({group: good(group) for group in groups}))


@functools.cache
def good(group: str) -> Value:
    return _values(group_kind(group))


def _values(kind: mi.Type) -> Value:
    kind = bare(kind)
    match kind:
        case mi.StructType():
            fields = {field.encode_name: _values(field.type) for field in kind.fields}
            needed = {field.encode_name for field in kind.fields if field.required}
            return st.fixed_dictionaries(
                {name: values for name, values in fields.items() if name in needed},
                optional={name: values for name, values in fields.items() if name not in needed},
            )
        case mi.DictType():
            names = st.sampled_from(_texts(name_scalar(kind)))
            return st.dictionaries(names, _values(kind.value_type), min_size=kind.min_length or 0, max_size=3)
        case mi.VarTupleType():
            least = kind.min_length or 0
            return st.lists(_values(kind.item_type), min_size=least, max_size=least + 2)
        case mi.TupleType():
            return st.tuples(*map(_values, kind.item_types)).map(list)
        case mi.CustomType() if issubclass(kind.cls, Compound):
            return _compound(value_compound(kind))
        case mi.CustomType():
            return st.sampled_from(_texts(value_scalar(kind)))
        case mi.LiteralType():
            return st.sampled_from(kind.values)
        case mi.IntType():
            lower = -_INT64 if kind.ge is None else kind.ge
            return st.integers(lower, _INT64 - 1 if kind.le is None else kind.le)
        case mi.FloatType():
            return st.floats(kind.gt, kind.le, exclude_min=kind.gt is not None, allow_nan=False, allow_infinity=False)
        case mi.BoolType():
            return st.booleans()
        case _:
            raise TypeError(f"no strategy for {kind}")


def _texts(scalar: type[Scalar | SecretScalar]) -> tuple[str, ...]:
    plain = scalar.plain if issubclass(scalar, SecretScalar) else scalar
    return GOOD.get(plain, (plain.example,))


def _compound(compound: type[Compound]) -> Value:
    """Any of the forms; the example where a rule across the items is broken."""
    example = tomli.loads(f"example = {compound.example}")["example"]

    def kept(value: object) -> object:
        try:
            compound.from_plain(value, decode)
        except ValueError:
            return example
        return value

    return st.one_of(*map(_values, written_forms(compound))).map(kept)
