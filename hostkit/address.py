"""The address at which others reach this machine: the one that the kernel would send from."""

from __future__ import annotations

import socket

# A root name server in each family: an address that only a default route leads to. No packet is sent to it.
_FAR = ((socket.AF_INET, "198.41.0.4"), (socket.AF_INET6, "2001:503:ba3e::2:30"))


def primary() -> str | None:
    """The source address of the default route, IPv4 first; `None` where there is no route, or no address of use."""
    for family, far in _FAR:
        address = source(family, far)
        if address is not None and is_usable(address):
            return address
    return None


def source(family: int, far: str) -> str | None:
    """The address that a datagram to `far` would come from."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as unsent:
            # udp(7): to connect only chooses the route.
            unsent.connect((far, 9))
            address = unsent.getsockname()[0]
    except OSError:
        return None
    return address if isinstance(address, str) else None


def is_usable(address: str) -> bool:
    """Whether an address means this machine also to others: not unspecified, loopback or link-local."""
    if ":" not in address:
        return not address.startswith(("0.", "127.", "169.254."))
    packed = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
    is_link_local = packed[0] == 0xFE and packed[1] & 0xC0 == 0x80
    return not is_link_local and packed[:15] != bytes(15)
