"""Which host the setting of a time server names: a host, `host:port`, an address, or a whole URL."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\s#!%;]+")
# For the first ones a browser, whose rules the settings follow, takes any number of slashes of either kind.
_SCHEME = re.compile(r"(?:https?|wss?|ftp):[/\\]*|[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def host_of(url: str) -> str:
    """The host as one word; `ValueError` where there is none."""
    text = url.strip()
    if not is_address(text):
        scheme = _SCHEME.match(text)
        text = re.split(r"[/?#\\]", text[scheme.end() if scheme else 0 :], maxsplit=1)[0].rpartition("@")[2]
        bracketed = re.match(r"\[([^\]]*)\]", text)
        text = bracketed[1] if bracketed else text.partition(":")[0]
    if not _WORD.fullmatch(text):
        raise ValueError("a time server's URL names no host")
    return text


def is_address(host: str) -> bool:
    """Whether `host` is an IP address rather than a name."""
    from ipaddress import ip_address

    try:
        ip_address(host)
    except ValueError:
        return False
    return True
