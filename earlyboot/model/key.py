"""Settings keys as text: `settings.kernel.sysctl."net.core.rmem_max"` to segments and back.

Two keys are equal when their segments are. Imports nothing: processes that only handle keys stay light.
"""

from __future__ import annotations

from collections.abc import Iterable
from string import ascii_letters, digits

MAX_KEY_CHARS = 255

_BARE = frozenset(ascii_letters + digits + "_-/")
_QUOTED = _BARE | {"."}


def parse_key(text: str) -> tuple[str, ...]:
    """The segments of `text`. A segment that holds a dot stands in double quotes; `ValueError` says what is wrong."""
    if len(text) > MAX_KEY_CHARS:
        raise ValueError(f"a key has at most {MAX_KEY_CHARS} characters, this one has {len(text)}")
    usual = _usual(text)
    if usual is not None:
        return usual
    segments: list[str] = []
    rest = text
    while True:
        quoted = rest.startswith('"')
        if quoted:
            segment, closing, rest = rest[1:].partition('"')
            if not closing:
                raise ValueError(f"the key {text!r} has a double quote that is not closed")
        else:
            segment = rest.partition(".")[0]
            rest = rest[len(segment) :]
        _verify(segment, _QUOTED if quoted else _BARE, text)
        segments.append(segment)
        if not rest:
            return tuple(segments)
        if not rest.startswith("."):
            raise ValueError(f"the key {text!r} needs a dot after a closing quote")
        rest = rest[1:]


def _usual(text: str) -> tuple[str, ...] | None:
    """The segments of a good key of which at most the last is in quotes, as nearly all are; stores have thousands."""
    head, quote, rest = text.partition('"')
    if not quote:
        segments = text.split(".")
    else:
        name, _, tail = rest.partition('"')
        if tail or not rest.endswith('"') or not name or not head.endswith(".") or not _QUOTED.issuperset(name):
            return None
        segments = [*head[:-1].split("."), name]
    return tuple(segments) if _QUOTED.issuperset(head) and "" not in segments else None


def format_key(segments: Iterable[str]) -> str:
    """The inverse of `parse_key`: quotes only the segments that need it. `ValueError` for what no key can be."""
    key = ".".join(format_segment(segment) for segment in segments)
    if not key:
        raise ValueError("a key has at least one segment")
    if len(key) > MAX_KEY_CHARS:
        raise ValueError(f"a key has at most {MAX_KEY_CHARS} characters, this one has {len(key)}")
    return key


def format_segment(segment: str) -> str:
    """One segment as it stands in a key."""
    _verify(segment, _QUOTED, segment)
    return f'"{segment}"' if "." in segment else segment


def _verify(segment: str, allowed: frozenset[str], key: str) -> None:
    if not segment:
        raise ValueError(f"the key {key!r} has an empty segment")
    if not allowed.issuperset(segment):
        stray = next(c for c in segment if c not in allowed)
        raise ValueError(f"the key {key!r} has {stray!r}; letters, digits, '_', '-' and '/' are allowed, '.' in quotes")
