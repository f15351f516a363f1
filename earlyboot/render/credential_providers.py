"""The programs that kubelet gets the credentials of registries from: a CredentialProviderConfig of version v1.

https://kubernetes.io/docs/tasks/administer-cluster/kubelet-credential-provider/
"""

from __future__ import annotations

from collections.abc import Mapping

from earlyboot.render.documents import json_document
from earlyboot.render.kubelet import enabled_credential_providers
from earlyboot.render.nested import list_at, table_at, text_at
from earlyboot.render.renderers import Context

_ECR = "ecr-credential-provider"


def configuration(settings: Mapping[str, object], context: Context) -> bytes | None:
    providers = enabled_credential_providers(table_at(settings, "kubernetes"))
    if not providers:
        return None
    profile = text_at(settings, "aws", "profile")
    return json_document(
        {
            "apiVersion": "kubelet.config.k8s.io/v1",
            "kind": "CredentialProviderConfig",
            "providers": [_provider(name, provider, profile) for name, provider in providers.items()],
        }
    )


def _provider(name: str, provider: Mapping[str, object], profile: str | None) -> dict[str, object]:
    variables: dict[str, object] = {}
    if name == _ECR:
        # It reads root's configuration of AWS, and kubelet has no HOME to pass on.
        variables = {"HOME": "/root", **({"AWS_PROFILE": profile} if profile else {})}
    variables |= table_at(provider, "environment")
    return {
        "name": name,
        "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
        "matchImages": list_at(provider, "image-patterns"),
        "defaultCacheDuration": text_at(provider, "cache-duration") or "12h",
        **({"env": [{"name": key, "value": variables[key]} for key in sorted(variables)]} if variables else {}),
    }
