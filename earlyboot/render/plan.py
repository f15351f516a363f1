"""What an apply has to do: pure decisions over settings, the profile's files and what was applied before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from earlyboot.config.profile import FileSpec, Profile
from earlyboot.model.key import parse_key

# Groups whose settings something runs, rather than reads from a file, and the modes that ask for it.
_BOOTSTRAP_GROUPS = ("bootstrap-commands", "bootstrap-containers")


class Plan(NamedTuple):
    """Which files the settings feed, which of ours lost their last key, and which keys feed nothing here.

    `left` are files of the image that lost their last key: what stood there before is not known, so they stay.
    `not_run` holds the keys of bootstrap commands and containers that ask to be run.
    """

    wanted: tuple[FileSpec, ...]
    obsolete: tuple[FileSpec, ...]
    unused_keys: tuple[str, ...]
    not_run: tuple[str, ...]
    left: tuple[FileSpec, ...] = ()


def make_plan(
    settings: Mapping[str, object], profile: Profile, exists: Callable[[str], bool], applied: Iterable[str]
) -> Plan:
    """`settings` are flat keys with the defaults layered in; `exists` answers for a path of the image; `applied` names
    the files that the last apply left."""
    segments = {key: parse_key(key) for key in settings}
    prefixes = {spec.name: tuple(map(parse_key, spec.keys)) for spec in profile.files}

    def feeds(spec: FileSpec, path: tuple[str, ...]) -> bool:
        return any(path[: len(prefix)] == prefix for prefix in prefixes[spec.name])

    here = [spec for spec in profile.files if spec.consumer is None or exists(spec.consumer)]
    wanted = tuple(spec for spec in here if any(feeds(spec, path) for path in segments.values()))
    before = set(applied)
    not_run = tuple(_not_run(settings, segments))
    runnable = {parse_key(key) for key in not_run}
    orphaned = tuple(spec for spec in profile.files if spec.name in before and spec not in wanted)
    return Plan(
        wanted=wanted,
        obsolete=tuple(spec for spec in orphaned if spec.owned),
        unused_keys=tuple(
            key
            for key, path in segments.items()
            if not any(feeds(spec, path) for spec in wanted) and path[:3] not in runnable
        ),
        not_run=not_run,
        left=tuple(spec for spec in orphaned if not spec.owned),
    )


def _not_run(settings: Mapping[str, object], segments: Mapping[str, tuple[str, ...]]) -> Iterable[str]:
    for key, path in segments.items():
        if path[1] in _BOOTSTRAP_GROUPS and path[3:] == ("mode",) and settings[key] != "off":
            yield key.removesuffix(".mode")
