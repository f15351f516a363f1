"""`settings.container-runtime-plugins`: what runs beside containerd. Today the SOCI snapshotter."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from earlyboot.model.byte_size import Bytes, SizeText, size_bytes
from earlyboot.model.table import Compound, Table

_Count = Annotated[int, Meta(ge=-1, le=2**63 - 1)]


class ChunkSize(Compound):
    """Bytes as a number or as text with a unit, or no limit."""

    rule = "a number of bytes, a size such as 16mb, or 'unlimited'"
    example = '"16mb"'
    forms = (Bytes, SizeText, Literal["unlimited"])

    @classmethod
    def form(cls, value: object) -> object:
        number, text, unlimited = cls.forms
        if value == "unlimited":
            return unlimited
        return text if isinstance(value, str) else number

    @classmethod
    def settled(cls, converted: Any) -> object:
        return size_bytes(converted) if isinstance(converted, SizeText) else converted


class ParallelPullUnpack(Table, kw_only=True, frozen=True):
    max_concurrent_downloads: Annotated[
        _Count | UnsetType, Meta(description="How many parts are downloaded at the same time; -1 for no limit.")
    ] = UNSET
    max_concurrent_downloads_per_image: Annotated[
        _Count | UnsetType, Meta(description="How many of them may belong to one image; -1 for no limit.")
    ] = UNSET
    concurrent_download_chunk_size: Annotated[
        ChunkSize | UnsetType,
        Meta(description="The size of a part, in bytes or such as 16mb; unlimited to download layers whole."),
    ] = UNSET
    max_concurrent_unpacks: Annotated[
        _Count | UnsetType, Meta(description="How many layers are unpacked at the same time; -1 for no limit.")
    ] = UNSET
    max_concurrent_unpacks_per_image: Annotated[
        _Count | UnsetType, Meta(description="How many of them may belong to one image; -1 for no limit.")
    ] = UNSET
    discard_unpacked_layers: Annotated[
        bool | UnsetType, Meta(description="Whether a layer's download is deleted once it is unpacked.")
    ] = UNSET


class SociSnapshotter(Table, kw_only=True, frozen=True):
    pull_mode: Annotated[Literal["parallel-pull-unpack"] | UnsetType, Meta(description="How images are pulled.")] = (
        UNSET
    )
    parallel_pull_unpack: Annotated[
        ParallelPullUnpack | UnsetType, Meta(description="Limits of the pull mode of that name.")
    ] = UNSET


class ContainerRuntimePlugins(Table, kw_only=True, frozen=True):
    """What runs beside the container runtime."""

    soci_snapshotter: Annotated[
        SociSnapshotter | UnsetType, Meta(description="The snapshotter of container-runtime.snapshotter = soci.")
    ] = UNSET
