"""Entity tags: what they stand for, and conditions that name them, alone and over a real socket."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from earlyboot.api import etag
from earlyboot.api.client import RefusedError
from earlyboot.api.problem import Problem
from tests.earlyboot.api.serving import Server, fault, problem

TAG = '"7-0123456789abcdef"'


@pytest.mark.parametrize(
    ("header", "tags"),
    [
        ("*", "*"),
        (" * ", "*"),
        ('"a"', ('"a"',)),
        ('"a", "b"', ('"a"', '"b"')),
        ('"a","b" ,\t"c"', ('"a"', '"b"', '"c"')),
        (',"a",,"b",', ('"a"', '"b"')),
        ('W/"a", "b"', ('W/"a"', '"b"')),
        ('""', ('""',)),
        ('"a,b", "c"', ('"a,b"', '"c"')),
    ],
)
def test_a_list_of_tags_is_read_as_rfc_9110_writes_it(header: str, tags: etag.Condition) -> None:
    assert etag.parse(header, "If-Match") == tags


@pytest.mark.parametrize(
    "header", ["", ",", "a", '"a', 'w/"a"', '"a" "b"', '*, "a"', '"a"x', '"a" b', '"a\x7f"', '"a b\x01"']
)
def test_what_is_no_list_of_tags_is_refused(header: str) -> None:
    with pytest.raises(Problem) as caught:
        etag.parse(header, "If-Match")
    assert caught.value.status == 400
    assert str(caught.value) == (
        "error: If-Match holds no list of entity tags\n"
        '  fix:   send * or tags in double quotes, such as "12-0123456789abcdef"'
    )


@pytest.mark.parametrize(
    ("condition", "met", "known"),
    [
        ("*", True, True),
        ((TAG,), True, True),
        (('"other"', TAG), True, True),
        (('"other"',), False, False),
        # A weak tag says only that two answers mean the same: enough to spare one, not to overwrite something.
        ((f"W/{TAG}",), False, True),
    ],
)
def test_a_condition_for_writing_is_strong_and_one_for_reading_weak(
    condition: etag.Condition, met: bool, known: bool
) -> None:
    assert etag.is_known(condition, TAG) is known
    try:
        etag.require(condition, TAG)
    except Problem as refused:
        assert (met, refused.status) == (False, 412)  # noqa: PT017
    else:
        assert met


def test_a_tag_stands_for_a_generation_of_one_store_under_one_configuration() -> None:
    tags = {etag.make(stamp, configuration) for stamp in ((1, 5.0), (1, 5.5), (2, 5.0)) for configuration in ("x", "y")}
    tags |= {etag.redacted(tag) for tag in tags}
    assert len(tags) == 12
    assert etag.make((1, 5.0), "x") == etag.make((1, 5.0), "x")
    assert all(etag.parse(tag, "If-Match") == (tag,) for tag in tags)


# ---- over the socket


def test_the_tag_changes_with_what_is_live_and_with_nothing_else(server: Server) -> None:
    def tag(path: str = "/settings") -> str:
        return server.ask("GET", path).headers["etag"]

    first = tag()
    server.call("patch_settings", {"motd": "x"})
    assert (tag(), tag("/"), tag("/settings?keys=settings.motd")) == (first, first, first)
    server.call("commit_tx")
    second = tag()
    assert second != first
    assert tag("/") == second
    server.call("patch_settings", {"motd": "x"})
    server.call("commit_tx")
    assert tag() == second


def test_the_tag_outlives_the_server_and_ends_with_its_configuration(tmp_path: Path) -> None:
    root = tmp_path / "root"
    tags = []
    for profile in ("metal", "metal", "ec2"):
        with Server(root, f"--profile={profile}") as server:
            tags.append(server.ask("GET", "/settings").headers["etag"])
    assert tags[0] == tags[1] != tags[2]


@pytest.mark.parametrize("path", ["/", "/settings", "/settings?prefix=motd"])
def test_what_a_client_has_already_is_not_sent_again(shared_server: Server, path: str) -> None:
    tag = shared_server.ask("GET", path).headers["etag"]
    for header in (f"If-None-Match: {tag}", f'If-None-Match: "x", W/{tag}', "If-None-Match: *"):
        answer = shared_server.ask("GET", path, None, [header])
        assert (answer.status, answer.headers["etag"], answer.body) == (304, tag, b"")
    assert shared_server.ask("GET", path, None, ['If-None-Match: "x"']).status == 200


FAILED = problem(
    412,
    "Precondition failed",
    fault(
        "precondition",
        "the settings are not in the state that If-Match names",
        "GET /settings again, look at what changed, and send its ETag",
    ),
)
GUARDED = [
    ("PATCH", "/settings?tx=t", b'{"motd": "y"}'),
    ("PATCH", "/settings/keypair?tx=t", b'{"request_payload": ["motd=y"]}'),
    ("DELETE", "/settings?tx=t&keys=motd", None),
    ("POST", "/tx/commit?tx=p", None),
    ("POST", "/tx/commit_and_apply?tx=p", None),
    ("POST", "/generations/rollback?generation=0", None),
    ("GET", "/settings", None),
    ("GET", "/", None),
]


@pytest.mark.parametrize(("method", "path", "body"), GUARDED)
def test_a_state_that_is_not_the_one_named_is_not_touched(server: Server, method: str, path: str, body: bytes) -> None:
    tag = server.ask("GET", "/settings").headers["etag"]
    server.call("patch_settings", {"motd": "x"})
    server.call("commit_tx")
    server.call("patch_settings", {"motd": "z"}, tx="p")
    for header in (tag, f'"x", W/{tag}'):
        answer = server.ask(method, path, body, [f"If-Match: {header}"])
        assert (answer.status, answer.json()) == (412, FAILED)
    assert (server.live(), server.call("list_tx")) == ({"motd": "x"}, ["p"])
    now = server.ask("GET", "/settings").headers["etag"]
    answer = server.ask(method, path, body, [f"If-Match: {tag}, {now}"])
    assert answer.status in (200, 204)


def test_a_condition_that_is_none_is_refused(shared_server: Server) -> None:
    answer = shared_server.ask("PATCH", "/settings", b"{}", ["If-Match: 5"])
    assert answer.status == 400


def test_of_many_who_saw_the_same_state_one_commits(server: Server) -> None:
    tag = server.ask("GET", "/settings").headers["etag"]
    for number in range(8):
        server.call("patch_settings", {"kernel": {"sysctl": {f"a{number}": "1"}}}, tx=str(number))
    statuses: list[int] = []

    def commit(number: int) -> None:
        with server.client() as client:
            try:
                client.call("commit_tx", tx=str(number), if_match=tag)
                statuses.append(200)
            except RefusedError as refused:
                statuses.append(refused.status)

    threads = [threading.Thread(target=commit, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [412] * 7
