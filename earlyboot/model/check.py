"""Settings in, settings out: checked against the model and in their stable form, or every fault at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from earlyboot.model.settings import GROUPS, group_type
from earlyboot.model.table import Compound, with_own_names
from earlyboot.model.tree import flatten
from earlyboot.model.types import Scalar, SecretScalar

if TYPE_CHECKING:
    from earlyboot.model.custom import CustomGroup


class KeyFault(NamedTuple):
    """One thing that is wrong. `path` leads to it within the settings table; no text holds a value, only names of keys.

    `code` is one of unknown-group, unknown-key, missing-key, wrong-type, bad-value and, between keys that are each good,
    broken-rule; too-many ends a long list.
    """

    path: tuple[str | int, ...]
    code: str
    what: str
    fix: str


def check(
    settings: object, groups: Collection[str] | None = None, custom: Mapping[str, CustomGroup] = {}
) -> tuple[dict[str, object], tuple[KeyFault, ...]]:
    """The settings in their stable form, as plain dicts, lists and scalars with secrets in clear; or the faults.

    `settings` is the content of the `settings` table. `groups` are those of the model that exist here, all if `None`;
    `custom` are the image builder's own, by name. The stable form has the model's order and no empty tables; with faults
    it is empty. Faults are in document order.
    """
    allowed = GROUPS if groups is None else tuple(group for group in GROUPS if group in groups)
    error = ""
    if isinstance(settings, Mapping) and all(name in allowed or name in custom for name in settings):
        try:
            checked = {group: stable_group(group, settings[group]) for group in allowed if group in settings}
            own = {group: custom[group].checked(settings[group]) for group in custom if group in settings}
        except ValueError as exception:  # a ValidationError, or a UnicodeEncodeError from a lone surrogate
            error = str(exception)
        else:
            return _storable({group: value for group, value in {**checked, **own}.items() if value != {}})
    from earlyboot.model.faults import find_faults

    return {}, find_faults(settings, allowed, custom, error)


def _storable(settings: dict[str, object]) -> tuple[dict[str, object], tuple[KeyFault, ...]]:
    """`settings` if each of them has a key; a name of the operator's may be too long, or hold what no key can."""
    try:
        flatten(settings)
    except ValueError:
        from earlyboot.model.faults import find_key_faults

        return {}, find_key_faults(settings)
    return settings, ()


def stable_group(group: str, value: object) -> object:
    """The value of one group of the model in its stable form; `ValueError` at its first fault."""
    kind = group_type(group)
    converted = msgspec.convert(with_own_names(kind, value), kind, dec_hook=decode)
    return stable(msgspec.to_builtins(converted, enc_hook=_encode))


def decode(kind: type, value: object) -> object:
    """msgspec's `dec_hook`."""
    if issubclass(kind, Compound):
        return kind.from_plain(value, decode)
    if not isinstance(value, str):
        raise TypeError("must be text")
    assert issubclass(kind, Scalar | SecretScalar)
    return kind(value)


def _encode(value: object) -> Any:
    """msgspec's `enc_hook`."""
    if isinstance(value, SecretScalar):
        return value.reveal()
    if isinstance(value, Compound):
        return value.value
    assert isinstance(value, Scalar)
    return str.__str__(value)  # an exact str


def stable(value: object) -> object:
    """Tuples as lists, and no empty tables: they leave no key, so nothing could keep them."""
    if isinstance(value, dict):
        members = ((name, stable(member)) for name, member in value.items())
        return {name: member for name, member in members if member != {}}
    if isinstance(value, list | tuple):
        return [stable(item) for item in value]
    return value
