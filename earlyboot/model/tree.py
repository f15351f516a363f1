"""Settings as nested tables, and as flat keys with one value each: the two forms, and the way between them.

In both, the root is the content of the `settings` table. Imports no msgspec: what only moves settings stays light.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from earlyboot.model.key import MAX_KEY_CHARS, format_segment, parse_key

ROOT = "settings"


def flatten(settings: Mapping[str, object]) -> dict[str, object]:
    """`{"ntp": {"time-servers": […]}}` as `{"settings.ntp.time-servers": […]}`, in the order of the document.

    A list is one value. An empty table leaves no key. `ValueError` for a name that no key can hold.
    """
    return dict(_leaves(settings, ROOT))


def _leaves(table: Mapping[str, object], prefix: str) -> Iterator[tuple[str, object]]:
    for name, value in table.items():
        key = f"{prefix}.{format_segment(name)}"
        if isinstance(value, Mapping):
            yield from _leaves(value, key)
        elif len(key) > MAX_KEY_CHARS:
            raise ValueError(f"a key has at most {MAX_KEY_CHARS} characters, one below {prefix[:80]} has {len(key)}")
        else:
            yield key, value


def unflatten(flat: Mapping[str, object]) -> dict[str, object]:
    """The inverse of `flatten`. `ValueError` for a key outside `settings`, or one that is both a value and a table."""
    root: dict[str, object] = {}
    tables: dict[tuple[str, ...], dict[str, object]] = {(): root}
    for key, value in flat.items():
        first, *path = parse_key(key)
        if first != ROOT or not path:
            raise ValueError(f"the key {key!r} is not below {ROOT!r}")
        table = _table(tables, tuple(path[:-1]), key)
        if path[-1] in table:
            raise ValueError(f"the key {key!r} is there twice, as a value and as a table or in two spellings")
        table[path[-1]] = value
    return root


def _table(tables: dict[tuple[str, ...], dict[str, object]], path: tuple[str, ...], key: str) -> dict[str, object]:
    """The table at `path`, made with its parents where missing."""
    if path in tables:
        return tables[path]
    parent = _table(tables, path[:-1], key)
    if path[-1] in parent:
        raise ValueError(f"the key {key!r} lies below a key that has a value")
    made: dict[str, object] = {}
    parent[path[-1]] = tables[path] = made
    return made
