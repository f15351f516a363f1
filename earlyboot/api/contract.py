"""The API, as one table: what the server answers and what the client asks.

HTTP on a Unix socket. Bodies are JSON; every error is `application/problem+json` (RFC 9457) with a list of faults.
"""

from __future__ import annotations

from typing import NamedTuple

BODY_LIMIT_BYTES = 2 << 20
PROBLEM = "application/problem+json"
DEFAULT_TX = "default"
# What a first boot's transaction is called, with a number of its own behind it.
LAUNCH_TX = "earlyboot-launch"


class Parameter(NamedTuple):
    """A query parameter."""

    name: str
    meaning: str
    required: bool = False


class Endpoint(NamedTuple):
    """One method on one path. `success` is the status of the answer that is no error; 204 has no body."""

    name: str
    method: str
    path: str
    success: int
    meaning: str
    parameters: tuple[Parameter, ...] = ()
    has_body: bool = False


_TX = Parameter("tx", f"the transaction, '{DEFAULT_TX}' if not given")
_PREFIX = Parameter("prefix", "only keys whose text begins so")
_KEYS = Parameter("keys", "comma-separated keys; one that is not set is left out")

ENDPOINTS = (
    Endpoint("get_all", "GET", "/", 200, "settings, services, configuration files and os-release", (_PREFIX,)),
    Endpoint("get_settings", "GET", "/settings", 200, "live settings, defaults layered in", (_KEYS, _PREFIX)),
    Endpoint(
        "patch_settings",
        "PATCH",
        "/settings",
        204,
        "checks settings and adds them to a transaction",
        (_TX, Parameter("origin", "where the settings come from, kept with each value")),
        has_body=True,
    ),
    Endpoint("get_tx", "GET", "/tx", 200, "the settings of a pending transaction", (_TX,)),
    Endpoint("delete_tx", "DELETE", "/tx", 200, "drops a pending transaction; the keys it had", (_TX,)),
    Endpoint("list_tx", "GET", "/tx/list", 200, "the names of the pending transactions"),
    Endpoint(
        "commit_tx",
        "POST",
        "/tx/commit",
        200,
        "makes a transaction live at once; the keys whose values changed",
        (
            _TX,
            Parameter("identity", "the machine whose first boot this commit is"),
            Parameter("replace", "'true': settings that the transaction does not name go away"),
            Parameter("empty", "'true': it is no error that nothing is pending"),
        ),
    ),
    Endpoint("apply", "POST", "/tx/apply", 200, "renders and writes files, tells services; what happened to each"),
    Endpoint("commit_and_apply", "POST", "/tx/commit_and_apply", 200, "both; the keys whose values changed", (_TX,)),
    Endpoint("get_os", "GET", "/os", 200, "what os-release says", (_PREFIX,)),
    Endpoint(
        "patch_machine",
        "PATCH",
        "/machine",
        204,
        "moves a machine's first boot to its next phase",
        (
            Parameter("identity", "which machine", required=True),
            Parameter("phase", "which phase", required=True),
            Parameter("was", "what the machine was known as before it had this identity"),
        ),
    ),
)

BY_NAME = {endpoint.name: endpoint for endpoint in ENDPOINTS}
BY_ROUTE = {(endpoint.method, endpoint.path): endpoint for endpoint in ENDPOINTS}
