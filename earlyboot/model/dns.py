"""`settings.dns`: the resolver. What is not set comes from DHCP."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from earlyboot.model.table import Table
from earlyboot.model.types import IpAddr, ValidLinuxHostname


class Dns(Table, kw_only=True, frozen=True):
    """The resolver. What is not set comes from DHCP."""

    name_servers: Annotated[tuple[IpAddr, ...] | UnsetType, Meta(description="Addresses of name servers.")] = UNSET
    search_list: Annotated[
        tuple[ValidLinuxHostname, ...] | UnsetType, Meta(description="Domains in which short names are looked up.")
    ] = UNSET
