"""Settings in, settings out: checked against the model and in their stable form, or every fault at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import msgspec

from earlyboot.model.settings import GROUPS, Settings
from earlyboot.model.table import Compound
from earlyboot.model.types import Scalar, SecretScalar


class KeyFault(NamedTuple):
    """One thing that is wrong. `path` leads to it within the settings table; no text holds a value, only names of keys.

    `code` is one of unknown-group, unknown-key, missing-key, wrong-type and bad-value; too-many ends a long list.
    """

    path: tuple[str | int, ...]
    code: str
    what: str
    fix: str


def check(settings: object, groups: Collection[str] | None = None) -> tuple[dict[str, object], tuple[KeyFault, ...]]:
    """The settings in their stable form, as plain dicts, lists and scalars with secrets in clear; or the faults.

    `settings` is the content of the `settings` table. `groups` are the only ones allowed, all of the model's if `None`.
    The stable form has the model's order and no empty tables; with faults it is empty. Faults are in document order.
    """
    allowed = GROUPS if groups is None else tuple(group for group in GROUPS if group in groups)
    error = ""
    if isinstance(settings, Mapping) and all(name in allowed for name in settings):
        try:
            return plain(msgspec.convert(settings, Settings, dec_hook=decode)), ()
        except ValueError as exception:  # a ValidationError, or a UnicodeEncodeError from a lone surrogate
            error = str(exception)
    from earlyboot.model.faults import find_faults

    return {}, find_faults(settings, allowed, error)


def decode(kind: type, value: object) -> object:
    """msgspec's `dec_hook`."""
    if issubclass(kind, Compound):
        return kind.from_plain(value, decode)
    if not isinstance(value, str):
        raise TypeError("must be text")
    assert issubclass(kind, Scalar | SecretScalar)
    return kind(value)


def plain(settings: Settings) -> dict[str, object]:
    """A checked model as plain values, secrets in clear."""
    stable = _stable(msgspec.to_builtins(settings, enc_hook=_encode))
    assert isinstance(stable, dict)
    return stable


def _encode(value: object) -> Any:
    """msgspec's `enc_hook`."""
    if isinstance(value, SecretScalar):
        return value.reveal()
    if isinstance(value, Compound):
        return value.value
    assert isinstance(value, Scalar)
    return str.__str__(value)  # an exact str


def _stable(value: object) -> object:
    """Tuples as lists, and no empty tables: they leave no key, so nothing could keep them."""
    if isinstance(value, dict):
        members = ((name, _stable(member)) for name, member in value.items())
        return {name: member for name, member in members if member != {}}
    if isinstance(value, list | tuple):
        return [_stable(item) for item in value]
    return value
