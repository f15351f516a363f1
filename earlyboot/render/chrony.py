"""Time sources as directives of chrony.conf(5)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_address

_WORD = re.compile(r"[^\s#!%;]+")
# For the first ones a browser, whose rules the settings follow, takes any number of slashes of either kind.
_SCHEME = re.compile(r"(?:https?|wss?|ftp):[/\\]*|[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def time_sources(servers: Iterable[str | Mapping[str, object]], options: Iterable[str] | None) -> list[str]:
    """One directive a server. Without one of its own a name may stand for several servers, so it is a `pool`.

    `options` are those of a server that names none; `iburst` where there are none at all.
    """
    common = ["iburst"] if options is None else list(options)
    lines = []
    for server in servers:
        if isinstance(server, str):
            host = host_of(server)
            words = ["server" if _is_address(host) else "pool", host, *common]
        else:
            own = server.get("options")
            host = host_of(str(server["address"]))
            words = [str(server.get("directive", "server")), host, *(own if isinstance(own, list) else common)]
        lines.append(" ".join(words))
    return lines


def host_of(url: str) -> str:
    """The host that a time server's URL names: settings hold `host`, `host:port`, an address, or a whole URL."""
    text = url.strip()
    if not _is_address(text):
        scheme = _SCHEME.match(text)
        text = re.split(r"[/?#\\]", text[scheme.end() if scheme else 0 :], maxsplit=1)[0].rpartition("@")[2]
        bracketed = re.match(r"\[([^\]]*)\]", text)
        text = bracketed[1] if bracketed else text.partition(":")[0]
    if not _WORD.fullmatch(text):
        raise ValueError("a time server's URL names no host")
    return text


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
