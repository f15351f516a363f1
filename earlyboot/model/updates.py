"""`settings.updates`: where updates come from and which are taken."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from earlyboot.model.table import Table
from earlyboot.model.types import FriendlyVersion, Url

Seed = Annotated[int, Meta(ge=0, le=2**32 - 1)]


class Updates(Table, kw_only=True, frozen=True):
    """Where updates come from and which are taken."""

    metadata_base_url: Annotated[Url | UnsetType, Meta(description="Where the repository's metadata is.")] = UNSET
    targets_base_url: Annotated[Url | UnsetType, Meta(description="Where the repository's targets are.")] = UNSET
    seed: Annotated[Seed | UnsetType, Meta(description="The machine's place in the order of a staged update.")] = UNSET
    version_lock: Annotated[
        FriendlyVersion | UnsetType, Meta(description="The version to move to: latest, or an exact one.")
    ] = UNSET
    ignore_waves: Annotated[bool | UnsetType, Meta(description="Whether to update at once, whatever the staging.")] = (
        UNSET
    )
