"""The files of Bottlerocket's own programs, for images that have them."""

from __future__ import annotations

from collections.abc import Mapping

from earlyboot.render import registry
from earlyboot.render.documents import toml_document
from earlyboot.render.nested import chosen, table_at, text_at
from earlyboot.render.renderers import Context

_UPDATES = {
    "metadata-base-url": "metadata_base_url",
    "targets-base-url": "targets_base_url",
    "seed": "seed",
    "version-lock": "version_lock",
    "ignore-waves": "ignore_waves",
}
_ROLLOUT = {name: _UPDATES[name] for name in ("seed", "version-lock", "ignore-waves")}
_PROXY = {"https-proxy": "https_proxy", "no-proxy": "no_proxy"}
_METRICS = {"metrics-url": "metrics_url", "send-metrics": "send_metrics", "service-checks": "service_checks"}
_SIGNAL = {"should-signal": "should_signal", "stack-name": "stack_name", "logical-resource-id": "logical_resource_id"}
_HOST_CONTAINER = {name: name for name in ("source", "enabled", "superpowered", "user-data", "command")}
# None of these programs starts without these.
_UPDATE_DEFAULTS = {"version_lock": "latest", "ignore_waves": False}
_SIGNAL_DEFAULTS = {"should_signal": False, "stack_name": "", "logical_resource_id": ""}


def updog(settings: Mapping[str, object], context: Context) -> bytes | None:
    """Where updates come from, for the program that fetches them."""
    updates = table_at(settings, "updates")
    if not updates:
        return None
    proxy = chosen(table_at(settings, "network"), _PROXY)
    return toml_document({**_UPDATE_DEFAULTS, **chosen(updates, _UPDATES), **proxy})


def thar_be_updates(settings: Mapping[str, object], context: Context) -> bytes | None:
    updates = table_at(settings, "updates")
    return toml_document({"version-lock": text_at(updates, "version-lock") or "latest"}) if updates else None


def metricdog(settings: Mapping[str, object], context: Context) -> bytes | None:
    metrics = chosen(table_at(settings, "metrics"), _METRICS)
    if not metrics:
        return None
    rollout = {**_UPDATE_DEFAULTS, **chosen(table_at(settings, "updates"), _ROLLOUT)}
    return toml_document({**metrics, **rollout, "region": text_at(settings, "aws", "region") or "global"})


def cfsignal(settings: Mapping[str, object], context: Context) -> bytes | None:
    signal = chosen(table_at(settings, "cloudformation"), _SIGNAL)
    return toml_document({**_SIGNAL_DEFAULTS, **signal}) if signal else None


def warm_pool_wait(settings: Mapping[str, object], context: Context) -> bytes | None:
    waits = table_at(settings, "autoscaling").get("should-wait")
    if waits is None:
        return None
    return toml_document({"should_wait": waits, "marker_path": "/var/lib/bottlerocket/warm-pool-wait.ran"})


def host_containers(settings: Mapping[str, object], context: Context) -> bytes | None:
    containers = table_at(settings, "host-containers")
    if not containers:
        return None
    tables = {name: chosen(table_at(containers, name), _HOST_CONTAINER) for name in sorted(containers)}
    return toml_document({"host-containers": tables})


def host_ctr(settings: Mapping[str, object], context: Context) -> bytes | None:
    """Mirrors and credentials for the program that pulls and runs host containers."""
    mirrors = {
        name: {"endpoints": [endpoint.url for endpoint in endpoints]}
        for name, endpoints in registry.mirrors(settings).items()
    }
    logins = {registry.host_of_registry(name): login for name, login in registry.credentials(settings).items()}
    if not mirrors and not logins:
        return None
    return toml_document({name: tables for name, tables in (("mirrors", mirrors), ("creds", logins)) if tables})


def soci_snapshotter(settings: Mapping[str, object], context: Context) -> bytes | None:
    """https://github.com/awslabs/soci-snapshotter/blob/main/docs/parallel-mode.md"""
    if not table_at(settings, "container-runtime-plugins", "soci-snapshotter"):
        return None
    pulls = table_at(settings, "container-runtime-plugins", "soci-snapshotter", "parallel-pull-unpack")
    parallel: dict[str, object] = {name.replace("-", "_"): pulls[name] for name in sorted(pulls)}
    chunk = parallel.get("concurrent_download_chunk_size")
    if chunk is not None:
        parallel["concurrent_download_chunk_size"] = "" if chunk == "unlimited" else str(chunk)
    return toml_document(
        {
            # It sees the credentials of the pulls that pass through it on their way to containerd.
            "cri_keychain": {"enable_keychain": True, "image_service_path": "/run/containerd/containerd.sock"},
            "content_store": {"type": "containerd"},
            "pull_modes": {
                "soci_v1": {"enable": False},
                "soci_v2": {"enable": False},
                "parallel_pull_unpack": {"enable": True, **parallel},
            },
            **_soci_mirrors(settings),
        }
    )


def _soci_mirrors(settings: Mapping[str, object]) -> dict[str, object]:
    hosts = {}
    for name, endpoints in registry.mirrors(settings).items():
        parts = [endpoint.url.partition("://") for endpoint in endpoints]
        hosts[name] = {
            "mirrors": [
                {"host": host, **({"insecure": True} if scheme.lower() == "http" else {})} for scheme, _, host in parts
            ]
        }
    return {"resolver": {"host": hosts}} if hosts else {}
