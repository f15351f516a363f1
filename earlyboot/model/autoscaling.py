"""`settings.autoscaling`: machines of an EC2 Auto Scaling group."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from earlyboot.model.table import Table


class AutoScaling(Table, kw_only=True, frozen=True):
    """How a machine of an EC2 Auto Scaling group starts."""

    should_wait: Annotated[
        bool | UnsetType,
        Meta(description="Whether a machine in a warm pool waits until it is in service; false if not given."),
    ] = UNSET
