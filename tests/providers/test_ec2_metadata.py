"""Short texts of the EC2 instance metadata, from a service that does everything a real one does, and worse."""

from __future__ import annotations

import threading
import time

import pytest

from hostkit.errors import OperatorError, SourceError
from providers import ec2_session
from providers.ec2_metadata import Metadata
from tests.fakes import imds
from tests.fakes.imds import Behaviour, FakeImds

PUT, GET = "PUT /latest/api/token", "GET /latest/meta-data/placement/region"
PATH = "placement/region"
REGION = imds.ok(b"eu-central-1")


def ask(*by: Behaviour, deadline_s: float = 10) -> tuple[str | None, list[str], int]:
    with FakeImds(metadata={PATH: by}) as fake:
        metadata = Metadata(fake.endpoint, deadline_s)
        try:
            text = metadata.text(PATH)
        except SourceError as error:
            text = error.faults[0].code
        finally:
            metadata.close()
        return text, fake.asked, fake.connections


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


@pytest.mark.parametrize(
    ("by", "text"),
    [
        pytest.param(REGION, "eu-central-1", id="ok"),
        pytest.param(imds.ok(b" eu-central-1 \r\n"), "eu-central-1", id="white space around"),
        pytest.param(imds.ok("ä\nß".encode()), "ä\nß", id="several lines of UTF-8"),
        pytest.param(imds.ok(b"x" * 16384), "x" * 16384, id="exactly the limit"),
        pytest.param(imds.ok(b""), None, id="empty"),
        pytest.param(imds.ok(b"\n \n"), None, id="white space"),
        pytest.param(imds.status(404, body=b"<html>"), None, id="absent"),
        pytest.param(imds.ok(b"x" * 16385), "ec2-metadata-unusable", id="too large"),
        pytest.param(imds.ok(b"\xff"), "ec2-metadata-unusable", id="not UTF-8"),
        pytest.param(imds.ok(b"a\x1b[2J"), "ec2-metadata-unusable", id="control characters"),
        pytest.param(imds.compressed(b"eu-central-1"), "ec2-metadata-unusable", id="gzip"),
        pytest.param(imds.bomb(1 << 26), "ec2-metadata-unusable", id="gzip bomb"),
        pytest.param(imds.redirect("http://evil.example/"), "ec2-imds-unexpected", id="redirect"),
        pytest.param(imds.status(403), "ec2-imds-off", id="403"),
    ],
)
def test_an_answer_takes_two_requests_on_one_connection(by: Behaviour, text: str | None) -> None:
    assert ask(by) == (text, [PUT, GET], 1)


@pytest.mark.parametrize(
    ("trouble", "connections"),
    [
        pytest.param(imds.status(429), 1, id="429"),
        pytest.param(imds.status(503, "0"), 1, id="503"),
        pytest.param(imds.reset, 2, id="reset"),
        pytest.param(imds.drop, 2, id="closed without a word"),
        pytest.param(imds.truncated, 2, id="truncated body"),
        pytest.param(imds.garbage, 2, id="garbage"),
    ],
)
@pytest.mark.usefixtures("impatient")
def test_trouble_that_passes_is_tried_again_with_the_same_token(trouble: Behaviour, connections: int) -> None:
    assert ask(trouble, REGION) == ("eu-central-1", [PUT, GET, GET], connections)


def test_a_token_that_expires_midway_is_renewed_once() -> None:
    assert ask(imds.expired, REGION) == ("eu-central-1", [PUT, GET, PUT, GET], 1)
    assert ask(imds.expired) == ("ec2-imds-token-refused", [PUT, GET, PUT, GET], 1)


@pytest.mark.parametrize(
    "trouble", [imds.hang, imds.drip(b"eu-central-1", 0.05), imds.status(503, "60")], ids=["hang", "slow drip", "503"]
)
def test_trouble_that_stays_ends_at_the_deadline(trouble: Behaviour) -> None:
    assert ask(trouble, deadline_s=0.3)[0] == "ec2-imds-deadline"


