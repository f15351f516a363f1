"""The files of Bottlerocket's own programs, for images that have them."""

from __future__ import annotations

from collections.abc import Mapping

from earlyboot.model.proxy import direct_hosts
from earlyboot.render import registry
from earlyboot.render.documents import toml_document
from earlyboot.render.formats import UnholdableError
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
_METRICS = {"metrics-url": "metrics_url", "send-metrics": "send_metrics", "service-checks": "service_checks"}
_SIGNAL = {"should-signal": "should_signal", "stack-name": "stack_name", "logical-resource-id": "logical_resource_id"}
_HOST_CONTAINER = {name: name for name in ("source", "enabled", "superpowered", "user-data", "command")}
# None of these programs starts without these, nor without those that have no default.
_UPDATE_DEFAULTS = {"version_lock": "latest", "ignore_waves": False}
_UPDATE_NEEDS = {"metadata_base_url", "targets_base_url", "seed"}
_METRICS_DEFAULTS = {"send_metrics": False, "service_checks": ()}
_METRICS_NEEDS = {"metrics_url", "seed"}
_SIGNAL_DEFAULTS = {"should_signal": False, "stack_name": "", "logical_resource_id": ""}


def updog(settings: Mapping[str, object], context: Context) -> bytes | None:
    """Where updates come from, for the program that fetches them; no file where the settings do not say it."""
    updates = {**_UPDATE_DEFAULTS, **chosen(table_at(settings, "updates"), _UPDATES)}
    if not updates.keys() >= _UPDATE_NEEDS:
        return None
    proxy = text_at(settings, "network", "https-proxy")
    around = {"https_proxy": proxy, "no_proxy": direct_hosts(settings)} if proxy is not None else {}
    return toml_document({**updates, **around})


def thar_be_updates(settings: Mapping[str, object], context: Context) -> bytes | None:
    updates = table_at(settings, "updates")
    return toml_document({"version-lock": text_at(updates, "version-lock") or "latest"}) if updates else None


def metricdog(settings: Mapping[str, object], context: Context) -> bytes | None:
    """Where the machine reports its health to; no file where the settings do not say it."""
    metrics = {**_METRICS_DEFAULTS, **chosen(table_at(settings, "metrics"), _METRICS)}
    rollout = {**_UPDATE_DEFAULTS, **chosen(table_at(settings, "updates"), _ROLLOUT)}
    if not {*metrics, *rollout} >= _METRICS_NEEDS:
        return None
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
    hosts = {
        name: {"mirrors": [_soci_mirror(endpoint) for endpoint in endpoints]}
        for name, endpoints in registry.mirrors(settings).items()
    }
    return {"resolver": {"host": hosts}} if hosts else {}


def _soci_mirror(endpoint: registry.Endpoint) -> dict[str, object]:
    """The snapshotter puts /v2 behind whatever the host is."""
    if endpoint.path and not endpoint.path.endswith("/v2"):
        raise UnholdableError(
            "the path of a mirror's URL does not end with /v2, and the SOCI snapshotter takes no other"
        )
    scheme, _, rest = endpoint.url.rstrip("/").partition("://")
    return {"host": rest.removesuffix("/v2"), **({"insecure": True} if scheme.lower() == "http" else {})}
