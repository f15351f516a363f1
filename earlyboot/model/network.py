"""`settings.network`: the host's name, its hosts file, proxies. Interfaces are configured in net.toml."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from earlyboot.model.table import Table
from earlyboot.model.types import InterfaceName, IpAddr, SecretUrl, SingleLineString, ValidLinuxHostname

HostsEntry = tuple[IpAddr, tuple[ValidLinuxHostname, ...]]


class Network(Table, kw_only=True, frozen=True):
    """The host's name, its hosts file and proxies. Interfaces are configured in net.toml."""

    hostname: Annotated[ValidLinuxHostname | UnsetType, Meta(description="The host name.")] = UNSET
    hosts: Annotated[
        tuple[HostsEntry, ...] | UnsetType,
        Meta(description="Entries for /etc/hosts, in order: an address and its names."),
    ] = UNSET
    https_proxy: Annotated[
        SecretUrl | UnsetType, Meta(description="The proxy for HTTPS; may hold a user and a password.")
    ] = UNSET
    no_proxy: Annotated[
        tuple[SingleLineString, ...] | UnsetType,
        Meta(description="Hosts, domains and networks that are reached without the proxy."),
    ] = UNSET
    disable_ipv6: Annotated[
        tuple[InterfaceName, ...] | UnsetType, Meta(description="Interfaces on which IPv6 is turned off.")
    ] = UNSET
