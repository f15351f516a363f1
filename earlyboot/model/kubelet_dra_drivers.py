"""`settings.kubelet-dra-drivers`: what offers a machine's devices to Kubernetes by dynamic resource allocation."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from earlyboot.model.table import Table
from earlyboot.model.types import SingleLineString


class NvidiaDriver(Table, kw_only=True, frozen=True):
    enabled: Annotated[bool | UnsetType, Meta(description="Whether the driver runs; false if not given.")] = UNSET


class NetDriver(Table, kw_only=True, frozen=True):
    enabled: Annotated[bool | UnsetType, Meta(description="Whether the driver runs; false if not given.")] = UNSET
    bind_address: Annotated[
        SingleLineString | UnsetType, Meta(description="The address and port where it shows its metrics and health.")
    ] = UNSET
    device_filter: Annotated[
        SingleLineString | UnsetType, Meta(description="A CEL expression that says which devices are offered.")
    ] = UNSET


class KubeletDraDrivers(Table, kw_only=True, frozen=True):
    """What offers a machine's devices to Kubernetes by dynamic resource allocation."""

    nvidia: Annotated[NvidiaDriver | UnsetType, Meta(description="NVIDIA's driver for GPUs.")] = UNSET
    net: Annotated[NetDriver | UnsetType, Meta(description="The driver for network devices, DRANET.")] = UNSET
