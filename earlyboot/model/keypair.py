"""Settings as `KEY=VALUE` texts: each value gets the type that its setting has."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from earlyboot.model import plain_json
from earlyboot.model.key import parse_key
from earlyboot.model.tree import ROOT
from hostkit.errors import Fault, OperatorError, Where

if TYPE_CHECKING:
    from earlyboot.model.custom import CustomGroup


def settings_of(
    pairs: Sequence[str], groups: Collection[str] | None = None, custom: Mapping[str, CustomGroup] = {}
) -> dict[str, object]:
    """The settings table that pairs such as `ntp.options=["iburst"]` make; `settings.` before a key may be left out.

    Whether values are right is not checked. `OperatorError` with all that is wrong with the pairs themselves; no text
    holds a value.
    """
    settings: dict[str, object] = {}
    faults: list[Fault] = []
    for number, pair in enumerate(pairs, start=1):
        try:
            _put(settings, number, pair, groups, custom)
        except OperatorError as error:
            faults += error.faults
    if faults:
        raise OperatorError(*faults)
    return settings


def _put(
    settings: dict[str, object],
    number: int,
    pair: str,
    groups: Collection[str] | None,
    custom: Mapping[str, CustomGroup],
) -> None:
    key, equals, text = pair.partition("=")
    if not equals:
        # Not its text: it may be a value that lost its key, and a secret one.
        raise OperatorError(Fault("usage", f"argument {number} is no KEY=VALUE", Where(), "write motd=hello"))
    try:
        path = parse_key(key)
    except ValueError as error:
        raise OperatorError(Fault("bad-key", str(error), Where(), "write it like ntp.time-servers")) from None
    path = path[1:] if path[0] == ROOT and len(path) > 1 else path
    table = settings
    for segment in path[:-1]:
        inner = table.setdefault(segment, {})
        if not isinstance(inner, dict):
            raise OperatorError(Fault("usage", f"'{key}' lies below a key that has a value", Where(), "give one"))
        table = inner
    if isinstance(table.get(path[-1]), dict):
        raise OperatorError(Fault("usage", f"'{key}' lies above a key that has a value", Where(), "give one"))
    table[path[-1]] = typed(path, text, groups, custom)


def typed(
    path: Sequence[str], text: str, groups: Collection[str] | None = None, custom: Mapping[str, CustomGroup] = {}
) -> object:
    """The value of a setting from its text: text where the setting takes it so, although it may look like a number; else
    what it is as JSON. What fits neither way is left to the model, which says why: of the type that the setting has, if
    one of the two is."""
    from earlyboot.model.check import check

    candidates: list[object] = [text]
    right_type: list[object] = []
    try:
        candidates.append(plain_json.parse(text))
    except (ValueError, RecursionError):
        pass
    for candidate in candidates:
        nested: object = candidate
        for segment in reversed(path):
            nested = {segment: nested}
        _, faults = check(nested, groups, custom)
        # What else the table around it needs is no matter here.
        own = [fault for fault in faults if fault.path[: len(path)] == tuple(path)]
        if not own:
            return candidate
        if not any(fault.code == "wrong-type" and fault.path == tuple(path) for fault in own):
            right_type.append(candidate)
    return (right_type or candidates)[-1]
