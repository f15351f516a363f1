"""What is reached without the proxy: the one list for every file and every program that is told of the proxy."""

from __future__ import annotations

from collections.abc import Mapping

from earlyboot.model.time_server import host_of

_ALWAYS = ("localhost", "127.0.0.1")


def direct_hosts(settings: Mapping[str, object]) -> list[str]:
    """Each once: this machine, the cluster that it joins, and what the nested `settings` list themselves."""
    network, kubernetes = (_table(settings.get(name)) for name in ("network", "kubernetes"))
    listed = network.get("no-proxy")
    own = map(str, listed) if isinstance(listed, list | tuple) else ()
    return list(dict.fromkeys((*_ALWAYS, *_cluster(kubernetes), *own)))


def _cluster(kubernetes: Mapping[str, object]) -> list[str]:
    """The API server and the cluster's own domain, which has a default also where there is no cluster."""
    server, domain = kubernetes.get("api-server"), kubernetes.get("cluster-domain")
    if not isinstance(server, str):
        return []
    try:
        hosts = [host_of(server).lower()]
    except ValueError:
        hosts = []
    return [*hosts, *([f".{domain}"] if isinstance(domain, str) and domain else [])]


def _table(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
