"""`settings.oci-defaults`: the capabilities and resource limits that the workload's containers start with."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from earlyboot.model.table import Table, TextOrOther

# capabilities(7), in the kernel's order of names: the setting is the name in lower case without CAP_.
CAPABILITIES = (
    *("audit-control", "audit-read", "audit-write", "block-suspend", "bpf", "checkpoint-restore", "chown"),
    *("dac-override", "dac-read-search", "fowner", "fsetid", "ipc-lock", "ipc-owner", "kill", "lease"),
    *("linux-immutable", "mac-admin", "mac-override", "mknod", "net-admin", "net-bind-service", "net-broadcast"),
    *("net-raw", "perfmon", "setgid", "setfcap", "setpcap", "setuid", "sys-admin", "sys-boot", "sys-chroot"),
    *("sys-module", "sys-nice", "sys-pacct", "sys-ptrace", "sys-rawio", "sys-resource", "sys-time"),
    *("sys-tty-config", "syslog", "wake-alarm"),
)
# Setting to the limit of getrlimit(2).
RLIMITS = {
    "max-address-space": "RLIMIT_AS",
    "max-core-file-size": "RLIMIT_CORE",
    "max-cpu-time": "RLIMIT_CPU",
    "max-data-size": "RLIMIT_DATA",
    "max-file-locks": "RLIMIT_LOCKS",
    "max-file-size": "RLIMIT_FSIZE",
    "max-locked-memory": "RLIMIT_MEMLOCK",
    "max-msgqueue-size": "RLIMIT_MSGQUEUE",
    "max-nice-priority": "RLIMIT_NICE",
    "max-open-files": "RLIMIT_NOFILE",
    "max-pending-signals": "RLIMIT_SIGPENDING",
    "max-processes": "RLIMIT_NPROC",
    "max-realtime-priority": "RLIMIT_RTPRIO",
    "max-realtime-timeout": "RLIMIT_RTTIME",
    "max-resident-set": "RLIMIT_RSS",
    "max-stack-size": "RLIMIT_STACK",
}
UNLIMITED = -1


class Limit(TextOrOther):
    """A number, or no limit, which is stored as -1."""

    rule = "a whole number from -1 to 9223372036854775807, or 'unlimited', which is -1"
    example = "65536"
    forms = (Annotated[int, Meta(ge=UNLIMITED, le=2**63 - 1)], Literal["unlimited"])

    @classmethod
    def settled(cls, converted: Any) -> object:
        return UNLIMITED if converted == "unlimited" else converted


class ResourceLimit(Table, kw_only=True, frozen=True):
    needs: ClassVar[tuple[str, ...]] = ("hard-limit", "soft-limit")

    hard_limit: Annotated[
        Limit | UnsetType, Meta(description="The limit up to which a process may raise its own; not below the other.")
    ] = UNSET
    soft_limit: Annotated[Limit | UnsetType, Meta(description="The limit that a process starts with.")] = UNSET


Capabilities = msgspec.defstruct(
    "Capabilities",
    [
        (
            name.replace("-", "_"),
            Annotated[
                bool | UnsetType, Meta(description=f"Whether containers have CAP_{name.upper().replace('-', '_')}.")
            ],
            UNSET,
        )
        for name in CAPABILITIES
    ],
    bases=(Table,),
    module=__name__,
    frozen=True,
    kw_only=True,
)
ResourceLimits = msgspec.defstruct(
    "ResourceLimits",
    [
        (
            name.replace("-", "_"),
            Annotated[ResourceLimit | UnsetType, Meta(description=f"The container's {limit} (getrlimit(2)).")],
            UNSET,
        )
        for name, limit in RLIMITS.items()
    ],
    bases=(Table,),
    module=__name__,
    frozen=True,
    kw_only=True,
)


class OciDefaults(Table, kw_only=True, frozen=True):
    """The capabilities and resource limits that the workload's containers start with."""

    # mypy knows no type that is made at run time.
    capabilities: Annotated[
        Capabilities | UnsetType,  # type: ignore[valid-type]
        Meta(description="Which capabilities containers have, by name."),
    ] = UNSET
    resource_limits: Annotated[
        ResourceLimits | UnsetType,  # type: ignore[valid-type]
        Meta(description="The resource limits of containers, by name."),
    ] = UNSET
