"""How each file format holds a value: quoted so that no value can end its quotes, its line or its place.

Each function takes whatever a setting can be and returns text; `UnholdableError` for what the format cannot hold.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping

# All that ends a line for somebody, and every other control character but the tab.
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
# No characters; systemd refuses a text that has one.
_NONCHARACTER = re.compile(
    "[\ufdd0-\ufdef" + "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF)) + "]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_TOML_ESCAPED = re.compile('[\x00-\x1f\x7f-\x9f\u2028\u2029\\\\"]')
_TOML_BARE = re.compile("[A-Za-z0-9_-]+")
# Legal in JSON, but line breaks or no characters for YAML, whose readers take our JSON too.
_NOT_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_INTEGERS = range(-(2**63), 2**63)


class UnholdableError(ValueError):
    """A file cannot hold what the settings say. The text says why and holds no value, which may be a secret."""


class Verbatim(str):
    """Text that a template made itself, and that stands in the file as it is."""

    __slots__ = ()


def text(value: object) -> str:
    """A scalar on one line, as it is; truth values in lower case."""
    return _one_line(_scalar(value))


def free(value: object) -> str:
    """A scalar as it is, line breaks included."""
    return _encodable(_scalar(value))


def ini(value: object) -> str:
    """A value that every reader of INI files gives back: no comment begins in it, and nothing at its ends is lost."""
    line = text(value)
    if line != line.strip() or line[:1] in ('"', "'"):
        raise UnholdableError("an INI file loses quotes and spaces at the ends of a value")
    if line.startswith("[") or re.search(r"(?:^|\s)[#;]", line):
        raise UnholdableError("in an INI file a value must not begin a section or a comment")
    if line.endswith("\\"):
        raise UnholdableError("in an INI file a value must not end with a backslash")
    return line


def shell(value: object) -> str:
    """One word, in the double quotes that a POSIX shell and systemd's EnvironmentFile= read in the same way."""
    return '"' + re.sub(r'([\\"$`])', r"\\\1", _characters(value)) + '"'


def systemd(value: object) -> str:
    """One word for a unit file, systemd.syntax(7), without specifiers; a command line needs `argument`."""
    return '"' + re.sub(r'([\\"])', r"\\\1", _characters(value)).replace("%", "%%") + '"'


def argument(value: object) -> Verbatim:
    """One argument of an Exec…= line of a unit file: `systemd`, and no variable is put in."""
    return Verbatim(systemd(value).replace("$", "$$"))


def toml(value: object) -> str:
    """A value, or a key, of TOML: lists as arrays, tables inline."""
    match value:
        case Mapping():
            members = ", ".join(f"{_toml_key(name)} = {toml(member)}" for name, member in value.items())
            return f"{{ {members} }}" if members else "{}"
        case list() | tuple():
            return f"[{', '.join(map(toml, value))}]"
        case str():
            return '"' + _TOML_ESCAPED.sub(_toml_escape, _encodable(value)) + '"'
        case _:
            return _number(value)


def _toml_key(name: str) -> str:
    return name if _TOML_BARE.fullmatch(name) else toml(name)


def _toml_escape(found: re.Match[str]) -> str:
    character = found[0]
    return f"\\{character}" if character in '"\\' else f"\\u{ord(character):04X}"


def json_value(value: object) -> str:
    """A value of JSON, on one line, that a reader of YAML takes too."""
    try:
        made = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except TypeError:
        raise UnholdableError(_not_set_or_no_value(value)) from None
    except ValueError:
        raise UnholdableError("a number is out of range") from None
    # Outside strings JSON is ASCII, so these can only stand in one.
    return _NOT_IN_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", _encodable(made))


QUOTES: Mapping[str, Callable[[object], str]] = {
    "text": text,
    "free": free,
    "toml": toml,
    "ini": ini,
    "json": json_value,
    "shell": shell,
    "systemd": systemd,
}


def _scalar(value: object) -> str:
    return value if isinstance(value, str) else _number(value)


def _number(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() if value in _INTEGERS:
            return str(value)
        case float() if math.isfinite(value):
            return repr(value)
        case int() | float():
            raise UnholdableError("a number is out of range")
        case _:
            raise UnholdableError(_not_set_or_no_value(value))


def _not_set_or_no_value(value: object) -> str:
    if value is None:
        return "a value that it needs is not set"
    return f"a value is of the type {type(value).__name__}, which this format cannot hold"


def _characters(value: object) -> str:
    line = text(value)
    if _NONCHARACTER.search(line):
        raise UnholdableError("a value is no Unicode text")
    return line


def _one_line(line: str) -> str:
    if _CONTROL.search(line):
        raise UnholdableError("a value has a line break or another control character")
    return _encodable(line)


def _encodable(characters: str) -> str:
    if _SURROGATE.search(characters):
        raise UnholdableError("a value is no Unicode text")
    if "\0" in characters:
        raise UnholdableError("a value has a NUL character")
    return characters
