"""The image builder's drop-ins laid over a profile that came with the program: merged key by key, a later one wins."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from earlyboot.config.dropin import DropIn, read_all, segments
from earlyboot.config.paths import Paths
from earlyboot.config.profile import Layers
from hostkit import toml
from hostkit.errors import Fault, OperatorError

Table = dict[str, Any]


def with_drop_ins(shipped: Layers, name: str, model_groups: Collection[str], paths: Paths) -> Layers:
    """`shipped` with the drop-ins that concern the profile `name`. `OperatorError` with every fault of all drop-ins.

    `model_groups` are the groups of every profile: no group of the image builder's may be called so.
    """
    found = read_all(paths)
    concerned = [drop_in for drop_in in found.drop_ins if drop_in.concerns(name)]
    if not concerned and not found.faults:
        return shipped
    merged = _merged(shipped, concerned)
    from earlyboot.config.layer_faults import Check

    check = Check(merged, shipped, concerned, model_groups, paths, found.refused_groups)
    # What one that could not be parsed would have had, nothing must be said to lack.
    wrong = list(check.all()) if found.complete else []
    faults = [*found.faults, *placed(wrong, concerned, broken=bool(found.faults))]
    if faults:
        raise OperatorError(*faults[:100])
    return _finished(merged, shipped, paths)._replace(custom=check.schemas)


def _merged(shipped: Layers, drop_ins: list[DropIn]) -> Layers:
    """All entries in their last form, those with `enabled = false` and removed groups too; `template` as it is written."""
    merged = shipped._replace(
        defaults=laid_over(shipped.defaults, {}),
        files={name: dict(entry) for name, entry in shipped.files.items()},
        services={name: dict(entry) for name, entry in shipped.services.items()},
        generators={name: dict(entry) for name, entry in shipped.generators.items()},
        drop_ins=tuple(drop_in.source for drop_in in drop_ins),
    )
    groups: dict[str, Table] = {}
    for drop_in in drop_ins:
        document = drop_in.document
        for section, entries in (
            ("groups", groups),
            ("files", merged.files),
            ("services", merged.services),
            ("generators", merged.generators),
        ):
            for name, entry in document.get(section, {}).items():
                entries[name] = {**entries.get(name, {}), **entry}
                if section == "generators" and "enabled" not in entry:
                    # Naming one that the profile does not use is asking for it.
                    entries[name]["enabled"] = True
        merged = merged._replace(
            providers=document.get("providers", merged.providers),
            access_user=document.get("access-user", merged.access_user),
            groups=merged.groups - set(document.get("remove-groups", ())),
            defaults=laid_over(merged.defaults, document.get("defaults", {})),
            filling=_without(merged.filling, document.get("defaults", {})),
        )
    return merged._replace(custom=groups)


def laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> Table:
    """Tables merged key by key; a list is one value."""
    merged = {name: laid_over(member, {}) if isinstance(member, Mapping) else member for name, member in below.items()}
    for name, member in above.items():
        known = merged.get(name)
        merged[name] = (
            laid_over(known if isinstance(known, Mapping) else {}, member) if isinstance(member, Mapping) else member
        )
    return merged


def _without(table: Mapping[str, Any], named: Mapping[str, Any]) -> Table:
    """What stands in a table and is not named in the other, whatever it says there."""
    return {
        name: _without(member, named[name]) if isinstance(member, Mapping) and name in named else member
        for name, member in table.items()
        if name not in named or (isinstance(member, Mapping) and isinstance(named[name], Mapping))
    }


def _finished(merged: Layers, shipped: Layers, paths: Paths) -> Layers:
    """Without what is turned off and what has lost its group; templates by the path that they are read from."""
    left = {name: _with_template(entry, paths) for name, entry in merged.files.items() if is_enabled(entry)}
    services = {
        name: {**entry, "files": [file for file in entry["files"] if file in left]}
        for name, entry in merged.services.items()
        if is_enabled(entry)
    }
    removed = shipped.groups - merged.groups
    return merged._replace(
        defaults={group: value for group, value in merged.defaults.items() if group not in removed},
        filling={group: value for group, value in merged.filling.items() if group not in removed},
        files=left,
        services={name: entry for name, entry in services.items() if entry["files"]},
        generators={
            name: entry
            for name, entry in merged.generators.items()
            if is_enabled(entry) and segments(entry["key"])[0] not in removed
        },
    )


def _with_template(entry: Table, paths: Paths) -> Table:
    if "template" not in entry:
        return entry
    return {**entry, "template": beside(entry["template"], paths), "renderer": None}


def beside(name: str, paths: Paths) -> str:
    """Where a file is that a drop-in names."""
    return os.path.join(paths.profiles_folder, name)


def is_enabled(entry: Mapping[str, Any]) -> bool:
    return entry.get("enabled", True) is True


def placed(
    wrong: Iterable[tuple[toml.Path, Fault]], drop_ins: Sequence[DropIn], *, broken: bool = False
) -> Iterator[Fault]:
    """Each fault at the last place that says something of it.

    `broken` is whether a drop-in has faults of form: what is missing may be there, in a form that is none.
    """
    indexes: dict[str, toml.Index] = {}
    for path, fault in wrong:
        if broken and fault.code in ("missing-key", "unknown-file"):
            continue
        drop_in = max(enumerate(drop_ins), key=lambda item: (reach(item[1].document, path), item[0]))[1]
        index = indexes.setdefault(drop_in.source, toml.Index(drop_in.text))
        yield fault._replace(where=index.where(drop_in.source, path))


def reach(document: Any, path: toml.Path) -> int:
    """How many steps of `path` a document goes along."""
    for depth, part in enumerate(path):
        try:
            document = document[part]
        except (KeyError, IndexError, TypeError):
            return depth
    return len(path)
