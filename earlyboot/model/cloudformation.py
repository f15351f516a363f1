"""`settings.cloudformation`: the signal that tells a CloudFormation stack that this machine booted."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from earlyboot.model.table import Table
from earlyboot.model.types import SingleLineString


class CloudFormation(Table, kw_only=True, frozen=True):
    """The signal that tells a CloudFormation stack whether this machine booted."""

    should_signal: Annotated[bool | UnsetType, Meta(description="Whether to signal; false if not given.")] = UNSET
    stack_name: Annotated[SingleLineString | UnsetType, Meta(description="The stack's name or identifier.")] = UNSET
    logical_resource_id: Annotated[
        SingleLineString | UnsetType, Meta(description="The logical name of the resource in the stack's template.")
    ] = UNSET
