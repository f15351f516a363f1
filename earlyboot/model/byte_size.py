"""Sizes in bytes, written as a number or with a unit such as `64mb` or `3mib`; stored as the number."""

from __future__ import annotations

import re
from typing import Annotated, Any

from msgspec import Meta

from earlyboot.model.table import TextOrOther
from earlyboot.model.types import Scalar

_LARGEST = 2**63 - 1
_PREFIXES = "kmgtp"
_PATTERN = r"(?=\.?[0-9])([0-9]{0,19})(?:\.([0-9]{1,9}))?(?:([KMGTPkmgtp])([Ii]?))?[Bb]?"

Bytes = Annotated[int, Meta(ge=0, le=_LARGEST)]


class SizeText(Scalar):
    """A number and a unit in either case: kb, mb … count in thousands, kib, mib … in 1024. Never stored as text."""

    rule = "a size such as 1024, 1kb, 3mib or 2gb"
    example = "64mb"
    pattern = _PATTERN

    @classmethod
    def accepts(cls, text: str) -> bool:
        return super().accepts(text) and size_bytes(text) <= _LARGEST


def size_bytes(text: str) -> int:
    """The number of bytes, rounded down; `text` has the form of a `SizeText`."""
    match = re.fullmatch(_PATTERN, text)
    assert match is not None
    whole, decimals, prefix, binary = (group or "" for group in match.groups())
    power = _PREFIXES.index(prefix.lower()) + 1 if prefix else 0
    unit: int = (1024 if binary else 1000) ** power
    parts: int = 10 ** len(decimals)
    return int(whole + decimals) * unit // parts


class ByteSize(TextOrOther):
    """Bytes, as a number or as text with a unit."""

    rule = "a number of bytes, or a size such as 64mb"
    example = '"64mb"'
    forms = (Bytes, SizeText)

    @classmethod
    def settled(cls, converted: Any) -> object:
        return size_bytes(converted) if isinstance(converted, str) else converted
