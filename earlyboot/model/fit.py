"""Whether the image builder's drop-ins fit the model: schemas are schemas, defaults are settings, keys exist.

This needs what boots of a good image never do, so it runs where settings are checked at all: in the server, in `validate`
and in `schema`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from earlyboot.config.dropin import DropIn, read_all, segments
from earlyboot.config.layers import placed
from earlyboot.config.paths import Paths
from earlyboot.config.profile import Profile
from earlyboot.model.check import check
from earlyboot.model.custom import CustomGroup, custom_groups
from earlyboot.model.known import unknown_key
from earlyboot.model.schema_keys import describes, is_open
from earlyboot.model.secrets import is_secret
from hostkit import toml
from hostkit.errors import Fault, OperatorError

Found = Iterator[tuple[toml.Path, Fault]]


def verified_groups(profile: Profile, paths: Paths) -> dict[str, CustomGroup]:
    """The image builder's groups, ready for use. `OperatorError` with everything in the drop-ins that does not fit."""
    custom = custom_groups(profile.custom)
    if profile.drop_ins:
        drop_ins = [drop_in for drop_in in read_all(paths).drop_ins if drop_in.concerns(profile.name)]
        faults = list(placed(_faults(profile, custom, drop_ins), drop_ins))
        if faults:
            raise OperatorError(*faults[:100])
    return custom


def _faults(profile: Profile, custom: Mapping[str, CustomGroup], drop_ins: Collection[DropIn]) -> Found:
    broken = {name: reason for name, group in custom.items() if (reason := group.broken()) is not None}
    for name, reason in broken.items():
        yield ("groups", name, "schema"), Fault("schema", f"the schema of {name} {reason}", fix="mend the schema")
    usable = {name: group for name, group in custom.items() if name not in broken}
    defaults = {name: value for name, value in profile.defaults.items() if name not in broken}
    for fault in check(defaults, profile.groups, usable)[1]:
        yield ("defaults", *fault.path), Fault(fault.code, f"a default does not fit: {fault.what}", fix=fault.fix)
    for section, name, entry in _entries(drop_ins):
        for path, key in _keys(entry):
            if segments(key)[0] not in broken and not is_known(segments(key), custom):
                what = f"{key} is not a key of any setting"
                fix = "see the reference of the settings: earlyboot schema --format markdown"
                yield (section, name, *path), Fault("unknown-key", what, fix=fix)
    yield from _readable_secrets(profile, usable, broken, drop_ins)


def _readable_secrets(
    profile: Profile, custom: Mapping[str, CustomGroup], broken: Collection[str], drop_ins: Collection[DropIn]
) -> Found:
    """Files that others than root may read, and in which a secret may stand. Those of the program are its own affair."""
    deciding = {"keys", "also", "mode", "template"}
    chosen = {name for section, name, entry in _entries(drop_ins) if section == "files" and deciding & set(entry)}
    for spec in profile.files:
        if spec.name not in chosen or not spec.mode & 0o077:
            continue
        # A key that is at fault itself would count as a secret.
        known = (key for key in spec.reads if segments(key)[0] not in broken and is_known(segments(key), custom))
        secret = next((key for key in known if _may_hold_secret(key, custom)), None)
        if secret is not None:
            what = f"others than root could read the file {spec.name}, which {secret} with its secrets feeds"
            fix = 'write mode = "0600", or name in keys only those that it shows'
            yield ("files", spec.name, "mode"), Fault("bad-value", what, fix=fix)


def _may_hold_secret(key: str, custom: Mapping[str, CustomGroup]) -> bool:
    """Whether there can be a secret at or below `key`: a key that no schema describes is one."""
    if is_secret(key, custom):
        return True
    group, *path = segments(key)
    return group in custom and is_open(custom[group].schema, path)


def _entries(drop_ins: Collection[DropIn]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for section in ("files", "generators"):
        for drop_in in drop_ins:
            for name, entry in drop_in.document.get(section, {}).items():
                yield section, name, entry


def _keys(entry: Mapping[str, Any]) -> Iterator[tuple[toml.Path, str]]:
    for name in ("key", "each"):
        if name in entry:
            yield (name,), entry[name]
    for name in ("keys", "also", "needs", "when"):
        yield from (((name, place), key) for place, key in enumerate(entry.get(name, ())))


def is_known(path: tuple[str, ...], custom: Mapping[str, CustomGroup] = {}) -> bool:
    """Whether there can be a setting at or below `path`, whose first segment is its group."""
    group, *rest = path
    if group in custom:
        return describes(custom[group].schema, rest)
    return unknown_key(path) is None
