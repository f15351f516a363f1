"""The server as a process: hostile peers, many of them, leaving when idle or told to, and coming back."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from earlyboot.api import server as servers
from earlyboot.api.client import Client
from earlyboot.api.contract import BODY_LIMIT_BYTES
from earlyboot.api.server import listen
from earlyboot.api.store import open_for_reading
from earlyboot.config.paths import PROGRAM, Paths
from earlyboot.simulate.activation import Activation
from hostkit.errors import HostError
from tests.earlyboot.api.in_process import InProcess, together
from tests.earlyboot.api.serving import PATIENCE_S, Server, connect, fault, parse, problem, read_all

GET = b"GET /settings HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


# ---- hostile peers


BAD_HTTP = fault("bad-http", "this is not a request in HTTP/1.1", "see RFC 9112")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"garbage\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET /settings HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET /settings HTTP/1.1\r\nX: a\nY: b\r\n\r\n", 400),
        (b"GET /set tings HTTP/1.1\r\n\r\n", 400),
        (b"get /settings HTTP/1.1\r\n\r\n", 400),
        (b"PATCH /settings HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"PATCH /settings HTTP/1.1\r\nContent-Length: 2, 3\r\n\r\n{}", 400),
        (b"PATCH /settings HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        (b"PATCH /settings HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400),
        (b"PATCH /settings HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
    ],
)
def test_what_is_no_http_is_refused_and_the_connection_ended(shared_server: Server, data: bytes, status: int) -> None:
    answer = parse(shared_server.send(data))
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json() == problem(status, "Bad request" if status == 400 else "Refused", BAD_HTTP)


def test_headers_without_an_end_are_refused(shared_server: Server) -> None:
    expected = fault("head-too-large", "the headers are not below 16,384 bytes", "send shorter ones")
    answer = parse(shared_server.send(b"GET /settings HTTP/1.1\r\n" + b"X: y\r\n" * 10_000))
    assert (answer.status, answer.json()) == (431, problem(431, "Headers too large", expected))


TOO_LARGE = fault("body-too-large", f"the body is larger than {BODY_LIMIT_BYTES:,} bytes", "send less at once")


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_over_the_limit_is_refused_without_hanging(shared_server: Server, announced: bool) -> None:
    head = b"PATCH /settings HTTP/1.1\r\nHost: x\r\n"
    body = b"x" * (4 << 20)
    if announced:
        data = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    else:
        data = head + b"Transfer-Encoding: chunked\r\n\r\n" + b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"
    answer = parse(shared_server.send(data))
    assert (answer.status, answer.json()) == (413, problem(413, "Body too large", TOO_LARGE))


def test_a_body_in_chunks_is_taken(server: Server) -> None:
    head = b"PATCH /settings HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert parse(server.send(head + b'5\r\n{"mot\r\n7\r\nd":"x"}\r\n0\r\n\r\n')).status == 204
    assert server.call("get_tx") == {"motd": "x"}


def test_a_request_for_permission_to_send_a_body_is_granted(server: Server) -> None:
    with connect(server.socket) as connection:
        connection.sendall(
            b"PATCH /settings HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            b"Expect: 100-continue\r\nContent-Length: 12\r\n\r\n"
        )
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b'{"motd":"x"}')
        assert parse(read_all(connection)).status == 204


def test_several_requests_on_one_connection_are_answered_in_order(server: Server) -> None:
    kept = GET.replace(b"Connection: close\r\n", b"")
    answers = server.send(kept + kept.replace(b"/settings", b"/tx/list") + GET.replace(b"/settings", b"/nothing"))
    assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"200", b"200", b"404"]


def test_a_peer_that_goes_away_before_its_answer_harms_nobody(server: Server) -> None:
    for cut in (b"", b"GET", GET[:-2], GET):
        for _ in range(10):
            with connect(server.socket) as connection:
                connection.sendall(cut)
    assert server.call("list_tx") == []


def test_peers_that_drip_do_not_hold_the_others(server: Server) -> None:
    dripping = [connect(server.socket) for _ in range(20)]
    try:
        for number in range(5):
            for connection in dripping:
                connection.sendall(GET[number : number + 1])
            assert server.call("list_tx") == []
        for connection in dripping:
            connection.sendall(GET[5:])
            assert parse(read_all(connection)).status == 200
    finally:
        for connection in dripping:
            connection.close()


def test_a_peer_that_drips_for_too_long_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "_HEAD_LIMIT_S", 1)
    with InProcess(tmp_path) as path, connect(path) as connection:
        connection.sendall(GET[:1])
        gone = False
        for byte in GET[1:].rjust(2_000):
            try:
                connection.sendall(bytes([byte]))
            except BrokenPipeError:
                gone = True
                break
            time.sleep(0.005)
        assert gone
        with Client(path) as client:
            assert client.call("list_tx") == []


def test_a_peer_that_never_reads_its_answer_keeps_no_server_from_leaving(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "_REQUEST_LIMIT_S", 1)
    with InProcess(tmp_path) as path:
        with Client(path) as client:
            client.call("patch_settings", {"motd": "x" * 2_000_000})
        deaf = connect(path)
        deaf.sendall(GET.replace(b"/settings", b"/tx"))
        assert deaf.recv(12, socket.MSG_PEEK) == b"HTTP/1.1 200"
    # It left, with an answer of two megabytes that nobody took.
    assert 0 < len(read_all(deaf)) < 2_000_000
    deaf.close()


# ---- many peers


def test_many_connections_at_once_are_all_answered(server: Server) -> None:
    # More than the server accepts at a time: the others wait in the socket's queue.
    waiting = [connect(server.socket) for _ in range(100)]
    try:
        for connection in waiting:
            connection.sendall(GET)
        assert [parse(read_all(connection)).status for connection in waiting] == [200] * 100
        warning = "total open connections reached the connection limit, no longer accepting new connections\n"
        assert set(server.log().splitlines(keepends=True)) <= {warning}
        server.expected_log = None
    finally:
        for connection in waiting:
            connection.close()


# ---- who asks


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")
def test_the_peer_is_who_the_kernel_says_whatever_the_request_claims(server: Server) -> None:
    script = """
