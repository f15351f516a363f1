"""The lines of /etc/hosts: one a distinct address, aliases in the order in which they were given."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address

from earlyboot.render.formats import UnholdableError

# What Debian and systemd expect to find; the host's own name goes to 127.0.1.1, so that it resolves without a network.
_LOCAL = (("127.0.0.1", ("localhost",)), ("::1", ("localhost", "ip6-localhost", "ip6-loopback")))
_OWN_ADDRESS = "127.0.1.1"


def hosts_lines(hostname: str | None, hosts: Iterable[tuple[str, Iterable[str]]]) -> list[tuple[str, list[str]]]:
    """Address and names a line. The first appearance of an address fixes its line, IPv6 compared by value."""
    entries = [*_LOCAL, *([(_OWN_ADDRESS, _own_names(hostname))] if hostname else []), *hosts]
    lines: dict[object, tuple[str, list[str]]] = {}
    for address, names in entries:
        _, known = lines.setdefault(_parsed(address), (address, []))
        known += [name for name in dict.fromkeys(names) if name not in known]
    return [(address, known) for address, known in lines.values() if known]


def _parsed(address: str) -> object:
    try:
        return ip_address(address)
    except ValueError:
        raise UnholdableError("the address of a host is no IP address") from None


def _own_names(hostname: str) -> tuple[str, ...]:
    short = hostname.partition(".")[0]
    return (hostname,) if short == hostname else (hostname, short)
