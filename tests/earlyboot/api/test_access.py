"""Who may do what: peers of other users and groups over a real socket, and what each is shown."""

from __future__ import annotations

import grp
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from earlyboot.api.access import permit
from earlyboot.api.contract import BY_NAME, ENDPOINTS
from earlyboot.api.problem import Problem
from earlyboot.api.store import open_for_reading
from earlyboot.api.writer import Peer
from earlyboot.config.options import Options
from tests.earlyboot.api.serving import Answer, Server, fault, parse, problem

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")

WRITERS, READERS, OTHERS = (grp.getgrnam(name) for name in ("adm", "mail", "news"))
OPTIONS = Options({"api.write-group": WRITERS.gr_name, "api.read-group": READERS.gr_name})
SECRET = "hunter2"


def may(peer: Peer, name: str, options: Options = OPTIONS) -> str:
    try:
        return "everything" if permit(BY_NAME[name], peer, options) else "redacted"
    except Problem as refused:
        return str(refused.status)


def peer(uid: int = 1234, gid: int = 1234, *groups: int) -> Peer:
    return Peer(uid, gid, 1, frozenset(groups))


@pytest.mark.parametrize(
    ("who", "reading", "writing"),
    [
        (peer(0), "everything", "everything"),
        (peer(0, 1234, READERS.gr_gid), "everything", "everything"),
        (peer(os.geteuid()), "everything", "everything"),
        (peer(1234, WRITERS.gr_gid), "everything", "everything"),
        (peer(1234, 1234, 5555, WRITERS.gr_gid), "everything", "everything"),
        (peer(1234, WRITERS.gr_gid, READERS.gr_gid), "everything", "everything"),
        (peer(1234, READERS.gr_gid), "redacted", "403"),
        (peer(1234, 1234, READERS.gr_gid), "redacted", "403"),
        (peer(1234, OTHERS.gr_gid), "403", "403"),
        (peer(), "403", "403"),
        (peer(1234, 0), "403", "403"),
    ],
)
def test_root_and_one_group_may_all_another_may_look(who: Peer, reading: str, writing: str) -> None:
    for endpoint in ENDPOINTS:
        reads = endpoint.method == "GET" or endpoint.name == "validate"
        assert may(who, endpoint.name) == (reading if reads else writing), endpoint.name


def test_a_group_that_does_not_exist_grants_nothing() -> None:
    options = Options({"api.write-group": "no-such-group", "api.read-group": "nor-this"})
    assert may(peer(), "get_settings", options) == "403"
    assert may(peer(0), "commit_tx", options) == "everything"


def test_without_a_group_for_them_nobody_may_only_read() -> None:
    options = Options({"api.write-group": WRITERS.gr_name})
    assert may(peer(1234, READERS.gr_gid), "get_settings", options) == "403"


@pytest.mark.parametrize(
    ("name", "options", "what", "fix"),
    [
        ("get_settings", OPTIONS, "GET /settings", "be root, or a member of the group adm or mail"),
        ("commit_tx", OPTIONS, "POST /tx/commit", "be root, or a member of the group adm"),
        (
            "get_os",
            Options(),
            "GET /os",
            "be root, or a member of the group earlyboot-api; api.read-group in earlyboot.toml can name one that may read",
        ),
    ],
)
def test_who_is_refused_is_told_which_group_may(name: str, options: Options, what: str, fix: str) -> None:
    with pytest.raises(Problem) as caught:
        permit(BY_NAME[name], peer(), options)
    assert caught.value.json() == problem(
        403, "Forbidden", fault("forbidden", f"the user with uid 1234 may not {what}", fix)
    )


# ---- over the socket

AS_ANOTHER = """
import os, socket, sys
path, uid, gid, groups, request = sys.argv[1:]
os.setgroups([int(group) for group in groups.split(",") if group]); os.setgid(int(gid)); os.setuid(int(uid))
connection = socket.socket(socket.AF_UNIX); connection.connect(path); connection.sendall(request.encode())
while piece := connection.recv(65536): sys.stdout.buffer.write(piece)
"""


