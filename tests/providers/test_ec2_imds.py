"""EC2 user data from a service that does everything a real one does, and some things that none should."""

from __future__ import annotations

import random
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostkit.errors import OperatorError, SourceError
from providers import ec2_imds, ec2_session
from providers.contract import Document, Request
from providers.ec2_session import Verdict, backoff_s, classify, classify_token, pause_s, retry_after_s
from tests.fakes import imds
from tests.fakes.imds import Behaviour, FakeImds

TEXT = "[settings]\nmotd = 'top-secret'\n"
DATA = TEXT.encode()
PUT, GET = "PUT /latest/api/token", "GET /latest/user-data"

AGAIN = "reboot when the service answers again; limit what else asks it on this machine"
PATH = "see that metadata is enabled for the instance, and that no firewall, route or proxy takes 169.254.169.254"
NETWORK = "see why the network did not come up: `networkctl status`, and `journalctl -u systemd-networkd`"
OFF = (
    "`aws ec2 modify-instance-metadata-options --http-endpoint enabled --instance-id ID`; or switch the "
    "source off: enabled = false under [providers.ec2-imds] in earlyboot.toml"
)
SMALLER = "make it smaller; large files belong into a bootstrap container"


class Run(NamedTuple):
    """What came of one read. `text` is the document, or the whole error; `None` is absent."""

    text: str | None
    code: str | None
    asked: list[str]
    connections: int


def run(*data_by: Behaviour, tokens_by: tuple[Behaviour, ...] = (), deadline_s: float = 10, limit: int = 4000) -> Run:
    text = code = None
    with FakeImds(*data_by, tokens_by=tokens_by) as fake:
        try:
            document = ec2_imds.read(Request(endpoint=fake.endpoint, deadline_s=deadline_s, limit_bytes=limit))
        except SourceError as error:
            text, code = str(error), error.faults[0].code
            assert "top-secret" not in text
            assert not any(token in text for token in fake.tokens)
        else:
            if document is not None:
                assert document.origin == "ec2-imds"
                text = document.document
        return Run(text, code, fake.asked, fake.connections)


def error(what: str, fix: str, path: str = "/latest/user-data") -> str:
    return f"error: {what}\n  where: ec2-imds{path and ' ' + path}\n  fix:   {fix}"


def late(what: str, fix: str, deadline_s: str = "10") -> str:
    return error(f"EC2 instance metadata gave no user data within {deadline_s} s: {what}", fix)


