"""`settings.ntp`: where the time comes from. Every value stands in a line of chrony.conf."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from earlyboot.model.table import Compound, Table
from earlyboot.model.types import ChronyLog, ChronyOption, TimeServerAddress, TimeServerName


class TimeServer(Table, kw_only=True, frozen=True):
    address: Annotated[TimeServerAddress, Meta(description="The name or address of the server or pool.")]
    directive: Annotated[
        Literal["server", "pool"] | UnsetType,
        Meta(description="Whether the name stands for one server or for a pool of them; server if not given."),
    ] = UNSET
    options: Annotated[
        tuple[ChronyOption, ...] | UnsetType, Meta(description="Options of this server, such as iburst.")
    ] = UNSET


class TimeServers(Compound):
    """A list of addresses, a list of tables, or a map of named tables, which becomes a list in the map's order."""

    rule = "a list of only addresses, or of only tables with an address"
    example = '["0.pool.ntp.org"]'
    forms = (tuple[TimeServerAddress, ...], tuple[TimeServer, ...], dict[TimeServerName, TimeServer])

    @classmethod
    def form(cls, value: object) -> object:
        addresses, tables, named = cls.forms
        if isinstance(value, Mapping):
            return named
        if not isinstance(value, list | tuple):
            return addresses
        if not any(isinstance(item, Mapping) for item in value):
            return addresses
        if any(isinstance(item, str) for item in value):
            raise ValueError(f"must be {cls.rule}")
        return tables

    @classmethod
    def settled(cls, converted: Any) -> object:
        return tuple(converted.values()) if isinstance(converted, dict) else converted


class Ntp(Table, kw_only=True, frozen=True):
    """Where the time comes from."""

    time_servers: Annotated[TimeServers | UnsetType, Meta(description="The time servers and pools to use.")] = UNSET
    options: Annotated[
        tuple[ChronyOption, ...] | UnsetType,
        Meta(description="Options of every time server that has none of its own, such as iburst."),
    ] = UNSET
    logging: Annotated[tuple[ChronyLog, ...] | UnsetType, Meta(description="What chrony logs, such as tracking.")] = (
        UNSET
    )
