"""A bounded HTTP/1.1 client on one kept connection, over TCP, TLS or a Unix socket: no proxy, no redirect.

HttpError                      what `Connection.request` raises
├── TransientError             this try failed, the next may not
│   ├── NoRouteError           the network is not up yet; nothing was sent
│   ├── ResolveError           the name of the host has no address
│   ├── RefusedError           nobody listens
│   ├── ConnectionLostError    reset, or closed before the answer
│   ├── TryTimeoutError        this try took too long, the deadline is not reached
│   ├── TruncatedError         the answer ended early
│   └── GarbageError           the answer is not HTTP
├── DeadlineReachedError       the total time is over
├── TooLargeError              the answer is larger than the limit
├── DeniedError                the kernel forbids it: a firewall, a prohibit route, the mode of a socket
└── TlsError                   the peer cannot prove who it is
"""

from __future__ import annotations

import errno

# The standard library's client: importing requests costs 104 ms, http.client 42 ms; and it takes a socket that we
# opened, where requests hides its own, so that nothing can shut it down at the deadline.
import http.client
import io
import select
import socket
from collections.abc import Mapping
from types import TracebackType
from typing import NamedTuple, cast
from urllib.parse import urlsplit

from hostkit.deadline import Deadline
from hostkit.dial import Address, Watchdog, addresses, connect, tls_socket

CONNECT_TIMEOUT_S = 2.0
TRY_TIMEOUT_S = 10.0
HEAD_LIMIT_BYTES = 64 * 1024
HEADER_LIMIT = 64  # http.client has one of its own at 100, without a class for it

_PIECE_BYTES = 64 * 1024


class HttpError(Exception):
    """The text is short and fit for people; it never holds a part of the answer."""


class TransientError(HttpError):
    pass


class NoRouteError(TransientError):
    pass


class ResolveError(TransientError):
    pass


class RefusedError(TransientError):
    pass


class ConnectionLostError(TransientError):
    pass


class TryTimeoutError(TransientError):
    pass


class TruncatedError(TransientError):
    pass


class GarbageError(TransientError):
    pass


class DeadlineReachedError(HttpError):
    pass


class TooLargeError(HttpError):
    """`status` is what the answer began with, or `None` when its head was already too large."""

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


class DeniedError(HttpError):
    pass


class TlsError(HttpError):
    pass


class Response(NamedTuple):
    """`headers` has lower-case names; a header that came twice is joined with a comma (RFC 9110, 5.3)."""

    status: int
    headers: dict[str, str]
    body: bytes


class Url(NamedTuple):
    """A parsed `http:` or `https:` address. `path` begins with a slash and includes the query."""

    tls: bool
    host: str
    port: int
    path: str


def parse_url(text: str) -> Url:
    """A `ValueError` that says what is wrong, for everything but `http[s]://HOST[:PORT][/PATH][?QUERY]`."""
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("it holds characters that do not belong in a URL")
    parts = urlsplit(text)  # raises ValueError too
    if parts.scheme not in ("http", "https"):
        raise ValueError("it does not begin with http:// or https://")
    if not parts.hostname:
        raise ValueError("it names no host")
    if "@" in parts.netloc:
        raise ValueError("it holds a user name or a password")
    if parts.fragment:
        raise ValueError("it holds a fragment")
    tls = parts.scheme == "https"
    port = parts.port if parts.port is not None else 443 if tls else 80
    if port == 0:
        raise ValueError("port 0 cannot be connected to")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Url(tls, parts.hostname, port, path)


