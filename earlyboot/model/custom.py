"""Groups of settings that an image builder adds: described by a JSON Schema, checked with jsonschema-rs.

A value below `"writeOnly": true` is a secret. `format` is checked, and a schema may refer to nothing outside itself.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from earlyboot.model.check import KeyFault, stable
from earlyboot.model.schema_keys import holds_secret

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class CustomGroup:
    """One group: its name and the schema (draft 2020-12) of its value."""

    def __init__(self, name: str, schema: Mapping[str, Any]) -> None:
        self.name = name
        self.schema = schema

    def checked(self, value: object) -> object:
        """The value in its stable form; `ValueError` where it breaks the schema."""
        if self.faults(value):
            raise ValueError(f"settings.{self.name} breaks its schema")
        return stable(value)

    def faults(self, value: object) -> tuple[KeyFault, ...]:
        """All that the schema says against a part of the value, as one source has it; no text holds a value.

        Keys that the group needs may be set by another source: `whole_faults` says which ones nobody set.
        """
        return self._faults(value, lambda fault: not _is_gap(fault))

    def whole_faults(self, value: object) -> tuple[KeyFault, ...]:
        """All that the schema says against the whole value, merged from the defaults and all sources."""
        return self._faults(value, lambda _: True)

    def gaps(self, value: object) -> tuple[KeyFault, ...]:
        """Those of them that say that a key is missing."""
        return self._faults(value, _is_gap)

    def _faults(self, value: object, wanted: Callable[[KeyFault], bool]) -> tuple[KeyFault, ...]:
        from earlyboot.model.schema_faults import find_schema_faults

        return find_schema_faults(self.name, self.schema, self._validator, value, wanted)

    def broken(self) -> str | None:
        """Why the schema is none that can be used, or `None`; completes "its schema …"."""
        import jsonschema_rs

        if self.schema.get("$schema", DIALECT) != DIALECT:
            return f"is not of the dialect {DIALECT}"
        try:
            jsonschema_rs.meta.validate(dict(self.schema))
            # Follows the references and compiles the patterns; a schema's own words need no mask.
            self._made_validator(mask=None)
        except jsonschema_rs.ValidationError as error:
            place = "/".join(map(str, ("#", *error.instance_path)))
            return f"is no JSON Schema: at {place} {error.message}"
        except (ValueError, jsonschema_rs.ReferencingError) as error:
            return f"is no JSON Schema: {error}"
        return None

    def is_secret(self, path: Sequence[str]) -> bool:
        """Whether what lies at `path` below the group is, holds or lies within a secret; so is what nothing describes."""
        return holds_secret(self.schema, path)

    @functools.cached_property
    def _validator(self) -> Any:
        return self._made_validator(mask="the value")

    def _made_validator(self, mask: str | None) -> Any:
        import jsonschema_rs

        return jsonschema_rs.Draft202012Validator(dict(self.schema), mask=mask, validate_formats=True, offline=True)


def custom_groups(schemas: Mapping[str, Mapping[str, Any]]) -> dict[str, CustomGroup]:
    """A profile's own groups, by name."""
    return {name: CustomGroup(name, schema) for name, schema in schemas.items()}


def gaps(
    settings: Mapping[str, object], custom: Mapping[str, CustomGroup], defaults: Mapping[str, object] = {}
) -> tuple[KeyFault, ...]:
    """What the merged settings of a whole machine lack: keys that a group of the image builder's needs.

    A group of which nobody set more than the `defaults` say lacks nothing: nobody wants it here.
    """
    return tuple(
        fault
        for name, group in custom.items()
        if name in settings and settings[name] != defaults.get(name)
        for fault in group.gaps(settings[name])
    )


def _is_gap(fault: KeyFault) -> bool:
    """Whether a key is missing that another source may set. What stands in a list is one value and must be whole."""
    return fault.code == "missing-key" and not any(isinstance(part, int) for part in fault.path)
