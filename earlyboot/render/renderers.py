"""The renderers: files that no template makes, because they are binary, or structured, or a set of files.

Each is a pure function of the settings and of what the `Context` lets it read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import NamedTuple

# What a renderer returns: a file, a set of files by the text that stands for the `*` in its path, or no file at all.
Rendered = bytes | Mapping[str, bytes] | None


class Context(NamedTuple):
    """What may flow into a file beside the settings."""

    # The content of a file of the image, at most 4 MiB; `None` if it is not there. `HostError` if it cannot be read.
    read: Callable[[str], bytes | None]
    # The paths of the image's regular files below a folder whose names end so, sorted.
    list: Callable[[str, str], tuple[str, ...]]
    access_user: str


# A name that a profile's file has as `renderer`, and where the function is: MODULE:NAME below earlyboot.render.
_RENDERERS: dict[str, str] = {
    "authorized-keys": "access:authorized_keys",
    "aws-config": "aws:config_file",
    "aws-credentials": "aws:credentials_file",
    "bootconfig": "bootconfig:bootconfig",
    "bootstrap-kubeconfig": "kubeconfig:bootstrap_kubeconfig",
    "ca-certificate": "kubernetes_files:ca_certificate",
    "certificate-anchors": "certificates:anchors",
    "certificate-blocklist": "certificates:blocklist",
    "certificates": "certificates:certificates",
    "cfsignal": "bottlerocket:cfsignal",
    "containerd": "containerd:drop_in",
    "containerd-hosts": "containerd:hosts",
    "credential-providers": "credential_providers:configuration",
    "ecs": "ecs:agent_environment",
    "host-containers": "bottlerocket:host_containers",
    "host-ctr": "bottlerocket:host_ctr",
    "hugepages": "hugepages:tmpfiles",
    "kubeconfig": "kubeconfig:kubeconfig",
    "kubelet-config": "kubelet:configuration",
    "kubelet-flags": "kubelet_flags:flags_file",
    "kubelet-server-certificate": "kubernetes_files:server_certificate",
    "kubelet-server-key": "kubernetes_files:server_key",
    "metricdog": "bottlerocket:metricdog",
    "nvidia-container-runtime": "nvidia:container_runtime",
    "nvidia-device-plugin": "nvidia:device_plugin",
    "oci-base-spec": "oci:base_spec",
    "soci-snapshotter": "bottlerocket:soci_snapshotter",
    "static-pods": "kubernetes_files:static_pods",
    "thar-be-updates": "bottlerocket:thar_be_updates",
    "updog": "bottlerocket:updog",
    "warm-pool-wait": "bottlerocket:warm_pool_wait",
}
# Those that, without settings, make what the image itself has there: their files go back to it with their last key.
_RESTORING = frozenset({"certificates"})


def restores(name: str | None) -> bool:
    """Whether the renderer of that name can put back what the image has."""
    return name in _RESTORING


def find(name: str) -> Callable[[Mapping[str, object], Context], Rendered]:
    """The renderer of that name, given the settings as nested tables with the defaults layered in.

    It raises `formats.UnholdableError` for settings that this file cannot hold.
    """
    module, _, function = _RENDERERS[name].partition(":")
    renderer: Callable[[Mapping[str, object], Context], Rendered] = getattr(
        import_module(f"earlyboot.render.{module}"), function
    )
    return renderer
