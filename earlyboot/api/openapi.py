"""This API as an OpenAPI 3.1 document, made from the contract that server and client are made from."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from earlyboot.api.contract import BODY_LIMIT_BYTES, ENDPOINTS, PROBLEM, VERSION, Endpoint, Parameter
from earlyboot.api.schemas import ANSWERS, BODIES, PROBLEM_SCHEMA

if TYPE_CHECKING:
    from earlyboot.model.custom import CustomGroup

Node = dict[str, Any]

# What can be said of every request: it is malformed, not for this peer, too large; the host cannot.
_EVERYWHERE = (400, 403, 413, 431, 500, 501)
_MEANINGS = {
    304: "the answer is the one that If-None-Match names",
    400: "the request cannot be understood, or the settings cannot be accepted",
    403: "the peer is no member of a group that may ask this",
    404: "what the request names is not there",
    409: "it does not fit the present state",
    412: "the settings are not in the state that If-Match names",
    413: f"the body has more than {BODY_LIMIT_BYTES:,} bytes, or the settings become too large",
    422: "there is nothing to do",
    431: "the headers are too large",
    500: "the host refused, or earlyboot has a bug",
    501: "a transfer coding that is not known",
}
_ABOUT = """\
HTTP/1.1 on a Unix socket, with JSON. Who asks is known from the socket's peer credentials. Every refusal is a problem
document (RFC 9457) with a list of faults."""


def document(groups: Collection[str] | None, custom: Mapping[str, CustomGroup]) -> Node:
    """The API with the settings of these groups of the model, all if `None`, and of the image builder's own."""
    from earlyboot.model.json_schema import settings_schema

    paths: dict[str, Node] = {}
    for endpoint in ENDPOINTS:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {"title": "earlyboot settings API", "version": VERSION, "description": _ABOUT},
        "servers": [{"url": "/", "description": "the socket /run/earlyboot/api.sock"}],
        "paths": paths,
        "components": {
            "schemas": {**BODIES, **ANSWERS, "problem": PROBLEM_SCHEMA, "settings": settings_schema(groups, custom)}
        },
    }


def _operation(endpoint: Endpoint) -> Node:
    operation: Node = {
        "operationId": endpoint.name,
        "summary": endpoint.meaning,
        "parameters": [*map(_parameter, endpoint.parameters), *_conditions(endpoint)],
        "responses": {str(status): _response(endpoint, status) for status in statuses(endpoint)},
    }
    if endpoint.body is not None:
        operation["requestBody"] = {"required": True, "content": _json(endpoint.body)}
    return operation


def statuses(endpoint: Endpoint) -> list[int]:
    """Every status that an endpoint may answer with."""
    found = {endpoint.success, *_EVERYWHERE, *endpoint.refusals}
    if endpoint.tagged:
        found |= {304, 412}
    if endpoint.guarded:
        found |= {412}
    return sorted(found)


def _response(endpoint: Endpoint, status: int) -> Node:
    tag = {"ETag": {"description": "the state of the settings", "schema": {"type": "string"}}}
    headers = {"headers": tag} if endpoint.tagged and status in (endpoint.success, 304) else {}
    if status == endpoint.success:
        content = {} if endpoint.answer is None else {"content": _json(endpoint.answer)}
        return {"description": HTTPStatus(status).phrase, **headers, **content}
    content = {} if status == 304 else {"content": {PROBLEM: {"schema": _reference("problem")}}}
    return {"description": _MEANINGS[status], **headers, **content}


def _parameter(parameter: Parameter) -> Node:
    return {
        "name": parameter.name,
        "in": "query",
        "required": parameter.required,
        "description": parameter.meaning,
        "schema": dict(parameter.schema),
    }


def _conditions(endpoint: Endpoint) -> list[Node]:
    names = (["If-Match"] if endpoint.tagged or endpoint.guarded else []) + (
        ["If-None-Match"] if endpoint.tagged else []
    )
    meaning = "tags of GET /settings or GET /, or *"
    return [{"name": name, "in": "header", "description": meaning, "schema": {"type": "string"}} for name in names]


def _json(schema: str) -> Node:
    return {"application/json": {"schema": _reference(schema)}}


def _reference(schema: str) -> Node:
    return {"$ref": f"#/components/schemas/{schema}"}
