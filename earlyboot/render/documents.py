"""Whole documents of JSON and TOML, laid out for people; every name and value is quoted by `formats`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from earlyboot.render.formats import UnholdableError, json_value, shell, toml

NOTE = "# Made by earlyboot from the settings. What is changed here is lost.\n"

_BARE = re.compile("[A-Za-z0-9_-]+")


def json_document(value: object) -> bytes:
    """JSON that readers of YAML take too."""
    return (_json(value, "\n") + "\n").encode()


def _json(value: object, line: str) -> str:
    inner = line + "  "
    if isinstance(value, Mapping) and value:
        members = [f"{inner}{json_value(str(name))}: {_json(member, inner)}" for name, member in value.items()]
        return "{" + ",".join(members) + line + "}"
    if isinstance(value, list | tuple) and value:
        return "[" + ",".join(inner + _json(item, inner) for item in value) + line + "]"
    return json_value(value)


def toml_document(tables: Mapping[str, object], *, for_old_readers: bool = False) -> bytes:
    """TOML with one header a table; `UnholdableError` for what TOML cannot hold.

    Readers from before TOML 1.0 end a header at its first bracket, also within quotes. For them a table with such a name
    stands inline.
    """
    return (NOTE + "".join(_toml(tables, (), re.compile(r"[\[\]]" if for_old_readers else "(?!)")))).encode()


def _toml(table: Mapping[str, object], path: tuple[str, ...], inline: re.Pattern[str]) -> Iterator[str]:
    below = {name: value for name, value in table.items() if isinstance(value, Mapping) and not inline.search(name)}
    several = {name: _tables(value) for name, value in table.items() if _tables(value)}
    for name, value in table.items():
        if name not in below and name not in several:
            yield f"{_key(name)} = {toml(value)}\n"
    for name, value in below.items():
        if not value or any(not _has_header(member, under, inline) for under, member in value.items()):
            yield f"\n[{_header((*path, name))}]\n"
        yield from _toml(value, (*path, name), inline)
    for name, values in several.items():
        for value in values:
            yield f"\n[[{_header((*path, name))}]]\n"
            yield from _toml(value, (*path, name), inline)


def _has_header(value: object, name: str, inline: re.Pattern[str]) -> bool:
    return bool(_tables(value)) or (isinstance(value, Mapping) and not inline.search(name))


def _tables(value: object) -> list[Mapping[str, object]]:
    """The items of a list that holds tables and nothing else."""
    items = value if isinstance(value, list | tuple) else ()
    tables = [item for item in items if isinstance(item, Mapping)]
    return tables if len(tables) == len(items) else []


def _header(path: tuple[str, ...]) -> str:
    return ".".join(map(_key, path))


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else toml(name)


def environment(variables: Mapping[str, object]) -> bytes:
    """A file for systemd's EnvironmentFile=, which a POSIX shell reads in the same way."""
    return (NOTE + "".join(f"{name}={shell(value)}\n" for name, value in variables.items())).encode()


def words(flags: Sequence[str]) -> str:
    """Command line arguments as one variable, which systemd takes apart again where a unit says `$NAME`."""
    for flag in flags:
        # At spaces it parts words, and quotes and backslashes it takes away.
        if not re.fullmatch(r"[!#-&(-\[\]-~]+", flag):
            name = flag.partition("=")[0]
            raise UnholdableError(f"the value of {name} has a space, a quote, a backslash or a character beyond ASCII")
    return " ".join(flags)
