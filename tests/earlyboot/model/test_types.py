"""Every scalar: what it accepts, what it refuses, and that a secret stays one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earlyboot.model import types
from earlyboot.model.types import Scalar, SecretScalar

SCALARS = [
    kind for kind in vars(types).values() if isinstance(kind, type) and issubclass(kind, Scalar) and kind != Scalar
]
SECRETS = [types.SecretUrl, types.SecretBase64]

GOOD: dict[type[Scalar], tuple[str, ...]] = {
    types.SingleLineString: ("", "a b", "é", "with\ttab", "x" * 10_000),
    types.MultiLineText: ("", "two\nlines\r\n", "\x1b[31mred\x1b[0m"),
    types.Argument: ("", "-c", "set -e\necho hello\n"),
    types.ValidBase64: ("", "aGVsbG8=", "AA==", "+/+/"),
    types.PemCertificate: ("", " \n"),
    types.TimeServerAddress: ("169.254.169.123", "2.amazon.pool.ntp.org", "[::1]", "https://time.example"),
    types.ChronyOption: ("iburst", "minpoll 4", "minpoll 4 maxpoll 10", "offset -0.001"),
    types.ChronyLog: ("tracking", "refclocks"),
    types.OciImageRef: ("public.ecr.aws/x/y:v1@sha256:00", "localhost:5000/a"),
    types.ValidLinuxHostname: ("a", "0", "a-", "a.b", "node-1.example.com", "a" * 63, ".".join(["a" * 62] * 4)),
    types.Identifier: ("a", "0", "A-b-9", "-", "a" * 76),
    types.InterfaceName: ("eth0", "a" * 15, "en-p1_s0", "br@x"),
    types.FriendlyVersion: ("latest", "1.2.3", "v1.2.3", "0.0.0-rc.1+build.5", "1.2.3-0a", "1.2.3--"),
    types.SysctlKey: ("net.ipv4.ip_forward", "net/ipv4/conf/eth0.5/forwarding", "a", "a" * 128, "-", "a."),
    types.SysctlValue: ("", "1", "4096\t87380\t6291456"),
    types.KmodKey: ("a", "br_netfilter", "x-y", "a" * 56),
    types.IpAddr: ("1.2.3.4", "::", "::1", "2001:db8::1"),
}

BAD: dict[type[Scalar], tuple[str, ...]] = {
    types.SingleLineString: ("a\n", "\r", "\v", "\f", "\x85", "\u2028", "\u2029", "\x00", "\x1b", "\x7f", "\ud800"),
    types.MultiLineText: ("\x00", "\ud800"),
    types.Argument: ("a\x00b", "\udfff"),
    types.ValidBase64: (
        "a",
        "aGVsbG8",
        "aGVsbG8=\n",
        "aGVs bG8=",
        "QR==",
        "-_-_",
        "=",
        "AA==AA==",
        "AA===",
        "é",
        "\ud800",
    ),
    types.PemCertificate: ("zz", "aGVsbG8=", "-----BEGIN CERTIFICATE-----"),
    types.TimeServerAddress: ("", "a b", "http://", "a\n"),
    types.ChronyOption: ("", " ", "a  b", " a", "a ", "a\n", "a\nserver b", "a\tb", "é"),
    types.ChronyLog: ("", "Tracking", "a b", "a\n", "a1"),
    types.OciImageRef: ("", "a b", "é", "a\n", "a\x7f", "\t"),
    types.ValidLinuxHostname: ("", "A", "-a", ".a", "a.", "a..b", "a.-b", "a_b", "a" * 64, "a\n", "a.b" * 90, "٣", "é"),
    types.Identifier: ("", "a_b", "a.b", "a b", "é", "a\n", "a" * 77, "٣"),
    types.InterfaceName: ("", "a" * 16, "a b", "a.b", "a/b", "a:b", "a\n", "é", "\x7f"),
    types.FriendlyVersion: (
        *("", "latest ", "latest\n", "Latest", "v1", "vv1.0.0", "1.2", "1.2.3.4"),
        *("01.2.3", "1.2.3-01", "1.2.3-", "1.2.3+", "1.2.3\n", "1.2.٣"),
    ),
    types.SysctlKey: ("", ".a", "/a", "a..b", "a b", "a" * 129, "a\n", "é", "a;b"),
    types.SysctlValue: ("1\n", "1\x00", "\u2028"),
    types.KmodKey: ("", "a.b", "a b", "a" * 57, "a\n", "é"),
    types.IpAddr: (
        "",
        "1.2.3",
        "1.2.3.4\n",
        "01.2.3.4",
        "1.2.3.256",
        "fe80::1%eth0",
        "[::1]",
        "1.2.3.4/8",
        "١.2.3.4",
        "::g",
    ),
}


def cases(table: dict[type[Scalar], tuple[str, ...]]) -> list[tuple[type[Scalar], str]]:
    return [(kind, text) for kind, texts in table.items() for text in texts]


def test_every_scalar_is_in_the_tables() -> None:
    assert set(SCALARS) - {types.Url} == set(GOOD) == set(BAD)


@pytest.mark.parametrize(("kind", "text"), cases(GOOD))
def test_good_text_is_stored_as_it_is(kind: type[Scalar], text: str) -> None:
    made = kind(text)
    assert (made, type(made)) == (text, kind)


@pytest.mark.parametrize(("kind", "text"), cases(BAD))
def test_bad_text_is_refused_by_its_rule_and_not_shown(kind: type[Scalar], text: str) -> None:
    with pytest.raises(ValueError) as caught:
        kind(text)
    assert str(caught.value) == f"must be {kind.rule}"


@pytest.mark.parametrize("kind", SCALARS)
def test_the_example_keeps_the_rule(kind: type[Scalar]) -> None:
    assert kind(kind.example) == kind.example
    assert kind.example or kind.how


@given(st.text(), st.sampled_from(SCALARS))
def test_a_scalar_accepts_what_it_once_gave(text: str, kind: type[Scalar]) -> None:
    if kind.accepts(text):
        assert kind(kind(text)) == kind(text)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("0:0:0:0:0:0:0:0", "::"),
        ("1:0:0:2:0:0:0:3", "1:0:0:2::3"),
        ("::ffff:1.2.3.4", "::ffff:1.2.3.4"),
        ("::ffff:102:304", "::ffff:1.2.3.4"),
    ],
)
def test_an_ipv6_address_is_printed_in_its_canonical_form(text: str, canonical: str) -> None:
    assert types.IpAddr(text) == canonical


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_is_shown_only_on_request(kind: type[SecretScalar]) -> None:
    text = "aGlkZGVu"
    secret = kind(text)
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        format(secret, ">20"),
        repr([secret]),
    ]
    assert set(shown) == {"REDACTED", "[REDACTED]"}
    assert secret.reveal() == text
    assert secret == kind(text)
    assert hash(secret) == hash(kind(text))
    assert secret != text
    with pytest.raises(TypeError):
        json.dumps(secret)
    with pytest.raises(TypeError):
        "".join([secret])  # type: ignore[list-item]


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_keeps_the_rule_of_its_plain_kind(kind: type[SecretScalar]) -> None:
    with pytest.raises(ValueError) as caught:
        kind("a b !")
    assert str(caught.value) == f"must be {kind.plain.rule}"
    assert kind.secret
    assert not kind.plain.secret
