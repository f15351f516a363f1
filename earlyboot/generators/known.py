"""The settings that are known when generators run, looked at by segments and without merging them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from earlyboot.model.key import parse_key

Table = Mapping[str, object]
Path = tuple[str, ...]


class Known:
    """Contents of `settings` tables, a later one above an earlier, all above the profile's defaults.

    An empty table sets nothing.
    """

    def __init__(self, defaults: Table, given: Sequence[Table] = ()) -> None:
        self._layers = [defaults, *given]

    def add(self, settings: Table) -> None:
        self._layers.append(settings)

    def is_set(self, path: Path) -> bool:
        """Whether anything at a path, or below it, has a value."""
        return any(_has_values(_at(layer, path)) for layer in self._layers)

    def is_given(self, path: Path) -> bool:
        """The same without the defaults, which are there also for software that this machine does not run."""
        return any(_has_values(_at(layer, path)) for layer in self._layers[1:])

    def value(self, path: Path) -> object:
        """The value that wins; a table is not one, and `None` is none."""
        for layer in reversed(self._layers):
            found = _at(layer, path)
            if found is not None and not isinstance(found, Mapping):
                return found
        return None

    def table(self, path: Path) -> dict[str, object]:
        """Everything below a path, in one table."""
        merged: dict[str, object] = {}
        for layer in self._layers:
            found = _at(layer, path)
            if isinstance(found, Mapping):
                _pour(found, merged)
        return merged

    def members(self, path: Path, depth: int) -> list[Path]:
        """The paths of all names that are `depth` levels below a path and have values."""
        if depth == 0:
            return [path]
        names = {
            name
            for layer in self._layers
            if isinstance(found := _at(layer, path), Mapping)
            for name, member in found.items()
            if _has_values(member)
        }
        return [deeper for name in sorted(names) for deeper in self.members((*path, name), depth - 1)]


def key_path(key: str) -> Path:
    """The path of a key within the `settings` table."""
    return parse_key(key)[1:]


def nested(path: Path, value: object) -> dict[str, object]:
    """A settings table that sets one path."""
    for name in reversed(path):
        value = {name: value}
    assert isinstance(value, dict)
    return value


def leaves(path: Path, value: object) -> dict[Path, object]:
    """The values of a tree that lies at a path, by their own paths."""
    if not isinstance(value, Mapping):
        return {path: value}
    return {leaf: found for name, member in value.items() for leaf, found in leaves((*path, name), member).items()}


def grown(values: Mapping[Path, object]) -> dict[str, object]:
    """The inverse of `leaves`."""
    root: dict[str, object] = {}
    for path, value in values.items():
        _pour(nested(path, value), root)
    return root


def _at(table: object, path: Path) -> object:
    for name in path:
        if not isinstance(table, Mapping):
            return None
        table = table.get(name)
    return table


def _has_values(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(_has_values(member) for member in value.values())
    return value is not None


def _pour(table: Table, merged: dict[str, object]) -> None:
    for name, value in table.items():
        known = merged.get(name)
        if isinstance(value, Mapping):
            deeper = dict(known) if isinstance(known, Mapping) else {}
            _pour(value, deeper)
            merged[name] = deeper
        else:
            merged[name] = value
