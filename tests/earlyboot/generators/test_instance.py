"""The region and the public keys of an EC2 instance."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from earlyboot.generators.contract import Make
from earlyboot.generators.instance import access_keys, hostname_override, region
from hostkit.errors import SourceError
from providers.ec2_metadata import Metadata
from tests.earlyboot.generators.asking import question
from tests.fakes import imds
from tests.fakes.imds import FakeImds

LIST = "public-keys/"
FIX = "\n  fix:   see that no proxy or other program answers for 169.254.169.254"


def ask(
    make: Make, metadata: dict[str, str], *, requests: int | None = None, given: dict[str, object] | None = None
) -> object:
    with FakeImds(metadata=metadata) as fake:
        asked = Metadata(fake.endpoint, 10)
        try:
            return make(question("/nonexistent", metadata=asked, given=given))
        finally:
            asked.close()
            assert requests in (None, len(fake.requests))


def fault(make: Make, metadata: dict[str, str]) -> str:
    with pytest.raises(SourceError) as caught:
        ask(make, metadata)
    return str(caught.value)


@pytest.mark.parametrize("text", ["eu-central-1", "us-gov-west-1", "us-isob-east-1", "eusc-de-east-1\n"])
def test_the_region(text: str) -> None:
    assert ask(region, {"placement/region": text}, requests=2) == text.strip()


def test_no_region_is_none() -> None:
    assert ask(region, {}, requests=2) is None


@pytest.mark.parametrize(
    "text", ["<html>", "eu central", "EU-CENTRAL-1", "eu-central-1\neu-west-1", "-", "a", "a-" * 40 + "b"]
)
def test_what_is_no_region_is_refused(text: str) -> None:
    assert fault(region, {"placement/region": text}) == (
        "error: what EC2 instance metadata gave as the region is not one\n"
        f"  where: ec2-imds /latest/meta-data/placement/region{FIX}"
    )


def override(source: str, metadata: dict[str, str]) -> object:
    given: dict[str, object] = {"kubernetes": {"hostname-override-source": source}}
    return ask(hostname_override, metadata, requests=2, given=given)


NAMES = {"local-hostname": "IP-10-0-0-1.Ec2.internal. other.example\n", "instance-id": "i-0123456789abcdef0\n"}


def test_a_node_is_named_by_what_its_settings_ask_for() -> None:
    assert override("private-dns-name", NAMES) == "ip-10-0-0-1.ec2.internal"
    assert override("instance-id", NAMES) == "i-0123456789abcdef0"


@pytest.mark.parametrize("source", ["private-dns-name", "instance-id"])
def test_what_the_instance_has_not_names_no_node(source: str) -> None:
    assert override(source, {}) is None


@pytest.mark.parametrize("text", ["<html>", "i-", "i-012g", "I-0123", "i-0123 i-4567", f"i-{'0' * 33}"])
def test_what_is_no_instance_id_is_refused(text: str) -> None:
    with pytest.raises(SourceError) as caught:
        override("instance-id", {"instance-id": text})
    assert str(caught.value) == (
        "error: what EC2 instance metadata gave as the instance's ID is not one\n"
        f"  where: ec2-imds /latest/meta-data/instance-id{FIX}"
    )


def keys(*texts: str) -> dict[str, str]:
    found = {f"{LIST}{number}/openssh-key": text for number, text in enumerate(texts)}
    return {LIST: "\n".join(f"{number}=key {number}" for number in range(len(texts))), **found}


def test_no_key_pair_is_no_value() -> None:
    assert ask(access_keys, {}, requests=2) is None
    assert ask(access_keys, {LIST: "\n"}, requests=2) is None


def test_each_key_is_a_request_and_is_there_once_in_the_order_of_the_list() -> None:
    listed = keys("ssh-ed25519 B b\n", "ssh-rsa A a\r\nssh-rsa C\n\n", "ssh-ed25519 B b")
    assert ask(access_keys, listed, requests=5) == ["ssh-ed25519 B b", "ssh-rsa A a", "ssh-rsa C"]


def test_a_key_that_is_listed_and_not_there_is_left_out() -> None:
    assert ask(access_keys, {LIST: "0=a\n1", f"{LIST}1/openssh-key": "ssh-rsa A"}, requests=4) == ["ssh-rsa A"]
    assert ask(access_keys, {LIST: "0=a"}, requests=3) is None


def test_so_many_keys_are_read_and_no_more() -> None:
    assert ask(access_keys, keys(*(f"ssh-rsa {number}" for number in range(32))), requests=34) == [
        f"ssh-rsa {number}" for number in range(32)
    ]
    assert fault(access_keys, keys(*(f"ssh-rsa {number}" for number in range(33)))) == (
        "error: EC2 instance metadata lists more than 32 public keys\n"
        f"  where: ec2-imds /latest/meta-data/public-keys/{FIX}"
    )


@pytest.mark.parametrize(
    "text", ["<html>", "../../user-data", "0/openssh-key=x", "x=0", "-1=a", "99999=a", "0=a\n\n1=b"]
)
def test_a_list_that_is_none_is_refused_before_a_key_is_asked_for(text: str) -> None:
    assert fault(access_keys, {LIST: text, f"{LIST}0/openssh-key": "ssh-rsa A"}) == (
        "error: what EC2 instance metadata gave as the list of public keys is not one\n"
        f"  where: ec2-imds /latest/meta-data/public-keys/{FIX}"
    )


@pytest.mark.parametrize("make", [region, access_keys])
def test_a_service_that_is_switched_off_is_a_fault(make: Callable[..., object]) -> None:
    with FakeImds(tokens_by=(imds.status(403),)) as fake:
        asked = Metadata(fake.endpoint, 10)
        with pytest.raises(SourceError):
            make(question("/nonexistent", metadata=asked))
        asked.close()
