"""`settings.boot`: what the boot loader hands to the kernel and to init, as in bootconfig (kernel: admin-guide/bootconfig).

The two maps are stored as `kernel-parameters` and `init-parameters`; `kernel` and `init` are read too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from msgspec import UNSET, Meta, UnsetType

from earlyboot.model.table import Compound, Table
from earlyboot.model.types import Scalar, names


class BootConfigKey(Scalar):
    rule = "a boot parameter: words of letters, digits, '_' and '-', joined by '.'"
    example = "nvme_core.io_timeout"
    pattern = r"[0-9A-Za-z_-]+(?:\.[0-9A-Za-z_-]+)*"


class BootConfigValue(Scalar):
    """Printed between quotes, which bootconfig cannot escape: a value has one kind of them at most."""

    rule = "printable ASCII with at most one kind of quotes"
    example = "4294967295"
    pattern = r"""[ !#-~]*|[ -&(-~]*"""


class BootConfigValues(Compound):
    """The values of one parameter. No value and one empty value are the same thing: a flag, stored as the empty list.

    The kernel reports either as the empty value, so a comparison of the two forms would never end.
    """

    rule = "a list of values, empty for a flag"
    example = '["4294967295"]'
    forms = (tuple[BootConfigValue, ...],)

    @classmethod
    def settled(cls, converted: Any) -> object:
        return () if converted == ("",) else converted


BootConfigName = Annotated[str, names(BootConfigKey)]


class Boot(Table, kw_only=True, frozen=True):
    """What the boot loader hands to the kernel and to init."""

    aliases: ClassVar[Mapping[str, str]] = {"kernel": "kernel-parameters", "init": "init-parameters"}

    reboot_to_reconcile: Annotated[
        bool | UnsetType,
        Meta(description="Whether to reboot once where the parameters differ from those of the running kernel."),
    ] = UNSET
    kernel_parameters: Annotated[
        dict[BootConfigName, BootConfigValues] | UnsetType,
        Meta(description="Parameters for the kernel, each with a list of values; an empty list for a flag."),
    ] = UNSET
    init_parameters: Annotated[
        dict[BootConfigName, BootConfigValues] | UnsetType,
        Meta(description="Parameters for init, each with a list of values; an empty list for a flag."),
    ] = UNSET
