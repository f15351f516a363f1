"""`settings.aws`: how the AWS clients on this machine are configured."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from earlyboot.model.table import Table
from earlyboot.model.types import SecretBase64, SingleLineString


class Aws(Table, kw_only=True, frozen=True):
    """How the AWS clients on this machine are configured."""

    region: Annotated[SingleLineString | UnsetType, Meta(description="The region, such as eu-west-1.")] = UNSET
    profile: Annotated[SingleLineString | UnsetType, Meta(description="The profile to use from the files.")] = UNSET
    config: Annotated[SecretBase64 | UnsetType, Meta(description="~/.aws/config, as base64.")] = UNSET
    credentials: Annotated[SecretBase64 | UnsetType, Meta(description="~/.aws/credentials, as base64.")] = UNSET
