"""The API's client: refusals as errors, and what it says where nobody answers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from earlyboot.api import client as clients
from earlyboot.api.client import Client, RefusedError
from hostkit.errors import ApiError, OperatorError
from tests.earlyboot.api.serving import Server, connect

START_FIX = "start it with: systemctl start earlyboot-api.socket"


class FakeServer:
    """Answers every connection with the same bytes, once a whole head has come."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen()
        self.requests: list[bytes] = []
        self.answer = b""
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with connection:
                data = b""
                while b"\r\n\r\n" not in data and (piece := connection.recv(4096)):
                    data += piece
                if data == b"stop":
                    return
                self.requests.append(data)
                connection.sendall(self.answer)

    def close(self) -> None:
        with connect(self._path) as last:
            last.sendall(b"stop")
        self._thread.join()
        self._listener.close()


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeServer]:
    running = FakeServer(str(tmp_path / "api.sock"))
    yield running
    running.close()


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with Client(str(tmp_path / "api.sock")) as made:
        yield made


def answer(status: int, body: bytes) -> bytes:
    # As the server does, which was asked to: who does not say so before it closes may be asked again on the same one.
    return b"HTTP/1.1 %d X\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body


def test_a_refusal_is_an_error_with_its_status_faults_and_paths(shared_server: Server) -> None:
    with shared_server.client() as client, pytest.raises(RefusedError) as caught:
        client.call("patch_settings", {"network": {"hosts": [["10.0.0.1", ["UPPER"]]]}, "x": 1})
    assert caught.value.status == 400
    assert caught.value.exit_status == 5
    assert caught.value.paths == [("network", "hosts", 0, 1, 0), ("x",)]
    assert [(fault.code, fault.where.key) for fault in caught.value.faults] == [
        ("bad-value", "settings.network.hosts"),
        ("unknown-group", "settings.x"),
    ]


def test_a_refusal_without_places_has_none(shared_server: Server) -> None:
    with shared_server.client() as client, pytest.raises(RefusedError) as caught:
        client.call("commit_tx", tx="a b&c=d/é")
    assert (caught.value.status, caught.value.paths) == (422, [None])
    assert str(caught.value) == (
        "error: nothing is pending in the transaction 'a b&c=d/é'\n  fix:   PATCH /settings with this tx first"
    )


def test_every_request_has_a_connection_of_its_own(fake: FakeServer, client: Client) -> None:
    fake.answer = answer(200, b'["one"]')
    assert client.call("list_tx") == ["one"]
    assert client.call("commit_tx", tx="é&=?", identity="a b", replace=None) == ["one"]
    heads = [request.split(b"\r\n") for request in fake.requests]
    assert [head[0] for head in heads] == [
        b"GET /tx/list HTTP/1.1",
        b"POST /tx/commit?tx=%C3%A9%26%3D%3F&identity=a%20b HTTP/1.1",
    ]
    assert all(b"Connection: close" in head for head in heads)


def test_a_parameter_that_the_endpoint_has_not_is_a_bug_of_the_caller(client: Client) -> None:
    with pytest.raises(TypeError, match="list_tx has no parameter tx"):
        client.call("list_tx", tx="x")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"Bad Gateway",
        b"[]",
        b"{}",
        b'{"faults": []}',
        b'{"faults": 3}',
        b'{"faults": [1]}',
        b'{"faults": {"what": "x"}}',
        b"\xff",
    ],
)
def test_an_error_without_a_problem_document_is_still_one(fake: FakeServer, client: Client, body: bytes) -> None:
    fake.answer = answer(502, body)
    with pytest.raises(RefusedError) as caught:
        client.call("list_tx")
    assert caught.value.status == 502
    assert str(caught.value) == (
        "error: the API answered with status 502 and no problem document\n"
        "  fix:   look at its log: journalctl -u earlyboot-api"
    )


