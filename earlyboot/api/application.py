"""HTTP to calls of the service and back: routes, parameters, bodies, conditions, who may ask, refusals as problems."""

from __future__ import annotations

import json
import os
import threading
import traceback
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any
from urllib.parse import parse_qsl

from earlyboot.api import etag, query
from earlyboot.api.access import is_own, permit, permit_parameters, standing
from earlyboot.api.arrival import Admission
from earlyboot.api.contract import BODY_LIMIT_BYTES, BY_ROUTE, ENDPOINTS, PROBLEM, Endpoint
from earlyboot.api.core import Request, Tagged
from earlyboot.api.problem import Problem, bad_request, from_error
from earlyboot.api.service import Service
from earlyboot.api.writer import Peer
from earlyboot.model import plain_json
from hostkit.errors import EarlybootError, Fault, Where

PEER = "earlyboot.peer"  # where the server puts it in WSGI's environment
_WRITES = frozenset({"PATCH", "DELETE", "POST"})
_LARGE_BODY_BYTES = 64 << 10
REASONS = {
    200: "OK",
    204: "No Content",
    304: "Not Modified",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    412: "Precondition Failed",
    413: "Content Too Large",
    422: "Unprocessable Content",
    500: "Internal Server Error",
}

Headers = list[tuple[str, str]]
StartResponse = Callable[[str, Headers], object]


