"""kubelet's own configuration: a KubeletConfiguration of the API kubelet.config.k8s.io/v1beta1.

Only what the settings say, and what makes a node of a systemd image safe; all else is kubelet's default or the image's
choice. https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from earlyboot.render.documents import json_document
from earlyboot.render.formats import UnholdableError
from earlyboot.render.nested import chosen, list_at, table_at, text_at
from earlyboot.render.renderers import Context

CA_CERTIFICATE = "/etc/kubernetes/pki/ca.crt"
SERVER_CERTIFICATE = "/etc/kubernetes/pki/kubelet-server.crt"
SERVER_KEY = "/etc/kubernetes/pki/private/kubelet-server.key"
STATIC_PODS = "/etc/kubernetes/static-pods"

_ONLINE_CPUS = "/sys/devices/system/cpu/online"
# The settings that a field of the same meaning takes as they are.
_FIELDS = {
    "cluster-domain": "clusterDomain",
    "cluster-dns-ip": "clusterDNS",
    "provider-id": "providerID",
    "container-runtime-endpoint": "containerRuntimeEndpoint",
    "max-pods": "maxPods",
    "pod-pids-limit": "podPidsLimit",
    "system-reserved": "systemReserved",
    "reserved-cpus": "reservedSystemCPUs",
    "eviction-hard": "evictionHard",
    "eviction-soft": "evictionSoft",
    "eviction-soft-grace-period": "evictionSoftGracePeriod",
    "eviction-max-pod-grace-period": "evictionMaxPodGracePeriod",
    "cpu-cfs-quota-enforced": "cpuCFSQuota",
    "cpu-manager-policy": "cpuManagerPolicy",
    "cpu-manager-reconcile-period": "cpuManagerReconcilePeriod",
    "topology-manager-policy": "topologyManagerPolicy",
    "topology-manager-scope": "topologyManagerScope",
    "memory-manager-policy": "memoryManagerPolicy",
    "memory-reservation-policy": "memoryReservationPolicy",
    "memory-throttling-factor": "memoryThrottlingFactor",
    "single-process-oom-kill": "singleProcessOOMKill",
    "image-gc-high-threshold-percent": "imageGCHighThresholdPercent",
    "image-gc-low-threshold-percent": "imageGCLowThresholdPercent",
    "image-minimum-gc-age": "imageMinimumGCAge",
    "image-maximum-gc-age": "imageMaximumGCAge",
    "max-parallel-image-pulls": "maxParallelImagePulls",
    "container-log-max-size": "containerLogMaxSize",
    "container-log-max-files": "containerLogMaxFiles",
    "container-log-max-workers": "containerLogMaxWorkers",
    "container-log-monitor-interval": "containerLogMonitorInterval",
    "registry-qps": "registryPullQPS",
    "registry-burst": "registryBurst",
    "event-qps": "eventRecordQPS",
    "event-burst": "eventBurst",
    "kube-api-qps": "kubeAPIQPS",
    "kube-api-burst": "kubeAPIBurst",
    "shutdown-grace-period": "shutdownGracePeriod",
    "shutdown-grace-period-for-critical-pods": "shutdownGracePeriodCriticalPods",
    "allowed-unsafe-sysctls": "allowedUnsafeSysctls",
    "seccomp-default": "seccompDefault",
}
_MEMORY_LIMITS = {name: name for name in ("memory", "hugepages-1Gi", "hugepages-2Mi")}

Fields = dict[str, object]


def configuration(settings: Mapping[str, object], context: Context) -> bytes | None:
    kubernetes = table_at(settings, "kubernetes")
    if not kubernetes:
        return None
    return json_document(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            **_access(kubernetes),
            **_serving(kubernetes),
            "cgroupDriver": "systemd",
            **_pods(kubernetes),
            **chosen(kubernetes, _FIELDS),
            **_reserved(kubernetes, context),
            **_managers(kubernetes),
        }
    )


def is_standalone(kubernetes: Mapping[str, object]) -> bool:
    """Whether this kubelet has no cluster: it runs static pods, and nobody but the machine itself may ask it anything."""
    return kubernetes.get("standalone-mode") is True


def has_server_certificate(kubernetes: Mapping[str, object]) -> bool:
    """A certificate without its key, or the reverse, cannot be served with."""
    return bool(kubernetes.get("server-certificate")) and bool(kubernetes.get("server-key"))


def _access(kubernetes: Mapping[str, object]) -> Fields:
    if is_standalone(kubernetes):
        # There is no cluster that could say who may ask.
        return {
            "address": "127.0.0.1",
            "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"},
        }
    by_certificate: Fields = {"x509": {"clientCAFile": CA_CERTIFICATE}} if kubernetes.get("cluster-certificate") else {}
    return {
        "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True}, **by_certificate},
        "authorization": {"mode": "Webhook"},
    }


def _serving(kubernetes: Mapping[str, object]) -> Fields:
    """What the node proves itself with; a certificate that the cluster gave is renewed before it expires."""
    if has_server_certificate(kubernetes):
        fields: Fields = {"tlsCertFile": SERVER_CERTIFICATE, "tlsPrivateKeyFile": SERVER_KEY}
    elif kubernetes.get("server-tls-bootstrap") is not None and not is_standalone(kubernetes):
        fields = {"serverTLSBootstrap": kubernetes["server-tls-bootstrap"]}
    else:
        fields = {}
    if kubernetes.get("authentication-mode") == "tls" and not is_standalone(kubernetes):
        fields["rotateCertificates"] = True
    return fields


def _pods(kubernetes: Mapping[str, object]) -> Fields:
    fields: Fields = {}
    if kubernetes.get("static-pods-enabled") is not False:
        fields["staticPodPath"] = STATIC_PODS
    if taints := _taints(kubernetes):
        fields["registerWithTaints"] = taints
    fields["serializeImagePulls"] = kubernetes.get("max-parallel-image-pulls") == 1
    if (ids := kubernetes.get("ids-per-pod")) is not None:
        fields["userNamespaces"] = {"idsPerPod": ids}
    if (behavior := kubernetes.get("memory-swap-behavior")) is not None:
        # Without this kubelet does not start on a machine that has swap.
        fields |= {"failSwapOn": False, "memorySwap": {"swapBehavior": behavior}}
    if (level := kubernetes.get("log-level")) is not None:
        fields["logging"] = {"verbosity": level}
    return fields


def _taints(kubernetes: Mapping[str, object]) -> list[Fields]:
    taints: list[Fields] = []
    for key in sorted(table_at(kubernetes, "node-taints")):
        for taint in list_at(kubernetes, "node-taints", key):
            value, _, effect = str(taint).rpartition(":")
            taints.append({"key": key, **({"value": value} if value else {}), "effect": effect})
    return taints


def _reserved(kubernetes: Mapping[str, object], context: Context) -> Fields:
    """What Kubernetes itself gets: by the number of pods and CPUs, as on EKS, but for what the settings say.

    CPU always: the static policy of the CPU manager does not start without a reservation.
    """
    reserved: Fields = {"ephemeral-storage": "1Gi"}
    if (cpus := _cpu_count(context)) is not None:
        reserved["cpu"] = f"{_reserved_millicores(cpus)}m"
    max_pods = kubernetes.get("max-pods")
    if isinstance(max_pods, int):
        reserved["memory"] = f"{11 * max_pods + 255}Mi"
    reserved |= table_at(kubernetes, "kube-reserved")
    return {"kubeReserved": dict(sorted(reserved.items()))}


def _reserved_millicores(cpus: int) -> int:
    first = (0, 60, 70, 75, 80)
    return first[cpus] if cpus < len(first) else 80 + (cpus - 4) * 5 // 2


def _cpu_count(context: Context) -> int | None:
    """From a list such as `0-3,6`; `None` where the kernel shows none."""
    text = (context.read(_ONLINE_CPUS) or b"").decode("ascii", "replace").strip()
    if not re.fullmatch(r"[0-9]+(?:-[0-9]+)?(?:,[0-9]+(?:-[0-9]+)?)*", text):
        return None
    ranges = [part.partition("-") for part in text.split(",")]
    return sum(int(last or first) - int(first) + 1 for first, _, last in ranges)


def _managers(kubernetes: Mapping[str, object]) -> Fields:
    fields: Fields = {}
    if options := list_at(kubernetes, "cpu-manager-policy-options"):
        fields["cpuManagerPolicyOptions"] = {str(option): "true" for option in options}
    if topology := table_at(kubernetes, "topology-manager-policy-options"):
        fields["topologyManagerPolicyOptions"] = {name: _option(value) for name, value in sorted(topology.items())}
    reservations = [
        {"numaNode": _node_number(name), "limits": chosen(reservation, _MEMORY_LIMITS)}
        for name, reservation in _enabled(kubernetes, "memory-manager-reserved-memory").items()
    ]
    if reservations:
        fields["reservedMemory"] = sorted(reservations, key=lambda reservation: str(reservation["numaNode"]).zfill(10))
    return fields


def _option(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _node_number(name: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", name):
        raise UnholdableError(f"memory-manager-reserved-memory.{name} is named by no number of a NUMA node")
    return int(name)


def _enabled(kubernetes: Mapping[str, object], name: str) -> dict[str, Mapping[str, object]]:
    """The members of a table of tables that are enabled, by name in order."""
    members = {member: table_at(kubernetes, name, member) for member in sorted(table_at(kubernetes, name))}
    return {member: table for member, table in members.items() if table.get("enabled") is True}


def enabled_credential_providers(kubernetes: Mapping[str, object]) -> dict[str, Mapping[str, object]]:
    return _enabled(kubernetes, "credential-providers")


def enabled_static_pods(kubernetes: Mapping[str, object]) -> dict[str, str]:
    """The manifests, as base64, of the pods that run. `UnholdableError` for one without."""
    if kubernetes.get("static-pods-enabled") is False:
        return {}
    manifests = {}
    for name, pod in _enabled(kubernetes, "static-pods").items():
        manifest = text_at(pod, "manifest")
        if not manifest:
            raise UnholdableError(f"static-pods.{name} is enabled and has no manifest")
        manifests[name] = manifest
    return manifests
