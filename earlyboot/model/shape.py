"""The model's types as `msgspec.inspect` describes them, for code that walks them."""

from __future__ import annotations

import functools

import msgspec.inspect as mi

from earlyboot.model.settings import group_type
from earlyboot.model.table import Compound, Table
from earlyboot.model.types import NAME_SCALAR, Scalar, SecretScalar


@functools.cache
def group_kind(group: str) -> mi.Type:
    """The type of the value of one group, with its description."""
    return mi.type_info(group_type(group))


def bare(kind: mi.Type) -> mi.Type:
    """`kind` without its description."""
    while isinstance(kind, mi.Metadata):
        kind = kind.type
    return kind


def is_needed(kind: mi.StructType, field: mi.Field) -> bool:
    """Whether a table must have the key: by its type, or in the merged settings."""
    assert issubclass(kind.cls, Table)
    return field.required or field.encode_name in kind.cls.needs


def written_forms(compound: type[Compound]) -> tuple[mi.Type, ...]:
    return tuple(bare(mi.type_info(form)) for form in compound.forms)


def value_scalar(kind: mi.CustomType) -> type[Scalar | SecretScalar]:
    assert issubclass(kind.cls, Scalar | SecretScalar)
    return kind.cls


def name_scalar(kind: mi.DictType) -> type[Scalar]:
    """What the names in a map are."""
    assert isinstance(kind.key_type, mi.Metadata)
    assert kind.key_type.extra is not None
    scalar: type[Scalar] = kind.key_type.extra[NAME_SCALAR]
    return scalar


def value_compound(kind: mi.CustomType) -> type[Compound]:
    assert issubclass(kind.cls, Compound)
    return kind.cls
