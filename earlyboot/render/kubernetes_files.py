"""What Kubernetes settings carry as base64, as files: certificates, the server's key, the manifests of static pods."""

from __future__ import annotations

import binascii
from collections.abc import Mapping

from earlyboot.render.kubelet import enabled_static_pods, has_server_certificate
from earlyboot.render.nested import table_at, text_at
from earlyboot.render.renderers import Context


def ca_certificate(settings: Mapping[str, object], context: Context) -> bytes | None:
    encoded = text_at(settings, "kubernetes", "cluster-certificate")
    return _decoded(encoded) if encoded else None


def server_certificate(settings: Mapping[str, object], context: Context) -> bytes | None:
    return _of_server(settings, "server-certificate")


def server_key(settings: Mapping[str, object], context: Context) -> bytes | None:
    return _of_server(settings, "server-key")


def static_pods(settings: Mapping[str, object], context: Context) -> Mapping[str, bytes]:
    """The manifests by their pods' names; kubelet runs what lies in the folder, and ends what no longer does."""
    return {
        name: _decoded(manifest) for name, manifest in enabled_static_pods(table_at(settings, "kubernetes")).items()
    }


def _of_server(settings: Mapping[str, object], key: str) -> bytes | None:
    kubernetes = table_at(settings, "kubernetes")
    return _decoded(str(kubernetes[key])) if has_server_certificate(kubernetes) else None


def _decoded(encoded: str) -> bytes:
    return binascii.a2b_base64(encoded)
