"""Connecting, bounded: names looked up, TCP, TLS and Unix sockets opened, and a watchdog that ends what takes too long."""

from __future__ import annotations

import os
import socket
import threading
import time
from types import TracebackType
from typing import TypeAlias

from hostkit.deadline import Deadline

_UNIX_PATH_BYTES = 107  # unix(7): sun_path holds 108 bytes, one of them the NUL

Address: TypeAlias = tuple[int, tuple[object, ...] | str]


class Watchdog:
    """Shuts a socket down when the time is over: time-outs of single reads let a peer drip byte by byte for ever."""

    def __init__(self, this_try: Deadline) -> None:
        self._lock = threading.Lock()
        self._timer = threading.Timer(this_try.remaining(), self._bite)
        self._timer.daemon = True
        self._guarded: socket.socket | None = None
        self.bitten = False

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._timer.cancel()
        self._timer.join()  # so that it cannot bite the next request

    def guard(self, handle: socket.socket) -> None:
        with self._lock:
            self._guarded = handle
            if self.bitten:
                _shut_down(handle)

    def _bite(self) -> None:
        with self._lock:
            self.bitten = True
            if self._guarded is not None:
                _shut_down(self._guarded)


def addresses(host: str, port: int, this_try: Deadline) -> list[Address]:
    """Where `host` is. Only a name is looked up, and in a thread: nothing else can end a resolver that hangs."""

    def look_up(flags: int) -> list[Address]:
        # As bytes: for a str Python imports the tables of internationalised names.
        found = socket.getaddrinfo(host.encode(), port, type=socket.SOCK_STREAM, flags=flags)
        return [(family, address) for family, _, _, _, address in found]

    def answer() -> None:
        try:
            answers.append(look_up(0))
        except OSError:
            answers.append([])

    answers: list[list[Address]] = []
    try:
        return look_up(socket.AI_NUMERICHOST)
    except socket.gaierror:
        thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    thread.join(this_try.remaining())
    if not answers:
        raise TimeoutError
    return answers[0]


def connect(sock: socket.socket, address: tuple[object, ...] | str, limit: Deadline) -> None:
    sock.settimeout(max(limit.remaining(), 0.001))  # zero would mean: do not wait at all
    if isinstance(address, str):
        _connect_unix(sock, address, limit)
    else:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.connect(address)
    sock.settimeout(None)


def _connect_unix(sock: socket.socket, path: str, limit: Deadline) -> None:
    folder, name = os.path.split(path)
    folder_fd = None
    try:
        if len(os.fsencode(path)) > _UNIX_PATH_BYTES:
            folder_fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            path = f"/proc/self/fd/{folder_fd}/{name}"
        while True:
            try:
                return sock.connect(path)
            except BlockingIOError:
                # A full queue of waiting connections: a Unix socket does not wait for room by itself.
                if limit.expired:
                    raise TimeoutError from None
                time.sleep(0.01)
    finally:
        if folder_fd is not None:
            os.close(folder_fd)


def tls_socket(sock: socket.socket, host: str) -> socket.socket:
    import ssl

    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context.wrap_socket(sock, server_hostname=host, suppress_ragged_eofs=False)


def _shut_down(handle: socket.socket) -> None:
    try:
        handle.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # not connected any more
