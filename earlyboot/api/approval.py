"""Whether settings may become live: the model, the rules across keys, and that files can be made of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from earlyboot.api.core import Core
from earlyboot.api.problem import Problem
from earlyboot.model.key import parse_key
from earlyboot.model.tree import ROOT, unflatten
from hostkit import toml
from hostkit.errors import Fault, HostError, Where

if TYPE_CHECKING:
    from earlyboot.config.profile import FileSpec
    from earlyboot.model.check import KeyFault
    from earlyboot.render.fileset import Rendering

Flat = Mapping[str, object]

_BELOW_ROOT = f"{ROOT}."


def approve(core: Core, before: Flat, after: Flat, changed: Collection[str]) -> Rendering | None:
    """The files that `after` makes, `None` where not all could be made before either; `Problem` with every new fault.

    A newer program may know better than the one that accepted what is live, and a broken template breaks all settings:
    such old faults do not stand in the way of a change that has nothing to do with them, the less so if it mends one of
    them. A fault of the model that was there before counts only where the commit changes the very key, or one above it;
    one of a file only where it is another than before. `after` and `before` are flat keys with the defaults layered in.
    """
    groups = frozenset(map(_group, changed))
    faults = model_faults(core, _of_groups(groups, after))
    if faults:
        paths = frozenset(parse_key(key)[1:] for key in changed)
        known = frozenset(model_faults(core, _of_groups(groups, before)))
        faults = [fault for fault in faults if fault not in known or _lies_below(fault.path, paths)]
    if faults:
        raise refusal(faults)
    return _rendered(core, before, after, changed)


def _rendered(core: Core, before: Flat, after: Flat, changed: Collection[str]) -> Rendering | None:
    from earlyboot.render.apply import render_all
    from earlyboot.render.plan import fed_by

    try:
        return render_all(after, core.profile, core.paths)
    except HostError as error:
        # It names the first file that fails. Those of the change are looked at one by one, as they were and will be.
        specs = fed_by(changed, core.profile)
        faults = [
            fault
            for spec in specs
            for known in [_file_faults(core, before, spec)]
            for fault in _file_faults(core, after, spec)
            if fault not in known
        ]
        if not faults:
            try:
                render_all(before, core.profile, core.paths)
            except HostError:
                return None
        raise Problem(400, *(faults or error.faults)) from None


def _file_faults(core: Core, settings: Flat, spec: FileSpec) -> tuple[Fault, ...]:
    """Why a file cannot be made of settings; nothing where they do not feed it."""
    from earlyboot.render.apply import render_all

    try:
        render_all(settings, core.profile._replace(files=(spec,)), core.paths)
    except HostError as error:
        return error.faults
    return ()


def _of_groups(groups: Collection[str], settings: Flat) -> Flat:
    """The part of the settings that a change of these groups concerns: no rule of the model goes across two."""
    return {key: value for key, value in settings.items() if _group(key) in groups}


def _group(key: str) -> str:
    """The segment below the root; in quotes where it stands so."""
    end = (
        key.find('"', len(_BELOW_ROOT) + 1) + 1
        if key.startswith(f'{_BELOW_ROOT}"')
        else key.find(".", len(_BELOW_ROOT))
    )
    return key[len(_BELOW_ROOT) :] if end <= 0 else key[len(_BELOW_ROOT) : end]


def model_faults(core: Core, settings: Flat) -> list[KeyFault]:
    """What the model has against settings (flat, with the defaults): key by key, then the rules across keys."""
    from earlyboot.model.check import check
    from earlyboot.model.rules import broken_rules

    nested = unflatten(settings)
    stable, faults = check(nested, core.profile.groups, core.custom)
    if faults:
        # The rules are about values that fit their types: what does not is left out for them.
        paths = frozenset(fault.path for fault in faults)
        sound = {key: value for key, value in settings.items() if not _lies_below(parse_key(key)[1:], paths)}
        stable, _ = check(unflatten(sound), core.profile.groups, core.custom)
    return [*faults, *_gaps(core, nested), *broken_rules(stable)]


def _gaps(core: Core, nested: Mapping[str, object]) -> tuple[KeyFault, ...]:
    if not core.custom:
        return ()
    from earlyboot.model.custom import gaps

    return gaps(nested, core.custom)


def refusal(faults: Collection[KeyFault]) -> Problem:
    """The problem for settings, with a path for each fault."""
    return Problem(
        400,
        *(Fault(fault.code, fault.what, Where(key=_key_text(fault.path)), fault.fix) for fault in faults),
        paths=tuple(fault.path for fault in faults),
    )


def _lies_below(path: tuple[str | int, ...], others: Collection[tuple[str | int, ...]]) -> bool:
    return any(path[:depth] in others for depth in range(1, len(path) + 1))


def _key_text(path: tuple[str | int, ...]) -> str:
    """The key of a fault for people; the place inside a list is in the fault's own words."""
    names = tuple(part for part in path if isinstance(part, str))
    return toml.dotted((ROOT, *names))
