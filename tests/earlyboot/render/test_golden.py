"""The system's own files: golden ones for each, and hostile settings that the model would never let through."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest
import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

from earlyboot.config.paths import PROFILES
from earlyboot.model.check import check
from earlyboot.model.key import parse_key
from earlyboot.model.proxy import direct_hosts
from earlyboot.model.tree import flatten, unflatten
from earlyboot.render.nested import at
from hostkit.errors import HostError
from tests.earlyboot.model.documents import complete, mutated
from tests.earlyboot.render import readers
from tests.earlyboot.render.hostile import HOSTILE
from tests.earlyboot.render.rendering import rendered, spec, stored

GOLDEN = Path(__file__).parent / "golden"
with open(os.path.join(PROFILES, "files/system.toml"), "rb") as _file:
    NAMES = sorted(tomllib.load(_file)["files"])
# These need files of the image; see their own tests.
FROM_THE_IMAGE = {"certificates", "certificate-anchors", "certificate-blocklist"}
CASES = sorted(case for case in GOLDEN.glob("*/*.toml") if case.parent.name in NAMES)
LINES = sorted(set(NAMES) - FROM_THE_IMAGE - {"motd", "bootconfig", "aws-config", "aws-credentials"})


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.stem}")
def test_a_file_is_rendered_exactly_so(case: Path) -> None:
    made = rendered(case.parent.name, stored(tomli.loads(case.read_text())))
    expected = case.with_suffix(".txt")
    assert list(made.values()) == ([expected.read_bytes()] if expected.exists() else [])


def test_every_file_has_golden_ones_and_every_golden_file_its_settings() -> None:
    assert sorted({case.parent.name for case in CASES}) == sorted(set(NAMES) - FROM_THE_IMAGE)
    made = {path.with_suffix("") for name in NAMES for path in (GOLDEN / name).glob("*.txt")}
    assert made <= {case.with_suffix("") for case in CASES}
    # Settings that make no file are rare, and a golden file that was forgotten looks the same.
    no_file = {f"{case.parent.name}/{case.stem}" for case in CASES if case.with_suffix("") not in made}
    assert no_file == {"lockdown/none", "hugepages/only-essential", "authorized-keys/none"}


def is_wanted(name: str, flat: dict[str, object]) -> bool:
    nested = unflatten(flat)
    return any(at(nested, *parse_key(key)[1:]) is not None for key in spec(name).keys)


@settings(max_examples=25)
@given(mutated())
def test_whatever_the_model_accepts_is_rendered_as_text_that_ends_with_a_line_break(
    document: dict[str, object],
) -> None:
    flat = flatten(check(document)[0] or complete())
    for name in LINES:
        if is_wanted(name, flat):
            for data in rendered(name, flat).values():
                text = data.decode()
                assert text.endswith("\n")
                assert "Undefined" not in text
                assert "None" not in text
                assert "\n\n" not in text


def with_texts(value: object, text: str) -> object:
    """The settings with one text in the place of every other."""
    if isinstance(value, dict):
        return {name: with_texts(member, text) for name, member in value.items()}
    if isinstance(value, list):
        return [with_texts(item, text) for item in value]
    return text if isinstance(value, str) else value


@pytest.mark.parametrize("name", LINES)
@settings(max_examples=25)
@given(HOSTILE.filter(bool))
def test_no_text_of_any_setting_can_begin_a_line_of_a_file(name: str, text: str) -> None:
    made, codes = attempt(name, with_texts(complete(), text))
    assert set(codes) <= {"unrenderable"}
    # What a file cannot hold at all, as an address that is none, has no lines to compare.
    expected, _ = attempt(name, with_texts(complete(), "1"))
    for path in made.keys() & expected.keys():
        assert len(made[path].decode().splitlines()) == expected[path].count(b"\n")


def attempt(name: str, document: object) -> tuple[dict[str, bytes], list[str]]:
    """What is made of settings that nobody checked, and the codes of the faults."""
    assert isinstance(document, dict)
    try:
        return rendered(name, flatten(document)), []
    except HostError as error:
        return {}, [fault.code for fault in error.faults]


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_the_message_of_the_day_is_verbatim(text: str) -> None:
    expected = text if text.endswith("\n") else f"{text}\n"
    assert rendered("motd", {"settings.motd": text}) == {"/etc/motd": expected.encode()}


def test_the_golden_proxies_come_out_of_the_reader_as_they_went_in() -> None:
    for case in GOLDEN.glob("proxy-environment/*.toml"):
        document = tomli.loads(case.read_text())
        network = document["network"]
        variables = readers.environment_file(case.with_suffix(".txt").read_text())
        proxy = network.get("https-proxy")
        assert variables.get("HTTPS_PROXY") == variables.get("https_proxy") == proxy
        without = ",".join(direct_hosts(document))
        assert variables["NO_PROXY"] == variables["no_proxy"] == without


@pytest.mark.parametrize("interface", ["*", "eth?", "[a-z]", "a=b", "a b", "a\n"])
def test_an_interface_that_sysctl_would_take_for_more_than_itself_is_refused(interface: str) -> None:
    with pytest.raises(HostError) as caught:
        rendered("ipv6", {"settings.network.disable-ipv6": ["eth0", interface]})
    assert str(caught.value) == (
        "error: ipv6 cannot be rendered: sysctl.d cannot hold a name with white space or one of * ? [ =\n"
        "  where: settings.network.disable-ipv6\n"
        "  fix:   correct the settings that feed this file"
    )


def test_a_servers_fault_names_the_file_that_it_spoils() -> None:
    with pytest.raises(HostError) as caught:
        rendered("chrony-sources", {"settings.ntp.time-servers": ["file:///x"]})
    assert str(caught.value) == (
        "error: chrony-sources cannot be rendered: a time server's URL names no host\n"
        "  where: settings.ntp.time-servers\n"
        "  fix:   correct the settings that feed this file"
    )


def test_the_keys_belong_to_the_user_that_the_profile_lets_in() -> None:
    keys: dict[str, object] = {"settings.access.authorized-keys": ["ssh-ed25519 AAAA"]}
    assert list(rendered("authorized-keys", keys, user="admin")) == ["/etc/earlyboot/authorized_keys.d/admin"]
