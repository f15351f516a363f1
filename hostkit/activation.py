"""Socket activation and readiness, as a service of systemd and as its client see them."""

from __future__ import annotations

import os
import socket


def notify(state: str) -> None:
    """Tells the service manager, sd_notify(3): `READY=1`, `STOPPING=1`. Nothing where nobody asked."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        try:
            channel.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)
        except OSError:
            # A manager that went away is no reason for a service to fail.
            pass


def listen_sockets() -> list[socket.socket]:
    """The listening sockets that the service manager handed over, sd_listen_fds(3); taken once."""
    count = os.environ.pop("LISTEN_FDS", "")
    if os.environ.pop("LISTEN_PID", "") != str(os.getpid()) or not count.isdecimal():
        return []
    os.environ.pop("LISTEN_FDNAMES", None)
    handed = [socket.socket(fileno=descriptor) for descriptor in range(3, 3 + int(count))]
    for channel in handed:
        channel.set_inheritable(False)
    return handed


def knock(path: str) -> None:
    """Connects to a Unix socket and leaves, so that its service starts before it is needed.

    Says nothing when nobody listens, or when the path is longer than an address holds: whoever comes with a request
    finds out and can say what it wanted.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC) as channel:
        try:
            channel.connect(path)
        except OSError:
            pass
