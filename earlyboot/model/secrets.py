"""Which settings are secret: those that the model gives a secret type. There is no list to keep."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec.inspect as mi

from earlyboot.model.key import parse_key
from earlyboot.model.settings import GROUPS
from earlyboot.model.shape import bare, group_kind, written_forms
from earlyboot.model.table import Compound, Table
from earlyboot.model.tree import ROOT
from earlyboot.model.types import SecretScalar

if TYPE_CHECKING:
    from earlyboot.model.custom import CustomGroup

REDACTED = "REDACTED"
# What stands between the scheme of a URL and the end of its host, wherever in a text; the last `@` ends the user. Browsers,
# and `is_url`, take any number of slashes of either kind behind the schemes that have a host for certain.
_AUTHORITY = re.compile(
    r"(?:(?:(?<=https:)|(?<=http:)|(?<=wss:)|(?<=ws:)|(?<=ftp:))[/\\]*|(?<=://))[^ \t\r\n/?#]+", re.IGNORECASE
)


def is_secret(key: str, custom: Mapping[str, CustomGroup] = {}) -> bool:
    """Whether the value of `key` is a secret, contains one or lies within one. `custom` are the image builder's groups.

    A key that the model does not know counts as secret: nobody can say what its value is.
    """
    try:
        first, group, *path = parse_key(key)
    except ValueError:
        return True
    if first == ROOT and group in custom:
        return custom[group].is_secret(path)
    return first != ROOT or group not in GROUPS or _secrecy(group_kind(group), path) is not False


def redact(flat: Mapping[str, object], custom: Mapping[str, CustomGroup] = {}) -> dict[str, object]:
    """The same keys, with the text REDACTED in place of each secret."""
    return {key: redacted(key, value, custom) for key, value in flat.items()}


def redacted(key: str, value: object, custom: Mapping[str, CustomGroup] = {}) -> object:
    """The value of `key` as anybody may see it: a secret not at all, any other without who logs in, in its URLs."""
    return REDACTED if is_secret(key, custom) else _without_passwords(value)


def _without_passwords(value: object) -> object:
    if isinstance(value, str):
        return _AUTHORITY.sub(_without_user, value)
    if isinstance(value, list | tuple):
        return [_without_passwords(item) for item in value]
    if isinstance(value, Mapping):
        return {name: _without_passwords(item) for name, item in value.items()}
    return value


def _without_user(found: re.Match[str]) -> str:
    user, at, host = found[0].rpartition("@")
    slashes = user[: len(user) - len(user.lstrip("/\\"))]
    return f"{slashes}{REDACTED}@{host}" if at else host


def _secrecy(kind: mi.Type, path: list[str]) -> bool | None:
    """Whether what lies at `path` below `kind` holds a secret; `None` if nothing can lie there."""
    kind = bare(kind)
    if not path:
        return _holds_secret(kind)
    if isinstance(kind, mi.StructType):
        name = kind.cls.aliases.get(path[0], path[0]) if issubclass(kind.cls, Table) else path[0]
        return next((_secrecy(field.type, path[1:]) for field in kind.fields if field.encode_name == name), None)
    if isinstance(kind, mi.DictType):
        return _secrecy(kind.value_type, path[1:])
    if isinstance(kind, mi.CustomType) and issubclass(kind.cls, Compound):
        known = [found for form in written_forms(kind.cls) if (found := _secrecy(form, path)) is not None]
        return any(known) if known else None
    return None


def _holds_secret(kind: mi.Type) -> bool:
    if isinstance(kind, mi.CustomType):
        return issubclass(kind.cls, SecretScalar) or any(map(_holds_secret, _parts(kind)))
    return any(_holds_secret(bare(part)) for part in _parts(kind))


def _parts(kind: mi.Type) -> tuple[mi.Type, ...]:
    """The types of the values within a value of `kind`."""
    match kind:
        case mi.StructType():
            return tuple(field.type for field in kind.fields)
        case mi.DictType():
            return (kind.value_type,)
        case mi.VarTupleType():
            return (kind.item_type,)
        case mi.TupleType():
            return kind.item_types
        case mi.CustomType() if issubclass(kind.cls, Compound):
            return written_forms(kind.cls)
        case _:
            return ()
