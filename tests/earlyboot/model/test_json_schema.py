"""The model as JSON Schema: it takes what `check` takes, and refuses what a schema can refuse."""

from __future__ import annotations

import functools
import json
import re
from typing import Any

import jsonschema_rs
import msgspec.inspect as mi
import pytest
from hypothesis import given, settings

from earlyboot.model.check import check
from earlyboot.model.custom import CustomGroup
from earlyboot.model.json_schema import (
    document_schema,
    ecma_pattern,
    group_schema,
    group_sentence,
    schema_of,
    settings_schema,
)
from earlyboot.model.settings import GROUPS
from earlyboot.model.shape import bare, group_kind, written_forms
from earlyboot.model.table import Compound
from earlyboot.model.types import InterfaceName, Scalar, SingleLineString
from tests.earlyboot.model.documents import Document, complete, mutated
from tests.earlyboot.model.tables import BAD, GOOD

OWN = CustomGroup("own", {"$ref": "#/$defs/x", "$defs": {"x": {"type": "object", "additionalProperties": False}}})


@functools.cache
def validator() -> Any:
    return jsonschema_rs.Draft202012Validator(settings_schema(None, {"own": OWN}), offline=True)


def nodes(schema: object) -> list[dict[str, Any]]:
    members = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    own = [schema] if isinstance(schema, dict) else []
    return own + [node for member in members for node in nodes(member)]


@given(mutated())
@settings(deadline=None, max_examples=200)
def test_what_check_accepts_the_schema_accepts(document: Document) -> None:
    if not check(document)[1]:
        assert validator().is_valid(document)


def test_the_complete_document_is_valid_and_so_is_its_stable_form() -> None:
    assert [error.message for error in validator().iter_errors(complete())] == []
    assert validator().is_valid(check(complete())[0])


@pytest.mark.parametrize("scalar", GOOD, ids=lambda scalar: scalar.__name__)
def test_every_good_text_of_a_scalar_matches_its_schema(scalar: type[Scalar]) -> None:
    schema = schema_of(mi.CustomType(scalar))
    assert [text for text in GOOD[scalar] if not jsonschema_rs.is_valid(schema, text)] == []


ALL_PATTERN = [
    scalar for scalar in BAD if not any("accepts" in vars(kind) for kind in scalar.__mro__ if kind is not Scalar)
]


@pytest.mark.parametrize("scalar", ALL_PATTERN, ids=lambda scalar: scalar.__name__)
def test_every_bad_text_of_a_scalar_that_is_all_pattern_is_refused(scalar: type[Scalar]) -> None:
    schema = schema_of(mi.CustomType(scalar))
    accepted = [text for text in BAD[scalar] if not any("\ud800" <= c <= "\udfff" for c in text)]
    assert [text for text in accepted if jsonschema_rs.is_valid(schema, text)] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"motd": 5},
        {"motd": None},
        {"mtod": "x"},
        {"network": {"hostname": "Upper"}},
        {"network": {"hosts": [["10.0.0.1"]]}},
        {"network": {"hosts": [["10.0.0.1", [], []]]}},
        {"network": {"no-proxy": ["a\nb"]}},
        {"ntp": {"time-servers": [{"directive": "pool"}]}},
        {"ntp": {"time-servers": [{"address": "a"}, "b"]}},
        {"kernel": {"sysctl": {"..": "1"}}},
        {"kernel": {"sysctl": {"vm.swappiness": 10}}},
        {"kernel": {"lockdown": "full"}},
        {"updates": {"seed": -1}},
        {"updates": {"seed": 2**32}},
        {"updates": {"ignore-waves": "false"}},
        {"bootstrap-commands": {"a b": {"mode": "once"}}},
        {"bootstrap-commands": {"x": {"commands": []}}},
        {"boot": {"kernel": {}, "kernel-parameters": {}}},
        {"own": {"key": 1}},
    ],
    ids=str,
)
def test_what_a_schema_can_refuse_is_refused(wrong: Document) -> None:
    assert not validator().is_valid(wrong)


def test_a_key_may_be_written_by_its_other_name() -> None:
    assert validator().is_valid({"boot": {"kernel": {"console": ["tty0"]}}, "container-registry": {"creds": []}})
    boot: Any = group_schema("boot")
    assert boot["properties"]["kernel"]["description"] == "Another name of kernel-parameters."
    assert boot["properties"]["kernel"]["deprecated"] is True


def test_the_schema_survives_its_way_through_json() -> None:
    schema = settings_schema()
    text = json.dumps(schema, allow_nan=False)
    assert text.isascii()
    assert json.loads(text) == schema


