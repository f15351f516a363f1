"""`settings.kernel`: lockdown, modules, sysctl, huge pages and the branch of a driver."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from earlyboot.model.table import Table
from earlyboot.model.types import KmodName, Scalar, SysctlName, SysctlValue

# Every power of two between the smallest and the largest huge page that Linux knows of; a machine has a few of them.
HUGEPAGE_SIZES = (
    *("64Ki", "128Ki", "256Ki", "512Ki", "1Mi", "2Mi", "4Mi", "8Mi", "16Mi", "32Mi", "64Mi", "128Mi", "256Mi", "512Mi"),
    *("1Gi", "2Gi", "4Gi", "8Gi", "16Gi"),
)


class HugepageCount(Scalar):
    """A number of pages for the whole machine, or for NUMA nodes by number."""

    rule = "a number of pages, or pairs of a NUMA node and its pages such as 0:128,1:256"
    example = "512"
    pattern = "[0-9]{1,10}|[0-9]{1,5}:[0-9]{1,10}(?:,[0-9]{1,5}:[0-9]{1,10})*"


class Module(Table, kw_only=True, frozen=True):
    allowed: Annotated[bool | UnsetType, Meta(description="Whether the module may be loaded.")] = UNSET
    autoload: Annotated[bool | UnsetType, Meta(description="Whether the module is loaded at boot.")] = UNSET


class HugepagePool(Table, kw_only=True, frozen=True):
    count: Annotated[HugepageCount, Meta(description="How many pages to reserve, in all or on each NUMA node.")]


StaticHugepages = msgspec.defstruct(
    "StaticHugepages",
    [
        (
            "essential",
            Annotated[
                bool | UnsetType,
                Meta(description="Whether missing pages are a failure, and not only a remark; false if not given."),
            ],
            UNSET,
        ),
        *(
            (
                f"of_{size}",
                Annotated[HugepagePool | UnsetType, Meta(description=f"The pages of {size}B.")],
                msgspec.field(name=size, default=UNSET),
            )
            for size in HUGEPAGE_SIZES
        ),
    ],
    bases=(Table,),
    module=__name__,
    frozen=True,
    kw_only=True,
)


class TransparentHugepages(Table, kw_only=True, frozen=True):
    enabled: Annotated[
        Literal["never", "madvise", "always"] | UnsetType,
        Meta(description="Which memory gets huge pages by itself: none, what asks for it, or all."),
    ] = UNSET
    defrag: Annotated[
        Literal["never", "madvise", "defer", "defer+madvise", "always"] | UnsetType,
        Meta(description="When the kernel compacts memory to make a huge page."),
    ] = UNSET


class Hugepages(Table, kw_only=True, frozen=True):
    # mypy knows no type that is made at run time.
    static: Annotated[
        StaticHugepages | UnsetType,  # type: ignore[valid-type]
        Meta(description="Huge pages that are reserved at boot, by size."),
    ] = UNSET
    transparent: Annotated[
        TransparentHugepages | UnsetType, Meta(description="Huge pages that programs get without asking.")
    ] = UNSET


class NvidiaDriver(Table, kw_only=True, frozen=True):
    branch: Annotated[
        Literal["lts", "pb"],
        Meta(description="The branch of an image that has several: long-term support (lts) or production (pb)."),
    ]


class Drivers(Table, kw_only=True, frozen=True):
    nvidia: Annotated[NvidiaDriver | UnsetType, Meta(description="NVIDIA's driver.")] = UNSET


class Kernel(Table, kw_only=True, frozen=True):
    """Lockdown, modules, sysctl, huge pages and drivers."""

    lockdown: Annotated[
        Literal["none", "integrity", "confidentiality"] | UnsetType,
        Meta(description="The kernel's lockdown mode. It is raised at run time, never lowered."),
    ] = UNSET
    modules: Annotated[dict[KmodName, Module] | UnsetType, Meta(description="Kernel modules, by name.")] = UNSET
    sysctl: Annotated[
        dict[SysctlName, SysctlValue] | UnsetType,
        Meta(description="Kernel parameters, by name in either form (net.ipv4.x or net/ipv4/x); values are text."),
    ] = UNSET
    hugepages: Annotated[Hugepages | UnsetType, Meta(description="Huge pages, reserved and transparent.")] = UNSET
    drivers: Annotated[Drivers | UnsetType, Meta(description="Drivers of which the image has several.")] = UNSET
