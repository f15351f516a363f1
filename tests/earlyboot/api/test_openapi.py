"""The served OpenAPI document: it is one, it says what the contract says, and the running server keeps to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from earlyboot.api.contract import ENDPOINTS, PROBLEM, Endpoint
from earlyboot.api.openapi import document, statuses
from earlyboot.api.schemas import ANSWERS, BODIES
from earlyboot.model.custom import CustomGroup
from earlyboot.model.json_schema import settings_schema
from tests.earlyboot.api.serving import Server
from tests.earlyboot.api.unix_http import BASE_URL, session

DOCUMENT = document(None, {})


def test_every_endpoint_of_the_contract_and_no_other_is_in_it() -> None:
    found = {
        (operation["operationId"], method.upper(), path)
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
    }
    assert found == {(endpoint.name, endpoint.method, endpoint.path) for endpoint in ENDPOINTS}
    assert DOCUMENT["openapi"] == "3.1.0"


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_an_operation_says_what_the_contract_says(endpoint: Endpoint) -> None:
    operation = DOCUMENT["paths"][endpoint.path][endpoint.method.lower()]
    queries = {one["name"]: one for one in operation["parameters"] if one["in"] == "query"}
    assert {name: (one["required"], one["description"], one["schema"]) for name, one in queries.items()} == {
        one.name: (one.required, one.meaning, one.schema) for one in endpoint.parameters
    }
    headers = {one["name"] for one in operation["parameters"] if one["in"] == "header"}
    assert headers == {
        *(["If-Match"] if endpoint.guarded or endpoint.tagged else []),
        *(["If-None-Match"] if endpoint.tagged else []),
    }
    assert ("requestBody" in operation) == (endpoint.body is not None)
    responses = operation["responses"]
    assert sorted(responses) == [str(status) for status in statuses(endpoint)]
    assert ("content" in responses[str(endpoint.success)]) == (endpoint.answer is not None)
    for status, response in responses.items():
        if int(status) >= 400:
            assert response["content"] == {PROBLEM: {"schema": {"$ref": "#/components/schemas/problem"}}}
        has_tag = endpoint.tagged and int(status) in (endpoint.success, 304)
        assert ("ETag" in response.get("headers", {})) == has_tag


def references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        for name, member in node.items():
            if name == "$ref" and isinstance(member, str):
                yield member
            yield from references(member)
    elif isinstance(node, list):
        for item in node:
            yield from references(item)


def test_its_schemas_are_schemas_and_every_reference_leads_somewhere() -> None:
    known = DOCUMENT["components"]["schemas"]
    for schema in known.values():
        assert jsonschema_rs.meta.is_valid(schema)
    beginning = "#/components/schemas/"
    used = {reference.removeprefix(beginning) for reference in references(DOCUMENT) if reference.startswith(beginning)}
    assert used == set(known)
    assert {*ANSWERS, *BODIES, "settings", "problem"} == set(known)


def test_its_settings_are_those_of_the_model_and_of_the_image_builder() -> None:
    own = {"own": CustomGroup("own", {"type": "object", "properties": {"a": {"type": "integer"}}})}
    made = document(frozenset({"motd", "ntp"}), own)
    schema = made["components"]["schemas"]["settings"]
    assert schema == settings_schema(frozenset({"motd", "ntp"}), own)
    assert set(schema["properties"]) == {"motd", "ntp", "own"}


# ---- the running server, driven from its own document

CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, requests.Session]]:
    """What the server says about itself, and the way to ask it."""
    with Server(tmp_path_factory.mktemp("served") / "root") as server:
        server.call("patch_settings", {"motd": "x", "network": {"hostname": "a"}})
        server.call("commit_and_apply")
        server.call("patch_settings", {"motd": "y"}, tx="pending")
        with session(server.socket) as asking:
            made = json.loads(asking.get(f"{BASE_URL}/openapi.json").content)
            schema = schemathesis.openapi.from_dict(made)
            schema.config.update(base_url=BASE_URL)
            yield schema, asking


CASES = [
    (endpoint, mode)
    for endpoint in ENDPOINTS
    for mode in GenerationMode
    # What takes nothing cannot be given something wrong.
    if mode.is_positive or endpoint.parameters or endpoint.body
]


@pytest.mark.parametrize(("endpoint", "mode"), CASES, ids=[f"{one.name}-{mode.value}" for one, mode in CASES])
def test_the_server_answers_as_its_own_document_says(
    served: tuple[Any, requests.Session], endpoint: Endpoint, mode: GenerationMode
) -> None:
    schema, asking = served
    operation = schema[endpoint.path][endpoint.method]

    @settings(
        max_examples=35,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def drive(case: Any) -> None:
        response = case.call(session=asking)
        case.validate_response(response, checks=CHECKS)

    drive()
