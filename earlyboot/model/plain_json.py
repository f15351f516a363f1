"""JSON as RFC 8259 has it: what Python's parser accepts beside it, and what no setting can be, is refused."""

from __future__ import annotations

import json
import math
import re
from json.decoder import scanstring  # type: ignore[attr-defined]  # typeshed lacks it

MAX_KEYS = 20_000
MAX_VALUES = 100_000
# More than any group's type or schema goes, which can then say where it is too deep.
_MAX_DEPTH = 64
_MARKS = re.compile(r'[",:\[\]{}]')


class TooManyError(ValueError):
    """The text has more keys or values than fit into a small memory once they are objects."""


class TooDeepError(ValueError):
    """The text is nested deeper than settings are."""


def parse(text: str) -> object:
    """Plain values. `ValueError` for what is no JSON, NaN and infinity, numbers too large for a float, doubled keys;
    of these `TooManyError` and `TooDeepError` before anything was built."""
    _bound(text)
    return json.loads(text, parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_unique)


def _bound(text: str) -> None:
    """Counts what `text` would become: a byte of it can cost a hundred in memory."""
    keys, depth, position = 0, 0, 0
    values, last = 1, ","
    while (mark := _MARKS.search(text, position)) is not None:
        # An empty list or table holds no first value, which no comma announces.
        values -= mark[0] in "]}" and last in "[{" and not text[position : mark.start()].strip()
        position, last = mark.end(), mark[0]
        match last:
            case '"':
                position = scanstring(text, position, True)[1]
            case ":":
                keys += 1
            case ",":
                values += 1
            case "[" | "{":
                values += 1
                depth += 1
            case _:
                depth -= 1
        if keys > MAX_KEYS:
            raise TooManyError(f"has more than {MAX_KEYS:,} keys")
        if values > MAX_VALUES:
            raise TooManyError(f"has more than {MAX_VALUES:,} values")
        if depth > _MAX_DEPTH:
            raise TooDeepError("is nested too deeply")


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
