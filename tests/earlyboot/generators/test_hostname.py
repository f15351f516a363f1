"""A name for the machine: whom it comes from, and when the image's own stays."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from earlyboot.generators import hostname as module
from earlyboot.generators.contract import Question
from earlyboot.generators.hostname import hostname
from hostkit.errors import SourceError
from providers.ec2_metadata import Metadata
from tests.earlyboot.generators.asking import question
from tests.fakes import imds
from tests.fakes.imds import Behaviour, FakeImds

LONG = "ip-10-0-0-1." + "x" * 60 + ".internal"


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], None]:
    """Gives the machine an address."""

    def give(found: str | None) -> None:
        monkeypatch.setattr(module, "primary_address", lambda paths: found)

    give("192.0.2.10")
    return give


@pytest.fixture
def getent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Puts a `getent` of the test's own first in the path; returns the file with its arguments."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def put(script: str) -> Path:
        (folder / "getent").write_text(f'#!/bin/sh\necho "$@" >> {folder}/asked\n{script}\n')
        (folder / "getent").chmod(0o755)
        return folder / "asked"

    put("exit 2")
    return put


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., str | None]:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)

    def asked(image: str | None = None, *by: Behaviour, **more: object) -> str | None:
        if image is not None:
            (root / "etc/hostname").write_text(image)
        if not by:
            return hostname(question(root, **more))  # type: ignore[arg-type]
        with FakeImds(metadata={"local-hostname": by}) as fake:
            metadata = Metadata(fake.endpoint, 10)
            try:
                return hostname(question(root, metadata=metadata, **more))  # type: ignore[arg-type]
            finally:
                metadata.close()

    return asked


Ask = Callable[..., "str | None"]
pytestmark = pytest.mark.usefixtures("address", "getent")


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("ip-10-0-0-1.eu-central-1.compute.internal", "ip-10-0-0-1.eu-central-1.compute.internal"),
        ("IP-10-0-0-1.Example.COM", "ip-10-0-0-1.example.com"),
        ("ip-10-0-0-1.example.com example.org", "ip-10-0-0-1.example.com"),
        ("ip-10-0-0-1.example.com. example.org.", "ip-10-0-0-1.example.com"),
        (LONG, "ip-10-0-0-1"),
    ],
)
def test_ec2_s_name_wins_over_the_image_s(ask: Ask, given: str, name: str) -> None:
    assert ask("image", imds.ok(given.encode())) == name


def test_a_metadata_service_that_is_broken_is_not_one_without_a_name(ask: Ask) -> None:
    with pytest.raises(SourceError) as caught:
        ask(None, imds.status(403))
    assert caught.value.faults[0].code == "ec2-imds-off"


@pytest.mark.parametrize("image", ["image", "image.example.net\n", "# a comment\n\timage\n", "ip-10-0-0-1"])
@pytest.mark.parametrize("on_ec2", [False, True])
def test_an_image_that_has_a_name_keeps_it(ask: Ask, image: str, *, on_ec2: bool) -> None:
    assert ask(image, *([imds.status(404)] if on_ec2 else [])) is None


@pytest.mark.parametrize("image", [None, "", "\n", "localhost\n", "(none)\n", "# nothing\n"])
@pytest.mark.parametrize("on_ec2", [False, True])
def test_an_image_without_one_is_called_by_its_address(ask: Ask, image: str | None, *, on_ec2: bool) -> None:
    assert ask(image, *([imds.status(404)] if on_ec2 else [])) == "192-0-2-10"


def test_the_name_that_was_made_for_another_machine_is_not_the_image_s(ask: Ask) -> None:
    before = {("network", "hostname"): "ip-10-0-0-1"}
    assert ask("ip-10-0-0-1\n", before=before) == "192-0-2-10"
    assert ask("image\n", before=before) is None


@pytest.mark.parametrize(
    ("found", "name"), [("2001:db8::10", "2001-db8--10"), ("2001:db8::", "2001-db8"), ("10.1.2.3", "10-1-2-3")]
)
def test_an_address_as_a_name(ask: Ask, address: Callable[[str | None], None], found: str, name: str) -> None:
    address(found)
    assert ask() == name


def test_a_machine_without_an_address_gets_no_name(
    ask: Ask, address: Callable[[str | None], None], getent: Callable[[str], Path]
) -> None:
    address(None)
    assert ask() is None
    assert not getent("exit 2").exists()


@pytest.mark.parametrize(
    ("printed", "name"),
    [
        ("192.0.2.10      Node-1.Example.NET", "node-1.example.net"),
        ("192.0.2.10 node-1.example.net. node-1", "node-1.example.net"),
        (f"192.0.2.10 {LONG}", "ip-10-0-0-1"),
        ("192.0.2.10 localhost", "192-0-2-10"),
        ("192.0.2.10 localhost.localdomain", "192-0-2-10"),
        (f"192.0.2.10 {os.uname().nodename}", "192-0-2-10"),
        ("192.0.2.10", "192-0-2-10"),
        ("", "192-0-2-10"),
    ],
)
def test_what_dns_calls_the_address_is_better_than_the_address(
    ask: Ask, getent: Callable[[str], Path], printed: str, name: str
) -> None:
    asked = getent(f"echo '{printed}'")
    assert ask() == name
    assert asked.read_text() == "hosts 192.0.2.10\n"


@pytest.mark.parametrize("script", ["exit 2", "echo '192.0.2.10 half'; exit 1", "kill -9 $$"])
def test_dns_that_knows_nothing_leaves_the_address(ask: Ask, getent: Callable[[str], Path], script: str) -> None:
    getent(script)
    assert ask() == "192-0-2-10"


def test_dns_that_hangs_is_left_for_the_address(
    ask: Ask, getent: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOOK_UP_S", 0.3)
    getent("sleep 1000")
    assert ask() == "192-0-2-10"


def test_an_image_without_getent_has_the_address(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert ask() == "192-0-2-10"


def test_an_offline_machine_asks_no_dns(ask: Ask, getent: Callable[[str], Path]) -> None:
    asked = getent("echo '192.0.2.10 node-1'")
    assert ask(offline=True) == "192-0-2-10"
    assert not asked.exists()


def test_the_network_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, ask: Ask) -> None:
    def never(seconds: float) -> None:
        raise AssertionError

    monkeypatch.setattr(module, "primary_address", lambda paths: None)
    monkeypatch.setattr(time, "sleep", never)
    assert ask() is None


def test_a_root_that_is_no_machine_s_has_no_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    asked: Question = question(tmp_path)
    assert hostname(asked) is None
