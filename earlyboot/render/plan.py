"""What an apply has to do: pure decisions over settings, the profile's files and what was applied before."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from earlyboot.config.profile import FileSpec, Profile
from earlyboot.model.key import parse_key
from earlyboot.model.tree import flatten
from earlyboot.render.record import AppliedFile
from earlyboot.render.renderers import restores

# Groups whose settings something runs, rather than reads from a file, and the modes that ask for it.
_BOOTSTRAP_GROUPS = ("bootstrap-commands", "bootstrap-containers")
# Keys that no file shows and something reads all the same: generators.
_READ_ELSEWHERE = (("settings", "aws", "region"),)
# The one key of its group that only a generator reads.
_ONLY_FOR_A_GENERATOR = "settings.kubernetes.hostname-override-source"


class Plan(NamedTuple):
    """Which files the settings feed, and which keys feed nothing here.

    `restored` are files that lost their last key and whose renderer knows what the image itself has there. `unused_keys`
    are only those that somebody set to something else than the profile does. `not_run` holds the keys of bootstrap
    commands and containers that ask to be run.
    """

    wanted: tuple[FileSpec, ...]
    restored: tuple[FileSpec, ...]
    unused_keys: tuple[str, ...]
    not_run: tuple[str, ...]


class Orphans(NamedTuple):
    """What the last apply left and this one does not make: ours, which goes, and the image's, which stays.

    What stood in the place of an image's own file before is not known.
    """

    obsolete: tuple[AppliedFile, ...]
    left: tuple[AppliedFile, ...]


def make_plan(
    settings: Mapping[str, object], profile: Profile, exists: Callable[[str], bool], applied: Iterable[AppliedFile]
) -> Plan:
    """`settings` are flat keys with the defaults layered in; `exists` answers for a path of the image; `applied` are
    the files that the last apply left.

    The profile's `filling` completes files that something else calls for, and calls for none: a program that was only
    installed must not replace a consumer's configuration.
    """
    segments = {key: parse_key(key) for key in settings}
    here = [spec for spec in profile.files if spec.consumer is None or exists(spec.consumer)]
    called_for, fed = (_by_key(segments, here, attribute) for attribute in ("keys", "reads"))
    filling = flatten(profile.filling)
    asked = (key for key, value in settings.items() if key not in filling or filling[key] != value)
    names = set().union(*(called_for[key] for key in asked))
    before = {file.name for file in applied}
    not_run = tuple(_not_run(settings, segments))
    runnable = {parse_key(key) for key in not_run}
    defaults = flatten(profile.defaults)
    asked_for = {key for generator in profile.generators for key in generator.needs}
    return Plan(
        wanted=tuple(spec for spec in here if spec.name in names),
        restored=tuple(
            spec for spec in here if spec.name in before and spec.name not in names and restores(spec.renderer)
        ),
        unused_keys=tuple(
            key
            for key, path in segments.items()
            if (not fed[key] & names or (key == _ONLY_FOR_A_GENERATOR and key not in asked_for))
            and path[:3] not in runnable
            and not any(path[: len(prefix)] == prefix for prefix in _READ_ELSEWHERE)
            and (key not in defaults or defaults[key] != settings[key])
        ),
        not_run=not_run,
    )


def _by_key(segments: Mapping[str, tuple[str, ...]], specs: Iterable[FileSpec], attribute: str) -> dict[str, set[str]]:
    """For each key the names of the files whose `attribute` has it or a key above it: keys are many, so they are looked
    up."""
    readers: dict[tuple[str, ...], list[str]] = {}
    for spec in specs:
        for prefix in map(parse_key, getattr(spec, attribute)):
            readers.setdefault(prefix, []).append(spec.name)
    return {
        key: {name for length in range(1, len(path) + 1) for name in readers.get(path[:length], ())}
        for key, path in segments.items()
    }


def _not_run(settings: Mapping[str, object], segments: Mapping[str, tuple[str, ...]]) -> Iterable[str]:
    for key, path in segments.items():
        if path[1] in _BOOTSTRAP_GROUPS and path[3:] == ("mode",) and settings[key] != "off":
            yield key.removesuffix(".mode")


def find_orphans(applied: Iterable[AppliedFile], made: Collection[str], profile: Profile) -> Orphans:
    """`made` are the paths that this apply makes."""
    owned = {spec.name for spec in profile.files if spec.owned}
    known = {spec.name for spec in profile.files}
    orphans = [file for file in applied if file.path not in made]
    # Who owns a file that the profile does not know any more is what the record says.
    obsolete = [file for file in orphans if file.name in owned or (file.owned and file.name not in known)]
    return Orphans(tuple(obsolete), tuple(file for file in orphans if file not in obsolete))


def fed_by(keys: Iterable[str], profile: Profile) -> list[FileSpec]:
    """The files that show one of the `keys`, or something below or around it."""
    paths = [parse_key(key) for key in keys]
    return [
        spec
        for spec in profile.files
        for prefixes in [[parse_key(key) for key in spec.reads]]
        if any(path[: len(prefix)] == prefix or prefix[: len(path)] == path for path in paths for prefix in prefixes)
    ]


def services_of(keys: Iterable[str], profile: Profile) -> set[str]:
    """The names of the services that read one of the `keys`, or something below or around it."""
    fed = {spec.name for spec in fed_by(keys, profile)}
    return {service.name for service in profile.services if fed & set(service.files)}
