"""Groups of an image builder's own: what their schemas say, in our words, and which of their keys are secrets."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earlyboot.model.check import KeyFault, check
from earlyboot.model.custom import CustomGroup, custom_groups, gaps
from earlyboot.model.schema_keys import describes
from earlyboot.model.secrets import is_secret, redact
from tests.earlyboot.model.documents import VALUES

SECRET = "hidden value"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "minimum": 1, "maximum": 64, "multipleOf": 2, "examples": [32]},
        "ratio": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        "mode": {"enum": ["fast", "safe"]},
        "always": {"const": True},
        "name": {"type": "string", "pattern": "^[a-z]+$", "minLength": 2, "maxLength": 5, "description": "A word."},
        "address": {"type": "string", "format": "ipv4"},
        "paths": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2, "uniqueItems": True},
        "parts": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id"],
                "properties": {"id": {"type": "integer"}},
                "additionalProperties": False,
            },
        },
        "labels": {
            "type": "object",
            "propertyNames": {"pattern": "^[a-z]+$"},
            "additionalProperties": {"type": "string"},
            "minProperties": 1,
            "maxProperties": 2,
        },
        "either": {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "array", "items": {"type": "integer"}}]},
        "one": {"oneOf": [{"type": "integer"}, {"type": "number"}]},
        "token": {"type": ["string", "null"], "minLength": 8, "writeOnly": True},
        "never": False,
        "not": {"not": {"type": "string"}},
        "shared": {"$ref": "#/$defs/shared"},
    },
    "additionalProperties": False,
    "$defs": {
        "shared": {
            "type": "object",
            "properties": {"deep": {"$ref": "#/$defs/shared"}, "key": {"type": "string", "writeOnly": True}},
            "additionalProperties": False,
        }
    },
}
GROUP = CustomGroup("cache", SCHEMA)


def faults(value: object) -> list[tuple[str, str, str]]:
    return [(fault.code, fault.what, fault.fix) for fault in GROUP.whole_faults(value)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"size": "big"}, ("wrong-type", "size must be a whole number, not text", "write a whole number, without quotes")),
        ({"size": True}, ("wrong-type", "size must be a whole number, not true or false",
                          "write a whole number, without quotes")),
        ({"size": 0}, ("bad-value", "size must be at least 1", "write for example 32")),
        ({"size": 66}, ("bad-value", "size must be at most 64", "write for example 32")),
        ({"size": 3}, ("bad-value", "size must be a multiple of 2", "write for example 32")),
        ({"ratio": 0}, ("bad-value", "ratio must be more than 0", "correct it")),
        ({"ratio": 1.5}, ("bad-value", "ratio must be less than 1", "correct it")),
        ({"mode": "slow"}, ("bad-value", 'mode must be one of "fast", "safe"', "write one of these")),
        ({"always": False}, ("bad-value", "always must be true", "write that")),
        ({"name": "A-B"}, ("bad-value", "name must match the pattern ^[a-z]+$", "it is: A word.")),
        ({"name": "a"}, ("bad-value", "name must have at least 2 characters", "it is: A word.")),
        ({"name": "abcdef"}, ("bad-value", "name must have at most 5 characters", "it is: A word.")),
        ({"address": "10.0.0"}, ("bad-value", "address must be in the format ipv4", "correct it")),
        ({"paths": []}, ("bad-value", "paths must have at least 1 items", "correct it")),
        ({"paths": ["a", "b", "c"]}, ("bad-value", "paths must have at most 2 items", "correct it")),
        ({"paths": ["a", "a"]}, ("bad-value", "paths must not have the same item twice", "correct it")),
        ({"paths": ["a", 1]}, ("wrong-type", "paths[1] must be text, not a number", "write it in quotes")),
        ({"paths": {"a": 1}}, ("wrong-type", "paths must be a list, not a table", "write a list, such as [1, 2]")),
        ({"parts": [{}]}, ("missing-key", "parts[0].id is missing", "add id")),
        ({"parts": [{"id": 1, "ID": 2}]}, ("unknown-key", "parts[0].ID is not a known key", 'did you mean "id"?')),
        ({"labels": {"A": "x"}}, ("bad-value", "labels.A has a name that must match the pattern ^[a-z]+$", "rename it")),
        ({"labels": {}}, ("bad-value", "labels must have at least 1 keys", "correct it")),
        ({"labels": {"a": "", "b": "", "c": ""}}, ("bad-value", "labels must have at most 2 keys", "correct it")),
        ({"either": "long"}, ("bad-value", "either must have at most 3 characters", "correct it")),
        ({"either": [1, "x"]}, ("wrong-type", "either[1] must be a whole number, not text",
                                "write a whole number, without quotes")),
        ({"either": 1}, ("bad-value", "either must have one of the forms that its schema gives", "correct it")),
        ({"one": 1}, ("bad-value", "one must have exactly one of the forms that its schema gives", "correct it")),
        ({"token": None}, ("wrong-type", "token must not be null", "leave it out instead")),
        ({"token": "short"}, ("bad-value", "token must have at least 8 characters", "correct it")),
        ({"never": 1}, ("bad-value", "never is not allowed here", "correct it")),
        ({"not": "x"}, ("bad-value", "not is what its schema excludes", "correct it")),
        ({"shared": {"deep": {"key": 1}}}, ("wrong-type", "shared.deep.key must be text, not a number",
                                            "write it in quotes")),
        ({"ratio": math.nan}, ("bad-value", "ratio is not a finite number", "write a number with digits")),
        ({"size": 2**63}, ("bad-value", "size does not fit 64 bits", "write a smaller number")),
        ({"name": "\ud800"}, ("bad-value", "name is no Unicode text", "write it without lone surrogates")),
        ({"name": b"x"}, ("wrong-type", "name is a value of another kind, which no setting is", "write it as text")),
        ({"labels": {"a b": "x"}}, ("bad-value", 'labels."a b" has a name that no settings key can have',
                                    "use letters, digits, '-', '_', '/' and '.'")),
    ],
    ids=str,
)  # fmt: skip
def test_each_rule_of_a_schema_has_its_words(value: dict[str, object], expected: tuple[str, str, str]) -> None:
    code, what, fix = expected
    assert faults({"size": 2, **value}) == [(code, f"settings.cache.{what}", fix)]


def test_every_unexpected_key_is_a_fault_of_its_own() -> None:
    keys = f"the keys here are: {', '.join(SCHEMA['properties'])}"
    assert faults({"size": 2, "moed": 1, "https://u:p@host": 1, "zzz": 1}) == [
        ("unknown-key", "settings.cache.moed is not a known key", 'did you mean "mode"?'),
        (
            "bad-value",
            'settings.cache."…" has a name that no settings key can have',
            "use letters, digits, '-', '_', '/' and '.'",
        ),
        ("unknown-key", "settings.cache.zzz is not a known key", keys),
    ]


def test_the_faults_of_a_whole_value_come_together_and_in_the_group_s_place() -> None:
    found = GROUP.whole_faults({"mode": "slow", "paths": [1, 2]})
    assert {fault.path for fault in found} == {("cache", "mode"), ("cache", "paths", 0), ("cache", "paths", 1),
                                               ("cache", "size")}  # fmt: skip


def test_a_group_may_be_one_value() -> None:
    group = CustomGroup("flag", {"type": "boolean"})
    assert group.checked(True) is True
    assert group.faults("yes") == (
        KeyFault(
            ("flag",),
            "wrong-type",
            "settings.flag must be true or false, not text",
            "write true or false, without quotes",
        ),
    )
    assert group.faults(None)[0].what == "settings.flag must not be null"


def test_no_fault_shows_a_value() -> None:
    for key in SCHEMA["properties"]:
        for value in (SECRET, [SECRET], {"size": SECRET}, [{"id": SECRET}]):
            assert SECRET not in str(faults({"size": 2, key: value}))


def test_a_source_may_have_a_part_of_a_group_and_the_machine_must_have_the_whole() -> None:
    assert GROUP.faults({"mode": "fast"}) == ()
    assert GROUP.checked({"mode": "fast"}) == {"mode": "fast"}
    custom = {"cache": GROUP}
    assert check({"cache": {"mode": "fast"}}, (), custom) == ({"cache": {"mode": "fast"}}, ())
    [gap] = gaps({"cache": {"mode": "fast"}}, custom)
    assert gap == KeyFault(("cache", "size"), "missing-key", "settings.cache.size is missing", "add size")
    assert gaps({"cache": {"mode": "fast", "size": 2}}, custom) == ()
    assert gaps({}, custom) == ()


def test_a_group_that_only_the_profile_speaks_of_lacks_nothing() -> None:
    defaults = {"cache": {"mode": "fast"}}
    assert gaps({"cache": {"mode": "fast"}}, {"cache": GROUP}, defaults) == ()
    assert len(gaps({"cache": {"mode": "safe"}}, {"cache": GROUP}, defaults)) == 1


def test_a_table_in_a_list_is_one_value_and_must_be_whole() -> None:
    assert [fault.code for fault in GROUP.faults({"parts": [{}]})] == ["missing-key"]


def test_the_depth_is_bounded_before_the_validator_sees_it() -> None:
    value: object = 1
    for _ in range(100_000):
        value = [value]
    [fault] = GROUP.whole_faults(value)
    assert (fault.code, fault.what) == ("too-deep", "settings.cache is nested deeper than 32")


def test_a_key_that_is_too_long_is_refused() -> None:
    group = CustomGroup("open", {"type": "object"})
    [fault] = group.faults({"x" * 250: 1})
    assert fault.what.endswith("is a key of more than 255 characters")
    assert group.faults({"x" * 200: 1}) == ()


@given(VALUES)
def test_whatever_comes_there_is_an_answer_and_what_is_taken_is_storable(value: object) -> None:
    from earlyboot.model.tree import flatten, unflatten

    for group in (GROUP, CustomGroup("open", {})):
        found = group.faults(value)
        assert len({fault.path for fault in found} - {()}) <= len(found)
        if not found and isinstance(value, dict):
            stable = group.checked(value)
            assert unflatten(flatten({group.name: stable})) == ({group.name: stable} if stable else {})


_OUTSIDE = (
    "is no JSON Schema: at # Resource '{0}' is not present in a registry and retrieving it failed: "
    "Retrieval is disabled, cannot fetch {0}"
)


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (
            {"type": "objekt"},
            "is no JSON Schema: at #/type \"objekt\" is not valid under any of the schemas listed in the 'anyOf' keyword",
        ),
        (
            {"properties": {"a": {"pattern": "(("}}},
            'is no JSON Schema: at #/properties/a/pattern "((" is not a "regex"',
        ),
        ({"$ref": "#/$defs/none"}, "is no JSON Schema: at # Pointer '/$defs/none' does not exist"),
        (
            {"$ref": "http://127.0.0.1:1/x.json"},
            _OUTSIDE.format("http://127.0.0.1:1/x.json"),
        ),
        (
            {"$ref": "file:///etc/passwd"},
            _OUTSIDE.format("file:///etc/passwd"),
        ),
        (
            {"$schema": "http://json-schema.org/draft-07/schema#"},
            "is not of the dialect https://json-schema.org/draft/2020-12/schema",
        ),
        (SCHEMA, None),
        ({}, None),
    ],
    ids=["type", "pattern", "pointer", "http", "file", "dialect", "good", "empty"],
)
def test_a_schema_that_is_none_says_where(schema: dict[str, Any], reason: str | None) -> None:
    assert CustomGroup("cache", schema).broken() == reason


@pytest.mark.parametrize(
    ("path", "secret"),
    [
        ((), True),  # it holds some
        (("size",), False),
        (("token",), True),
        (("token", "x"), True),
        (("labels",), False),
        (("labels", "a"), False),
        (("shared",), True),
        (("shared", "deep"), True),
        (("shared", "deep", "deep", "key"), True),
        (("nothing",), True),  # nobody can say what it is
    ],
)
def test_a_secret_is_what_is_write_only(path: tuple[str, ...], secret: bool) -> None:
    assert GROUP.is_secret(path) is secret
    assert is_secret(".".join(("settings", "cache", *path)), {"cache": GROUP}) is secret


WRITE_ONLY = {"type": "string", "writeOnly": True}


@pytest.mark.parametrize(
    "schema",
    [
        {"writeOnly": True},
        {"properties": {"a": WRITE_ONLY}},
        {"patternProperties": {"^a": WRITE_ONLY}},
        {"patternProperties": {"\\p{L}": WRITE_ONLY}},  # a pattern that only other engines know
        {"additionalProperties": WRITE_ONLY},
        {"unevaluatedProperties": WRITE_ONLY},
        {"allOf": [{}, {"properties": {"a": WRITE_ONLY}}]},
        {"anyOf": [{"properties": {"a": {"type": "string"}}}, {"properties": {"a": WRITE_ONLY}}]},
        {"if": {}, "then": {"properties": {"a": WRITE_ONLY}}},
        {"dependentSchemas": {"b": {"properties": {"a": WRITE_ONLY}}}},
        {"properties": {"a": {"items": WRITE_ONLY}}},
        {"properties": {"a": {"prefixItems": [{}, WRITE_ONLY]}}},
        {"properties": {"a": {"items": {"properties": {"b": WRITE_ONLY}}}}},
        {"properties": {"a": {"$ref": "#/$defs/x~1y"}}, "$defs": {"x/y": WRITE_ONLY}},
        {"properties": {"a": {"$ref": "#anchor"}}, "$defs": {"x": {"$anchor": "anchor", **WRITE_ONLY}}},
        {"properties": {"a": {"$ref": "elsewhere.json"}}},
        {"$id": "urn:x", "properties": {"a": {"$id": "urn:y", "$ref": "#/$defs/s", "$defs": {"s": WRITE_ONLY}}}},
    ],
    ids=str,
)
def test_write_only_is_found_wherever_it_stands(schema: dict[str, Any]) -> None:
    assert CustomGroup("g", schema).is_secret(("a",))
    assert describes(schema, ("a",)) is not ("writeOnly" in schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"type": "string"}, "b": WRITE_ONLY}},
        {"properties": {"a": {}}, "additionalProperties": WRITE_ONLY},
        {"patternProperties": {"^a$": {}, "^b": WRITE_ONLY}},
        {"additionalProperties": True},
        {"properties": {"a": {"$ref": "#/$defs/loop"}}, "$defs": {"loop": {"items": {"$ref": "#/$defs/loop"}}}},
        {"properties": {"a": {"writeOnly": False}}},
    ],
    ids=str,
)
def test_what_is_not_write_only_is_no_secret(schema: dict[str, Any]) -> None:
    assert not CustomGroup("g", schema).is_secret(("a",))
    assert describes(schema, ("a",))


def test_only_the_secrets_of_a_group_are_redacted() -> None:
    flat = {"settings.cache.token": SECRET, "settings.cache.name": "abc", "settings.other.x": "y"}
    assert redact(flat, custom_groups({"cache": SCHEMA})) == {
        "settings.cache.token": "REDACTED",
        "settings.cache.name": "abc",
        "settings.other.x": "REDACTED",
    }


@given(st.dictionaries(st.sampled_from([*SCHEMA["properties"], "x"]), VALUES, max_size=3))
def test_check_and_the_group_agree(value: dict[str, object]) -> None:
    assert check({"cache": value}, (), {"cache": GROUP})[1] == GROUP.faults(value)