import os, socket, sys
path, requests = sys.argv[1], sys.argv[2:]
os.setgroups([]); connections = []
for request in requests:
    connection = socket.socket(socket.AF_UNIX); connection.connect(path); connections.append(connection)
os.setgid(12); os.setuid(34)
for connection, request in zip(connections, requests):
    # Accepted and asked as another user than it was connected as.
    connection.sendall(request.encode()); connection.recv(65536)
print(os.getpid())
"""
    claims = "X-Forwarded-For: 1:2:3\r\nForwarded: for=x\r\nRemote-Addr: 0:0:0\r\n"
    requests = [
        f'PATCH /settings HTTP/1.1\r\nHost: x\r\n{claims}Content-Length: 12\r\n\r\n{{"motd":"x"}}',
        f"POST /tx/commit HTTP/1.1\r\nHost: x\r\n{claims}\r\n",
    ]
    ended = subprocess.run(
        [sys.executable, "-c", script, server.socket, *requests], check=True, capture_output=True, text=True
    )
    reader = open_for_reading(server.paths.store)
    assert reader is not None
    rows = reader.rows("SELECT uid, gid, pid FROM generation")
    reader.close()
    assert rows == [(0, 0, int(ended.stdout))]


# ---- leaving


def test_without_requests_the_server_leaves_and_takes_its_socket_along(tmp_path: Path) -> None:
    with Server(tmp_path / "root", "--idle-timeout=0.2") as server:
        assert server.process.wait(PATIENCE_S) == 0
        assert not os.path.exists(server.socket)


def test_told_to_leave_it_finishes_what_it_accepted(server: Server) -> None:
    connections = [connect(server.socket) for _ in range(10)]
    body = json.dumps({"motd": "x" * 500_000}).encode()
    head = b"PATCH /settings?tx=%d HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    try:
        for number, connection in enumerate(connections):
            connection.sendall(head % (number, len(body)))
        # The server has them all: it answers a later request, and it accepts in order.
        assert server.call("list_tx") == []
        server.leave()
        for connection in connections:
            connection.sendall(body)
        assert [parse(read_all(connection)).status for connection in connections] == [204] * 10
    finally:
        for connection in connections:
            connection.close()
    assert server.process.wait(PATIENCE_S) == 0
    reader = open_for_reading(server.paths.store)
    assert reader is not None
    assert reader.rows("SELECT count(DISTINCT tx) FROM pending") == [(10,)]
    reader.close()


def test_a_peer_that_has_just_connected_is_waited_for(server: Server) -> None:
    with connect(server.socket) as connection:
        # Accepted in order: what connects later is answered only after this one was accepted.
        assert server.call("list_tx") == []
        server.leave()
        time.sleep(0.3)  # the server sees the signal; nothing is measured
        connection.sendall(GET)
        assert parse(read_all(connection)).status == 200


def test_told_to_leave_again_and_again_it_leaves_once(server: Server) -> None:
    server.leave()
    while os.path.exists(server.socket):  # the last thing that it takes away
        server.process.send_signal(signal.SIGTERM)
    # After that the interpreter itself ends, and has no handler for a signal that is still on its way.
    assert server.process.wait(PATIENCE_S) in (0, -signal.SIGTERM)
    assert server.log() == ""
    server.process.returncode = 0


def test_requests_around_the_idle_timeout_are_all_answered(tmp_path: Path) -> None:
    """The timeout is so short that the server leaves between, before, while and after requests arrive."""
    paths = Paths(str(tmp_path / "root"))
    chance = random.Random(7)
    with Activation(paths, idle_timeout_s=0.02) as activation, Client(paths.socket) as client:
        for number in range(300):
            client.call("patch_settings", {"motd": str(number)})
            assert client.call("get_tx") == {"motd": str(number)}
            if number % 10 == 0:
                time.sleep(chance.uniform(0.015, 0.035))
            else:
                time.sleep(chance.uniform(0.0, 0.002))
    assert activation.started > 5


def test_several_clients_around_the_idle_timeout_are_all_answered(tmp_path: Path) -> None:
    paths = Paths(str(tmp_path / "root"))

    def ask(seed: int) -> None:
        chance = random.Random(seed)
        with Client(paths.socket) as client:
            for number in range(60):
                assert client.call("patch_settings", {"motd": str(number)}, tx=str(seed)) is None
                time.sleep(chance.choice((0, 0, 0.001, 0.03)))
            assert client.call("get_tx", tx=str(seed)) == {"motd": "59"}

    with Activation(paths, idle_timeout_s=0.02) as activation:
        together(*(lambda seed=seed: ask(seed) for seed in range(4)))
    assert activation.started > 1


def test_a_socket_that_was_handed_over_is_used_and_left_in_place(tmp_path: Path) -> None:
    paths = Paths(str(tmp_path / "root"))
    with Activation(paths, idle_timeout_s=0.02) as activation, Client(paths.socket) as client:
        place = os.stat(paths.socket).st_ino
        assert activation.started == 0
        while activation.started < 3:
            assert client.call("list_tx") == []
            assert os.stat(paths.socket).st_ino == place
            time.sleep(0.03)


# ---- the socket


def test_a_path_longer_than_an_address_holds_is_served_and_reached(tmp_path: Path) -> None:
    root = tmp_path / ("long-" * 20) / ("longer-" * 10)
    root.mkdir(parents=True)
    with Server(root / "root") as server:
        assert len(server.socket) > 107
        assert server.call("list_tx") == []
        assert os.stat(server.socket).st_mode & 0o777 == 0o660


def test_a_socket_of_a_server_that_died_is_taken_over(tmp_path: Path) -> None:
    with Server(tmp_path / "root") as server:
        server.process.kill()
        server.process.wait()
        assert os.path.exists(server.socket)
        with Server(tmp_path / "root") as second:
            assert second.call("list_tx") == []
        server.process.returncode = 0


def test_a_second_server_is_refused_and_the_first_goes_on(server: Server) -> None:
    ended = subprocess.run(
        [*PROGRAM, "--root", server.paths.root, "serve"], check=False, capture_output=True, text=True
    )
    assert ended.returncode == 4
    assert ended.stderr == (
        "error: cannot listen: Address already in use\n"
        f"  where: {server.socket}\n"
        "  fix:   stop the other earlyboot server, or choose another --socket\n"
    )
    assert server.call("list_tx") == []


def test_a_file_in_the_place_of_the_socket_is_never_deleted(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("precious")
    before = os.listdir("/proc/self/fd")
    with pytest.raises(HostError, match="cannot listen: Address already in use"):
        listen(str(path))
    assert path.read_text() == "precious"
    assert os.listdir("/proc/self/fd") == before


def test_a_socket_may_be_named_from_where_we_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = os.umask(0)
    try:
        listener = listen("api.sock")
        assert os.umask(0) == 0
    finally:
        os.umask(before)
    with listener, connect("api.sock"):
        assert (tmp_path / "api.sock").stat().st_mode & 0o777 == 0o660


def test_a_bug_in_one_request_is_logged_and_takes_nobody_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from earlyboot.api.describe import Describe

    def broken(*_: object) -> object:
        raise KeyError("a bug")

    monkeypatch.setattr(Describe, "get_os", broken)
    with InProcess(tmp_path) as path, Client(path) as client:
        status, body = client.raw("GET", "/os")
        expected = fault("bug", "earlyboot has a bug; its log has the traceback", "report it with the log")
        assert (status, json.loads(body)) == (500, problem(500, "The host refused", expected))
        assert client.call("list_tx") == []
    assert "KeyError: 'a bug'" in capsys.readouterr().err
