"""Groups of settings that an image builder adds: described by a JSON Schema, checked with jsonschema-rs."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from earlyboot.model.check import KeyFault, stable
from earlyboot.model.phrases import place


class CustomGroup:
    """One group: its name and the schema (draft 2020-12) of its value. A value under `"writeOnly": true` is a secret."""

    def __init__(self, name: str, schema: Mapping[str, Any]) -> None:
        self.name = name
        self.schema = schema

    def checked(self, value: object) -> object:
        """The value in its stable form; `ValueError` where it breaks the schema."""
        if self.faults(value):
            raise ValueError(f"settings.{self.name} breaks its schema")
        return stable(value)

    def faults(self, value: object) -> tuple[KeyFault, ...]:
        """All that the schema says against a value; no text holds a value."""
        return tuple(
            KeyFault(path, "bad-value", f"{place(path)} {error.message}", "see the schema of this group")
            for error in self._validator.iter_errors(value)
            for path in [(self.name, *error.instance_path)]
        )

    def is_secret(self, path: Sequence[str]) -> bool:
        """Whether what lies at `path` below the group is, holds or lies within a secret."""
        raise NotImplementedError

    @functools.cached_property
    def _validator(self) -> Any:
        import jsonschema_rs

        return jsonschema_rs.Draft202012Validator(dict(self.schema), mask="the value")


def custom_groups(schemas: Mapping[str, Mapping[str, Any]]) -> dict[str, CustomGroup]:
    """A profile's own groups, by name."""
    return {name: CustomGroup(name, schema) for name, schema in schemas.items()}