class Application:
    """The WSGI side. `open_service` is tried again with every request until it succeeds: a host that cannot run the
    service, such as one whose disk is read-only, says so in every answer instead of in a server that dies and is started
    without end.
    """

    def __init__(self, open_service: Callable[[], Service]) -> None:
        self._open_service = open_service
        self._service: Service | None = None
        self._opening = threading.Lock()
        self._warm = threading.Lock()
        self._large = threading.Lock()

    def close(self) -> None:
        if self._service is not None:
            self._service.close()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        try:
            return self._answered(environ, start_response)
        except Problem as problem:
            refused = problem
        except EarlybootError as error:
            refused = from_error(error)
        except Exception:  # noqa: BLE001 - a bug in one request must not take the others down; its traceback is logged
            traceback.print_exc()
            fault = Fault("bug", "earlyboot has a bug; its log has the traceback", Where(), "report it with the log")
            refused = Problem(500, fault)
        return _respond(start_response, refused.status, refused.json(), PROBLEM, refused.headers)

    def _answered(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        endpoint = _endpoint(environ["REQUEST_METHOD"], environ["PATH_INFO"] or "/")
        service = self._opened()
        peer: Peer = environ[PEER]
        sees_secrets = permit(endpoint, peer, service.core.options)
        parameters = _query(environ, endpoint)
        permit_parameters(endpoint, parameters, peer)
        query.check(parameters, endpoint)
        if_match = _condition(environ, "If-Match")
        if if_match is not None and endpoint.method in _WRITES and not endpoint.guarded:
            what = f"If-Match is not for {endpoint.method} {endpoint.path}"
            fix = "send it with PATCH or DELETE /settings, a commit or a rollback"
            raise bad_request("bad-header", what, fix)
        if_none_match = _condition(environ, "If-None-Match")
        if endpoint.method in _WRITES and self._warm.acquire(blocking=False):
            # Once, and beside the work: what was just opened will be committed and applied.
            threading.Thread(target=service.warm_up, daemon=True).start()
        is_large = endpoint.body is not None and int(environ.get("CONTENT_LENGTH") or 0) > _LARGE_BODY_BYTES
        # What is made of a large body is many times its size: one at a time.
        with self._large if is_large else nullcontext():
            body = parse_body(environ["wsgi.input"].read(BODY_LIMIT_BYTES)) if endpoint.body is not None else None
            answer = service.endpoints[endpoint.name](Request(parameters, peer, body, sees_secrets, if_match))
            del body
        headers: Headers = []
        if isinstance(answer, Tagged):
            tag, answer = answer
            tag = tag if sees_secrets else etag.redacted(tag)
            headers.append(("ETag", tag))
            if if_match is not None:
                etag.require(if_match, tag)
            if if_none_match is not None and etag.is_known(if_none_match, tag):
                return _respond(start_response, 304, None, None, headers)
        return _respond(start_response, endpoint.success, answer, "application/json", headers)

    def admits_at_once(self, peer: Peer) -> bool:
        """Whether `admission` waits for nothing: neither for the service to open nor for names to be looked up."""
        return self._service is not None and is_own(peer)

    def admission(self, peer: Peer) -> Admission:
        try:
            service = self._opened()
        except Problem as problem:
            refused = problem
            return Admission("", lambda *_: refused)
        options = service.core.options
        known = standing(peer, options)

        def refusal(method: str, path: str) -> Problem | None:
            try:
                permit(_endpoint(method, path), peer, options, known)
            except Problem as problem:
                return problem
            return None

        return Admission(os.path.dirname(service.core.paths.store), refusal)

    def _opened(self) -> Service:
        with self._opening:
            if self._service is None:
                try:
                    self._service = self._open_service()
                except EarlybootError as error:
                    # Whatever it is, it is not the client's doing.
                    raise Problem(500, *error.faults) from None
            return self._service


def _respond(
    start_response: StartResponse, status: int, answer: object, content_type: str | None, headers: Headers
) -> Iterable[bytes]:
    line = f"{status} {REASONS.get(status, 'Error')}"
    if status in (204, 304):
        start_response(line, headers)
        return []
    assert content_type is not None
    data = encoded(answer)
    start_response(line, [("Content-Type", content_type), ("Content-Length", str(len(data))), *headers])
    return [data]


def encoded(answer: object) -> bytes:
    # A lone surrogate, which only a refused name can hold, becomes the escape that JSON has for it.
    return json.dumps(answer, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def _endpoint(method: str, path: str) -> Endpoint:
    endpoint = BY_ROUTE.get((method, path))
    if endpoint is None:
        others = [other.method for other in ENDPOINTS if other.path == path]
        if others:
            fault = Fault("method", f"{method} is not for {path}", Where(), f"use {' or '.join(others)}")
            raise Problem(405, fault, headers=[("Allow", ", ".join(others))])
        known = sorted({other.path for other in ENDPOINTS})
        raise Problem(404, Fault("path", "there is nothing at this path", Where(), f"the paths are {', '.join(known)}"))
    return endpoint


def _query(environ: dict[str, Any], endpoint: Endpoint) -> dict[str, str]:
    try:
        pairs = parse_qsl(environ["QUERY_STRING"], True, True, errors="strict", max_num_fields=16)
    except (ValueError, UnicodeDecodeError):
        raise bad_request("bad-query", "the query cannot be parsed", "write it like tx=NAME&origin=TEXT") from None
    parameters = dict(pairs)
    known = {parameter.name for parameter in endpoint.parameters}
    for name in parameters:
        if name not in known:
            fix = f"it takes {', '.join(sorted(known)) or 'none'}"
            raise bad_request("unknown-parameter", f"{endpoint.path} has no parameter '{name}'", fix)
    if len(parameters) != len(pairs):
        raise bad_request("bad-query", "a parameter is given twice", "give each parameter once")
    return parameters


def _condition(environ: dict[str, Any], name: str) -> etag.Condition | None:
    header = environ.get(f"HTTP_{name.upper().replace('-', '_')}")
    return None if header is None else etag.parse(header, name)


def parse_body(data: bytes) -> object:
    """A JSON document; `Problem` for anything else, NaN, doubled keys, too many and too deep ones included."""
    try:
        return plain_json.parse(data.decode("utf-8"))
    except plain_json.TooManyError as error:
        fix = "send it in several requests with the same tx"
        raise Problem(413, Fault("too-many", f"the body {error}", Where(), fix)) from None
    except ValueError as error:
        match error:
            case plain_json.TooDeepError():
                what = f"the body {error}"
            case UnicodeDecodeError():
                what = "the body is not UTF-8"
            case _:
                what = f"the body is not JSON: {error}"
        raise bad_request("bad-json", what, "send one JSON object of settings, without the outer 'settings'") from None
