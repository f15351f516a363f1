"""How kubelet reaches its cluster: the kubeconfig files.

https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""

from __future__ import annotations

from collections.abc import Mapping

from earlyboot.render.documents import json_document
from earlyboot.render.kubelet import CA_CERTIFICATE, is_standalone
from earlyboot.render.nested import table_at, text_at
from earlyboot.render.renderers import Context

KUBECONFIG = "/etc/kubernetes/kubelet/kubeconfig"
BOOTSTRAP_KUBECONFIG = "/etc/kubernetes/kubelet/bootstrap-kubeconfig"
# Where kubelet keeps the certificate that the cluster gave it, and renews it.
_CLIENT_CERTIFICATE = "/var/lib/kubelet/pki/kubelet-client-current.pem"
_AUTHENTICATOR = "/usr/bin/aws-iam-authenticator"


def kubeconfig(settings: Mapping[str, object], context: Context) -> bytes | None:
    """What kubelet works with: its AWS identity, or the certificate that it got with the other file."""
    kubernetes = table_at(settings, "kubernetes")
    if not has_kubeconfig(kubernetes):
        return None
    user: dict[str, object] = {}
    cluster = text_at(kubernetes, "cluster-name")
    if kubernetes.get("authentication-mode") == "aws" and cluster:
        arguments = ["token", "-i", cluster]
        if region := text_at(settings, "aws", "region"):
            arguments += ["--region", region]
        version = "client.authentication.k8s.io/v1beta1"
        user["exec"] = {"apiVersion": version, "command": _AUTHENTICATOR, "args": arguments}
    elif kubernetes.get("authentication-mode") == "tls":
        user |= {"client-certificate": _CLIENT_CERTIFICATE, "client-key": _CLIENT_CERTIFICATE}
    return _document(kubernetes, user)


def bootstrap_kubeconfig(settings: Mapping[str, object], context: Context) -> bytes | None:
    """What kubelet asks for its first certificate with."""
    kubernetes = table_at(settings, "kubernetes")
    if not has_bootstrap_kubeconfig(kubernetes):
        return None
    return _document(kubernetes, {"token": kubernetes["bootstrap-token"]})


def has_kubeconfig(kubernetes: Mapping[str, object]) -> bool:
    return bool(kubernetes.get("api-server")) and not is_standalone(kubernetes)


def has_bootstrap_kubeconfig(kubernetes: Mapping[str, object]) -> bool:
    by_certificate = kubernetes.get("authentication-mode") == "tls"
    return has_kubeconfig(kubernetes) and by_certificate and bool(kubernetes.get("bootstrap-token"))


def _document(kubernetes: Mapping[str, object], user: Mapping[str, object]) -> bytes:
    # Without an authority of its own the cluster is trusted as every web site is, by the machine's certificates.
    authority = {"certificate-authority": CA_CERTIFICATE} if kubernetes.get("cluster-certificate") else {}
    return json_document(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "kubernetes", "cluster": {"server": kubernetes["api-server"], **authority}}],
            "users": [{"name": "kubelet", "user": user}],
            "contexts": [{"name": "kubelet", "context": {"cluster": "kubernetes", "user": "kubelet"}}],
            "current-context": "kubelet",
        }
    )
