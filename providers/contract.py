"""What a provider is: a program that prints nothing (there is no data) or one JSON object, ours or another's.

{"origin": "…", "document": "<TOML text>"}   user data as it was written, so that faults can name its lines
{"origin": "…", "settings": {…}}             generated data, which has no lines

Errors go to stderr. Exit status: 0 done, 1 a bug, 2 the operator's input, 3 the source is there but unreadable,
4 the host refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from hostkit.errors import Fault, SourceError, Where

# A document of 1 MiB, the limit for user data, of nothing but characters that JSON writes as \u0001, and its frame.
STDOUT_LIMIT_BYTES = 8 * 1024 * 1024
ORIGIN_LIMIT = 4096


class Request(NamedTuple):
    """What a provider is asked with. `endpoint` is for sources on a network, `path` for those in a file.

    `stdin_fd` is an open file that the provider may have no right to open itself; `path` then only names it.
    `limit_bytes` bounds the data both as it comes and decoded.
    """

    endpoint: str | None = None
    path: str | None = None
    deadline_s: float = 10.0
    stdin_fd: int | None = None
    limit_bytes: int = 1024 * 1024


class Document(NamedTuple):
    """User data: TOML text, decoded but not parsed."""

    origin: str
    document: str


class Generated(NamedTuple):
    """Settings that a program made; JSON values only."""

    origin: str
    settings: dict[str, object]


Output: TypeAlias = Document | Generated | None
Read: TypeAlias = Callable[[Request], Output]


def encode(output: Output) -> str:
    """What a provider prints: ASCII, whatever the locale at boot is. The empty string is "no data"."""
    if output is None:
        return ""
    import json

    return json.dumps(output._asdict(), allow_nan=False) + "\n"


def decode(stdout: bytes, source: str = "provider") -> Output:
    """The inverse of `encode`, strict, since another's program may have written it; `source` names it in the faults."""
    if len(stdout) > STDOUT_LIMIT_BYTES:
        raise _refused(
            source,
            "provider-output-too-large",
            f"the provider printed more than {STDOUT_LIMIT_BYTES} bytes",
            "print one JSON object and nothing else; logs belong on stderr",
        )
    if not stdout.strip():
        return None
    value = _parsed(stdout, source)
    if not isinstance(value, dict):
        raise _refused(source, "provider-output-type", "what the provider printed is not a JSON object", _FORMAT)
    if unknown := sorted(value.keys() - {"origin", "document", "settings"}):
        keys = ", ".join(key[:64] for key in unknown[:5])
        raise _refused(source, "provider-output-unknown-key", f"the provider printed unknown keys: {keys}", _FORMAT)
    origin = value.get("origin")
    if not isinstance(origin, str) or not 0 < len(origin) <= ORIGIN_LIMIT or not origin.isprintable():
        raise _refused(
            source,
            "provider-output-origin",
            f"`origin` is not 1 to {ORIGIN_LIMIT} printable characters",
            "name the place that the data came from, such as a path",
        )
    match value:
        case {"document": str(document), **rest} if "settings" not in rest:
            return Document(origin, document)
        case {"settings": dict(settings), **rest} if "document" not in rest:
            return Generated(origin, settings)
        case {"document": _, "settings": _}:
            what = "the provider printed both `document` and `settings`"
        case {"document": _}:
            what = "`document` is not a string"
        case {"settings": _}:
            what = "`settings` is not an object"
        case _:
            what = "the provider printed neither `document` nor `settings`"
    raise _refused(source, "provider-output-data", what, _FORMAT)


_FORMAT = 'print {"origin": TEXT, "document": TOML TEXT} or {"origin": TEXT, "settings": OBJECT}'


def _parsed(stdout: bytes, source: str) -> object:
    import json

    from hostkit import strict_json

    try:
        value = strict_json.parse(stdout.decode("utf-8"))
        # A lone surrogate, "\ud800", is JSON and a str, and fails at whoever writes it first.
        if b"\\u" in stdout:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    # Not one word of the text: it may be a secret. A number of 5,000 digits is a ValueError too.
    except json.JSONDecodeError as error:
        raise _refused(
            source,
            "provider-output-not-json",
            f"what the provider printed is not one JSON object (line {error.lineno}, column {error.colno})",
            "print one JSON object and nothing else; logs belong on stderr",
        ) from None
    except RecursionError:
        raise _refused(
            source, "provider-output-depth", "what the provider printed is nested too deep", _FORMAT
        ) from None
    except strict_json.MalformedError as error:
        raise _refused(source, "provider-output-not-json", f"the provider printed {error}", _FORMAT) from None
    except UnicodeError:
        what = "what the provider printed is not UTF-8"
        raise _refused(source, "provider-output-not-utf8", what, "print JSON in UTF-8, or in ASCII") from None
    except ValueError:
        what = "the provider printed a number that is too long"
        raise _refused(source, "provider-output-not-json", what, _FORMAT) from None
    return value


def _refused(source: str, code: str, what: str, fix: str) -> SourceError:
    return SourceError(Fault(code, what, Where(source), fix))