def test_the_schema_is_one_by_its_own_dialect_and_refers_to_nothing_outside() -> None:
    schema = document_schema()
    jsonschema_rs.meta.validate(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert [node for node in nodes(schema) if "$ref" in node or "$id" in node] == []


def test_a_whole_document_needs_settings_and_may_have_more() -> None:
    whole = jsonschema_rs.Draft202012Validator(document_schema(["motd"]), offline=True)
    assert whole.is_valid({"settings": {"motd": "x"}, "else": 1})
    assert not whole.is_valid({"motd": "x"})
    assert not whole.is_valid({"settings": {"dns": {}}})


def test_every_pattern_is_of_ecma_262_with_the_unicode_flag() -> None:
    found = [pattern for node in nodes(settings_schema()) if isinstance(pattern := node.get("pattern"), str)]
    found += [
        name for node in nodes(settings_schema()) if isinstance(node.get("patternProperties"), dict)
        for name in node["patternProperties"]
    ]  # fmt: skip
    assert len(found) > 40
    for pattern in found:
        assert pattern.startswith("^(?:")
        assert pattern.endswith(")$")
        # No anchors, groups, flags and quantifiers of Python's alone, and only escapes that the standard knows.
        assert re.search(r"\\[AZazC]|\(\?[^:=!<]|\(\?<[^=!]|[*+?}]\+", pattern) is None, pattern
        escapes = re.findall(r"\\(u[0-9a-f]{4}|x[0-9a-f]{2}|.)", pattern)
        assert [it for it in escapes if len(it) == 1 and it not in "dDwWsSbBnrtvf0^$\\.*+?()[]{}|/-"] == [], pattern
        assert not re.search(r"\\ud[89a-f]", pattern), pattern


def test_a_pattern_matches_the_whole_text() -> None:
    schema = {"pattern": ecma_pattern(InterfaceName.pattern)}
    assert jsonschema_rs.is_valid(schema, "eth0")
    assert not jsonschema_rs.is_valid(schema, "eth0\n")
    assert not jsonschema_rs.is_valid(schema, " eth0")
    assert ecma_pattern(rf"\A(?:{SingleLineString.pattern})\Z") == ecma_pattern(SingleLineString.pattern)
    assert jsonschema_rs.is_valid({"pattern": ecma_pattern(SingleLineString.pattern)}, "\U0001f600")


def test_every_secret_and_nothing_else_is_write_only() -> None:
    def secrets(schema: Any, path: tuple[str, ...]) -> set[str]:
        if not isinstance(schema, dict):
            return set()
        below = {path} if schema.get("writeOnly") else set()
        found = {".".join(at) for at in below}
        for name, member in {**schema.get("properties", {}), **schema.get("patternProperties", {})}.items():
            found |= secrets(member, (*path, "*" if name in schema.get("patternProperties", {}) else name))
        for member in [*schema.get("anyOf", []), schema.get("items"), *schema.get("prefixItems", [])]:
            found |= secrets(member, path)
        return found

    found = secrets(settings_schema(), ())
    assert {
        "network.https-proxy",
        "aws.config",
        "aws.credentials",
        "host-containers.*.user-data",
        "kubernetes.server-key",
        "container-registry.credentials.password",
    } <= found
    assert not {"motd", "pki.*.data", "kubernetes.server-certificate"} & found


def compounds(kind: mi.Type) -> list[type[Compound]]:
    kind = bare(kind)
    match kind:
        case mi.CustomType() if issubclass(kind.cls, Compound):
            return [kind.cls, *(found for form in written_forms(kind.cls) for found in compounds(form))]
        case mi.StructType():
            return [found for field in kind.fields for found in compounds(field.type)]
        case mi.DictType():
            return compounds(kind.value_type)
        case mi.VarTupleType():
            return compounds(kind.item_type)
        case _:
            return []


def test_every_example_is_valid() -> None:
    wrong = [
        (node["examples"], error.message)
        for node in nodes(settings_schema())
        for example in node.get("examples", ())
        for error in jsonschema_rs.iter_errors({key: value for key, value in node.items() if key != "$id"}, example)
    ]
    assert wrong == []
    found = {kind for group in GROUPS for kind in compounds(group_kind(group))}
    assert len(found) > 5


@pytest.mark.parametrize("group", GROUPS)
def test_every_group_says_what_it_is_for(group: str) -> None:
    assert re.fullmatch(r"[A-Z].{10,}\.", group_sentence(group))
    assert group_schema(group)["description"] == group_sentence(group)


def test_only_the_groups_that_are_asked_for_are_in_it() -> None:
    schema: Any = settings_schema(["dns", "motd"])
    assert list(schema["properties"]) == ["motd", "dns"]
    assert schema["additionalProperties"] is False


def test_a_schema_of_an_image_builder_keeps_its_references() -> None:
    schema: Any = settings_schema(["motd"], {"own": OWN, "flat": CustomGroup("flat", {"type": "boolean"})})
    assert schema["properties"]["own"]["$id"] == "urn:earlyboot:settings:own"
    assert schema["properties"]["flat"] == {"type": "boolean"}
    document = jsonschema_rs.Draft202012Validator(
        {"type": "object", "properties": {"settings": schema}}, offline=True
    )  # as a part of something else, at a place of its own
    assert document.is_valid({"settings": {"own": {}, "flat": True}})
    assert not document.is_valid({"settings": {"own": {"x": 1}}})
