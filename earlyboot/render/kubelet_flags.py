"""The part of kubelet's configuration that only its command line takes, as one variable for its unit."""

from __future__ import annotations

from collections.abc import Mapping

from earlyboot.render.documents import environment, words
from earlyboot.render.kubeconfig import BOOTSTRAP_KUBECONFIG, KUBECONFIG, has_bootstrap_kubeconfig, has_kubeconfig
from earlyboot.render.kubelet import enabled_credential_providers
from earlyboot.render.nested import table_at, text_at
from earlyboot.render.renderers import Context

PROVIDERS_CONFIG = "/etc/kubernetes/kubelet/credential-provider-config.yaml"
_PROVIDERS_FOLDER = "/usr/libexec/kubernetes/kubelet/plugins"


def flags_file(settings: Mapping[str, object], context: Context) -> bytes | None:
    kubernetes = table_at(settings, "kubernetes")
    if not kubernetes:
        return None
    return environment({"KUBELET_FLAGS": words([f"--{name}={value}" for name, value in _flags(kubernetes).items()])})


def _flags(kubernetes: Mapping[str, object]) -> dict[str, str]:
    flags: dict[str, str] = {}
    if has_kubeconfig(kubernetes):
        flags["kubeconfig"] = KUBECONFIG
    if has_bootstrap_kubeconfig(kubernetes):
        flags["bootstrap-kubeconfig"] = BOOTSTRAP_KUBECONFIG
    cloud = (text_at(kubernetes, "cloud-provider") or "").strip('"')
    if cloud and has_kubeconfig(kubernetes):
        flags["cloud-provider"] = cloud
    # The provider that was part of kubelet finds nodes by the names that EC2 gave them.
    if cloud != "aws" and (name := text_at(kubernetes, "hostname-override")):
        flags["hostname-override"] = name
    if address := text_at(kubernetes, "node-ip"):
        flags["node-ip"] = address
    if labels := table_at(kubernetes, "node-labels"):
        flags["node-labels"] = ",".join(f"{name}={labels[name]}" for name in sorted(labels))
    if enabled_credential_providers(kubernetes):
        flags |= {
            "image-credential-provider-bin-dir": _PROVIDERS_FOLDER,
            "image-credential-provider-config": PROVIDERS_CONFIG,
        }
    return flags
