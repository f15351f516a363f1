"""Where settings come from: for each key every origin that set it, in order, and which won."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import NamedTuple

from earlyboot.api.proposal import below, layered
from earlyboot.api.store import Change, Entry, Reader
from earlyboot.config.profile import Profile
from earlyboot.model.key import format_segment
from earlyboot.model.tree import flatten

# A value as it may be seen, by key.
Shown = Callable[[str, object], object]


class Told(NamedTuple):
    """What is known of some keys, sorted: their defaults and the origin of those, what is live, what was ever set."""

    keys: Sequence[str]
    default_origin: str
    defaults: Mapping[str, object]
    live: Mapping[str, Entry]
    changes: Mapping[str, Sequence[Change]]


def read(store: Reader | None, profile: Profile, wanted: Sequence[tuple[str, ...]]) -> Told:
    """Of the keys that have a value and lie at or below one of `wanted`."""
    defaults = flatten(profile.defaults)
    changes: dict[str, list[Change]] = {}
    with store.moment() if store else nullcontext():
        live = store.live() if store else {}
        keys = _at_or_below(sorted(layered(defaults, live)), wanted)
        for change in store.changes(*keys) if store else ():
            changes.setdefault(change.key, []).append(change)
    return Told(keys, f"default of profile {profile.name}", defaults, live, changes)


def _at_or_below(known: Sequence[str], wanted: Sequence[tuple[str, ...]]) -> list[str]:
    tops = {".".join(map(format_segment, path)) for path in wanted}
    return sorted(tops.intersection(known).union(*(below(known, top) for top in tops)))


def explanations(told: Told, shown: Shown) -> list[dict[str, object]]:
    """One for each key, in their order.

    `value`, the `origin` that won, and in `set_by` whoever set it: origin, generation (0 for a default), value (`None`
    where it was unset), whether it won.
    """
    return [_explanation(key, told, shown) for key in told.keys]


def _explanation(key: str, told: Told, shown: Shown) -> dict[str, object]:
    live = told.live.get(key)
    setters = [(0, told.default_origin, told.defaults[key])] if key in told.defaults else []
    setters += [(change.generation, change.origin, change.value) for change in told.changes.get(key, ())]
    # The last that set it won: sources are recorded in their order, generations in theirs. A default wins where the key
    # was unset again.
    won = len(setters) - 1 if live else 0
    rows = [
        {
            "origin": origin,
            "generation": generation,
            "value": None if value is None else shown(key, value),
            "won": place == won,
        }
        for place, (generation, origin, value) in enumerate(setters)
    ]
    value = live.value if live else setters[0][2]
    return {"key": key, "value": shown(key, value), "origin": rows[won]["origin"], "set_by": rows}
