"""All groups of settings, in the order of the stable form. A group's module is imported when a document has the group."""

from __future__ import annotations

import functools
from importlib import import_module

# Group to the type of its value: a table, a map of tables, or a scalar; as MODULE:NAME below earlyboot.model.
_TYPES = {
    "motd": "motd:Motd",
    "network": "network:Network",
    "ntp": "ntp:Ntp",
    "kernel": "kernel:Kernel",
    "boot": "boot:Boot",
    "dns": "dns:Dns",
    "aws": "aws:Aws",
    "access": "access:Access",
    "pki": "pki:Pki",
    "container-registry": "container_registry:ContainerRegistry",
    "container-runtime": "container_runtime:ContainerRuntime",
    "container-runtime-plugins": "container_runtime_plugins:ContainerRuntimePlugins",
    "image-verifier-plugins": "image_verifier_plugins:ImageVerifierPlugins",
    "oci-defaults": "oci_defaults:OciDefaults",
    "oci-hooks": "oci_hooks:OciHooks",
    "host-containers": "host_containers:HostContainers",
    "bootstrap-commands": "bootstrap_commands:BootstrapCommands",
    "bootstrap-containers": "bootstrap_containers:BootstrapContainers",
    "updates": "updates:Updates",
    "metrics": "metrics:Metrics",
    "measurement": "measurement:Measurement",
    "cloudformation": "cloudformation:CloudFormation",
    "autoscaling": "autoscaling:AutoScaling",
    "kubernetes": "kubernetes:Kubernetes",
    "kubelet-device-plugins": "kubelet_device_plugins:KubeletDevicePlugins",
    "kubelet-dra-drivers": "kubelet_dra_drivers:KubeletDraDrivers",
    "nvidia-container-runtime": "nvidia_container_runtime:NvidiaContainerRuntime",
    "ecs": "ecs:Ecs",
}
GROUPS: tuple[str, ...] = tuple(_TYPES)


@functools.cache
def group_type(group: str) -> object:
    """The type of the value of one of `GROUPS`."""
    module, _, name = _TYPES[group].partition(":")
    return getattr(import_module(f"earlyboot.model.{module}"), name)
