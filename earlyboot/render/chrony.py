"""Time sources as directives of chrony.conf(5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from earlyboot.model.time_server import host_of, is_address
from earlyboot.render.formats import UnholdableError


def time_sources(servers: Iterable[str | Mapping[str, object]], options: Iterable[str] | None) -> list[str]:
    """One directive a server. Without one of its own a name may stand for several servers, so it is a `pool`.

    `options` are those of a server that names none; `iburst` where there are none at all.
    """
    common = ["iburst"] if options is None else list(options)
    lines = []
    for server in servers:
        if isinstance(server, str):
            host = _host(server)
            words = ["server" if is_address(host) else "pool", host, *common]
        else:
            own = server.get("options")
            host = _host(str(server["address"]))
            words = [str(server.get("directive", "server")), host, *(own if isinstance(own, list) else common)]
        lines.append(" ".join(words))
    return lines


def _host(url: str) -> str:
    try:
        return host_of(url)
    except ValueError:
        raise UnholdableError("a time server's URL names no host") from None
