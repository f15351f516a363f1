"""The API's client: the endpoints of the contract as methods, refusals as errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import TracebackType
from urllib.parse import quote

from earlyboot.api.contract import BY_NAME, Endpoint
from hostkit import http
from hostkit.deadline import Deadline
from hostkit.errors import ApiError, Fault, OperatorError, Where

_ANSWER_LIMIT_BYTES = 16 << 20
_APPLY_DEADLINE_S = 240.0


class RefusedError(ApiError):
    """The API said no: its status, and for each fault the path in the settings that were sent, where it has one."""

    def __init__(self, status: int, faults: list[Fault], paths: list[tuple[str | int, ...] | None]) -> None:
        super().__init__(*faults)
        self.status = status
        self.paths = paths


class Client:
    """Asks at the API's socket, with a connection a request. `deadline_s` bounds each call; an apply, which waits for
    services, has its own."""

    def __init__(self, socket_path: str, deadline_s: float = 60.0) -> None:
        self._socket_path = socket_path
        self._deadline_s = deadline_s
        self._connection = http.Connection(
            unix_path=socket_path,
            deadline=Deadline(24 * 3600),
            limit_bytes=_ANSWER_LIMIT_BYTES,
            connect_timeout_s=deadline_s,
            try_timeout_s=_APPLY_DEADLINE_S,
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def call(self, name: str, body: object = None, *, if_match: str | None = None, **parameters: str | None) -> object:
        """Calls an endpoint of the contract. `RefusedError` where it refuses, `ApiError` where nobody answers.

        `if_match` is the tag of the state that a guarded endpoint is to find, else it refuses with status 412.
        """
        endpoint = BY_NAME[name]
        path = endpoint.path + _query(endpoint, parameters)
        deadline_s = _APPLY_DEADLINE_S if "apply" in name else self._deadline_s
        condition = {} if if_match is None else {"If-Match": if_match}
        data = None if body is None else _encode(body)
        status, answer = self.raw(endpoint.method, path, data, deadline_s=deadline_s, headers=condition)
        if status == endpoint.success:
            return json.loads(answer) if answer else None
        raise _refusal(status, answer)

    def raw(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        deadline_s: float = _APPLY_DEADLINE_S,
        headers: Mapping[str, str] = {},
    ) -> tuple[int, bytes]:
        """Status and body of the answer to any request."""
        if not (path.isascii() and path.isprintable() and method.isascii() and method.isalpha()) or " " in path:
            fix = "write a method such as GET, and a URI such as /settings?prefix=motd, percent-encoded"
            raise OperatorError(Fault("bad-request", "this method and URI make no HTTP request", Where(), fix))
        # A kept connection may be closed by a server that leaves just when the request is on its way.
        own = {"Connection": "close"} | ({"Content-Type": "application/json"} if body is not None else {})
        try:
            response = self._connection.request(method, path, {**own, **headers}, body, deadline=Deadline(deadline_s))
        except http.HttpError as error:
            raise self._unreachable(error) from None
        return response.status, response.body

    def _unreachable(self, error: http.HttpError) -> ApiError:
        where = Where(self._socket_path)
        if isinstance(error, http.DeniedError):
            fix = "run as root, or join the group earlyboot-api"
            return ApiError(Fault("api-denied", "the API's socket may not be opened", where, fix))
        fix = "start it with: systemctl start earlyboot-api.socket"
        return ApiError(Fault("api-unreachable", f"the API does not answer: {error}", where, fix))


def _encode(body: object) -> bytes:
    try:
        # As the operator wrote it: escapes would make a document larger than the limit that it kept.
        return json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        # A lone surrogate, which only JSON can hold; the model refuses it with its place.
        return json.dumps(body).encode()


def _query(endpoint: Endpoint, parameters: Mapping[str, str | None]) -> str:
    given = {name: value for name, value in parameters.items() if value is not None}
    unknown = given.keys() - {parameter.name for parameter in endpoint.parameters}
    if unknown:
        raise TypeError(f"{endpoint.name} has no parameter {unknown.pop()}")
    return "?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in given.items()) if given else ""


def _refusal(status: int, answer: bytes) -> ApiError:
    try:
        problem = json.loads(answer)
        found = [(Fault.from_json(fault), _path(fault.get("path"))) for fault in problem["faults"]]
    except (ValueError, KeyError, TypeError, AttributeError):
        found = []
    if not found:
        what = f"the API answered with status {status} and no problem document"
        found = [(Fault("api", what, Where(), "look at its log: journalctl -u earlyboot-api"), None)]
    return RefusedError(status, [fault for fault, _ in found], [path for _, path in found])


def _path(value: object) -> tuple[str | int, ...] | None:
    if isinstance(value, list) and all(isinstance(part, str | int) for part in value):
        return tuple(value)
    return None
