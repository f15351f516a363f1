"""Where settings come from: for each key every origin that set it, in order, and which won."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from earlyboot.api.store import Change, Entry, Reader
from earlyboot.config.profile import Profile
from earlyboot.model.key import parse_key
from earlyboot.model.tree import flatten

# A value as it may be seen, by key.
Shown = Callable[[str, object], object]


def explanations(
    store: Reader | None, profile: Profile, wanted: Sequence[tuple[str, ...]], shown: Shown
) -> list[dict[str, object]]:
    """One for each key that has a value and lies at or below one of `wanted`, in the order of the keys.

    `value`, the `origin` that won, and in `set_by` whoever set it: origin, generation (0 for a default), value (`None`
    where it was unset), whether it won.
    """
    origin = f"default of profile {profile.name}"
    defaults = {key: (origin, value) for key, value in flatten(profile.defaults).items()}
    live = store.live() if store else {}
    return [
        _explanation(key, defaults.get(key), live.get(key), store.changes(key) if store else [], shown)
        for key in sorted(defaults.keys() | live.keys())
        if any(parse_key(key)[: len(path)] == path for path in wanted)
    ]


def _explanation(
    key: str, default: tuple[str, object] | None, live: Entry | None, changes: list[Change], shown: Shown
) -> dict[str, object]:
    told = [(0, *default)] if default else []
    told += [(change.generation, change.origin, change.value) for change in changes]
    # The last that set it won: sources are recorded in their order, generations in theirs. A default wins where the key
    # was unset again.
    won = len(told) - 1 if live else 0
    rows = [
        {
            "origin": origin,
            "generation": generation,
            "value": None if value is None else shown(key, value),
            "won": place == won,
        }
        for place, (generation, origin, value) in enumerate(told)
    ]
    value = live.value if live else told[0][2]
    return {"key": key, "value": shown(key, value), "origin": rows[won]["origin"], "set_by": rows}
