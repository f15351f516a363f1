"""What one client can take of the server: memory, places, time; and what belongs to root alone."""

from __future__ import annotations

import json
import os
import socket
import stat
from pathlib import Path

import pytest

from earlyboot.api import arrival
from earlyboot.api import server as servers
from earlyboot.api.access import permit_parameters
from earlyboot.api.contract import BY_NAME
from earlyboot.api.peer import peer_of
from earlyboot.api.problem import Problem
from earlyboot.api.writer import Peer
from tests.earlyboot.api.in_process import InProcess
from tests.earlyboot.api.serving import Server, connect, fault, parse, problem, read_all

STRANGER = Peer(4000, 4000, 1)
HEAD = b"PATCH /settings HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
SPLIT = "send it in several requests with the same tx"


def as_strangers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has everybody who connects be a user whom no group lets in."""
    monkeypatch.setattr(servers, "peer_of", lambda sock: STRANGER._replace(pid=peer_of(sock).pid))


# ---- memory


def test_a_stranger_is_refused_before_the_body(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_strangers(monkeypatch)
    with InProcess(tmp_path) as path, connect(path) as connection:
        connection.sendall(HEAD % 1_000_000 + b"{")
        answer = parse(read_all(connection))
    expected = fault(
        "forbidden",
        "the user with uid 4000 may not PATCH /settings",
        "be root, or a member of the group earlyboot-api",
    )
    assert (answer.status, answer.json()) == (403, problem(403, "Forbidden", expected))


def test_a_stranger_is_not_told_to_go_on_with_a_body(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_strangers(monkeypatch)
    with InProcess(tmp_path) as path, connect(path) as connection:
        connection.sendall(HEAD.replace(b"Host: x", b"Expect: 100-continue") % 100)
        assert parse(read_all(connection)).status == 403


def test_a_large_body_waits_in_a_file_of_nobody_else(server: Server) -> None:
    body = json.dumps({"motd": "x" * 1_000_000}).encode()
    folder = os.path.dirname(server.paths.store)
    with connect(server.socket) as connection:
        connection.sendall(HEAD % len(body) + body[:-1])
        # Accepted in order, and read in turns: by then it has most of the body.
        assert server.call("list_tx") == []
        files = [
            os.path.join(f"/proc/{server.process.pid}/fd", name)
            for name in os.listdir(f"/proc/{server.process.pid}/fd")
        ]
        [kept] = [
            file for file in files if os.readlink(file).startswith(folder) and os.readlink(file).endswith("(deleted)")
        ]
        assert stat.S_IMODE(os.stat(kept).st_mode) == 0o600
        connection.sendall(body[-1:])
        assert parse(read_all(connection)).status == 204
    assert server.call("get_tx") == {"motd": "x" * 1_000_000}


def test_a_body_that_no_file_can_be_made_for_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object) -> object:
        raise OSError(28, "ignored")

    monkeypatch.setattr(arrival._BodyFile, "newfile", full)
    body = json.dumps({"motd": "x" * 100_000}).encode()
    with InProcess(tmp_path) as path, connect(path) as connection:
        connection.sendall(HEAD % len(body) + body)
        answer = parse(read_all(connection))
    what = "the body cannot be kept while it arrives: No space left on device"
    assert answer.status == 500
    assert json.loads(answer.body)["faults"][0]["what"] == what


def test_a_line_between_chunks_has_an_end(shared_server: Server) -> None:
    head = b"PATCH /settings HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert parse(shared_server.send(head + b"5;" + b"x" * 1_000_000)).status == 400


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ('{"ntp":{"time-servers":[' + ",".join(["[]"] * 600_000) + "]}}", "the body has more than 100,000 values"),
        ("{" + ",".join(f'"g{n}":1' for n in range(20_001)) + "}", "the body has more than 20,000 keys"),
    ],
)
def test_a_body_of_too_many_parts_is_refused_before_it_is_built(shared_server: Server, body: str, what: str) -> None:
    answer = shared_server.ask("PATCH", "/settings", body.encode())
    assert (answer.status, answer.json()) == (413, problem(413, "Body too large", fault("too-many", what, SPLIT)))


def test_marks_inside_a_text_are_no_parts(server: Server) -> None:
    text = '[{",:}]' * 100_000
    assert server.ask("PATCH", "/settings", json.dumps({"motd": text}).encode()).status == 204
    assert server.call("get_tx") == {"motd": text}


def test_live_settings_have_a_number_of_keys_that_they_cannot_pass(server: Server) -> None:
    def keys(start: int, end: int) -> object:
        return {"kernel": {"sysctl": {f"a.b{number}": "1" for number in range(start, end)}}}

    server.call("patch_settings", keys(0, 15_000))
    answer = server.ask("PATCH", "/settings", json.dumps(keys(15_000, 25_001)).encode())
    what = "the settings have more than 25,000 keys or 8,388,608 bytes"
    fix = "large files belong into a bootstrap container"
    assert (answer.status, answer.json()) == (413, problem(413, "Body too large", fault("too-large", what, fix)))
    server.call("patch_settings", keys(15_000, 25_000))


# ---- places and time


def test_a_user_has_some_of_the_places_and_root_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_strangers(monkeypatch)
    held: list[socket.socket] = []
    with InProcess(tmp_path) as path:
        try:
            for _ in range(16):
                held.append(connect(path))
                held[-1].sendall(b"G")
            with connect(path) as one_more:
                answer = parse(read_all(one_more))
            monkeypatch.setattr(servers, "peer_of", peer_of)
            with connect(path) as root:
                root.sendall(b"GET /tx/list HTTP/1.1\r\nConnection: close\r\n\r\n")
                assert parse(read_all(root)).json() == []
        finally:
            for connection in held:
                connection.close()
    what = "this user has too many connections to the server, or all other users together have"
    expected = fault("too-many-connections", what, "close some, or try again")
    assert (answer.status, answer.json()) == (503, problem(503, "Refused", expected))


# ---- what is for root, and what is for no one


def test_if_match_is_refused_where_it_would_guard_nothing(shared_server: Server) -> None:
    fix = "send it with PATCH or DELETE /settings, a commit or a rollback"
    for method, path in (("DELETE", "/tx"), ("POST", "/tx/apply"), ("POST", "/validate"), ("POST", "/actions/reboot")):
        answer = shared_server.ask(method, path, b"{}", ['If-Match: "1"'])
        expected = fault("bad-header", f"If-Match is not for {method} {path}", fix)
        assert (answer.status, answer.json()) == (400, problem(400, "Bad request", expected))


@pytest.mark.parametrize(
    ("name", "parameter"),
    [("commit_tx", "identity"), ("commit_tx", "replace"), ("commit_tx", "empty"), ("patch_machine", "identity")],
)
def test_what_belongs_to_the_boot_is_refused_to_all_but_root(name: str, parameter: str) -> None:
    endpoint = BY_NAME[name]
    with pytest.raises(Problem) as caught:
        permit_parameters(endpoint, ["tx", parameter], STRANGER)
    what = f"the user with uid 4000 may not send '{parameter}' to {endpoint.path}"
    expected = fault("forbidden", what, "leave it out; it belongs to the boot itself")
    assert caught.value.json() == problem(403, "Forbidden", expected)
    permit_parameters(endpoint, ["tx"], STRANGER)
    permit_parameters(endpoint, ["tx", parameter], Peer(0, 0, 1))
    permit_parameters(endpoint, ["tx", parameter], Peer(os.geteuid(), 0, 1))


@pytest.mark.parametrize("identity", ["x" * 129, "a%0Ab"])
def test_an_identity_is_short_and_printable(shared_server: Server, identity: str) -> None:
    answer = shared_server.ask("PATCH", f"/machine?identity={identity}&phase=applied")
    what = "identity is not 1 to 128 printable characters"
    expected = fault("bad-parameter", what, "use the identity that earlyboot found for this machine")
    assert (answer.status, answer.json()) == (400, problem(400, "Bad request", expected))