class Connection:
    """One connection, opened at the first request, kept, and opened again after it was lost. Not for several threads.

    `limit_bytes` bounds the body of an answer. `deadline` bounds everything; a request can bring one of its own.
    `try_timeout_s` bounds one request from connecting to its last byte. With `unix_path`, `host` is only the header.
    """

    def __init__(
        self,
        host: str = "localhost",
        port: int | None = None,
        *,
        deadline: Deadline,
        limit_bytes: int,
        tls: bool = False,
        unix_path: str | None = None,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        try_timeout_s: float = TRY_TIMEOUT_S,
    ) -> None:
        default_port = 443 if tls else 80
        self._host, self._port = host, port or default_port
        name = f"[{host}]" if ":" in host else host
        self._host_header = name if self._port == default_port else f"{name}:{self._port}"
        self._deadline, self._limit_bytes = deadline, limit_bytes
        self._tls, self._unix_path = tls, unix_path
        self._connect_timeout_s, self._try_timeout_s = connect_timeout_s, try_timeout_s
        self._http: http.client.HTTPConnection | None = None
        self._handle: socket.socket | None = None

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Safe to call twice; the next request opens a new connection."""
        for held in (self._http, self._handle):
            if held is not None:
                held.close()
        self._http = self._handle = None

    def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        *,
        deadline: Deadline | None = None,
    ) -> Response:
        """One try, answered whole or an `HttpError`; whatever the status is, it is an answer, a redirect too."""
        deadline = deadline or self._deadline
        if deadline.expired:
            raise DeadlineReachedError("the time is over")
        this_try = Deadline(deadline.bounded(self._try_timeout_s))
        watchdog = Watchdog(this_try)
        try:
            with watchdog:
                if self._http is None or self._is_stale():
                    self.close()
                    self._open(watchdog, this_try)
                elif self._handle is not None:
                    watchdog.guard(self._handle)
                response = self._exchange(method, path, headers or {}, body)
            if watchdog.bitten:
                raise TimeoutError  # a body without a length looked whole when the watchdog ended it
        except (OSError, http.client.BadStatusLine, http.client.UnknownProtocol, TransientError) as error:
            self.close()
            if watchdog.bitten or isinstance(error, TimeoutError):
                if deadline.expired:
                    raise DeadlineReachedError("the time is over") from error
                raise TryTimeoutError("no answer in time") from error
            if isinstance(error, HttpError):
                raise
            raise _as_http_error(error) from error
        except BaseException:
            self.close()
            raise
        if self._http is not None and self._http.sock is None:
            self.close()
        return response

    def _exchange(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Response:
        assert self._http is not None
        try:
            self._http.request(method, path, body, {"Host": self._host_header, **headers})
        except BrokenPipeError:
            pass  # a peer that refuses a large body answers before it has read it
        response = self._http.getresponse()
        try:
            _check_framing(response)
            content = _body(response, self._limit_bytes)
            joined: dict[str, str] = {}
            for name, value in response.getheaders():
                key = name.lower()
                joined[key] = f"{joined[key]}, {value}" if key in joined else value
            return Response(response.status, joined, content)
        finally:
            response.close()

    def _is_stale(self) -> bool:
        """Whether the idle peer has closed, or sent what nobody asked for. TLS 1.3 tickets look like that: no harm."""
        assert self._handle is not None
        poll = select.poll()
        poll.register(self._handle, select.POLLIN)
        return bool(poll.poll(0))

    def _open(self, watchdog: Watchdog, this_try: Deadline) -> None:
        sock = self._connected(watchdog, this_try)
        try:
            if self._tls:
                sock = tls_socket(sock, self._host)
        except BaseException:
            sock.close()
            raise
        self._http = http.client.HTTPConnection(self._host, self._port)
        self._http.auto_open = 0  # it would open a socket that no watchdog guards
        self._http.response_class = _BoundedResponse
        self._http.sock = sock

    def _connected(self, watchdog: Watchdog, this_try: Deadline) -> socket.socket:
        if self._unix_path is not None:
            known: list[Address] = [(socket.AF_UNIX, self._unix_path)]
        else:
            known = addresses(self._host, self._port, this_try)
        failure: Exception = ResolveError("the name of the host has no address")
        for family, address in known:
            sock = socket.socket(family, socket.SOCK_STREAM)
            # A second descriptor of the same connection, for the watchdog: it stays valid whoever closes the first.
            handle = sock.dup()
            try:
                watchdog.guard(handle)
                connect(sock, address, Deadline(this_try.bounded(self._connect_timeout_s)))
            except OSError as error:
                sock.close()
                handle.close()
                failure = error
            else:
                self._handle = handle
                return sock
        raise failure


class _BoundedResponse(http.client.HTTPResponse):
    """http.client bounds a line and the number of headers: 6 MB in all, and interim answers for ever."""

    def begin(self) -> None:
        whole = self.fp
        self.fp = cast(io.BufferedReader, _Head(whole))
        try:
            super().begin()
        finally:
            if not self.isclosed():
                self.fp = whole


class _Head:
    """What http.client reads a head from. It takes an end of file there for the end of the headers; this does not."""

    def __init__(self, whole: io.BufferedReader) -> None:
        self._whole = whole
        self._left_bytes = HEAD_LIMIT_BYTES
        self._lines = 0

    def readline(self, limit: int) -> bytes:
        line = self._whole.readline(min(limit, self._left_bytes + 1))
        self._left_bytes -= len(line)
        self._lines += 1
        if self._left_bytes < 0 or self._lines > HEADER_LIMIT + 2:
            raise TooLargeError(f"the answer has more than {HEADER_LIMIT} headers, or {HEAD_LIMIT_BYTES} bytes of them")
        if not line.endswith(b"\n") and (line or self._lines > 1):
            raise TruncatedError("the answer ended early")
        return line

    def close(self) -> None:
        self._whole.close()


def _check_framing(response: http.client.HTTPResponse) -> None:
    """What http.client lets pass: it reads on without the headers that it could not parse, the length among them."""
    headers = response.headers
    lengths = {value.strip() for value in headers.get_all("content-length", [])}
    encodings = [value.strip().lower() for value in headers.get_all("transfer-encoding", [])]
    if (
        response.status < 200
        or headers.defects
        or len(lengths) > 1
        or not all(length.isascii() and length.isdigit() and len(length) < 20 for length in lengths)
        or encodings not in ([], ["chunked"])
    ):
        raise GarbageError("the answer is not HTTP")


def _body(response: http.client.HTTPResponse, limit_bytes: int) -> bytes:
    too_large = TooLargeError(f"the answer is larger than {limit_bytes} bytes", response.status)
    if response.length == 0:  # 204, 304 and the answer to HEAD, whatever their headers say
        return b""
    if response.chunked:
        body = _chunked(response.fp, limit_bytes)
        if body is None:
            raise too_large
        return body
    length = response.length
    if length is None:
        data = _take(response.fp, limit_bytes + 1)
    elif length > limit_bytes:
        raise too_large
    else:
        data = _take(response.fp, length)
        if len(data) < length:
            raise TruncatedError("the answer ended early")
    if len(data) > limit_bytes:
        raise too_large
    return data


def _chunked(source: io.BufferedReader, limit_bytes: int) -> bytes | None:
    """RFC 9112, 7.1; `None` when it is too large. Not http.client's: it reads a chunk of size -1 to the end."""
    body = bytearray()
    while size := _chunk_size(_line(source)):
        if len(body) + size > limit_bytes:
            return None
        chunk = _take(source, size)
        body += chunk
        if len(chunk) < size:
            raise TruncatedError("the answer ended early")
        if _line(source).strip(b"\r\n"):
            raise GarbageError("the answer is not HTTP")
    for _ in range(HEADER_LIMIT + 1):
        if not _line(source).strip(b"\r\n"):
            return bytes(body)
    raise GarbageError("the answer is not HTTP")