def unexpected(status: int, path: str = "/latest/user-data") -> str:
    return error(f"EC2 instance metadata gave an answer that it never gives ({status})", PATH, path)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits, noted instead of slept, with a jitter of one half."""
    noted: list[float] = []
    monkeypatch.setattr(time, "sleep", noted.append)
    monkeypatch.setattr(random, "random", lambda: 0.5)
    return noted


@pytest.mark.parametrize(
    ("data_by", "text"),
    [
        pytest.param(imds.ok(DATA), TEXT, id="ok"),
        pytest.param(imds.compressed(DATA), TEXT, id="gzip"),
        pytest.param(imds.ok(b""), None, id="empty"),
        pytest.param(imds.ok(b" \n"), None, id="white space"),
        pytest.param(imds.status(404, body=b"<html>Not Found</html>"), None, id="absent"),
        pytest.param(imds.status(404, body=b"x" * 100_000), None, id="absent, with a page larger than the limit"),
        pytest.param(imds.ok(b"#" * 4000), "#" * 4000, id="exactly the limit"),
    ],
)
def test_user_data_or_its_absence_takes_two_requests_on_one_connection(data_by: Behaviour, text: str | None) -> None:
    assert run(data_by) == Run(text, None, [PUT, GET], 1)


def test_what_is_sent_is_what_the_service_wants() -> None:
    with FakeImds(imds.ok(DATA)) as fake:
        ec2_imds.read(Request(endpoint=fake.endpoint))
        (token,) = fake.tokens
        plain = {"host": f"127.0.0.1:{fake.port}", "accept-encoding": "identity"}
        assert [seen.headers for seen in fake.requests] == [
            {**plain, "content-length": "0", "x-aws-ec2-metadata-token-ttl-seconds": "300"},
            {**plain, "x-aws-ec2-metadata-token": token},
        ]


def test_a_token_that_expires_midway_is_renewed_once_in_four_requests() -> None:
    assert run(imds.expired, imds.ok(DATA)) == Run(TEXT, None, [PUT, GET, PUT, GET], 1)


FINAL = [
    pytest.param(
        imds.expired,
        "ec2-imds-token-refused",
        error("EC2 instance metadata refused a token that it had just given (401)", AGAIN),
        [PUT, GET, PUT, GET],
        id="401 twice",
    ),
    pytest.param(
        imds.status(403),
        "ec2-imds-off",
        error("EC2 instance metadata is switched off (403)", OFF),
        [PUT, GET],
        id="403",
    ),
    *(
        pytest.param(imds.status(status), "ec2-imds-unexpected", unexpected(status), [PUT, GET], id=str(status))
        for status in (201, 204, 206, 304, 400, 405, 418, 600)
    ),
    pytest.param(
        imds.redirect("http://evil.example/"),
        "ec2-imds-unexpected",
        unexpected(302),
        [PUT, GET],
        id="redirect",
    ),
    pytest.param(
        imds.raw(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 1000 + b"\r\n"),
        "ec2-imds-unexpected",
        error("EC2 instance metadata gave an answer with a head too large to read", PATH),
        [PUT, GET],
        id="endless headers",
    ),
    pytest.param(
        imds.ok(b"#" * 4001),
        "user-data-too-large",
        error("the user data is larger than 4000 bytes", SMALLER, ""),
        [PUT, GET],
        id="too large",
    ),
    pytest.param(
        imds.bomb(3_000_000),
        "gzip-too-large",
        error("the gzip data unpacks to more than 4000 bytes", SMALLER, ""),
        [PUT, GET],
        id="gzip bomb",
    ),
    pytest.param(
        imds.ok(b"\x1f\x8b\x08"),
        "gzip-truncated",
        error("the gzip data ends early", "upload it again; `gzip -t FILE` checks the file", ""),
        [PUT, GET],
        id="truncated gzip",
    ),
]


@pytest.mark.parametrize(("data_by", "code", "text", "asked"), FINAL)
def test_an_answer_that_no_retry_mends_ends_it_at_once(
    data_by: Behaviour, code: str, text: str, asked: list[str], pauses: list[float]
) -> None:
    assert run(data_by)[:3] == (text, code, asked)
    assert pauses == []


NO_TOKEN = error(
    "what EC2 instance metadata gave as a token is not 1 to 4096 printable characters", PATH, "/latest/api/token"
)


@pytest.mark.parametrize(
    ("tokens_by", "code", "text"),
    [
        pytest.param(
            imds.status(403),
            "ec2-imds-off",
            error("EC2 instance metadata is switched off (403)", OFF, "/latest/api/token"),
            id="403",
        ),
        *(
            pytest.param(
                imds.status(status), "ec2-imds-unexpected", unexpected(status, "/latest/api/token"), id=str(status)
            )
            for status in (302, 400, 401, 404, 405)
        ),
        pytest.param(imds.ok(b""), "ec2-imds-token-invalid", NO_TOKEN, id="empty"),
        pytest.param(imds.ok(b"a\r\nX-Evil: 1"), "ec2-imds-token-invalid", NO_TOKEN, id="line break"),
        pytest.param(imds.ok(b"a\x00"), "ec2-imds-token-invalid", NO_TOKEN, id="NUL"),
        pytest.param(imds.ok("tökén".encode()), "ec2-imds-token-invalid", NO_TOKEN, id="not ASCII"),
        pytest.param(imds.ok(b"a" * 4097), "ec2-imds-token-invalid", NO_TOKEN, id="longer than a token"),
        pytest.param(imds.ok(b"a" * 9000), "ec2-imds-token-invalid", NO_TOKEN, id="longer than the limit"),
    ],
)
def test_without_a_token_nothing_else_is_asked_for(
    tokens_by: Behaviour, code: str, text: str, pauses: list[float]
) -> None:
    assert run(imds.ok(DATA), tokens_by=(tokens_by,)) == Run(text, code, [PUT], 1)
    assert pauses == []


@pytest.mark.parametrize(
    ("trouble", "connections"),
    [
        pytest.param(imds.status(429), 1, id="429"),
        pytest.param(imds.status(500), 1, id="500"),
        pytest.param(imds.status(503, body=b"x" * 100_000), 2, id="503 with a large page"),
        pytest.param(imds.status(599), 1, id="599"),
        pytest.param(imds.reset, 2, id="reset"),
        pytest.param(imds.drop, 2, id="closed without a word"),
        pytest.param(imds.truncated, 2, id="truncated body"),
        pytest.param(imds.garbage, 2, id="garbage"),
    ],
)
@pytest.mark.parametrize("on_token", [True, False])
def test_trouble_that_passes_is_waited_out(
    trouble: Behaviour, connections: int, *, on_token: bool, pauses: list[float]
) -> None:
    if on_token:
        result, asked = run(imds.ok(DATA), tokens_by=(trouble, imds.give_token)), [PUT, PUT, GET]
    else:
        result, asked = run(trouble, imds.ok(DATA)), [PUT, GET, GET]
    assert result == Run(TEXT, None, asked, connections)
    assert pauses == [pytest.approx(0.15)]


def test_a_try_that_hangs_is_left_and_the_next_can_succeed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ec2_session, "_TRY_TIMEOUT_S", 0.2)
    assert run(imds.hang, imds.ok(DATA)) == Run(TEXT, None, [PUT, GET, GET], 2)


def test_the_waits_grow_and_a_token_outlives_them(pauses: list[float]) -> None:
    unavailable = imds.status(503)
    assert run(*[unavailable] * 8, imds.ok(DATA), deadline_s=60) == Run(TEXT, None, [PUT, *[GET] * 9], 1)
    assert pauses == pytest.approx([0.15, 0.3, 0.6, 1.2, 2.4, 3.0, 3.0, 3.0])


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("retry_after", "pause"),
    [
        ("3", 3.0),
        ("0", 0.15),
        ("-3", 0.15),
        ("1.5", 0.15),
        ("x", 0.15),
        ("Wed, 21 Oct 2035 07:28:00 GMT", 0.15),
        ("3600", 9.0),
    ],
)
def test_the_service_can_ask_for_a_longer_wait_but_not_past_the_last_try(
    status: int, retry_after: str, pause: float, pauses: list[float]
) -> None:
    assert run(imds.status(status, retry_after), imds.ok(DATA)) == Run(TEXT, None, [PUT, GET, GET], 1)
    assert pauses == [pytest.approx(pause, abs=0.5)]


@pytest.mark.parametrize(
    ("trouble", "text"),
    [
        pytest.param(imds.hang, late("it did not answer", PATH, "0.3"), id="hang"),
        pytest.param(imds.drip(DATA, 0.05), late("it did not answer", PATH, "0.3"), id="slow drip"),
        pytest.param(imds.status(429, "60"), late("it answered 429", AGAIN, "0.3"), id="429"),
        pytest.param(imds.status(503), late("it answered 503", AGAIN, "0.3"), id="503"),
        pytest.param(imds.reset, late("the connection was lost", AGAIN, "0.3"), id="reset"),
        pytest.param(imds.truncated, late("its answer ended early", AGAIN, "0.3"), id="truncated"),
        pytest.param(imds.garbage, late("its answer was not HTTP", PATH, "0.3"), id="garbage"),
    ],
)
def test_trouble_that_stays_ends_at_the_deadline_and_says_what_it_was(trouble: Behaviour, text: str) -> None:
    assert run(trouble, deadline_s=0.3)[:2] == (text, "ec2-imds-deadline")


def test_what_was_seen_before_a_last_silent_try_is_what_is_reported() -> None:
    assert run(imds.status(503), imds.hang, deadline_s=0.5).text == late("it answered 503", AGAIN, "0.5")


def read_from(endpoint: str, deadline_s: float) -> str:
    with pytest.raises(SourceError) as caught:
        ec2_imds.read(Request(endpoint=endpoint, deadline_s=deadline_s))
    return str(caught.value)


def test_a_service_that_is_not_there_is_an_error_and_not_absent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert read_from(f"http://127.0.0.1:{port}", 0.2) == late("it refused the connection", PATH, "0.2")


def test_a_network_that_never_comes_up_is_an_error_and_not_absent() -> None:
    # TCP to a multicast address: Linux answers ENETUNREACH, whatever the routes are.
    assert read_from("http://224.0.0.1", 0.2) == late("there is no route to it", NETWORK, "0.2")


def test_a_network_that_comes_up_is_found_in_short_steps(pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.socket.connect
    left = [OSError(101, "Network is unreachable"), OSError(113, "No route to host")] * 10

    def connect_later(sock: socket.socket, address: object) -> None:
        if left:
            raise left.pop()
        connect(sock, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", connect_later)
    assert run(imds.ok(DATA)) == Run(TEXT, None, [PUT, GET], 1)
    assert pauses == [0.05] * 20


def test_a_connection_that_the_kernel_forbids_is_final(pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "connect", forbid)
    assert read_from("http://127.0.0.1:9", 5) == error(
        "the kernel forbids connections to EC2 instance metadata",
        "look for a firewall rule or a prohibit route: `ip route get 169.254.169.254`, `nft list ruleset`",
        "/latest/api/token",
    )
    assert pauses == []


@pytest.mark.parametrize(
    "data_by",
    [
        pytest.param(imds.bomb(1 << 29), id="bomb"),
        pytest.param(imds.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"), id="length of gigabytes"),
        pytest.param(imds.raw(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(1 << 26)), id="no length and no end"),
        pytest.param(imds.raw(b"HTTP/1.1 200 OK\r\n" + bytes(1 << 26)), id="a header without an end"),
    ],
)
def test_a_process_of_its_own_stays_small_whatever_is_sent(data_by: Behaviour) -> None:
    with FakeImds(data_by) as fake:
        command = f"""
