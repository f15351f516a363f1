"""`settings.host-containers.NAME`: containers for operators, beside the workload's."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from earlyboot.model.table import Table
from earlyboot.model.types import Argument, IdentifierName, OciImageRef, SecretBase64


class HostContainer(Table, kw_only=True, frozen=True):
    source: Annotated[OciImageRef | UnsetType, Meta(description="The image to run.")] = UNSET
    enabled: Annotated[bool | UnsetType, Meta(description="Whether it runs; false if not given.")] = UNSET
    superpowered: Annotated[
        bool | UnsetType, Meta(description="Whether it may do anything on the host; false if not given.")
    ] = UNSET
    user_data: Annotated[SecretBase64 | UnsetType, Meta(description="A file for the container, as base64.")] = UNSET
    command: Annotated[
        tuple[Argument, ...] | UnsetType, Meta(description="The command to run instead of the image's.")
    ] = UNSET


HostContainers = Annotated[
    dict[IdentifierName, HostContainer], Meta(description="Containers for operators, beside the workload's, by name.")
]
