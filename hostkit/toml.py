"""Bounded TOML: text in, plain values out, and every fault with its line.

The parser never sees a document over the limits. The index from keys to lines is built only when somebody has a fault to
report, so a good document does not pay for it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from hostkit.errors import Fault, OperatorError, Where

type_names = {bool: "a boolean", int: "an integer", float: "a number", str: "a string", list: "a list", dict: "a table"}

Path = tuple[str | int, ...]


class Limits(NamedTuple):
    """What a document may hold: bytes of UTF-8, keys in all tables together, tables and lists within each other."""

    size_bytes: int = 1 << 20
    keys: int = 20_000
    depth: int = 32


LIMITS = Limits()

# Strings and comments are matched so that what stands inside them is not taken for structure. Possessive quantifiers
# (`*+`) keep the matcher's memory flat on a string of a mebibyte.
_STRING = (
    r'"""(?:[^"\\]++|\\.|"(?!""))*+"{3,5}|\'\'\'(?:[^\']++|\'(?!\'\'))*+\'{3,5}|"(?:[^"\\\n]++|\\.)*+"|\'[^\'\n]*+\''
)
_STRUCTURE = re.compile(rf"(?:{_STRING}|#[^\n]*+)|([\[\]{{}}=.,\n])", re.DOTALL)
_TOKEN = re.compile(rf"[ \t\r]++|#[^\n]*+|({_STRING}|[\[\]{{}}=.,\n]|[^\s\[\]{{}}=.,#\"']++)", re.DOTALL)
# How the parser begins what it says of a key or table that was there before.
_TWICE = ("Cannot overwrite", "Cannot declare", "Cannot redefine", "Cannot mutate", "Duplicate")
_INT64 = range(-(1 << 63), 1 << 63)


def parse(text: str, source: str, limits: Limits = LIMITS) -> dict[str, object]:
    """The document as plain values (bool, int of 64 bits, finite float, str, list, dict).

    Raises `OperatorError` with every fault that can be known: one where the syntax is broken, else all values that are
    dates, not finite or too large. `source` names the document in them.
    """
    _refuse_oversize(text, source, limits)
    import tomli

    try:
        document = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise OperatorError(_syntax_fault(error, source)) from None
    except (ValueError, RecursionError) as error:
        # An integer of thousands of digits ends in a bare ValueError.
        raise OperatorError(
            Fault("toml-syntax", f"not TOML: {error}", Where(source), "correct the value that the message names")
        ) from None
    faults = list(_value_faults(document, limits))
    if faults:
        index = Index(text)
        raise OperatorError(
            *(Fault(code, what, index.where(source, path), fix) for path, code, what, fix in faults[:100])
        )
    return document


def _refuse_oversize(text: str, source: str, limits: Limits) -> None:
    """Bounds what the parser works on, by a scan that is linear in the text and builds nothing."""
    size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    if size > limits.size_bytes:
        raise OperatorError(
            Fault(
                "too-large",
                f"{size:,} bytes are more than the limit of {limits.size_bytes:,}",
                Where(source),
                "make the document smaller; large files belong into a bootstrap container",
            )
        )
    nesting = keys = dots = 0
    for match in _STRUCTURE.finditer(text):
        token = match[1]
        if token is None:
            continue
        if token == ".":
            dots += 1
        elif token in "[{":
            nesting += 1
        elif token in "]}":
            nesting = max(0, nesting - 1)
        else:
            keys += token == "="
            dots = 0
        if nesting + dots > limits.depth + 1:
            line = text.count("\n", 0, match.start()) + 1
            raise OperatorError(_too_deep(Where(source, line), limits))
        if keys > limits.keys:
            line = text.count("\n", 0, match.start()) + 1
            raise OperatorError(_too_many_keys(Where(source, line), limits))


def _too_deep(where: Where, limits: Limits) -> Fault:
    return Fault(
        "too-deep",
        f"tables and lists are nested deeper than {limits.depth}",
        where,
        "flatten the document at this line",
    )


def _too_many_keys(where: Where, limits: Limits) -> Fault:
    return Fault(
        "too-many-keys",
        f"the document has more than {limits.keys:,} keys",
        where,
        "split the work: settings describe one machine, data belongs into a bootstrap container",
    )


def _syntax_fault(error: object, source: str) -> Fault:
    message, line, column = (getattr(error, name, None) for name in ("msg", "lineno", "colno"))
    what = str(message or error).rstrip(".")
    return Fault(
        "toml-syntax",
        f"not TOML: {what[:1].lower()}{what[1:]}" + (f", at column {column}" if column else ""),
        Where(source, line, column),
        "a key or a table is there twice; keep one of the two"
        if what.startswith(_TWICE)
        else "correct the line; strings need quotes, tables look like [settings.ntp]",
    )


def _value_faults(document: dict[str, object], limits: Limits) -> Iterator[tuple[Path, str, str, str]]:
    keys = 0
    work: list[tuple[Path, object]] = [((), document)]
    while work:
        path, value = work.pop()
        if len(path) > limits.depth:
            yield path, *_too_deep(Where(), limits)[:2], "flatten the document at this line"
        elif isinstance(value, dict):
            keys += len(value)
            if keys > limits.keys:
                yield (), *_too_many_keys(Where(), limits)[:2], "split the work: settings describe one machine"
                return
            work.extend(((*path, key), item) for key, item in reversed(value.items()))
        elif isinstance(value, list):
            work.extend(((*path, place), item) for place, item in reversed(tuple(enumerate(value))))
        elif isinstance(value, float) and not -float("inf") < value < float("inf"):
            yield path, "not-finite", f"{dotted(path)} is not a finite number", "write a number with digits"
        elif isinstance(value, int) and value not in _INT64:
            yield path, "integer-range", f"{dotted(path)} does not fit 64 bits", "write a smaller number"
        elif type(value) not in type_names:
            yield path, "date", f"{dotted(path)} is a date or time, which no setting is", "put the value in quotes"


def dotted(path: Path) -> str:
    """A path for people: `settings.network.hosts[0]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if re.fullmatch(r"[A-Za-z0-9_/-]+", part) else f'"{_shown(part)}"'
            text += f".{name}" if text else name
    return text


def _shown(name: str) -> str:
    """A quoted key in an error. One that looks like a URL or an address is a value that lost its key, maybe a secret."""
    return "…" if "@" in name or "://" in name or len(name) > 200 else name.replace('"', '\\"')


class Index:
    """Where each key and list item of a valid document begins. Built by one pass over its tokens."""

    def __init__(self, text: str) -> None:
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._offsets: dict[Path, int] = {}
        self._tokens = [(match[1], match.start(1)) for match in _TOKEN.finditer(text) if match[1] is not None]
        self._next = 0
        self._read_document()

    def where(self, source: str, path: Path) -> Where:
        """The place of `path`, or of its nearest ancestor that stands in the document."""
        line, column = self.locate(path) or (None, None)
        return Where(source, line, column, dotted(tuple(_without_items(path))) or None)

    def locate(self, path: Path) -> tuple[int, int] | None:
        """Line and column, from 1, of `path` or of its nearest ancestor; `None` for a document without any of them."""
        for length in range(len(path), 0, -1):
            offset = self._offsets.get(path[:length])
            if offset is not None:
                line = bisect_right(self._line_starts, offset)
                return line, offset - self._line_starts[line - 1] + 1
        return None

    def _read_document(self) -> None:
        table: Path = ()
        array_lengths: dict[Path, int] = {}
        while self._next < len(self._tokens):
            token, offset = self._tokens[self._next]
            if token == "\n":
                self._next += 1
            elif token == "[":
                table = self._read_header(offset, array_lengths)
            else:
                self._read_pair(table)

    def _read_header(self, offset: int, array_lengths: dict[Path, int]) -> Path:
        self._next += 1
        # `[[` is an array of tables only without a space between the brackets.
        is_array = self._tokens[self._next] == ("[", offset + 1)
        self._next += is_array
        key, places = self._read_key()
        self._next += 1 + is_array
        table: Path = ()
        for depth, part in enumerate(key, start=1):
            table = (*table, part)
            self._offsets.setdefault(table, places[depth - 1])
            if is_array and depth == len(key):
                number = array_lengths.get(table, 0)
                array_lengths[table] = number + 1
                table = (*table, number)
                self._offsets[table] = places[depth - 1]
            elif table in array_lengths:
                table = (*table, array_lengths[table] - 1)
        return table

    def _read_key(self) -> tuple[list[str], list[int]]:
        parts, places = [], []
        while True:
            token, offset = self._tokens[self._next]
            parts.append(_key_text(token))
            places.append(offset)
            self._next += 1
            if self._tokens[self._next][0] != ".":
                return parts, places
            self._next += 1

    def _read_pair(self, table: Path) -> None:
        key, places = self._read_key()
        path = table
        for part, place in zip(key, places, strict=True):
            path = (*path, part)
            self._offsets.setdefault(path, place)
        self._next += 1  # the equals sign
        self._read_value(path)

    def _read_value(self, path: Path) -> None:
        token, _ = self._tokens[self._next]
        if token == "[":
            self._read_list(path)
        elif token == "{":
            self._read_inline_table(path)
        else:
            # A float or a date is several tokens; none of them can begin what follows a value.
            while self._next < len(self._tokens) and self._tokens[self._next][0] not in ("\n", ",", "]", "}"):
                self._next += 1

    def _skip_newlines(self) -> str:
        while self._tokens[self._next][0] == "\n":
            self._next += 1
        return self._tokens[self._next][0]

    def _read_list(self, path: Path) -> None:
        self._next += 1
        number = 0
        while self._skip_newlines() != "]":
            self._offsets[(*path, number)] = self._tokens[self._next][1]
            self._read_value((*path, number))
            number += 1
            if self._skip_newlines() == ",":
                self._next += 1
        self._next += 1

    def _read_inline_table(self, path: Path) -> None:
        self._next += 1
        while self._skip_newlines() != "}":
            self._read_pair(path)
            if self._skip_newlines() == ",":
                self._next += 1
        self._next += 1


def _without_items(path: Path) -> Iterator[str | int]:
    """A list is one value, so the key of a fault in it is the list's."""
    for part in path:
        if isinstance(part, int):
            return
        yield part


def _key_text(token: str) -> str:
    if token.startswith("'"):
        return token[1:-1]
    if not token.startswith('"'):
        return token
    if "\\" not in token:
        return token[1:-1]
    import tomli

    return next(iter(tomli.loads(f"{token} = 0")))
