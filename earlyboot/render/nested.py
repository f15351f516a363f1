"""Reading nested settings: what is not set is `None`, or an empty table or list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def at(settings: Mapping[str, object], *path: str) -> object:
    """The value at `path`, one name a level, or `None`."""
    value: object = settings
    for name in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def table_at(settings: Mapping[str, object], *path: str) -> Mapping[str, object]:
    value = at(settings, *path)
    return value if isinstance(value, Mapping) else {}


def list_at(settings: Mapping[str, object], *path: str) -> Sequence[object]:
    value = at(settings, *path)
    return value if isinstance(value, list | tuple) else ()


def text_at(settings: Mapping[str, object], *path: str) -> str | None:
    value = at(settings, *path)
    return value if isinstance(value, str) else None


def chosen(table: Mapping[str, object], names: Mapping[str, str]) -> dict[str, object]:
    """The members of `table` that are set and that `names` has, under the names that it gives them, in its order."""
    return {new: table[name] for name, new in names.items() if table.get(name) is not None}