@pytest.fixture(scope="module")
def open_server() -> Iterator[Server]:
    """One whose socket anybody may open, as with SocketMode=0666."""
    # Not below pytest's own folder, which others may not enter.
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        (root / "etc/earlyboot").mkdir(parents=True)
        os.chmod(folder, 0o755)
        options = f'[api]\nwrite-group = "{WRITERS.gr_name}"\nread-group = "{READERS.gr_name}"\n'
        (root / "etc/earlyboot/earlyboot.toml").write_text(options)
        with Server(root) as running:
            os.chmod(running.socket, 0o666)
            documents = [
                {"motd": "old", "network": {"https-proxy": f"http://u:{SECRET}@old"}, "aws": {"credentials": "b2xk"}},
                {"motd": "new", "network": {"https-proxy": f"http://u:{SECRET}@new"}, "aws": {"credentials": "bmV3"}},
            ]
            for document in documents:
                running.call("patch_settings", document)
                running.call("commit_tx")
            running.call("patch_settings", documents[0], tx="open")
            yield running


def ask_as(server: Server, uid: int, gid: int, groups: Sequence[int], method: str, path: str, body: str = "") -> Answer:
    request = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    argv = [sys.executable, "-c", AS_ANOTHER, server.socket, str(uid), str(gid), ",".join(map(str, groups)), request]
    return parse(subprocess.run(argv, check=True, capture_output=True).stdout)


SHOWING = [
    "/",
    "/settings",
    "/settings?keys=settings.network,settings.aws",
    "/settings/origin?keys=settings.network,settings.aws",
    "/tx?tx=open",
    "/v2/tx?tx=open",
    "/generations/diff?from=1",
    "/generations/diff?from=0&to=1",
]


@pytest.mark.parametrize("path", SHOWING)
def test_who_may_only_read_is_shown_no_secret(open_server: Server, path: str) -> None:
    mine = open_server.ask("GET", path)
    theirs = ask_as(open_server, 4000, 4000, [READERS.gr_gid], "GET", path)
    assert (mine.status, theirs.status) == (200, 200)
    secrets = (SECRET, "b2xk", "bmV3")
    assert any(secret in mine.body.decode() for secret in secrets)
    assert not any(secret in theirs.body.decode() for secret in secrets)
    assert "REDACTED" in theirs.body.decode()
    if path in ("/", "/settings"):
        assert theirs.headers["etag"] == mine.headers["etag"][:-1] + '-redacted"'


def test_what_is_no_secret_is_shown_to_who_may_only_read(open_server: Server) -> None:
    answer = ask_as(open_server, 4000, READERS.gr_gid, [], "GET", "/settings?prefix=mo")
    assert answer.json() == {"motd": "new"}
    difference = ask_as(open_server, 4000, READERS.gr_gid, [], "GET", "/generations/diff?from=1").json()
    assert isinstance(difference, list)
    assert [row for row in difference if row["key"] == "settings.motd"] == [
        {"key": "settings.motd", "before": "old", "after": "new"}
    ]


def test_who_may_only_read_may_check_settings_and_change_none(open_server: Server) -> None:
    who = (4000, READERS.gr_gid, [OTHERS.gr_gid])
    assert ask_as(open_server, *who, "POST", "/validate", '{"motd": "x"}').status == 204
    before = open_server.live()
    for method, path in (("PATCH", "/settings"), ("POST", "/tx/commit?tx=open"), ("DELETE", "/tx?tx=open")):
        assert ask_as(open_server, *who, method, path, "{}").status == 403
    assert (open_server.live(), open_server.call("list_tx")) == (before, ["open"])


def test_members_of_the_writing_group_are_recorded_with_what_they_changed(open_server: Server) -> None:
    who = (4321, 4321, [7777, WRITERS.gr_gid])
    assert ask_as(open_server, *who, "PATCH", "/settings?tx=w", '{"updates": {"seed": 7}}').status == 204
    assert ask_as(open_server, *who, "POST", "/tx/commit?tx=w").status == 200
    reader = open_for_reading(open_server.paths.store)
    assert reader is not None
    newest = reader.generations(1)[0]
    reader.close()
    assert (newest.uid, newest.gid, newest.tx) == (4321, 4321, "w")


def test_a_member_of_many_groups_is_known_by_each_of_them(open_server: Server) -> None:
    groups = [*range(10_000, 10_400), WRITERS.gr_gid]
    assert ask_as(open_server, 4321, 4321, groups, "GET", "/tx/list").status == 200
    assert ask_as(open_server, 4321, 4321, groups[:-1], "GET", "/tx/list").status == 403


def test_others_are_refused_before_anything_of_theirs_is_looked_at(open_server: Server) -> None:
    answer = ask_as(open_server, 4000, OTHERS.gr_gid, [], "PATCH", "/settings?tx=t&nonsense", "not json")
    assert answer.status == 403
    assert answer.headers["content-type"] == "application/problem+json"
    assert json.loads(answer.body)["faults"][0]["code"] == "forbidden"
