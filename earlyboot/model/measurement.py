"""`settings.measurement`: which settings are left out of what is measured into the TPM."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from earlyboot.model.table import Table
from earlyboot.model.types import Scalar


class ExcludedSetting(Scalar):
    """All settings, and what says which are left out, are always measured."""

    rule = "a key of the settings, with all below it, without '*'; not the settings as a whole, and not measurement"
    example = "host-containers"
    pattern = r"(?!settings\.?\Z)(?!(?:settings\.)?measurement(?:\.|\Z))[!-)+-~]+"


class Measurement(Table, kw_only=True, frozen=True):
    """Which settings are left out of what is measured into the TPM."""

    excluded_settings: Annotated[
        tuple[ExcludedSetting, ...] | UnsetType,
        Meta(description="The keys that are not measured, each with all below it."),
    ] = UNSET
