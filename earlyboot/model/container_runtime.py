"""`settings.container-runtime`: containerd, as the workload's containers use it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from msgspec import UNSET, Meta, UnsetType

from earlyboot.model.byte_size import ByteSize
from earlyboot.model.table import Table

_Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
_LineSize = Annotated[int, Meta(ge=-1, le=2**31 - 1)]


class ContainerRuntime(Table, kw_only=True, frozen=True):
    """The container runtime."""

    aliases: ClassVar[Mapping[str, str]] = {"concurrent-layer-fetch-buffer": "concurrent-download-chunk-size"}

    log_level: Annotated[
        Literal["trace", "debug", "info", "warn", "error", "fatal", "panic"] | UnsetType,
        Meta(description="How much containerd logs."),
    ] = UNSET
    max_container_log_line_size: Annotated[
        _LineSize | UnsetType,
        Meta(description="Bytes after which a line of a container's log is split; -1 for no limit."),
    ] = UNSET
    max_concurrent_downloads: Annotated[
        _Count | UnsetType, Meta(description="How many layers of an image are downloaded at the same time.")
    ] = UNSET
    max_concurrent_unpacks: Annotated[
        _Count | UnsetType, Meta(description="How many layers of an image are unpacked at the same time.")
    ] = UNSET
    concurrent_download_chunk_size: Annotated[
        ByteSize | UnsetType,
        Meta(description="The size of the parts in which a layer is downloaded, in bytes or such as 64mb."),
    ] = UNSET
    enable_unprivileged_ports: Annotated[
        bool | UnsetType, Meta(description="Whether unprivileged containers may bind ports below 1024.")
    ] = UNSET
    enable_unprivileged_icmp: Annotated[
        bool | UnsetType, Meta(description="Whether unprivileged containers may open ICMP echo sockets.")
    ] = UNSET
    snapshotter: Annotated[
        Literal["overlayfs", "soci"] | UnsetType,
        Meta(description="What unpacks images. A change takes effect at boot and drops all images and containers."),
    ] = UNSET
