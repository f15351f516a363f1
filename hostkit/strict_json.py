"""JSON as RFC 8259 has it, from programs: what Python's parser takes beside it is refused."""

from __future__ import annotations

import json


class MalformedError(ValueError):
    """What no JSON value of ours may hold; its text, which quotes nothing, completes "it printed …"."""


def parse(text: str) -> object:
    """Plain values. `MalformedError` for a doubled key, NaN and infinity; else the errors of `json.loads`, of which a
    plain ValueError is a number of more than 4,300 digits."""
    return json.loads(text, object_pairs_hook=_object, parse_float=_number, parse_constant=_number)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise MalformedError("an object that has a key twice")
    return value


def _number(text: str) -> float:
    value = float(text)
    if not abs(value) < float("inf"):
        raise MalformedError("a number that is not finite")
    return value
