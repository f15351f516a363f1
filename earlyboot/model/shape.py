"""The model's types as `msgspec.inspect` describes them, for code that walks them."""

from __future__ import annotations

import functools

import msgspec.inspect as mi

from earlyboot.model.settings import Settings
from earlyboot.model.table import Compound
from earlyboot.model.types import NAME_SCALAR, Scalar, SecretScalar


@functools.cache
def root() -> mi.StructType:
    kind = mi.type_info(Settings)
    assert isinstance(kind, mi.StructType)
    return kind


def bare(kind: mi.Type) -> mi.Type:
    """`kind` without its description."""
    while isinstance(kind, mi.Metadata):
        kind = kind.type
    return kind


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