def _chunk_size(line: bytes) -> int:
    digits = line.split(b";", 1)[0].strip()
    if not 0 < len(digits) <= 16 or digits.strip(b"0123456789abcdefABCDEF"):
        raise GarbageError("the answer is not HTTP")
    return int(digits, 16)


def _line(source: io.BufferedReader) -> bytes:
    line = source.readline(1024)
    if not line.endswith(b"\n"):
        raise GarbageError("the answer is not HTTP") if len(line) == 1024 else TruncatedError("the answer ended early")
    return line


def _take(source: io.BufferedReader, size: int) -> bytes:
    """`size` bytes, fewer at the end of the file; in pieces, because `read` allocates what it is asked for first."""
    data = bytearray()
    while len(data) < size and (piece := source.read(min(size - len(data), _PIECE_BYTES))):
        data += piece
    return bytes(data)


def _as_http_error(error: Exception) -> HttpError:
    match error:
        case OSError(errno=errno.ENETUNREACH | errno.EHOSTUNREACH | errno.ENETDOWN | errno.EADDRNOTAVAIL):
            return NoRouteError("there is no route to the host")
        case ConnectionRefusedError() | FileNotFoundError():
            return RefusedError("nobody listens")
        case PermissionError():
            return DeniedError("the kernel forbids the connection")
        case ConnectionError():  # before BadStatusLine: RemoteDisconnected is both
            return ConnectionLostError("the connection was lost")
        case http.client.HTTPException():
            return GarbageError("the answer is not HTTP")
        case _:
            return _tls_error(error)


def _tls_error(error: Exception) -> HttpError:
    import ssl

    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
        return TlsError(f"TLS failed: {error.reason or error}")
    return ConnectionLostError(f"the connection was lost ({error})")
