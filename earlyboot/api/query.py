"""What parameters of a request mean: flags, numbers, names of transactions, keys and origins."""

from __future__ import annotations

from collections.abc import Mapping

from earlyboot.api.contract import DEFAULT_TX, IDENTITY, Endpoint, Parameter
from earlyboot.api.problem import bad_request
from earlyboot.api.writer import Peer
from earlyboot.model.key import format_key, parse_key
from earlyboot.model.tree import ROOT

_ORIGIN_LIMIT = 4096
_IDENTITY_LIMIT = 128
_NUMBER_LIMIT = 2**53 - 1
_LIKE = "write it like settings.ntp.time-servers"


def check(query: Mapping[str, str], endpoint: Endpoint) -> None:
    """Whether all that is needed is there and every text fits its parameter's schema; a `Problem` for the first that
    does not."""
    for parameter in endpoint.parameters:
        text = query.get(parameter.name)
        if text == "" or (parameter.required and text is None):
            raise bad_request("missing-parameter", f"'{parameter.name}' is missing or empty", parameter.meaning)
        if text is not None:
            _check_text(parameter, text)


def _check_text(parameter: Parameter, text: str) -> None:
    words = parameter.schema.get("enum")
    if words == ["true", "false"] and text not in words:
        fix = f"write {parameter.name}=true, or nothing"
        raise bad_request("bad-parameter", f"{parameter.name} is neither 'true' nor 'false'", fix)
    if isinstance(words, list) and text not in words:
        fix = f"use one of {', '.join(words)}"
        raise bad_request("bad-parameter", f"{parameter.name} is none of the known words", fix)
    if parameter.schema is IDENTITY and not (len(text) <= _IDENTITY_LIMIT and text.isprintable()):
        what = f"{parameter.name} is not 1 to {_IDENTITY_LIMIT} printable characters"
        raise bad_request("bad-parameter", what, "use the identity that earlyboot found for this machine")
    if parameter.schema["type"] == "integer":
        low, high = int(str(parameter.schema["minimum"])), int(str(parameter.schema.get("maximum", _NUMBER_LIMIT)))
        if not (text.isascii() and text.isdecimal() and len(text) <= 16 and low <= int(text) <= high):
            what = f"{parameter.name} is not a whole number from {low:,} to {high:,}"
            raise bad_request("bad-parameter", what, f"write it like {parameter.name}={low + 2}")


def flag(query: Mapping[str, str], name: str) -> bool:
    return query.get(name) == "true"


def number(query: Mapping[str, str], name: str) -> int | None:
    return int(query[name]) if name in query else None


def transaction(query: Mapping[str, str]) -> str:
    name = query.get("tx", DEFAULT_TX)
    if not name or len(name) > 64 or not name.isprintable():
        raise bad_request("bad-parameter", "tx is not 1 to 64 printable characters", "use a short name")
    return name


def origin(query: Mapping[str, str], peer: Peer) -> str:
    """Where values come from, for the record; the peer itself if it does not say."""
    text = query.get("origin") or f"api uid={peer.uid} pid={peer.pid}"
    if len(text) > _ORIGIN_LIMIT or not text.isprintable():
        what = f"origin is not 1 to {_ORIGIN_LIMIT} printable characters"
        raise bad_request("bad-parameter", what, "name the place that the settings come from, such as a path")
    return text


def paths(query: Mapping[str, str]) -> list[tuple[str, ...]]:
    """The segments of each of `keys`, once: the root `settings` put before where it is missing, under the names that are
    stored."""
    from earlyboot.model.known import own_path

    rooted = (path if path[0] == ROOT else (ROOT, *path) for path in map(_segments, query["keys"].split(",")))
    own = list(dict.fromkeys((ROOT, *own_path(path[1:])) for path in rooted))
    for path in own:
        try:
            format_key(path)
        except ValueError as error:  # too long, whole
            raise bad_request("bad-key", str(error), _LIKE) from None
    return own


def _segments(key: str) -> tuple[str, ...]:
    try:
        return parse_key(key)
    except ValueError as error:
        raise bad_request("bad-key", str(error), _LIKE) from None