def test_all_paths_share_a_token_and_a_connection() -> None:
    with FakeImds(metadata={"a": "1", "b": "2"}) as fake:
        metadata = Metadata(fake.endpoint, 10)
        assert [metadata.text(path) for path in ("a", "b", "c", "a")] == ["1", "2", None, "1"]
        metadata.close()
        assert fake.asked == [PUT, *(f"GET /latest/meta-data/{path}" for path in "abca")]
        assert fake.connections == 1


def test_threads_that_ask_at_the_same_time_wait_for_each_other() -> None:
    paths = [f"path{number}" for number in range(8)]
    found: dict[str, str | None] = {}
    with FakeImds(metadata={path: path.upper() for path in paths}) as fake:
        metadata = Metadata(fake.endpoint, 10)

        def read(path: str) -> None:
            found[path] = metadata.text(path)

        threads = [threading.Thread(target=read, args=(path,)) for path in paths]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        metadata.close()
        assert found == {path: path.upper() for path in paths}
        assert (fake.asked[0], len(fake.asked), fake.connections) == (PUT, 9, 1)


@pytest.mark.parametrize(
    ("tokens_by", "data_by", "code", "requests"),
    [
        pytest.param((imds.status(403),), (REGION,), "ec2-imds-off", 1, id="no token"),
        pytest.param((imds.ok(b""),), (REGION,), "ec2-imds-token-invalid", 1, id="an empty token"),
        pytest.param((), (imds.status(403),), "ec2-imds-off", 2, id="switched off"),
        pytest.param((), (imds.expired,), "ec2-imds-token-refused", 4, id="401 for ever"),
    ],
)
def test_after_an_end_that_concerns_every_path_nothing_is_sent(
    tokens_by: tuple[Behaviour, ...], data_by: tuple[Behaviour, ...], code: str, requests: int
) -> None:
    with FakeImds(tokens_by=tokens_by, metadata={PATH: data_by, "other": "x"}) as fake:
        metadata = Metadata(fake.endpoint, 10)
        for path in (PATH, "other", "third"):
            with pytest.raises(SourceError) as caught:
                metadata.text(path)
            assert caught.value.faults[0].code == code
        metadata.close()
        assert len(fake.asked) == requests


def test_a_fault_of_one_path_is_not_one_of_the_others() -> None:
    with FakeImds(metadata={PATH: (imds.status(400),), "large": "x" * 20_000, "other": "x"}) as fake:
        metadata = Metadata(fake.endpoint, 10)
        for path in (PATH, "large"):
            with pytest.raises(SourceError):
                metadata.text(path)
        assert metadata.text("other") == "x"
        metadata.close()


def test_the_deadline_is_for_all_together_and_counts_from_the_first_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ec2_session, "_TRY_TIMEOUT_S", 0.1)
    with FakeImds(metadata={PATH: (imds.hang,)}) as fake:
        metadata = Metadata(fake.endpoint, 0.3)
        with pytest.raises(SourceError) as caught:
            metadata.text(PATH)
        what = "EC2 instance metadata gave no answer within 0.3 s: it did not answer"
        fix = (
            "see that metadata is enabled for the instance, and that no firewall, route or proxy takes 169.254.169.254"
        )
        assert str(caught.value) == f"error: {what}\n  where: ec2-imds /latest/meta-data/{PATH}\n  fix:   {fix}"
        asked = len(fake.asked)
        with pytest.raises(SourceError) as caught:
            metadata.text("other")
        assert caught.value.faults[0].what == what
        assert len(fake.asked) == asked
        metadata.close()


def test_what_is_no_text_is_said_without_a_word_of_it() -> None:
    with FakeImds(metadata={PATH: (imds.ok(b"top-secret\0"),)}) as fake:
        metadata = Metadata(fake.endpoint, 10)
        with pytest.raises(SourceError) as caught:
            metadata.text(PATH)
        metadata.close()
    assert str(caught.value) == (
        "error: what EC2 instance metadata gave holds control characters\n"
        f"  where: ec2-imds /latest/meta-data/{PATH}\n"
        "  fix:   see that no proxy or other program answers for 169.254.169.254"
    )


def test_an_endpoint_that_cannot_be_used_is_the_operators_error() -> None:
    metadata = Metadata("http://metadata.example", 10)
    with pytest.raises(OperatorError):
        metadata.text(PATH)
    metadata.close()
