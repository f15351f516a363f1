"""The part of `settings.kubernetes` that says which cluster this node joins and as what."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import UNSET, Meta, UnsetType

from earlyboot.model.kubernetes_types import (
    BootstrapToken,
    CloudProvider,
    ClusterDnsIps,
    ClusterName,
    DnsDomain,
    Duration,
    LabelName,
    LabelValue,
    TaintValues,
    VariableName,
)
from earlyboot.model.table import Table
from earlyboot.model.types import (
    IdentifierName,
    IpAddr,
    SecretBase64,
    SecretScalar,
    SingleLineString,
    Url,
    ValidBase64,
    ValidLinuxHostname,
)


class SecretBootstrapToken(SecretScalar):
    plain = BootstrapToken


class StaticPod(Table, kw_only=True, frozen=True):
    enabled: Annotated[bool | UnsetType, Meta(description="Whether the pod runs; false if not given.")] = UNSET
    manifest: Annotated[ValidBase64 | UnsetType, Meta(description="The pod's manifest, as base64.")] = UNSET


class CredentialProvider(Table, kw_only=True, frozen=True):
    needs: ClassVar[tuple[str, ...]] = ("enabled", "image-patterns")

    enabled: Annotated[bool | UnsetType, Meta(description="Whether the program is used.")] = UNSET
    image_patterns: Annotated[
        tuple[SingleLineString, ...] | UnsetType,
        Meta(description="Which images it is asked for, such as *.dkr.ecr.*.amazonaws.com."),
    ] = UNSET
    cache_duration: Annotated[
        Duration | UnsetType, Meta(description="How long kubelet keeps what it was given; 12h if not given.")
    ] = UNSET
    environment: Annotated[
        dict[VariableName, SingleLineString] | UnsetType, Meta(description="The environment of the program.")
    ] = UNSET


class Cluster(Table, kw_only=True, frozen=True):
    """Which cluster, and as what."""

    cluster_name: Annotated[ClusterName | UnsetType, Meta(description="The name of the cluster.")] = UNSET
    cluster_certificate: Annotated[
        ValidBase64 | UnsetType, Meta(description="The certificate of the cluster's authority: PEM, as base64.")
    ] = UNSET
    api_server: Annotated[Url | UnsetType, Meta(description="The URL of the cluster's API server.")] = UNSET
    authentication_mode: Annotated[
        Literal["aws", "tls"] | UnsetType,
        Meta(description="What the node proves itself to the cluster with: its AWS identity, or a certificate."),
    ] = UNSET
    bootstrap_token: Annotated[
        SecretBootstrapToken | UnsetType,
        Meta(description="The token that the node asks for its first certificate with, where the mode is tls."),
    ] = UNSET
    standalone_mode: Annotated[
        bool | UnsetType, Meta(description="Whether kubelet runs without a cluster, only with static pods.")
    ] = UNSET
    cluster_domain: Annotated[DnsDomain | UnsetType, Meta(description="The domain of the cluster's services.")] = UNSET
    cluster_dns_ip: Annotated[
        ClusterDnsIps | UnsetType, Meta(description="The addresses of the cluster's name servers.")
    ] = UNSET
    cloud_provider: Annotated[
        CloudProvider | UnsetType, Meta(description="What knows this machine's cloud; empty for nothing.")
    ] = UNSET
    provider_id: Annotated[
        Url | UnsetType,
        Meta(description="The name of this machine in its cloud, such as aws:///eu-west-1a/i-0123456789abcdef0."),
    ] = UNSET
    node_ip: Annotated[IpAddr | UnsetType, Meta(description="The address by which the cluster reaches this node.")] = (
        UNSET
    )
    hostname_override: Annotated[
        ValidLinuxHostname | UnsetType, Meta(description="The name of this node, in place of the machine's host name.")
    ] = UNSET
    hostname_override_source: Annotated[
        Literal["private-dns-name", "instance-id"] | UnsetType,
        Meta(description="What of an EC2 instance names this node, when no hostname-override is given."),
    ] = UNSET
    node_labels: Annotated[
        dict[LabelName, LabelValue] | UnsetType, Meta(description="The labels that this node registers with.")
    ] = UNSET
    node_taints: Annotated[
        dict[LabelName, TaintValues] | UnsetType, Meta(description="The taints that this node registers with, by key.")
    ] = UNSET
    server_tls_bootstrap: Annotated[
        bool | UnsetType, Meta(description="Whether kubelet asks the cluster for the certificate that it serves with.")
    ] = UNSET
    server_certificate: Annotated[
        ValidBase64 | UnsetType, Meta(description="The certificate that kubelet serves with: PEM, as base64.")
    ] = UNSET
    server_key: Annotated[
        SecretBase64 | UnsetType, Meta(description="The private key of the server certificate: PEM, as base64.")
    ] = UNSET
    static_pods_enabled: Annotated[bool | UnsetType, Meta(description="Whether kubelet runs static pods.")] = UNSET
    static_pods: Annotated[
        dict[IdentifierName, StaticPod] | UnsetType, Meta(description="Pods that kubelet runs by itself, by name.")
    ] = UNSET
    credential_providers: Annotated[
        dict[IdentifierName, CredentialProvider] | UnsetType,
        Meta(description="Programs that kubelet gets credentials of container registries from, by name."),
    ] = UNSET
    pod_infra_container_image: Annotated[
        SingleLineString | UnsetType,
        Meta(description="The image of the container that holds a pod together; no longer used by a current kubelet."),
    ] = UNSET
    container_runtime_endpoint: Annotated[
        Url | UnsetType, Meta(description="The socket of the container runtime, as a URL.")
    ] = UNSET
