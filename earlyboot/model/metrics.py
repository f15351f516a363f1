"""`settings.metrics`: whether the machine reports its health, and where to."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from earlyboot.model.table import Table
from earlyboot.model.types import Scalar, Url


class ServiceName(Scalar):
    rule = "a service's name of printable ASCII, without spaces and '/'"
    example = "chronyd"
    pattern = "[!-.0-~]{1,255}"


class Metrics(Table, kw_only=True, frozen=True):
    """Whether the machine reports its health, and where to."""

    metrics_url: Annotated[Url | UnsetType, Meta(description="Where reports are sent to.")] = UNSET
    send_metrics: Annotated[bool | UnsetType, Meta(description="Whether reports are sent.")] = UNSET
    service_checks: Annotated[
        tuple[ServiceName, ...] | UnsetType, Meta(description="The services whose state is reported.")
    ] = UNSET
