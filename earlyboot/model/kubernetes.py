"""`settings.kubernetes`: which cluster this node joins and as what, and how kubelet runs its pods."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import UNSET, Meta, UnsetType, field

from earlyboot.model.kubernetes_cluster import Cluster
from earlyboot.model.kubernetes_types import (
    I32,
    I64,
    U32,
    CpuManagerPolicy,
    CpuSet,
    Duration,
    IdsPerPod,
    IntegerPercent,
    MemoryManagerPolicy,
    NonNegative,
    Quantity,
    ResourceName,
    SignalName,
    Threshold,
    ThrottlingFactor,
)
from earlyboot.model.table import Table
from earlyboot.model.types import IdentifierName, SingleLineString

# The options that a kubelet takes without a feature gate that is off by default.
CpuManagerOption = Literal[
    "full-pcpus-only", "distribute-cpus-across-numa", "strict-cpu-reservation", "prefer-align-cpus-by-uncorecache"
]


class TopologyOptions(Table, kw_only=True, frozen=True):
    prefer_closest_numa_nodes: Annotated[
        bool | UnsetType, Meta(description="Whether NUMA nodes that are close to each other are preferred.")
    ] = UNSET
    max_allowable_numa_nodes: Annotated[
        Annotated[int, Meta(ge=8, le=2**32 - 1)] | UnsetType,
        Meta(description="Up to how many NUMA nodes the topology manager works; 8 if not given."),
    ] = UNSET


class ReservedMemory(Table, kw_only=True, frozen=True):
    needs: ClassVar[tuple[str, ...]] = ("enabled",)

    enabled: Annotated[bool | UnsetType, Meta(description="Whether this reservation counts.")] = UNSET
    memory: Annotated[Quantity | UnsetType, Meta(description="How much memory is kept.")] = UNSET
    hugepages_1gi: Annotated[
        Quantity | UnsetType, Meta(description="How much memory in huge pages of 1Gi is kept.")
    ] = field(default=UNSET, name="hugepages-1Gi")
    hugepages_2mi: Annotated[
        Quantity | UnsetType, Meta(description="How much memory in huge pages of 2Mi is kept.")
    ] = field(default=UNSET, name="hugepages-2Mi")


class Kubernetes(Cluster, kw_only=True, frozen=True):
    """Which cluster, and how kubelet runs."""

    max_pods: Annotated[U32 | UnsetType, Meta(description="How many pods this node runs at most.")] = UNSET
    pod_pids_limit: Annotated[
        I64 | UnsetType, Meta(description="How many processes a pod may have; -1 for no limit.")
    ] = UNSET
    ids_per_pod: Annotated[
        IdsPerPod | UnsetType,
        Meta(description="How many user and group IDs a pod with a user namespace of its own gets."),
    ] = UNSET
    kube_reserved: Annotated[
        dict[ResourceName, Quantity] | UnsetType,
        Meta(description="What is kept for the services of Kubernetes, by resource."),
    ] = UNSET
    system_reserved: Annotated[
        dict[ResourceName, Quantity] | UnsetType,
        Meta(description="What is kept for the rest of the system, by resource."),
    ] = UNSET
    reserved_cpus: Annotated[
        CpuSet | UnsetType, Meta(description="The CPUs that are kept for the system, in place of the amounts above.")
    ] = UNSET
    eviction_hard: Annotated[
        dict[SignalName, Threshold] | UnsetType,
        Meta(description="Below which amount of what is free pods are evicted at once."),
    ] = UNSET
    eviction_soft: Annotated[
        dict[SignalName, Threshold] | UnsetType,
        Meta(description="Below which amount of what is free pods are evicted after a grace period."),
    ] = UNSET
    eviction_soft_grace_period: Annotated[
        dict[SignalName, Duration] | UnsetType,
        Meta(description="How long each soft threshold may be crossed before pods are evicted."),
    ] = UNSET
    eviction_max_pod_grace_period: Annotated[
        NonNegative | UnsetType,
        Meta(description="How many seconds a pod gets to end when it is evicted after a soft threshold."),
    ] = UNSET
    cpu_cfs_quota_enforced: Annotated[
        bool | UnsetType, Meta(description="Whether the CPU limits of containers are enforced.")
    ] = UNSET
    cpu_manager_policy: Annotated[
        CpuManagerPolicy | UnsetType,
        Meta(description="Whether containers may have CPUs of their own (static) or not (none)."),
    ] = UNSET
    cpu_manager_policy_options: Annotated[
        tuple[CpuManagerOption, ...] | UnsetType, Meta(description="How the static policy picks CPUs.")
    ] = UNSET
    cpu_manager_reconcile_period: Annotated[
        Duration | UnsetType, Meta(description="How often the CPU assignments are written again.")
    ] = UNSET
    topology_manager_policy: Annotated[
        Literal["none", "restricted", "best-effort", "single-numa-node"] | UnsetType,
        Meta(description="How strictly a pod's resources must lie on the same NUMA nodes."),
    ] = UNSET
    topology_manager_scope: Annotated[
        Literal["container", "pod"] | UnsetType,
        Meta(description="Whether resources are aligned for each container or for the pod as a whole."),
    ] = UNSET
    topology_manager_policy_options: Annotated[
        TopologyOptions | UnsetType, Meta(description="What else the topology manager considers.")
    ] = UNSET
    memory_manager_policy: Annotated[
        MemoryManagerPolicy | UnsetType,
        Meta(description="Whether containers may have memory of their own on a NUMA node (Static) or not (None)."),
    ] = UNSET
    memory_manager_reserved_memory: Annotated[
        dict[IdentifierName, ReservedMemory] | UnsetType,
        Meta(description="The memory that is kept for the system, by the number of the NUMA node."),
    ] = UNSET
    memory_swap_behavior: Annotated[
        Literal["NoSwap", "LimitedSwap"] | UnsetType, Meta(description="Whether pods may swap.")
    ] = UNSET
    memory_reservation_policy: Annotated[
        Literal["None", "TieredReservation"] | UnsetType,
        Meta(description="Whether the memory that a container requests is protected from being reclaimed."),
    ] = UNSET
    memory_throttling_factor: Annotated[
        ThrottlingFactor | UnsetType, Meta(description="At which part of its memory limit a container is slowed down.")
    ] = UNSET
    single_process_oom_kill: Annotated[
        bool | UnsetType,
        Meta(description="Whether only the process that ran out of memory is killed, rather than its container."),
    ] = UNSET
    image_gc_high_threshold_percent: Annotated[
        IntegerPercent | UnsetType,
        Meta(description="Above which disk usage unused images are removed; 85 if not given."),
    ] = UNSET
    image_gc_low_threshold_percent: Annotated[
        IntegerPercent | UnsetType,
        Meta(description="Down to which disk usage unused images are removed; 80 if not given."),
    ] = UNSET
    image_minimum_gc_age: Annotated[
        Duration | UnsetType,
        Meta(description="How long an image must be unused before it may be removed; 2m if not given."),
    ] = UNSET
    image_maximum_gc_age: Annotated[
        Duration | UnsetType,
        Meta(
            description="How long an image may be unused before it is removed whatever the disk usage; 0s for any time."
        ),
    ] = UNSET
    max_parallel_image_pulls: Annotated[
        I32 | UnsetType, Meta(description="How many images are pulled at the same time.")
    ] = UNSET
    container_log_max_size: Annotated[
        Quantity | UnsetType, Meta(description="At which size a container's log file is rotated.")
    ] = UNSET
    container_log_max_files: Annotated[
        I32 | UnsetType, Meta(description="How many log files a container may have.")
    ] = UNSET
    container_log_max_workers: Annotated[I32 | UnsetType, Meta(description="How many workers rotate log files.")] = (
        UNSET
    )
    container_log_monitor_interval: Annotated[
        Duration | UnsetType, Meta(description="How often the size of log files is looked at.")
    ] = UNSET
    registry_qps: Annotated[
        I32 | UnsetType, Meta(description="How many images are pulled per second; 0 for no limit.")
    ] = UNSET
    registry_burst: Annotated[I32 | UnsetType, Meta(description="How many pulls may come at once.")] = UNSET
    event_qps: Annotated[
        I32 | UnsetType, Meta(description="How many events are recorded per second; 0 for no limit.")
    ] = UNSET
    event_burst: Annotated[I32 | UnsetType, Meta(description="How many events may come at once.")] = UNSET
    kube_api_qps: Annotated[
        I32 | UnsetType, Meta(description="How many requests kubelet makes to the API server per second.")
    ] = UNSET
    kube_api_burst: Annotated[
        I32 | UnsetType, Meta(description="How many requests to the API server may come at once.")
    ] = UNSET
    shutdown_grace_period: Annotated[Duration | UnsetType, Meta(description="How long a shutdown waits for pods.")] = (
        UNSET
    )
    shutdown_grace_period_for_critical_pods: Annotated[
        Duration | UnsetType, Meta(description="How much of that time is kept for critical pods.")
    ] = UNSET
    allowed_unsafe_sysctls: Annotated[
        tuple[SingleLineString, ...] | UnsetType,
        Meta(description="Kernel parameters that pods may set though they are not safe."),
    ] = UNSET
    seccomp_default: Annotated[
        bool | UnsetType, Meta(description="Whether containers have the runtime's seccomp profile when they name none.")
    ] = UNSET
    device_ownership_from_security_context: Annotated[
        bool | UnsetType,
        Meta(description="Whether a container's devices belong to the user that the container runs as."),
    ] = UNSET
    log_level: Annotated[Annotated[int, Meta(ge=0, le=255)] | UnsetType, Meta(description="How much kubelet logs.")] = (
        UNSET
    )
