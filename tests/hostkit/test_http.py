"""The HTTP client against real sockets whose other end misbehaves."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hostkit import http
from hostkit.deadline import Deadline

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Step = bytes | Callable[[socket.socket], None]


def end(sock: socket.socket) -> None:
    sock.shutdown(socket.SHUT_RDWR)


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class Server:
    """Reads a request, plays a step; then the next. It notes what it was asked."""

    def __init__(self, listener: socket.socket, steps: list[Step], context: ssl.SSLContext | None = None) -> None:
        self.listener, self.steps, self.context = listener, steps, context
        self.asked: list[bytes] = []
        self.connections = 0
        self.closing = threading.Event()
        self.open: list[socket.socket] = []
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self) -> None:
        while not self.closing.is_set():
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            with contextlib.suppress(OSError):
                if self.context is not None:
                    sock = self.context.wrap_socket(sock, server_side=True)
                self.open.append(sock)
                self.serve(sock)
            sock.close()

    def serve(self, sock: socket.socket) -> None:
        while request := self.request(sock):
            self.asked.append(request)
            step = self.steps.pop(0) if self.steps else OK
            if callable(step):
                step(sock)
            else:
                sock.sendall(step)

    def request(self, sock: socket.socket) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            piece = sock.recv(65536)
            if not piece:
                return b""
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        lines = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        length = int(lines[0].split(b":")[1]) if lines else 0
        while len(body) < length and (piece := sock.recv(65536)):
            body += piece
        return head + b"\r\n\r\n" + body

    @property
    def port(self) -> int:
        port: int = self.listener.getsockname()[1]
        return port


@contextlib.contextmanager
def running(listener: socket.socket, steps: list[Step], context: ssl.SSLContext | None = None) -> Iterator[Server]:
    server = Server(listener, steps, context)
    server.thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.listener.shutdown(socket.SHUT_RDWR)
        for sock in server.open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        server.thread.join(10)
        listener.close()


@contextlib.contextmanager
def serving(*steps: Step) -> Iterator[Server]:
    with running(socket.create_server(("127.0.0.1", 0)), list(steps)) as server:
        yield server


def connection(
    server: Server, *, seconds: float = 5, limit_bytes: int = 1000, try_timeout_s: float = 5
) -> http.Connection:
    return http.Connection(
        "127.0.0.1", server.port, deadline=Deadline(seconds), limit_bytes=limit_bytes, try_timeout_s=try_timeout_s
    )


def error_for(*steps: Step, seconds: float = 5, try_timeout_s: float = 5) -> http.HttpError:
    with serving(*steps) as server, connection(server, seconds=seconds, try_timeout_s=try_timeout_s) as client:
        with pytest.raises(http.HttpError) as caught:
            client.request("GET", "/")
        assert len(server.asked) == 1
        return caught.value


def head(*lines: str, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\n".encode() + b"".join(line.encode() + b"\r\n" for line in lines) + b"\r\n"


def test_requests_share_one_connection() -> None:
    with serving() as server, connection(server) as client:
        for _ in range(5):
            assert client.request("GET", "/x").body == b"ok"
        assert (len(server.asked), server.connections) == (5, 1)


def test_what_is_sent_is_what_was_asked_for_and_no_more() -> None:
    with serving() as server, connection(server) as client:
        client.request("PUT", "/settings?a=b", {"X-One": "1"}, b"{}")
        assert server.asked[0].split(b"\r\n") == [
            b"PUT /settings?a=b HTTP/1.1",
            b"Accept-Encoding: identity",
            b"Content-Length: 2",
            b"Host: 127.0.0.1:%d" % server.port,
            b"X-One: 1",
            b"",
            b"{}",
        ]


def test_header_names_are_lower_case_and_doubles_are_joined() -> None:
    answer = head("ETag: 7", "VIA: a", "Via: b", "Content-Length: 0", status="204 No Content")
    with serving(answer) as server, connection(server) as client:
        assert client.request("GET", "/") == http.Response(
            204, {"etag": "7", "via": "a, b", "content-length": "0"}, b""
        )


def test_a_status_is_an_answer_and_a_redirect_is_not_followed() -> None:
    with serving(head("Location: /other", "Content-Length: 0", status="302 Found")) as server:
        with connection(server) as client:
            assert client.request("GET", "/").status == 302
        assert len(server.asked) == 1


def test_cookies_are_not_kept() -> None:
    with serving(head("Set-Cookie: a=b", "Content-Length: 0")) as server, connection(server) as client:
        client.request("GET", "/")
        client.request("GET", "/")
        assert b"cookie" not in server.asked[1].lower()


def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as proxy, serving() as server, connection(server) as client:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert client.request("GET", "/").status == 200
        assert proxy.connections == 0


def test_a_connection_that_the_peer_closed_meanwhile_is_opened_again() -> None:
    def answer_and_end(sock: socket.socket) -> None:
        sock.sendall(OK)
        end(sock)

    with serving(answer_and_end) as server, connection(server) as client:
        client.request("GET", "/")
        server.closing.wait(0.05)
        assert client.request("GET", "/").body == b"ok"
        assert server.connections == 2


@pytest.mark.parametrize("first", [head("Connection: close", "Content-Length: 0"), b"HTTP/1.0 200 OK\r\n\r\n"])
def test_a_peer_that_wants_to_close_is_let_go(first: bytes) -> None:
    def answer_and_end(sock: socket.socket) -> None:
        sock.sendall(first)
        end(sock)

    with serving(answer_and_end) as server, connection(server) as client:
        assert client.request("GET", "/").body == b""
        assert client.request("GET", "/").body == b"ok"
        assert server.connections == 2


CHUNKED = head("Transfer-Encoding: chunked")


@pytest.mark.parametrize(
    ("chunks", "body"),
    [
        (b"0\r\n\r\n", b""),
        (b"3\r\nabc\r\n2;note=1\r\nde\r\n0\r\n\r\n", b"abcde"),
        (b"1\r\na\r\n0\r\nX-Trailer: 1\r\n\r\n", b"a"),
        (b"000A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    ],
)
def test_chunks_are_put_together(chunks: bytes, body: bytes) -> None:
    with serving(CHUNKED + chunks) as server, connection(server) as client:
        assert client.request("GET", "/").body == body
        assert client.request("GET", "/").body == b"ok"
        assert server.connections == 1


def cut(data: bytes) -> Callable[[socket.socket], None]:
    def act(sock: socket.socket) -> None:
        sock.sendall(data)
        end(sock)

    return act


GARBAGE = (http.GarbageError, "the answer is not HTTP")
TRUNCATED = (http.TruncatedError, "the answer ended early")
LOST = (http.ConnectionLostError, "the connection was lost")
TOO_LARGE = (http.TooLargeError, "the answer is larger than 1000 bytes")
TOO_MANY_HEADERS = (http.TooLargeError, "the answer has more than 64 headers, or 65536 bytes of them")


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        pytest.param(cut(b""), LOST, id="closed without a word"),
        pytest.param(reset, LOST, id="reset"),
        pytest.param(cut(b"HTTP/1.1 200 O"), TRUNCATED, id="cut in the status line"),
        pytest.param(cut(b"HTTP/1.1 200 OK\r\n"), TRUNCATED, id="cut before the headers"),
        pytest.param(cut(b"HTTP/1.1 200 OK\r\nContent-Le"), TRUNCATED, id="cut in a header"),
        pytest.param(cut(b"HTTP/1.1 200 OK\r\nA: b\r\n"), TRUNCATED, id="cut after a header"),
        pytest.param(cut(head("Content-Length: 100") + b"x" * 99), TRUNCATED, id="cut in the body"),
        pytest.param(cut(CHUNKED), TRUNCATED, id="cut before the first chunk"),
        pytest.param(cut(CHUNKED + b"a\r\n123"), TRUNCATED, id="cut in a chunk"),
        pytest.param(cut(CHUNKED + b"1\r\na\r\n"), TRUNCATED, id="cut between chunks"),
        pytest.param(cut(CHUNKED + b"1\r\na\r\n0\r\n"), TRUNCATED, id="cut before the end of the trailers"),
        pytest.param(cut(b"SSH-2.0-OpenSSH_9.6\r\n"), GARBAGE, id="another protocol"),
        pytest.param(cut(b"\x00\xff\x00\r\n\r\n"), GARBAGE, id="binary"),
        pytest.param(cut(b"HTTP/1.1 banana\r\n\r\n"), GARBAGE, id="status that is no number"),
        pytest.param(cut(b"HTTP/3.0 200 OK\r\n\r\n"), GARBAGE, id="another version"),
        pytest.param(head(status="103 Early Hints"), GARBAGE, id="interim status"),
        pytest.param(head("no colon here", "Content-Length: 0"), GARBAGE, id="header without a colon"),
        pytest.param(head("Content-Length: -1"), GARBAGE, id="negative length"),
        pytest.param(head("Content-Length: 1_0"), GARBAGE, id="length that only Python reads"),
        pytest.param(head("Content-Length: ²"), GARBAGE, id="length of other digits"),
        pytest.param(head("Content-Length: 1", "Content-Length: 2"), GARBAGE, id="two lengths"),
        pytest.param(head("Transfer-Encoding: gzip"), GARBAGE, id="unknown transfer encoding"),
        pytest.param(CHUNKED + b"-1\r\n", GARBAGE, id="negative chunk"),
        pytest.param(CHUNKED + b"0x1\r\n", GARBAGE, id="chunk size that only Python reads"),
        pytest.param(CHUNKED + b"\r\n", GARBAGE, id="chunk without a size"),
        pytest.param(CHUNKED + b"1\r\nab\r\n", GARBAGE, id="chunk longer than its size"),
        pytest.param(CHUNKED + b"1" * 2000, GARBAGE, id="endless chunk size"),
        pytest.param(CHUNKED + b"0\r\n" + b"A: b\r\n" * 100, GARBAGE, id="endless trailers"),
        pytest.param(head("Content-Length: 1001"), TOO_LARGE, id="length over the limit, refused unread"),
        pytest.param(head("Content-Length: 9999999999999999999"), TOO_LARGE, id="length of exabytes"),
        pytest.param(CHUNKED + b"ffffffffffffffff\r\n", TOO_LARGE, id="chunk of exabytes"),
        pytest.param(CHUNKED + b"1f4\r\n" + b"x" * 500 + b"\r\n1f5\r\n", TOO_LARGE, id="chunks over the limit"),
        pytest.param(cut(head() + b"x" * 1001), TOO_LARGE, id="no length and over the limit"),
        pytest.param(head(*["A: b"] * 65), TOO_MANY_HEADERS, id="many headers"),
        pytest.param(head("A: " + "b" * 70000), TOO_MANY_HEADERS, id="a long header"),
        pytest.param(head(*["A: " + "b" * 30000] * 3), TOO_MANY_HEADERS, id="long headers together"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" * 100, TOO_MANY_HEADERS, id="endless interim answers"),
    ],
)
def test_a_broken_answer_is_an_error_of_its_own_class(step: Step, expected: tuple[type[Exception], str]) -> None:
    error = error_for(step)
    assert (type(error), str(error)) == expected


@pytest.mark.parametrize("limit_bytes", [0, 1, 1000, 70000])
@pytest.mark.parametrize("framing", ["Content-Length: {}", None])
def test_a_body_of_exactly_the_limit_is_whole(limit_bytes: int, framing: str | None) -> None:
    lines = [framing.format(limit_bytes)] if framing else []
    with (
        serving(cut(head(*lines) + b"x" * limit_bytes)) as server,
        connection(server, limit_bytes=limit_bytes) as client,
    ):
        assert client.request("GET", "/").body == b"x" * limit_bytes


def test_too_large_tells_the_status_that_the_answer_began_with() -> None:
    error = error_for(head("Content-Length: 5000", status="404 Not Found"))
    assert isinstance(error, http.TooLargeError)
    assert error.status == 404


@pytest.mark.parametrize("header_count", [64])
def test_as_many_headers_as_allowed_are_read(header_count: int) -> None:
    answer = head(*[f"A{number}: b" for number in range(header_count - 1)], "Content-Length: 0")
    with serving(answer) as server, connection(server) as client:
        assert len(client.request("GET", "/").headers) == header_count


def hang(sock: socket.socket) -> None:
    while sock.recv(4096):  # until the client closes
        pass


def drip(start: bytes, piece: bytes) -> Callable[[socket.socket], None]:
    def act(sock: socket.socket) -> None:
        sock.sendall(start)
        for _ in range(500):
            sock.sendall(piece)
            threading.Event().wait(0.02)

    return act


SLOW = [
    pytest.param(hang, id="hang"),
    pytest.param(drip(b"", b"H"), id="drip in the status line"),
    pytest.param(drip(b"HTTP/1.1 200 OK\r\n", b"x"), id="drip in a header"),
    pytest.param(drip(head("Content-Length: 900"), b"x"), id="drip in the body"),
    pytest.param(drip(CHUNKED, b"1\r\nx\r\n"), id="drip of chunks"),
    pytest.param(drip(head(), b"x"), id="drip without a length, which must not look whole"),
]


@pytest.mark.parametrize("step", SLOW)
def test_a_slow_peer_is_left_at_the_deadline(step: Step) -> None:
    error = error_for(step, seconds=0.2)
    assert (type(error), str(error)) == (http.DeadlineReachedError, "the time is over")


@pytest.mark.parametrize("step", SLOW)
def test_a_slow_try_ends_before_the_deadline_and_the_next_can_succeed(step: Step) -> None:
    with serving(step) as server, connection(server, seconds=10, try_timeout_s=0.2) as client:
        with pytest.raises(http.TryTimeoutError, match="no answer in time"):
            client.request("GET", "/")
        assert client.request("GET", "/").body == b"ok"


def test_an_expired_deadline_sends_nothing() -> None:
    with serving() as server, connection(server, seconds=0) as client:
        with pytest.raises(http.DeadlineReachedError, match="the time is over"):
            client.request("GET", "/")
        assert server.connections == 0


def test_a_request_can_have_a_deadline_of_its_own() -> None:
    with serving() as server, connection(server, seconds=0) as client:
        assert client.request("GET", "/", deadline=Deadline(5)).body == b"ok"


def test_a_peer_that_does_not_accept_is_left_after_the_short_connect_time_out() -> None:
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        for _ in range(2):  # the queue is full then, and the kernel drops what follows
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        client = http.Connection(
            "127.0.0.1", port, deadline=Deadline(30), limit_bytes=10, connect_timeout_s=0.1, try_timeout_s=20
        )
        with client, pytest.raises(http.TryTimeoutError, match="no answer in time"):
            client.request("GET", "/")


def test_nobody_listening_and_no_route_are_told_apart() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (
        http.Connection("127.0.0.1", port, deadline=Deadline(5), limit_bytes=10) as client,
        pytest.raises(http.RefusedError, match="nobody listens"),
    ):
        client.request("GET", "/")
    # TCP to a multicast address: Linux answers ENETUNREACH, whatever the routes are.
    with (
        http.Connection("224.0.0.1", 80, deadline=Deadline(5), limit_bytes=10) as client,
        pytest.raises(http.NoRouteError, match="there is no route to the host"),
    ):
        client.request("GET", "/")


def test_a_connection_that_the_kernel_forbids_is_final(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "connect", forbid)
    with (
        http.Connection("127.0.0.1", 9, deadline=Deadline(5), limit_bytes=10) as client,
        pytest.raises(http.DeniedError, match="the kernel forbids the connection") as caught,
    ):
        client.request("GET", "/")
    assert not isinstance(caught.value, http.TransientError)


def test_a_name_without_an_address_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_answer(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "again")

    monkeypatch.setattr(socket, "getaddrinfo", no_answer)
    with (
        http.Connection("imds.example", deadline=Deadline(5), limit_bytes=10) as client,
        pytest.raises(http.ResolveError, match="the name of the host has no address"),
    ):
        client.request("GET", "/")


def test_a_resolver_that_hangs_is_left_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    def hang(*_: object, flags: int = 0, **__: object) -> None:
        if flags == 0:
            released.wait(30)
        raise socket.gaierror(socket.EAI_NONAME, "no name")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    with (
        http.Connection("imds.example", deadline=Deadline(0.1), limit_bytes=10) as client,
        pytest.raises(http.DeadlineReachedError),
    ):
        client.request("GET", "/")
    released.set()


def test_the_second_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def two(host: bytes, port: int, **options: int) -> object:
        if host == b"two.example" and options.get("flags"):
            raise socket.gaierror(socket.EAI_NONAME, "no name")
        if host == b"two.example":
            return [(socket.AF_INET, 1, 6, "", (address, port)) for address in ("224.0.0.1", "127.0.0.1")]
        return real(host, port)

    monkeypatch.setattr(socket, "getaddrinfo", two)
    with (
        serving() as server,
        http.Connection("two.example", server.port, deadline=Deadline(5), limit_bytes=10) as client,
    ):
        assert client.request("GET", "/").body == b"ok"


def test_a_peer_that_refuses_a_large_body_before_reading_it_is_heard() -> None:
    def refuse(sock: socket.socket) -> None:
        sock.sendall(head("Content-Length: 0", status="413 Too Large"))
        sock.shutdown(socket.SHUT_WR)

    with serving() as server, connection(server) as client:
        server.request = lambda sock: sock.recv(10)  # type: ignore[method-assign]
        server.steps = [refuse]
        assert client.request("PUT", "/", {}, b"x" * 100_000).status == 413


@pytest.mark.parametrize(("method", "path"), [("GET", "/a b"), ("GET", "/a\r\nX: y"), ("GET /", "/\n"), ("G\nT", "/")])
def test_a_request_that_would_inject_a_header_is_a_bug_of_the_caller(method: str, path: str) -> None:
    with serving() as server, connection(server) as client:
        with pytest.raises(Exception, match="control characters") as caught:
            client.request(method, path)
        assert not isinstance(caught.value, http.HttpError)
        assert client.request("GET", "/").body == b"ok"


@pytest.mark.parametrize("name", ["s", "s" * 80])
@pytest.mark.parametrize("depth", [0, 3])
def test_a_unix_socket_is_reached_whatever_the_length_of_its_path(tmp_path: Path, name: str, depth: int) -> None:
    folder = tmp_path.joinpath(*["d" * 60] * depth)
    folder.mkdir(parents=True, exist_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    folder_fd = os.open(folder, os.O_PATH)
    listener.bind(f"/proc/self/fd/{folder_fd}/{name}")
    os.close(folder_fd)
    listener.listen()
    with running(listener, []) as server:
        with http.Connection(unix_path=f"{folder}/{name}", deadline=Deadline(5), limit_bytes=10) as client:
            assert client.request("GET", "/").body == b"ok"
            assert client.request("GET", "/").body == b"ok"
        assert server.connections == 1
        assert b"Host: localhost\r\n" in server.asked[0]


@pytest.mark.parametrize("folder", ["", "d" * 120])
def test_a_unix_socket_that_is_not_there_is_nobody_listening(tmp_path: Path, folder: str) -> None:
    with (
        http.Connection(unix_path=f"{tmp_path}/{folder}/s", deadline=Deadline(5), limit_bytes=10) as client,
        pytest.raises(http.RefusedError, match="nobody listens"),
    ):
        client.request("GET", "/")


def test_a_unix_socket_with_a_full_queue_is_waited_for_no_longer_than_a_tcp_one(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener, contextlib.ExitStack() as stack:
        listener.bind(path)
        listener.listen(0)
        stack.enter_context(socket.socket(socket.AF_UNIX)).connect(path)
        client = http.Connection(unix_path=path, deadline=Deadline(30), limit_bytes=10, connect_timeout_s=0.1)
        with client, pytest.raises(http.TryTimeoutError):
            client.request("GET", "/")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl(1)")
    pem = tmp_path_factory.mktemp("tls") / "pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=test -days 2"
        f" -addext subjectAltName=IP:127.0.0.1 -keyout {pem}.key -out {pem}"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    return pem


@contextlib.contextmanager
def serving_tls(pem: Path, *steps: Step) -> Iterator[http.Connection]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, f"{pem}.key")
    with (
        running(socket.create_server(("127.0.0.1", 0)), list(steps), context) as server,
        http.Connection(
            "127.0.0.1", server.port, tls=True, deadline=Deadline(5), limit_bytes=100, try_timeout_s=1
        ) as client,
    ):
        yield client


def test_tls_works_where_the_certificate_is_trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serving_tls(certificate, OK, drip(head("Content-Length: 90"), b"x")) as client:
        assert client.request("GET", "/").body == b"ok"
        with pytest.raises(http.TryTimeoutError):
            client.request("GET", "/")


def test_tls_that_ends_without_a_farewell_is_no_whole_answer(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serving_tls(certificate, cut(head() + b"half")) as client, pytest.raises(http.ConnectionLostError):
        client.request("GET", "/")


def test_a_certificate_that_nobody_vouches_for_is_final(certificate: Path) -> None:
    with serving_tls(certificate) as client:
        with pytest.raises(http.TlsError, match="TLS failed: CERTIFICATE_VERIFY_FAILED") as caught:
            client.request("GET", "/")
        assert not isinstance(caught.value, http.TransientError)


def test_a_peer_that_never_shakes_hands_is_left() -> None:
    with serving(hang) as server:
        server.request = lambda sock: sock.recv(10)  # type: ignore[method-assign]
        with (
            http.Connection("127.0.0.1", server.port, tls=True, deadline=Deadline(0.2), limit_bytes=100) as client,
            pytest.raises(http.DeadlineReachedError),
        ):
            client.request("GET", "/")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://169.254.169.254", http.Url(False, "169.254.169.254", 80, "/")),
        ("http://[fd00:ec2::254]:8080/x?y=z", http.Url(False, "fd00:ec2::254", 8080, "/x?y=z")),
        ("HTTPS://Example.org/a", http.Url(True, "example.org", 443, "/a")),
    ],
)
def test_a_url_is_taken_apart(text: str, url: http.Url) -> None:
    assert http.parse_url(text) == url


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ftp://a/b", "it does not begin with http:// or https://"),
        ("/path", "it does not begin with http:// or https://"),
        ("http:///path", "it names no host"),
        ("http://user:secret@host/", "it holds a user name or a password"),
        ("http://host/#part", "it holds a fragment"),
        ("http://host:0/", "port 0 cannot be connected to"),
        ("http://host:x/", "Port could not be cast to integer value as 'x'"),
        ("http://host:70000/", "Port out of range 0-65535"),
        ("http://[::1/", "Invalid IPv6 URL"),
        ("http://host/a b", "it holds characters that do not belong in a URL"),
        ("http://host/\n", "it holds characters that do not belong in a URL"),
        ("http://höst/", "it holds characters that do not belong in a URL"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        http.parse_url(text)
    assert str(caught.value) == message


def test_no_descriptor_is_left_open() -> None:
    def count() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = count()
    for step in (OK, reset, cut(b"HTTP/1.1 200 OK\r\nContent-Le"), cut(b"SSH\r\n"), head("Content-Length: 5000")):
        with serving(step) as server, connection(server) as client, contextlib.suppress(http.HttpError):
            client.request("GET", "/")
    assert count() == before


def test_an_answer_of_exabytes_costs_no_memory() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for step in (head("Content-Length: 999999999999"), CHUNKED + b"fffffffff\r\n", CHUNKED + b"-1\r\n"):
        error_for(step)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8 * 1024
