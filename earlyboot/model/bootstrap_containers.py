"""`settings.bootstrap-containers.NAME`: containers that prepare the host before its workload starts."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from earlyboot.model.table import Table
from earlyboot.model.types import Argument, IdentifierName, Mode, OciImageRef, SecretBase64


class BootstrapContainer(Table, kw_only=True, frozen=True):
    source: Annotated[OciImageRef | UnsetType, Meta(description="The image to run.")] = UNSET
    mode: Annotated[
        Mode | UnsetType, Meta(description="Never, until it succeeded once, or at every boot; off if not given.")
    ] = UNSET
    user_data: Annotated[SecretBase64 | UnsetType, Meta(description="A file for the container, as base64.")] = UNSET
    essential: Annotated[
        bool | UnsetType, Meta(description="Whether its failure fails the boot; false if not given.")
    ] = UNSET
    command: Annotated[
        tuple[Argument, ...] | UnsetType, Meta(description="The command to run instead of the image's.")
    ] = UNSET


BootstrapContainers = Annotated[
    dict[IdentifierName, BootstrapContainer],
    Meta(description="Containers that prepare the host before its workload starts, by name."),
]
