"""Entity tags and the conditions that name them (RFC 9110, 8.8.3 and 13.1)."""

from __future__ import annotations

import hashlib
import re
from typing import Literal

from earlyboot.api.problem import Problem, bad_request
from hostkit.errors import Fault, Where

# The tags of a list, or `*`: whatever there is.
Condition = tuple[str, ...] | Literal["*"]

_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_LIST = re.compile(rf"[ \t]*(?:{_TAG})?(?:[ \t]*,[ \t]*(?:{_TAG})?)*[ \t]*")
# Of an answer that says less, because its reader may not see secrets.
_REDACTED = "-redacted"


def make(stamp: tuple[int, float], configuration: str) -> str:
    """The tag of a generation (number and time) under a configuration, given by its digest."""
    generation, committed_at = stamp
    digest = hashlib.sha256(f"{committed_at!r} {configuration}".encode()).hexdigest()
    return f'"{generation}-{digest[:16]}"'


def redacted(tag: str) -> str:
    """The same state as who may not see secrets is shown it: another text needs another tag."""
    return f'{tag[:-1]}{_REDACTED}"'


def parse(header: str, name: str) -> Condition:
    """The value of `If-Match` or `If-None-Match`. `Problem` for one that RFC 9110 does not know."""
    if header.strip(" \t") == "*":
        return "*"
    tags = tuple(re.findall(_TAG, header))
    if not tags or not _LIST.fullmatch(header):
        fix = 'send * or tags in double quotes, such as "12-0123456789abcdef"'
        raise bad_request("bad-header", f"{name} holds no list of entity tags", fix)
    return tags


def require(condition: Condition, tag: str) -> None:
    """`If-Match`: strong comparison. `Problem` with status 412 where nothing matches."""
    if condition != "*" and tag not in condition:
        what = "the settings are not in the state that If-Match names"
        fix = "GET /settings again, look at what changed, and send its ETag"
        raise Problem(412, Fault("precondition", what, Where(), fix))


def is_known(condition: Condition, tag: str) -> bool:
    """`If-None-Match`: whether the client has this answer already; weak comparison."""
    return condition == "*" or tag in {known.removeprefix("W/") for known in condition}
