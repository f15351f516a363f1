"""NVIDIA's container runtime and its device plugin for Kubernetes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from earlyboot.render.documents import json_document, toml_document
from earlyboot.render.nested import chosen, table_at
from earlyboot.render.renderers import Context
from hostkit.errors import Fault, HostError, Where

RUNTIME_CONFIG = "/etc/nvidia-container-runtime/config.toml"
_RUNTIME = {
    "visible-devices-as-volume-mounts": "accept-nvidia-visible-devices-as-volume-mounts",
    "visible-devices-envvar-when-unprivileged": "accept-nvidia-visible-devices-envvar-when-unprivileged",
}
# Both are always written: what was put in before is not to be taken for the image's own.
_RUNTIME_DEFAULTS = dict(zip(_RUNTIME.values(), (True, False), strict=True))
_RESOURCE = "nvidia.com/gpu"
_MPS_ROOT = "/run/nvidia/mps"
_SHARES = 2


def container_runtime(settings: Mapping[str, object], context: Context) -> bytes | None:
    """The image's own file with what the settings say put in; what else stands there stays, but for its comments."""
    told = chosen(table_at(settings, "nvidia-container-runtime"), _RUNTIME)
    return toml_document({**_image_config(context), **_RUNTIME_DEFAULTS, **told}) if told else None


def _image_config(context: Context) -> dict[str, Any]:
    import tomli

    data = context.read(RUNTIME_CONFIG)
    try:
        return tomli.loads((data or b"").decode())
    except ValueError:
        what = "the image's configuration of the NVIDIA container runtime is not TOML"
        raise HostError(Fault("nvidia-config", what, Where(RUNTIME_CONFIG), "mend the file, or remove it")) from None


def device_plugin(settings: Mapping[str, object], context: Context) -> bytes | None:
    """https://github.com/NVIDIA/k8s-device-plugin#configuration-option-details"""
    plugin = table_at(settings, "kubelet-device-plugins", "nvidia")
    if not plugin:
        return None
    sharing = _sharing(plugin)
    return json_document(
        {
            "version": "v1",
            "flags": {
                "migStrategy": "single" if plugin.get("device-partitioning-strategy") == "mig" else "none",
                "failOnInitError": True,
                **({"mpsRoot": _MPS_ROOT} if "mps" in sharing else {}),
                "plugin": {
                    "passDeviceSpecs": plugin.get("pass-device-specs", True),
                    "deviceListStrategy": plugin.get("device-list-strategy", "volume-mounts"),
                    "deviceIDStrategy": plugin.get("device-id-strategy", "index"),
                },
            },
            **({"sharing": sharing} if sharing else {}),
        }
    )


def _sharing(plugin: Mapping[str, object]) -> dict[str, object]:
    strategy = plugin.get("device-sharing-strategy")
    if strategy not in ("time-slicing", "mps"):
        return {}
    shares = table_at(plugin, str(strategy))
    told: dict[str, object] = {"renameByDefault": shares.get("rename-by-default", True)}
    if strategy == "time-slicing":
        told["failRequestsGreaterThanOne"] = shares.get("fail-requests-greater-than-one", True)
    told["resources"] = [{"name": _RESOURCE, "replicas": shares.get("replicas", _SHARES)}]
    return {"timeSlicing" if strategy == "time-slicing" else "mps": told}
