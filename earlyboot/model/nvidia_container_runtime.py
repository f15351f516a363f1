"""`settings.nvidia-container-runtime`: how containers ask for NVIDIA devices."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from earlyboot.model.table import Table


class NvidiaContainerRuntime(Table, kw_only=True, frozen=True):
    """How containers ask for NVIDIA devices."""

    visible_devices_as_volume_mounts: Annotated[
        bool | UnsetType,
        Meta(description="Whether a container may ask by mounts below /var/run/nvidia-container-devices."),
    ] = UNSET
    visible_devices_envvar_when_unprivileged: Annotated[
        bool | UnsetType,
        Meta(description="Whether an unprivileged container may ask by NVIDIA_VISIBLE_DEVICES."),
    ] = UNSET
