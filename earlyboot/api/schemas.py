"""The JSON Schemas of what the API takes and answers, by the names that the contract has for them."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_TEXTS: Schema = {"type": "array", "items": _TEXT}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_KEY: Schema = {"type": "string", "maxLength": 255, "description": "such as settings.ntp.time-servers"}
_ANY: Schema = {}


def _object(properties: dict[str, Schema], optional: tuple[str, ...] = ()) -> Schema:
    """An object with these keys and no others."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _list(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def _map(member: Schema) -> Schema:
    return {"type": "object", "additionalProperties": member}


def _one_of(*words: str) -> Schema:
    return {"type": "string", "enum": list(words)}


def _or_null(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


_SHOWN_SETTINGS: Schema = {
    "type": "object",
    "description": "Groups of settings; a part of them where only that was asked for. For a peer who may only read, each"
    " secret is the text REDACTED.",
}
_SERVICES = _map(
    _object({"configuration-files": _TEXTS, "restart-commands": {**_TEXTS, "description": "as a shell takes them"}})
)
_FILES = _map(
    _object(
        {
            "path": _TEXT,
            "mode": {"type": "string", "pattern": "^0[0-7]{3}$"},
            "template-path": _TEXT,
            "renderer": _TEXT,
        },
        optional=("template-path", "renderer"),
    )
)
_OS_FIELDS = ("pretty_name", "variant_id", "version_id", "build_id", "arch")
_OS = _object(dict.fromkeys(_OS_FIELDS, _TEXT), optional=_OS_FIELDS)
_TOLD = _object(
    {
        "origin": _TEXT,
        "generation": {**_COUNT, "description": "0 for a default of the profile"},
        "value": {"description": "null where the key was unset"},
        "won": {"type": "boolean"},
    }
)
_REPORTED_FILE = _object(
    {
        "name": _TEXT,
        "path": _TEXT,
        "outcome": _one_of("written", "unchanged", "removed", "left", "failed"),
        "detail": {**_TEXT, "description": "why it failed"},
        "fix": _TEXT,
    },
    optional=("detail", "fix"),
)
_LEFT_OUT = _object({"name": _TEXT, "path": _TEXT, "key": {**_KEY, "description": "what no generator has made yet"}})
_REPORTED_SERVICE = _object({"name": _TEXT, "outcome": _one_of("done", "failed", "skipped"), "detail": _TEXT})
_GENERATION = _object(
    {
        "id": {"type": "integer", "minimum": 1},
        "committed_at": {"type": "number", "description": "Unix time in seconds"},
        "tx": _TEXT,
        "uid": _COUNT,
        "gid": _COUNT,
        "pid": _COUNT,
        "changed": {**_COUNT, "description": "how many keys have another value than before"},
    }
)

BODIES: dict[str, Schema] = {
    "keypairs": _object(
        {
            "request_payload": {
                "type": "array",
                "items": {"type": "string", "description": "KEY=VALUE"},
                "minItems": 1,
            }
        }
    ),
}

ANSWERS: dict[str, Schema] = {
    "shown-settings": _SHOWN_SETTINGS,
    "everything": _object(
        {"settings": _SHOWN_SETTINGS, "services": _SERVICES, "configuration-files": _FILES, "os": _OS},
        optional=("settings", "services", "configuration-files", "os"),
    ),
    "keys": _list(_KEY),
    "names": _list({"type": "string", "minLength": 1, "maxLength": 64}),
    "origins": _list(_object({"key": _KEY, "value": _ANY, "origin": _TEXT, "set_by": _list(_TOLD)})),
    "transaction": _object(
        {
            "generation": {**_or_null(_COUNT), "description": "what was live when it began; null if it has not"},
            "settings": _SHOWN_SETTINGS,
            "unset": _list(_KEY),
        }
    ),
    "report": _object(
        {
            "generation": _COUNT,
            "files": _list(_REPORTED_FILE),
            "services": _list(_REPORTED_SERVICE),
            "unused_keys": _TEXTS,
            "not_run": _TEXTS,
            "failed_files": _TEXTS,
            "failed_services": _TEXTS,
            "left_out": _list(_LEFT_OUT),
            "remarks": _TEXTS,
        }
    ),
    "generations": _list(_GENERATION),
    "differences": _list(
        _object(
            {
                "key": _KEY,
                "before": {"description": "null where it was not set"},
                "after": {"description": "null where it is not set"},
            }
        )
    ),
    "os": _OS,
    "affected-services": _map(_TEXTS),
    "templates": _map(_TEXTS),
    "generator-commands": _map(_TEXT),
    "generators": _map(_object({"command": _TEXT, "strength": _one_of("strong", "weak"), "depth": _COUNT})),
    "services": _SERVICES,
    "configuration-files": _FILES,
    "openapi": {"type": "object", "properties": {"openapi": _TEXT}, "required": ["openapi", "info", "paths"]},
}

PROBLEM_SCHEMA: Schema = _object(
    {
        "type": _TEXT,
        "title": _TEXT,
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": _TEXT,
        "faults": {
            **_list(
                _object(
                    {
                        "code": {**_TEXT, "description": "stable, for programs"},
                        "what": _TEXT,
                        "where": _object(
                            {
                                "source": _or_null(_TEXT),
                                "line": _or_null(_COUNT),
                                "column": _or_null(_COUNT),
                                "key": _or_null(_TEXT),
                            }
                        ),
                        "fix": _TEXT,
                        "path": {
                            "type": "array",
                            "items": {"type": ["string", "integer"]},
                            "description": "within the settings, where the fault lies in them",
                        },
                    },
                    optional=("path",),
                )
            ),
            "minItems": 1,
        },
    }
)
