"""Which settings a file cannot be made of: a renderer says what is wrong, and not where the value came from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from earlyboot.config.profile import FileSpec
from earlyboot.model.key import parse_key
from earlyboot.model.tree import flatten

# Each is tried by itself, and nobody mends so many at once.
_TRIED_LIMIT = 200
_NAMED_LIMIT = 10


def blamed(
    spec: FileSpec,
    reason: str,
    settings: Mapping[str, object],
    defaults: Mapping[str, object],
    reason_with: Callable[[Mapping[str, object]], str | None],
) -> list[str | None]:
    """The keys of flat `settings` for which `spec` cannot be made, for that reason; `[None]` if none is set.

    `reason_with` renders the file with other settings. What gives the same reason alone is to blame, else what takes it
    away by going, else all that feeds the file.
    """
    known = flatten(defaults)
    reads = [parse_key(key) for key in spec.reads]
    feeding = [
        key
        for key, value in settings.items()
        if (key not in known or known[key] != value) and any(parse_key(key)[: len(read)] == read for read in reads)
    ]
    others = {key: value for key, value in settings.items() if key not in feeding}
    if len(feeding) <= _TRIED_LIMIT and reason_with(others) != reason:
        found = [key for key in feeding if reason_with({**others, key: settings[key]}) == reason] or [
            key
            for key in feeding
            if reason_with({other: value for other, value in settings.items() if other != key}) != reason
        ]
        if found:
            return [*found[:_NAMED_LIMIT]]
    tables = [key for key, read in zip(spec.reads, reads, strict=True) if _feeds(read, feeding)]
    return [*tables[:_NAMED_LIMIT]] or [None]


def _feeds(read: tuple[str, ...], keys: Iterable[str]) -> bool:
    return any(parse_key(key)[: len(read)] == read for key in keys)
