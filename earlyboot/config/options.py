"""earlyboot.toml and its drop-ins: the image builder's choices. One table holds every key there is."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from earlyboot.config.paths import Paths
from hostkit import files, toml
from hostkit.errors import Fault, OperatorError, Where
from providers.registry import PROVIDERS as REGISTERED
from providers.registry import find

_FILE_LIMIT_BYTES = 256 << 10
PROVIDERS = "providers"


class Option(NamedTuple):
    """One key of earlyboot.toml: `rule` completes the sentence "must be …"."""

    key: str
    default: object
    accepts: Callable[[object], bool]
    rule: str
    meaning: str


def _one_of(*words: str) -> tuple[Callable[[object], bool], str]:
    return lambda value: value in words, "one of " + ", ".join(f'"{word}"' for word in words)


def _whole(low: int, high: int) -> tuple[Callable[[object], bool], str]:
    return lambda value: type(value) is int and low <= value <= high, f"a whole number from {low:,} to {high:,}"


def _seconds(value: object) -> bool:
    return type(value) in (int, float) and isinstance(value, int | float) and 0 < value <= 600


def _group_name(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}", value) is not None


def _absolute(value: object) -> bool:
    return isinstance(value, str) and value.startswith("/") and "\0" not in value


_BOOLEAN = (lambda value: isinstance(value, bool), "true or false")
_PLATFORM = _one_of("ec2", "vmware", "metal")
_GROUP_NAME = (_group_name, "the name of a group")

OPTIONS = (
    Option("platform", None, *_PLATFORM, "what this machine is"),
    Option("profile", None, *_PLATFORM, "the profile to use, where it is not the platform's own"),
    Option("strict", False, *_BOOLEAN, "a failed stage takes the machine to emergency.target"),
    Option("offline", False, *_BOOLEAN, "ask no source that needs a network"),
    Option(
        "on-new-identity",
        "first-boot",
        *_one_of("first-boot", "keep"),
        "what a disk does that wakes up in another machine: read the sources again, or keep its settings",
    ),
    Option("api.write-group", "earlyboot-api", *_GROUP_NAME, "whose members may read and change settings"),
    Option("api.read-group", None, *_GROUP_NAME, "whose members may read settings, secrets redacted"),
    Option(
        "history.generations",
        1000,
        *_whole(1, 10_000),
        "how many commits are remembered, to be compared and gone back to",
    ),
    Option("limits.user-data-bytes", 1 << 20, *_whole(1, 1 << 20), "the size of one decoded source"),
    Option("limits.keys", 20_000, *_whole(1, 1_000_000), "the keys of one source"),
    Option("limits.depth", 32, *_whole(1, 64), "how deep tables and lists may be nested"),
)

PROVIDER_OPTIONS = (
    Option("enabled", True, *_BOOLEAN, "false removes the source"),
    Option("endpoint", None, lambda value: isinstance(value, str), "a string", "where the service listens"),
    Option("path", None, _absolute, "an absolute path", "the file that a local source reads"),
    Option("deadline", None, _seconds, "seconds, more than 0 and at most 600", "when the source is given up"),
)


class Options:
    """The choices in force. Look up with a key of `OPTIONS`; `provider(name, key)` for one of `PROVIDER_OPTIONS`."""

    def __init__(self, values: Mapping[str, object] = {}) -> None:
        self._values = values

    def __getitem__(self, key: str) -> object:
        return self._values.get(key, _DEFAULTS[key])

    def text(self, key: str) -> str | None:
        value = self[key]
        return value if isinstance(value, str) else None

    def number(self, key: str) -> int:
        value = self[key]
        assert isinstance(value, int)
        return value

    def flag(self, key: str) -> bool:
        return self[key] is True

    def provider(self, name: str, key: str) -> object:
        return self._values.get(f"{PROVIDERS}.{name}.{key}", _PROVIDER_DEFAULTS[key])

    @property
    def limits(self) -> toml.Limits:
        return toml.Limits(
            size_bytes=self.number("limits.user-data-bytes"),
            keys=self.number("limits.keys"),
            depth=self.number("limits.depth"),
        )


_DEFAULTS = {option.key: option.default for option in OPTIONS}
_PROVIDER_DEFAULTS = {option.key: option.default for option in PROVIDER_OPTIONS}


def load(paths: Paths) -> Options:
    """Reads earlyboot.toml, then its drop-ins in the order of their names; a later file wins, key by key.

    `OperatorError` with every fault of every file.
    """
    values: dict[str, object] = {}
    faults: list[Fault] = []
    for path in _files(paths):
        data = files.read(path, _FILE_LIMIT_BYTES)
        if data is None:
            continue
        try:
            text = data.decode("utf-8")
            document = toml.parse(text, paths.outside(path))
        except UnicodeDecodeError:
            faults.append(Fault("not-utf-8", "the file is not UTF-8", Where(paths.outside(path)), "save it as UTF-8"))
            continue
        except OperatorError as error:
            faults.extend(error.faults)
            continue
        found = list(_file_faults(document))
        if found:
            index = toml.Index(text)
            faults += [Fault(code, what, index.where(paths.outside(path), key), fix) for key, code, what, fix in found]
        values.update((".".join(path), value) for path, value in _leaves(document))
    if faults:
        raise OperatorError(*faults)
    return Options(values)


def _files(paths: Paths) -> Iterator[str]:
    yield paths.options
    try:
        names = sorted(os.listdir(paths.options_folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    yield from (os.path.join(paths.options_folder, name) for name in names if name.endswith(".toml"))


def _file_faults(document: Mapping[str, object]) -> Iterator[tuple[toml.Path, str, str, str]]:
    known = {tuple(option.key.split(".")): option for option in OPTIONS}
    per_provider = {option.key: option for option in PROVIDER_OPTIONS}
    unknown_providers = set()
    for path, value in _leaves(document):
        names_provider = len(path) == 3 and path[0] == PROVIDERS
        if names_provider and find(path[1]) is None:
            if path[1] not in unknown_providers:
                unknown_providers.add(path[1])
                fix = f"the sources are {', '.join(provider.name for provider in REGISTERED)}"
                yield path[:2], "unknown-provider", f"{toml.dotted(path[:2])} is not a source", fix
            continue
        option = per_provider.get(path[2]) if names_provider else known.get(path)
        if option is None:
            names = sorted([*_DEFAULTS, *(f"{PROVIDERS}.NAME.{key}" for key in per_provider)])
            yield path, "unknown-key", f"{toml.dotted(path)} is not an option", f"the options are {', '.join(names)}"
        elif not option.accepts(value):
            yield (
                path,
                "bad-value",
                f"{toml.dotted(path)} must be {option.rule}",
                f"correct it, or delete the line; it says {option.meaning}",
            )


def _leaves(table: Mapping[str, object], prefix: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*prefix, key))
        else:
            yield (*prefix, key), value
