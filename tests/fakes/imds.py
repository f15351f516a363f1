"""A fake instance metadata service: real HTTP on a loopback socket, written by hand so that it can misbehave."""

from __future__ import annotations

import gzip
import os
import socket
import struct
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, Self, TypeAlias

TOKEN_PATH = "/latest/api/token"
DATA_PATH = "/latest/user-data"
METADATA_PATH = "/latest/meta-data/"


class Seen(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]


class Peer:
    """What a behaviour acts on: one request on one connection. `False` from a behaviour ends the connection."""

    def __init__(self, fake: FakeImds, sock: socket.socket) -> None:
        self.fake, self.sock = fake, sock

    def answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> bool:
        fields = {"Content-Length": str(len(body)), "Server": "EC2ws", **(headers or {})}
        head = f"HTTP/1.1 {status} Fake\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.sock.sendall(head.encode() + b"\r\n" + body)
        return fields.get("Connection") != "close"

    def raw(self, data: bytes) -> None:
        self.sock.sendall(data)

    def sleep(self, seconds: float) -> bool:
        """Whether the fake was closed meanwhile."""
        return self.fake.closing.wait(seconds)


Behaviour: TypeAlias = Callable[[Peer], bool]


def ok(body: bytes) -> Behaviour:
    return lambda peer: peer.answer(200, body)


def ok_and_close(body: bytes) -> Behaviour:
    return lambda peer: peer.answer(200, body, {"Connection": "close"})


def compressed(body: bytes) -> Behaviour:
    return ok(gzip.compress(body))


def bomb(size_bytes: int) -> Behaviour:
    """gzip that unpacks to `size_bytes` of zeros, made without holding them."""

    def pieces() -> Iterator[bytes]:
        packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
        for _ in range(size_bytes // 65536):
            yield packer.compress(bytes(65536))
        yield packer.flush()

    return ok(b"".join(pieces()))


def status(code: int, retry_after: str | None = None, body: bytes = b"") -> Behaviour:
    """absent is 404, expired 401, forbidden 403, throttled 429, unavailable 503."""
    return lambda peer: peer.answer(code, body, {"Retry-After": retry_after} if retry_after else None)


def expired(peer: Peer) -> bool:
    """401, and the token is worth nothing from now on."""
    peer.fake.tokens.clear()
    return peer.answer(401)


def redirect(location: str) -> Behaviour:
    return lambda peer: peer.answer(302, b"", {"Location": location})


def hang(peer: Peer) -> bool:
    peer.sleep(60)
    return False


def drip(body: bytes, every_s: float) -> Behaviour:
    def act(peer: Peer) -> bool:
        peer.raw(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
        for at in range(len(body)):
            peer.raw(body[at : at + 1])
            if peer.sleep(every_s):
                return False
        return True

    return act


def reset(peer: Peer) -> bool:
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def drop(peer: Peer) -> bool:
    """Closed without a word."""
    return False


def raw(data: bytes) -> Behaviour:
    """These bytes, then the end: an answer cut short, or one that is not HTTP."""

    def act(peer: Peer) -> bool:
        peer.raw(data)
        return False

    return act


truncated = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[settings]\n")
garbage = raw(b"SSH-2.0-OpenSSH_9.6\r\n")


class FakeImds:
    """`tokens_by` and `data_by` are played one for each request; the last one stays. Without any: tokens and 404.

    `metadata` has the same for paths below `METADATA_PATH`, or the text that is there.
    """

    def __init__(
        self,
        *data_by: Behaviour,
        tokens_by: tuple[Behaviour, ...] = (),
        metadata: Mapping[str, str | tuple[Behaviour, ...]] = {},
    ) -> None:
        self._data_by, self._tokens_by = list(data_by), list(tokens_by)
        self._metadata = {
            METADATA_PATH + path: [ok(by.encode())] if isinstance(by, str) else list(by)
            for path, by in metadata.items()
        }
        self.requests: list[Seen] = []
        self.connections = 0
        self.tokens: set[str] = set()
        self.closing = threading.Event()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        for sock in tuple(self._open):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self._threads:
            thread.join(10)
        self._listener.close()

    @property
    def asked(self) -> list[str]:
        return [f"{seen.method} {seen.path}" for seen in self.requests]

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.add(sock)
            self._start(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        with sock:
            try:
                while (seen := _request(sock)) is not None:
                    self.requests.append(seen)
                    if not self._behaviour(seen)(Peer(self, sock)):
                        break
            except OSError:
                pass
            self._open.discard(sock)

    def _behaviour(self, seen: Seen) -> Behaviour:
        """The real service's rules first: a token needs its lifetime, user data a token, and nobody forwards."""
        if "x-forwarded-for" in seen.headers:
            return status(403)
        if (seen.method, seen.path) == ("PUT", TOKEN_PATH):
            lifetime = seen.headers.get("x-aws-ec2-metadata-token-ttl-seconds", "")
            if not lifetime.isdigit() or not 1 <= int(lifetime) <= 21600:
                return status(400)
            return _next(self._tokens_by, self._give_token)
        if seen.method != "GET" or not seen.path.startswith((DATA_PATH, METADATA_PATH)):
            return status(404)
        if seen.headers.get("x-aws-ec2-metadata-token") not in self.tokens:
            return status(401)
        return _next(self._data_by if seen.path == DATA_PATH else self._metadata.get(seen.path, []), status(404))

    def _give_token(self, peer: Peer) -> bool:
        token = f"AQAEA{os.urandom(24).hex()}=="
        self.tokens.add(token)
        return peer.answer(200, token.encode())


def give_token(peer: Peer) -> bool:
    """The ordinary answer, for scripts that misbehave before it."""
    return peer.fake._give_token(peer)


def _next(script: list[Behaviour], otherwise: Behaviour) -> Behaviour:
    if not script:
        return otherwise
    return script.pop(0) if len(script) > 1 else script[0]


def _request(sock: socket.socket) -> Seen | None:
    head = b""
    while b"\r\n\r\n" not in head:
        piece = sock.recv(1)
        if not piece:
            return None
        head += piece
    first, *lines = head.decode("latin-1").split("\r\n\r\n")[0].split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    left = int(headers.get("content-length", "0"))
    while left and (piece := sock.recv(left)):
        left -= len(piece)
    return Seen(method, path, headers)
