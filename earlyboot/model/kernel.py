"""`settings.kernel`: lockdown, modules and sysctl."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from earlyboot.model.table import Table
from earlyboot.model.types import KmodName, SysctlName, SysctlValue


class Module(Table, kw_only=True, frozen=True):
    allowed: Annotated[bool | UnsetType, Meta(description="Whether the module may be loaded.")] = UNSET
    autoload: Annotated[bool | UnsetType, Meta(description="Whether the module is loaded at boot.")] = UNSET


class Kernel(Table, kw_only=True, frozen=True):
    lockdown: Annotated[
        Literal["none", "integrity", "confidentiality"] | UnsetType,
        Meta(description="The kernel's lockdown mode. It is raised at run time, never lowered."),
    ] = UNSET
    modules: Annotated[dict[KmodName, Module] | UnsetType, Meta(description="Kernel modules, by name.")] = UNSET
    sysctl: Annotated[
        dict[SysctlName, SysctlValue] | UnsetType,
        Meta(description="Kernel parameters, by name in either form (net.ipv4.x or net/ipv4/x); values are text."),
    ] = UNSET
