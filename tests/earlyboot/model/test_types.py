"""Every scalar: what it accepts, what it refuses, and that a secret stays one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earlyboot.model import types
from earlyboot.model.settings import GROUPS, group_type
from earlyboot.model.types import Scalar, SecretScalar
from tests.earlyboot.model.tables import BAD, GOOD

for _group in GROUPS:
    group_type(_group)


def below(kind: type) -> list[type]:
    """All subclasses that the model defines."""
    subclasses: list[type] = kind.__subclasses__()
    direct = [each for each in subclasses if each.__module__.startswith("earlyboot.")]
    return [found for each in direct for found in (each, *below(each))]


SCALARS: list[type[Scalar]] = below(Scalar)
SECRETS: list[type[SecretScalar]] = below(SecretScalar)


def cases(table: dict[type[Scalar], tuple[str, ...]]) -> list[tuple[type[Scalar], str]]:
    return [(kind, text) for kind, texts in table.items() for text in texts]


def test_every_scalar_is_in_the_tables() -> None:
    assert set(SCALARS) - {types.UrlWithUser, types.Url} == set(GOOD) == set(BAD)


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
    text = kind.example
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
        kind("a b !\n")
    assert str(caught.value) == f"must be {kind.plain.rule}"
    assert kind.secret
    assert not kind.plain.secret
