"""`settings.kubelet-device-plugins`: what offers a machine's devices to Kubernetes. Today NVIDIA's plugin."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from earlyboot.model.table import OneOrSeveral, Table
from earlyboot.model.types import Scalar, names

_Replicas = Annotated[int, Meta(ge=2, le=2**31 - 1)]
_Strategy = Literal["envvar", "volume-mounts", "cdi-cri"]


class NvidiaGpuModel(Scalar):
    rule = "a GPU's model and memory, such as a100.40gb"
    example = "a100.40gb"
    pattern = r"[a-z][0-9a-z-]{0,31}\.[0-9]{1,5}gb"


class MigProfile(Scalar):
    rule = "a MIG profile such as 1g.5gb, or the number of parts into which a GPU is divided"
    example = "1g.5gb"
    pattern = r"[1-9][0-9]?|[1-9][0-9]?g\.[0-9]{1,5}gb(?:\+[a-z.]{1,16})?"


class DeviceListStrategies(OneOrSeveral):
    """One strategy, or a list of them. Stored as it is written: a single one and a list of one are not the same."""

    rule = 'one of "envvar", "volume-mounts" and "cdi-cri", or a list of these'
    example = '["cdi-cri"]'
    forms = (_Strategy, tuple[_Strategy, ...])


GpuName = Annotated[str, names(NvidiaGpuModel)]


class TimeSlicing(Table, kw_only=True, frozen=True):
    replicas: Annotated[_Replicas | UnsetType, Meta(description="How many containers share a GPU.")] = UNSET
    rename_by_default: Annotated[
        bool | UnsetType, Meta(description="Whether shared GPUs are offered as nvidia.com/gpu.shared.")
    ] = UNSET
    fail_requests_greater_than_one: Annotated[
        bool | UnsetType, Meta(description="Whether a container may not ask for more than one share.")
    ] = UNSET


class Mps(Table, kw_only=True, frozen=True):
    replicas: Annotated[_Replicas | UnsetType, Meta(description="How many containers share a GPU.")] = UNSET
    rename_by_default: Annotated[
        bool | UnsetType, Meta(description="Whether shared GPUs are offered as nvidia.com/gpu.shared.")
    ] = UNSET


class Mig(Table, kw_only=True, frozen=True):
    profile: Annotated[
        dict[GpuName, MigProfile] | UnsetType, Meta(description="How the GPUs of each model are divided.")
    ] = UNSET


class Nvidia(Table, kw_only=True, frozen=True):
    enabled: Annotated[bool | UnsetType, Meta(description="Whether the plugin runs.")] = UNSET
    pass_device_specs: Annotated[
        bool | UnsetType, Meta(description="Whether kubelet is told the devices' paths and permissions.")
    ] = UNSET
    device_id_strategy: Annotated[Literal["uuid", "index"] | UnsetType, Meta(description="What a GPU is named by.")] = (
        UNSET
    )
    device_list_strategy: Annotated[
        DeviceListStrategies | UnsetType, Meta(description="How a container is told its GPUs.")
    ] = UNSET
    device_sharing_strategy: Annotated[
        Literal["none", "time-slicing", "mps"] | UnsetType, Meta(description="How containers share a GPU.")
    ] = UNSET
    time_slicing: Annotated[
        TimeSlicing | UnsetType, Meta(description="How GPUs are shared where the strategy is time-slicing.")
    ] = UNSET
    mps: Annotated[Mps | UnsetType, Meta(description="How GPUs are shared where the strategy is mps.")] = UNSET
    device_partitioning_strategy: Annotated[
        Literal["none", "mig"] | UnsetType, Meta(description="How a GPU is divided in hardware.")
    ] = UNSET
    mig: Annotated[Mig | UnsetType, Meta(description="How GPUs are divided where the strategy is mig.")] = UNSET


class KubeletDevicePlugins(Table, kw_only=True, frozen=True):
    """What offers a machine's devices to Kubernetes."""

    nvidia: Annotated[Nvidia | UnsetType, Meta(description="NVIDIA's device plugin.")] = UNSET