def test_paths_that_are_none_are_left_out(fake: FakeServer, client: Client) -> None:
    fake.answer = answer(400, b'{"faults": [{"what": "x", "path": ["a", 0]}, {"path": [null]}, {"path": "a"}]}')
    with pytest.raises(RefusedError) as caught:
        client.call("list_tx")
    assert caught.value.paths == [("a", 0), None, None]


@pytest.mark.parametrize("there", ["nothing", "file", "dead socket"])
def test_where_nobody_listens_the_socket_is_named_with_its_fix(tmp_path: Path, client: Client, there: str) -> None:
    path = tmp_path / "api.sock"
    if there == "file":
        path.touch()
    elif there == "dead socket":
        with socket.socket(socket.AF_UNIX) as gone:
            gone.bind(str(path))
    with pytest.raises(ApiError) as caught:
        client.call("list_tx")
    assert str(caught.value) == (
        f"error: the API does not answer: nobody listens\n  where: {path}\n  fix:   {START_FIX}"
    )


@pytest.mark.parametrize(
    ("said", "what"),
    [
        (b"", "the connection was lost"),
        (b"SSH-2.0-OpenSSH\r\n", "the answer is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nx", "the answer ended early"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", "the answer is larger than 16777216 bytes"),
    ],
)
def test_an_answer_that_is_none_is_said_so(
    tmp_path: Path, fake: FakeServer, client: Client, said: bytes, what: str
) -> None:
    fake.answer = said
    with pytest.raises(ApiError) as caught:
        client.call("list_tx")
    assert str(caught.value) == (
        f"error: the API does not answer: {what}\n  where: {tmp_path}/api.sock\n  fix:   {START_FIX}"
    )


def test_a_server_that_never_answers_is_given_up(tmp_path: Path) -> None:
    path = str(tmp_path / "api.sock")
    with socket.socket(socket.AF_UNIX) as silent, Client(path, deadline_s=0.2) as client:
        silent.bind(path)
        silent.listen()
        with pytest.raises(ApiError, match="the API does not answer: the time is over"):
            client.call("list_tx")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")
def test_who_may_not_open_the_socket_is_told_what_to_join() -> None:
    repository = Path(clients.__file__).parents[2]
    script = """
import os, sys
from earlyboot.api.client import Client
from hostkit.errors import ApiError
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    Client(sys.argv[1]).call("list_tx")
except ApiError as error:
    print(error)
"""
    # Not below pytest's own folder, which others may not enter.
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        with Server(Path(folder) / "root") as server:
            argv = [sys.executable, "-c", script, server.socket]
            ended = subprocess.run(argv, check=True, capture_output=True, text=True, cwd=repository)
    assert ended.stdout == (
        "error: the API's socket may not be opened\n"
        f"  where: {server.socket}\n"
        "  fix:   run as root, or join the group earlyboot-api\n"
    )


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/a b"), ("GET", "/a\r\nX: y"), ("GET", "/é"), ("GET", "/\x00"), ("GE T", "/"), ("", "/"), ("G\n", "/")],
)
def test_what_makes_no_request_is_the_callers_fault(client: Client, method: str, path: str) -> None:
    with pytest.raises(OperatorError) as caught:
        client.raw(method, path)
    assert str(caught.value) == (
        "error: this method and URI make no HTTP request\n"
        "  fix:   write a method such as GET, and a URI such as /settings?prefix=motd, percent-encoded"
    )


def test_any_request_may_be_made_and_any_answer_is_given_back(shared_server: Server) -> None:
    with shared_server.client() as client:
        assert client.raw("GET", "/tx/list") == (200, b"[]\n")
        status, body = client.raw("BREW", "/coffee", b"\x00")
    assert status == 404
    assert b'"status": 404' in body


def test_a_body_that_the_server_refuses_unread_is_still_answered(shared_server: Server) -> None:
    with shared_server.client() as client, pytest.raises(RefusedError) as caught:
        client.call("patch_settings", {"motd": "x" * (3 << 20)})
    assert caught.value.status == 413
    assert str(caught.value) == "error: the body is larger than 2,097,152 bytes\n  fix:   send less at once"
