"""The rules across the keys of `settings.kubernetes`: mostly those that kubelet checks when it starts, and then does not.

Kubelet's own: https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/apis/config/validation/validation.go
Each stays silent where the configuration that is rendered from the settings would be taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from earlyboot.model.rules import Broken, Rule, Table, lacking

_UNIT_NS = {"h": 3600 * 10**9, "m": 60 * 10**9, "s": 10**9, "ms": 10**6}
# Kubelet's defaults.
_GC_HIGH_PERCENT = 85
_GC_LOW_PERCENT = 80
_GC_MINIMUM_AGE = "2m"


def nanoseconds(duration: str) -> int:
    """A `Duration` as a number, rounded down part by part."""
    return sum(
        int(whole) * _UNIT_NS[unit] + int(fraction or "0") * _UNIT_NS[unit] // 10 ** len(fraction)
        for whole, fraction, unit in re.findall(r"([0-9]+)(?:\.([0-9]+))?(ms|[hms])", duration)
    )


def _joins_a_cluster(kubernetes: Table) -> bool:
    return "api-server" in kubernetes and not kubernetes.get("standalone-mode", False)


def _cluster_without_certificate(kubernetes: Table) -> Iterator[Broken]:
    if _joins_a_cluster(kubernetes) and not kubernetes.get("cluster-certificate"):
        fix = "add the certificate of the cluster's authority, or set standalone-mode = true"
        yield Broken(("cluster-certificate",), "is missing or empty, and there is an api-server", fix)


def _tls_without_token(kubernetes: Table) -> Iterator[Broken]:
    if (
        _joins_a_cluster(kubernetes)
        and kubernetes.get("authentication-mode") == "tls"
        and "bootstrap-token" not in kubernetes
    ):
        fix = "add the token that the node asks for its certificate with (kubeadm token create)"
        yield Broken(("bootstrap-token",), 'is missing, and authentication-mode is "tls"', fix)


def _aws_without_name(kubernetes: Table) -> Iterator[Broken]:
    if (
        _joins_a_cluster(kubernetes)
        and kubernetes.get("authentication-mode") == "aws"
        and "cluster-name" not in kubernetes
    ):
        fix = "add the name that the cluster has in EKS (aws eks list-clusters)"
        yield Broken(("cluster-name",), 'is missing, and authentication-mode is "aws"', fix)


def _half_server_certificate(kubernetes: Table) -> Iterator[Broken]:
    pair = ("server-certificate", "server-key")
    for name, other in (pair, pair[::-1]):
        # Empty ones are no certificate at all, and kubelet makes its own.
        if kubernetes.get(other) and not kubernetes.get(name):
            yield Broken((name,), f"is missing or empty, and there is a {other}", f"add it, or remove {other}")


def _static_pod_without_manifest(kubernetes: Table) -> Iterator[Broken]:
    for name, pod in kubernetes.get("static-pods", {}).items():
        if pod.get("enabled", False) and not pod.get("manifest"):
            path = ("static-pods", name, "manifest")
            yield Broken(path, "is missing or empty, and the pod is enabled", "add it, or set enabled = false")


def _credential_provider_for_no_image(kubernetes: Table) -> Iterator[Broken]:
    from earlyboot.model.kubernetes_cluster import CredentialProvider

    for name, provider in kubernetes.get("credential-providers", {}).items():
        path = ("credential-providers", name)
        yield from lacking(CredentialProvider, path, provider)
        if provider.get("enabled", False) and provider.get("image-patterns") == []:
            yield Broken(
                (*path, "image-patterns"),
                "is empty, and the provider is enabled",
                "add a pattern, or set enabled = false",
            )


def _eviction_without_grace_period(kubernetes: Table) -> Iterator[Broken]:
    grace_periods = kubernetes.get("eviction-soft-grace-period", {})
    for signal, threshold in kubernetes.get("eviction-soft", {}).items():
        if signal not in grace_periods and threshold != "0%":  # which switches a threshold off
            path = ("eviction-soft-grace-period", signal)
            yield Broken(path, "is missing, and eviction-soft has it", "add a duration, such as 1m30s")


def _image_thresholds_the_wrong_way_round(kubernetes: Table) -> Iterator[Broken]:
    low_key, high_key = "image-gc-low-threshold-percent", "image-gc-high-threshold-percent"
    low, high = kubernetes.get(low_key, _GC_LOW_PERCENT), kubernetes.get(high_key, _GC_HIGH_PERCENT)
    if low >= high and low_key in kubernetes:
        what = f"must be below {high_key}, which is {_GC_HIGH_PERCENT} if not given"
        yield Broken((low_key,), what, f"lower it, or raise {high_key}")
    elif low >= high:
        what = f"must be above {low_key}, which is {_GC_LOW_PERCENT} if not given"
        yield Broken((high_key,), what, f"raise it, or lower {low_key}")


def _image_ages_the_wrong_way_round(kubernetes: Table) -> Iterator[Broken]:
    maximum = nanoseconds(kubernetes.get("image-maximum-gc-age", "0s"))
    if 0 < maximum <= nanoseconds(kubernetes.get("image-minimum-gc-age", _GC_MINIMUM_AGE)):
        what = f"must be longer than image-minimum-gc-age, which is {_GC_MINIMUM_AGE} if not given"
        yield Broken(("image-maximum-gc-age",), what, "raise it, or lower image-minimum-gc-age")


def _critical_pods_outlast_the_shutdown(kubernetes: Table) -> Iterator[Broken]:
    critical = nanoseconds(kubernetes.get("shutdown-grace-period-for-critical-pods", "0s"))
    if critical > nanoseconds(kubernetes.get("shutdown-grace-period", "0s")):
        what = "must not be longer than shutdown-grace-period, which is 0s if not given"
        yield Broken(("shutdown-grace-period-for-critical-pods",), what, "lower it, or raise shutdown-grace-period")


def _static_cpus_with_none_reserved(kubernetes: Table) -> Iterator[Broken]:
    # Without an amount of their own, the services of Kubernetes get one that depends on the machine, never none.
    reserved = (
        kubernetes.get("kube-reserved", {}).get("cpu", "1"),
        kubernetes.get("system-reserved", {}).get("cpu", "0"),
    )
    if (
        kubernetes.get("cpu-manager-policy") == "static"
        and "reserved-cpus" not in kubernetes
        and all(map(_is_zero, reserved))
    ):
        what = 'must not be zero where cpu-manager-policy is "static" and nothing else reserves CPUs'
        yield Broken(("kube-reserved", "cpu"), what, "raise or remove it, or add reserved-cpus")


def _is_zero(quantity: str) -> bool:
    return re.match(r"[+-]?[0.]*[1-9]", quantity) is None


def _cpu_options_without_policy(kubernetes: Table) -> Iterator[Broken]:
    if kubernetes.get("cpu-manager-policy-options") and kubernetes.get("cpu-manager-policy", "none") != "static":
        what = 'are only for cpu-manager-policy = "static"'
        yield Broken(("cpu-manager-policy-options",), what, 'set cpu-manager-policy = "static", or remove them')


def _static_memory_with_none_reserved(kubernetes: Table) -> Iterator[Broken]:
    reservations = kubernetes.get("memory-manager-reserved-memory", {}).values()
    if kubernetes.get("memory-manager-policy") == "Static" and not any(
        memory.get("enabled") for memory in reservations
    ):
        fix = "add memory-manager-reserved-memory.0 = { enabled = true, memory = … }, or remove it"
        yield Broken(("memory-manager-policy",), 'is "Static", and no memory is reserved', fix)


def _memory_of_no_node(kubernetes: Table) -> Iterator[Broken]:
    from earlyboot.model.kubernetes import ReservedMemory

    for name, memory in kubernetes.get("memory-manager-reserved-memory", {}).items():
        path = ("memory-manager-reserved-memory", name)
        yield from lacking(ReservedMemory, path, memory)
        if memory.get("enabled", False) and not re.fullmatch("0|[1-9][0-9]{0,8}", name):
            yield Broken(
                path, "must be named by the number of a NUMA node, such as 0", "rename it, or set enabled = false"
            )


RULES = (
    Rule(
        "cluster-certificate", "kubernetes", "An api-server needs a cluster-certificate.", _cluster_without_certificate
    ),
    Rule(
        "bootstrap-token",
        "kubernetes",
        "An api-server and the authentication-mode tls need a bootstrap-token.",
        _tls_without_token,
    ),
    Rule(
        "cluster-name",
        "kubernetes",
        "An api-server and the authentication-mode aws need a cluster-name.",
        _aws_without_name,
    ),
    Rule(
        "server-certificate",
        "kubernetes",
        "A server-certificate and a server-key go together.",
        _half_server_certificate,
    ),
    Rule(
        "static-pod-manifest",
        "kubernetes",
        "A static pod that is enabled has a manifest.",
        _static_pod_without_manifest,
    ),
    Rule(
        "credential-provider-images",
        "kubernetes",
        "A credential provider says whether it is enabled; one that is has an image pattern.",
        _credential_provider_for_no_image,
    ),
    Rule(
        "eviction-grace-period",
        "kubernetes",
        "Each soft eviction threshold has a grace period.",
        _eviction_without_grace_period,
    ),
    Rule(
        "image-thresholds",
        "kubernetes",
        "The low image-gc threshold is below the high one.",
        _image_thresholds_the_wrong_way_round,
    ),
    Rule(
        "image-ages",
        "kubernetes",
        "The maximum age of an unused image is above the minimum.",
        _image_ages_the_wrong_way_round,
    ),
    Rule(
        "shutdown-grace-periods",
        "kubernetes",
        "The shutdown grace period of critical pods is part of the whole one.",
        _critical_pods_outlast_the_shutdown,
    ),
    Rule(
        "reserved-cpu",
        "kubernetes",
        "The static CPU manager policy needs reserved CPUs.",
        _static_cpus_with_none_reserved,
    ),
    Rule(
        "cpu-policy-options",
        "kubernetes",
        "CPU manager policy options need the static policy.",
        _cpu_options_without_policy,
    ),
    Rule(
        "reserved-memory",
        "kubernetes",
        "The Static memory manager policy needs reserved memory.",
        _static_memory_with_none_reserved,
    ),
    Rule(
        "reserved-memory-node",
        "kubernetes",
        "Reserved memory says whether it is enabled, and is named by the number of its NUMA node.",
        _memory_of_no_node,
    ),
)
