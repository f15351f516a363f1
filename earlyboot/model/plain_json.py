"""JSON as RFC 8259 has it: what Python's parser accepts beside it, and what no setting can be, is refused."""

from __future__ import annotations

import json
import math


def parse(text: str) -> object:
    """Plain values. `ValueError` for what is no JSON, NaN and infinity, numbers too large for a float, doubled keys;
    `RecursionError` for nesting without end."""
    return json.loads(text, parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_unique)


def _refuse(name: str) -> object:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("a number is too large")
    return number


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return made
