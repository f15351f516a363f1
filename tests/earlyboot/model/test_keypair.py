"""Settings as KEY=VALUE texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earlyboot.model import plain_json
from earlyboot.model.custom import custom_groups
from earlyboot.model.keypair import settings_of, typed
from hostkit.errors import OperatorError

CUSTOM = custom_groups(
    {
        "own": {
            "type": "object",
            "properties": {"text": {"type": "string"}, "number": {"type": "number"}, "any": {}},
            "required": ["text"],
        }
    }
)


@pytest.mark.parametrize(
    ("pair", "settings"),
    [
        ("motd=hello", {"motd": "hello"}),
        ("settings.motd=hello", {"motd": "hello"}),
        ("motd=", {"motd": ""}),
        ("motd=a=b", {"motd": "a=b"}),
        # Text stays text, whatever it looks like.
        ("motd=5", {"motd": "5"}),
        ("motd=true", {"motd": "true"}),
        ('motd="quoted"', {"motd": '"quoted"'}),
        ("motd=[1]", {"motd": "[1]"}),
        ("network.hostname=10", {"network": {"hostname": "10"}}),
        ('kernel.sysctl."a.b"=1', {"kernel": {"sysctl": {"a.b": "1"}}}),
        ("updates.seed=5", {"updates": {"seed": 5}}),
        ("kernel.modules.m.allowed=false", {"kernel": {"modules": {"m": {"allowed": False}}}}),
        ('network.no-proxy=["a"]', {"network": {"no-proxy": ["a"]}}),
        ('network={"hostname": "a"}', {"network": {"hostname": "a"}}),
        ("own.text=5", {"own": {"text": "5"}}),
        ("own.number=5", {"own": {"number": 5}}),
        ("own.number=5.5", {"own": {"number": 5.5}}),
        ("own.any=5", {"own": {"any": "5"}}),
        # What fits in no way is as it is in JSON, else as it is.
        ("updates.seed=five", {"updates": {"seed": "five"}}),
        ("updates.seed=5.5", {"updates": {"seed": 5.5}}),
        ("updates.seed=NaN", {"updates": {"seed": "NaN"}}),
        ("updates.version-lock=1", {"updates": {"version-lock": "1"}}),
        ("kernel.lockdown=5", {"kernel": {"lockdown": "5"}}),
        ("no.such=5", {"no": {"such": "5"}}),
    ],
)
def test_a_value_gets_the_type_that_its_setting_has(pair: str, settings: dict[str, object]) -> None:
    made = settings_of([pair], None, CUSTOM)
    assert made == settings
    assert repr(made) == repr(settings)  # 1 is not True


def test_pairs_make_one_document_and_a_later_one_wins() -> None:
    assert settings_of(["motd=a", "network.hostname=b", "network.no-proxy=[]", "motd=c"]) == {
        "motd": "c",
        "network": {"hostname": "b", "no-proxy": []},
    }


def test_all_that_is_wrong_with_pairs_is_told_without_a_value() -> None:
    with pytest.raises(OperatorError) as caught:
        settings_of(["s3cr3t", "=s3cr3t", "a b=s3cr3t", "motd=x", "motd.a=s3cr3t", "dns.x=1", "dns=s3cr3t"])
    assert str(caught.value) == (
        "error: argument 1 is no KEY=VALUE\n"
        "  fix:   write motd=hello\n"
        "error: the key '' has an empty segment\n"
        "  fix:   write it like ntp.time-servers\n"
        "error: the key 'a b' has ' '; letters, digits, '_', '-' and '/' are allowed, '.' in quotes\n"
        "  fix:   write it like ntp.time-servers\n"
        "error: 'motd.a' lies below a key that has a value\n"
        "  fix:   give one\n"
        "error: 'dns' lies above a key that has a value\n"
        "  fix:   give one"
    )


@given(st.text())
def test_any_text_can_be_the_text_of_a_setting(text: str) -> None:
    assert typed(("motd",), text) == text


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_plain_json_is_read_as_it_was_written(value: object) -> None:
    import json

    assert plain_json.parse(json.dumps(value)) == value


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "1e999", "-1e999", '{"a": 1, "a": 1}', "", "1 2", "{'a': 1}"])
def test_what_is_no_plain_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        plain_json.parse(text)
