"""What a commit would do: a pure decision over what is live and the lines of a transaction."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Line(NamedTuple):
    """One line of a transaction, or of a generation's record.

    `text` is the value as JSON; `None` unsets the key, and in a transaction all keys below it.
    """

    key: str
    text: str | None
    origin: str


class Proposal(NamedTuple):
    """A commit before it is made, against the settings of `generation`.

    `sets` holds the winner of each key, `unsets` the live keys that go away, `record` every line in its order, the losers
    too. `changed` are the keys that will have another value than now. `tx` is what the generation is going to say;
    `closes` the pending transaction that ends with the commit.
    """

    tx: str
    generation: int
    sets: Mapping[str, Line]
    unsets: frozenset[str]
    record: tuple[Line, ...]
    changed: tuple[str, ...]
    closes: str | None


def propose(
    tx: str, generation: int, before: Mapping[str, str], lines: Sequence[Line], *, replace: bool = False
) -> Proposal:
    """`before` is what is live, by key. With `replace` live keys that no line sets go away too, if there is a line."""
    sets: dict[str, Line] = {}
    gone: set[str] = set()
    record: list[Line] = []
    known = sorted({*before, *(line.key for line in lines)})

    def drop(key: str, origin: str) -> None:
        if key in sets or (key in before and key not in gone):
            record.append(Line(key, None, origin))
            sets.pop(key, None)
            gone.add(key)

    for line in lines:
        for key in below(known, line.key):
            drop(key, line.origin)
        if line.text is None:
            drop(line.key, line.origin)
            continue
        for key in ancestors(line.key):
            if key in sets or key in before:
                # A key is a value or a table: what comes takes the place of what was there.
                drop(key, line.origin)
        sets[line.key] = line
        record.append(line)
    if replace and lines:
        for key in sorted(before.keys() - sets.keys()):
            drop(key, "replaced")
    unsets = frozenset(before.keys() & (gone - sets.keys()))
    changed = [*unsets, *(key for key, line in sets.items() if before.get(key) != line.text)]
    return Proposal(tx, generation, sets, unsets, tuple(record), tuple(sorted(changed)), tx)


def propose_rollback(to: int, generation: int, before: Mapping[str, str], lines: Sequence[Line]) -> Proposal:
    """`lines` are what was set in the generation `to`. Every value keeps the origin that it had then."""
    sets = {line.key: line for line in lines if before.get(line.key) != line.text}
    tx = f"rollback to {to}"
    unsets = frozenset(before.keys() - {line.key for line in lines})
    record = (*(Line(key, None, tx) for key in sorted(unsets)), *sets.values())
    return Proposal(tx, generation, sets, unsets, record, tuple(sorted({*sets, *unsets})), None)


def below(known: Sequence[str], key: str) -> Sequence[str]:
    """The keys below `key` in a sorted list."""
    # '/' is the character after '.': between the two lies everything that begins with the key and a dot.
    return known[bisect_left(known, f"{key}.") : bisect_left(known, f"{key}/")]


def layered(defaults: Mapping[str, object], live: Mapping[str, object]) -> dict[str, object]:
    """`live` over `defaults`, flat keys both: a live value takes the place of a default table, and the other way round."""
    known = sorted(live)
    shown = {
        key: value
        for key, value in defaults.items()
        if not below(known, key) and not any(above in live for above in ancestors(key))
    }
    return {**shown, **live}


def ancestors(key: str) -> list[str]:
    """The keys above one, the nearest last; `settings` itself is none."""
    found = []
    start = key.find(".") + 1
    while start:
        end = key.find('"', start + 1) + 1 if key[start] == '"' else key.find(".", start)
        if end in (-1, len(key)):
            break
        found.append(key[:end])
        start = end + 1
    return found


def after(proposal: Proposal, live: Mapping[str, object]) -> dict[str, object]:
    """What is live after a commit of the proposal, in the order of the keys; `live` is what it was made against."""
    kept = {key: value for key, value in live.items() if key not in proposal.unsets}
    set_now = {key: json.loads(line.text or "null") for key, line in proposal.sets.items()}
    return dict(sorted({**kept, **set_now}.items()))