import sys
sys.path.insert(0, {str(Path(ec2_imds.__file__).parents[1])!r})
from hostkit.errors import SourceError
from providers import contract, ec2_imds
try:
    ec2_imds.read(contract.Request(endpoint={fake.endpoint!r}, deadline_s=20))
except SourceError:
    print(*(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM:')))
"""
        # Not ru_maxrss: that begins with the peak of the process that started this one.
        done = subprocess.run([sys.executable, "-I", "-c", command], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 64 * 1024


def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeImds() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.endpoint)
        assert run(imds.ok(DATA)).text == TEXT
        assert proxy.connections == 0


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    run(imds.ok(DATA))
    run(imds.status(403))
    assert capfd.readouterr() == ("", "")


def test_a_trailing_slash_of_the_endpoint_changes_nothing() -> None:
    with FakeImds(imds.ok(DATA)) as fake:
        assert ec2_imds.read(Request(endpoint=fake.endpoint + "/")) == Document("ec2-imds", TEXT)


@pytest.mark.parametrize(
    ("endpoint", "what"),
    [
        ("https://169.254.169.254", "it is not http://ADDRESS[:PORT]"),
        ("http://169.254.169.254/latest", "it is not http://ADDRESS[:PORT]"),
        ("http://169.254.169.254/?a", "it is not http://ADDRESS[:PORT]"),
        ("http://metadata.example", "it names no IP address"),
        ("http://169.254", "it names no IP address"),
        ("http://[fe80::1%eth0]", "it names no IP address"),
        ("http://user@169.254.169.254", "it holds a user name or a password"),
        ("169.254.169.254", "it does not begin with http:// or https://"),
        ("file:///etc/passwd", "it does not begin with http:// or https://"),
    ],
)
def test_an_endpoint_that_cannot_be_used_is_the_operators_error(endpoint: str, what: str) -> None:
    with pytest.raises(OperatorError) as caught:
        ec2_imds.read(Request(endpoint=endpoint))
    assert caught.value.faults[0].code == "ec2-imds-endpoint"
    assert str(caught.value) == (
        f"error: the endpoint cannot be used: {what}\n  where: {endpoint}\n"
        "  fix:   give it as http://169.254.169.254 or http://[fd00:ec2::254]"
    )


@pytest.mark.parametrize(
    ("statuses", "verdict"),
    [
        ([200], Verdict.DATA),
        ([401], Verdict.RENEW),
        ([403], Verdict.OFF),
        ([404], Verdict.ABSENT),
        ([429, 500, 502, 503, 504, 599], Verdict.RETRY),
        ([0, 201, 204, 206, 301, 302, 304, 307, 308, 400, 402, 405, 410, 428, 499, 600, 999], Verdict.FINAL),
    ],
)
def test_what_a_status_means(statuses: list[int], verdict: Verdict) -> None:
    for status in statuses:
        assert classify(status) is verdict
        never = (Verdict.RENEW, Verdict.ABSENT)
        assert classify_token(status) is (Verdict.FINAL if verdict in never else verdict)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(None, None), ("7", 7.0), ("007", 7.0), ("", None), ("²", None), ("1e3", None), ("9" * 10, None)],
)
def test_retry_after_is_read_as_seconds_or_not_at_all(value: str | None, seconds: float | None) -> None:
    assert retry_after_s(value) == seconds


@given(st.integers(1, 10_000), st.floats(0, 1), st.none() | st.floats(0, 1e9))
def test_a_wait_is_never_zero_and_never_long_unless_asked_for(
    failures: int, jitter: float, asked: float | None
) -> None:
    wait = backoff_s(failures, jitter, asked)
    assert wait >= (asked or 0.05)
    assert wait <= max(5.0, asked or 0.0)


def test_the_first_wait_and_the_longest() -> None:
    assert (backoff_s(1, 0), backoff_s(1, 1)) == (0.05, 0.25)
    assert (backoff_s(2, 0), backoff_s(2, 1)) == (0.1, 0.5)
    assert (backoff_s(50, 0), backoff_s(50, 1)) == (1.0, 5.0)


@pytest.mark.parametrize(
    ("wanted_s", "remaining_s", "pause"),
    [
        (0.2, 60.0, 0.2),
        (5.0, 5.5, 5.0),
        (120.0, 60.0, 59.0),
        (5.0, 5.0, 4.0),
        (5.0, 1.0, None),
        (0.2, 0.1, None),
        (0.2, 0.0, None),
    ],
)
def test_a_wait_leaves_time_for_a_last_try_or_is_not_begun(
    wanted_s: float, remaining_s: float, pause: float | None
) -> None:
    assert pause_s(wanted_s, remaining_s) == pause
