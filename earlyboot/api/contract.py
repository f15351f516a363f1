"""The API, as one table: what the server answers, what the client asks, what the OpenAPI document says.

HTTP on a Unix socket. Bodies are JSON; every error is `application/problem+json` (RFC 9457) with a list of faults.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

VERSION = "1"  # of the API; it changes only if clients must
BODY_LIMIT_BYTES = 2 << 20
PROBLEM = "application/problem+json"
DEFAULT_TX = "default"
# What a first boot's transaction is called, with a number of its own behind it.
LAUNCH_TX = "earlyboot-launch"

TEXT: Mapping[str, object] = {"type": "string", "minLength": 1}
IDENTITY: Mapping[str, object] = {"type": "string", "minLength": 1, "maxLength": 128}
NUMBER: Mapping[str, object] = {"type": "integer", "minimum": 0}
FLAG: Mapping[str, object] = {"type": "string", "enum": ["true", "false"]}
_SEGMENT = r'([A-Za-z0-9_/-]+|"[A-Za-z0-9_./-]+")'
_KEY = rf"{_SEGMENT}(\.{_SEGMENT})*"
KEYS: Mapping[str, object] = {"type": "string", "pattern": f"^{_KEY}(,{_KEY})*$"}


class Parameter(NamedTuple):
    """A query parameter, with the JSON Schema of its text."""

    name: str
    meaning: str
    required: bool = False
    schema: Mapping[str, object] = TEXT
    own: bool = False  # only for root and the server's own user


class Endpoint(NamedTuple):
    """One method on one path.

    `success` is the status of the answer that is no error; 204 has no body. `body` and `answer` name schemas of
    `earlyboot.api.schemas`. `guarded` endpoints take `If-Match`; `tagged` ones answer with an `ETag`. `reads` is whether
    those who may only read may ask it. `refusals` are the statuses of its own, beside those that every endpoint has.
    """

    name: str
    method: str
    path: str
    success: int
    meaning: str
    parameters: tuple[Parameter, ...] = ()
    body: str | None = None
    answer: str | None = None
    tagged: bool = False
    guarded: bool = False
    refusals: tuple[int, ...] = ()

    @property
    def reads(self) -> bool:
        return self.method == "GET" or self.name == "validate"


_TX = Parameter(
    "tx", f"the transaction, '{DEFAULT_TX}' if not given", schema={"type": "string", "minLength": 1, "maxLength": 64}
)
_ORIGIN = Parameter("origin", "where the settings come from, kept with each value")
_PREFIX = Parameter("prefix", "only keys whose text begins so")
_KEYS = Parameter("keys", "comma-separated keys; one that is not set is left out", schema=KEYS)
_NEEDED_KEYS = Parameter("keys", "comma-separated keys", required=True, schema=KEYS)
_NAMES = Parameter("names", "comma-separated names")
_NAME_PREFIX = Parameter("prefix", "only names that begin so")
_EMPTY = Parameter("empty", "'true': it is no error that nothing is pending", schema=FLAG, own=True)

ENDPOINTS = (
    Endpoint(
        "get_all",
        "GET",
        "/",
        200,
        "settings, services, configuration files and os-release",
        (_PREFIX,),
        answer="everything",
        tagged=True,
    ),
    Endpoint(
        "get_settings",
        "GET",
        "/settings",
        200,
        "live settings, defaults layered in; `keys` wins over `prefix`",
        (_KEYS, _PREFIX),
        answer="shown-settings",
        tagged=True,
    ),
    Endpoint(
        "patch_settings",
        "PATCH",
        "/settings",
        204,
        "checks settings and adds them to a transaction",
        (_TX, _ORIGIN),
        body="settings",
        guarded=True,
        refusals=(409, 413),
    ),
    Endpoint(
        "delete_settings",
        "DELETE",
        "/settings",
        200,
        "unsets keys, and all keys below each, in a transaction; the keys that the commit will unset",
        (_NEEDED_KEYS, _TX, _ORIGIN),
        answer="keys",
        guarded=True,
        refusals=(409, 413),
    ),
    Endpoint(
        "patch_keypair",
        "PATCH",
        "/settings/keypair",
        204,
        "as PATCH /settings, from KEY=VALUE texts",
        (_TX, _ORIGIN),
        body="keypairs",
        guarded=True,
        refusals=(409, 413),
    ),
    Endpoint(
        "get_origin",
        "GET",
        "/settings/origin",
        200,
        "for each key below one of `keys`: its value, every origin that set it, in order, and which won",
        (_NEEDED_KEYS,),
        answer="origins",
    ),
    Endpoint(
        "validate",
        "POST",
        "/validate",
        204,
        "checks settings as a commit of them would, and changes nothing",
        (_TX,),
        body="settings",
    ),
    Endpoint("get_tx", "GET", "/tx", 200, "the settings of a pending transaction", (_TX,), answer="shown-settings"),
    Endpoint(
        "get_tx_v2",
        "GET",
        "/v2/tx",
        200,
        "a pending transaction: what it sets, what it unsets, the generation that it began at",
        (_TX,),
        answer="transaction",
    ),
    Endpoint("delete_tx", "DELETE", "/tx", 200, "drops a pending transaction; the keys it had", (_TX,), answer="keys"),
    Endpoint("list_tx", "GET", "/tx/list", 200, "the names of the pending transactions", answer="names"),
    Endpoint(
        "commit_tx",
        "POST",
        "/tx/commit",
        200,
        "makes a transaction live at once; the keys whose values changed",
        (
            _TX,
            Parameter("identity", "the machine whose first boot this commit is", schema=IDENTITY, own=True),
            Parameter("replace", "'true': settings that the transaction does not name go away", schema=FLAG, own=True),
            _EMPTY,
        ),
        answer="keys",
        guarded=True,
        refusals=(409, 413, 422),
    ),
    Endpoint(
        "apply",
        "POST",
        "/tx/apply",
        200,
        "renders and writes files, tells services; what happened to each",
        (Parameter("keys", "comma-separated keys whose services are told even where no file changed", schema=KEYS),),
        answer="report",
    ),
    Endpoint(
        "commit_and_apply",
        "POST",
        "/tx/commit_and_apply",
        200,
        "both; the keys whose values changed",
        (_TX,),
        answer="keys",
        guarded=True,
        refusals=(409, 413, 422),
    ),
    Endpoint(
        "list_generations",
        "GET",
        "/generations",
        200,
        "every commit that is still remembered, newest first: who, when, and how many keys it changed",
        (Parameter("limit", "at most so many", schema={"type": "integer", "minimum": 1, "maximum": 10_000}),),
        answer="generations",
    ),
    Endpoint(
        "diff_generations",
        "GET",
        "/generations/diff",
        200,
        "the keys whose values differ between two generations",
        (
            Parameter("from", "the older generation, 0 for the time before the first", required=True, schema=NUMBER),
            Parameter("to", "the newer generation, what is live if not given", schema=NUMBER),
        ),
        answer="differences",
        refusals=(404,),
    ),
    Endpoint(
        "rollback",
        "POST",
        "/generations/rollback",
        200,
        "commits the settings of an older generation as a new one; the keys whose values changed",
        (Parameter("generation", "the generation to go back to", required=True, schema=NUMBER),),
        answer="keys",
        guarded=True,
        refusals=(404, 413),
    ),
    Endpoint("get_os", "GET", "/os", 200, "what os-release says", (_PREFIX,), answer="os"),
    Endpoint(
        "affected_services",
        "GET",
        "/metadata/affected-services",
        200,
        "for each key the services that a change of it concerns",
        (_NEEDED_KEYS,),
        answer="affected-services",
    ),
    Endpoint(
        "setting_generators",
        "GET",
        "/metadata/setting-generators",
        200,
        "for each key that is generated where nobody sets it: by what; strong generators only",
        answer="generator-commands",
    ),
    Endpoint(
        "setting_generators_v2",
        "GET",
        "/v2/metadata/setting-generators",
        200,
        "for each key that is generated where nobody sets it: by what, how strongly, how deep",
        answer="generators",
    ),
    Endpoint(
        "templates",
        "GET",
        "/metadata/templates",
        200,
        "for each key the names of the templates that it feeds",
        (_NEEDED_KEYS,),
        answer="templates",
    ),
    Endpoint(
        "get_services",
        "GET",
        "/services",
        200,
        "services, their files and restart commands; `names` wins over `prefix`",
        (_NAMES, _NAME_PREFIX),
        answer="services",
        refusals=(404,),
    ),
    Endpoint(
        "get_configuration_files",
        "GET",
        "/configuration-files",
        200,
        "the files that settings are rendered to; `names` wins over `prefix`",
        (_NAMES, _NAME_PREFIX),
        answer="configuration-files",
        refusals=(404,),
    ),
    Endpoint(
        "reboot",
        "POST",
        "/actions/reboot",
        204,
        "reboots the machine, unless something inhibits it",
        refusals=(409,),
    ),
    Endpoint("openapi", "GET", "/openapi.json", 200, "this API, as an OpenAPI 3.1 document", answer="openapi"),
    Endpoint(
        "patch_machine",
        "PATCH",
        "/machine",
        204,
        "moves a machine's first boot to its next phase",
        (
            Parameter("identity", "which machine", required=True, schema=IDENTITY, own=True),
            Parameter(
                "phase",
                "which phase",
                required=True,
                schema={"type": "string", "enum": ["committed", "applied", "bootstrapped", "configured"]},
            ),
            Parameter("was", "what the machine was known as before it had this identity", schema=IDENTITY),
        ),
        refusals=(404,),
    ),
)

BY_NAME = {endpoint.name: endpoint for endpoint in ENDPOINTS}
BY_ROUTE = {(endpoint.method, endpoint.path): endpoint for endpoint in ENDPOINTS}
