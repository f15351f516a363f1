"""What kubelet gets: what follows from which setting, and hostile values through a real parser."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earlyboot.config import profile as profiles
from earlyboot.config.paths import Paths
from earlyboot.model.check import check
from earlyboot.model.tree import flatten
from earlyboot.render.apply import apply
from earlyboot.render.record import Applied
from tests.earlyboot.render.image import rendered

ONE_LINE = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], include_characters="\t"))
CPUS = "/sys/devices/system/cpu/online"
CLUSTER = {"api-server": "https://cluster.example", "authentication-mode": "tls"}
TOKEN = {"bootstrap-token": "abcdef.0123456789abcdef"}


def document(name: str, kubernetes: dict[str, Any], files: dict[str, str] | None = None) -> dict[str, Any]:
    result = rendered(name, {"kubernetes": kubernetes}, files)
    assert isinstance(result, bytes)
    read = json.loads(result)
    assert isinstance(read, dict)
    return read


def config(kubernetes: dict[str, Any], files: dict[str, str] | None = None) -> dict[str, Any]:
    return document("kubelet-config", kubernetes, files)


def flags(kubernetes: dict[str, Any]) -> list[str]:
    result = rendered("kubelet-flags", {"kubernetes": kubernetes})
    assert isinstance(result, bytes)
    name, _, value = result.decode().splitlines()[-1].partition("=")
    assert name == "KUBELET_FLAGS"
    return [flag.partition("=")[0] for flag in value.strip('"').split()]


# ---- what is kept for Kubernetes


@pytest.mark.parametrize(
    ("online", "cpu"),
    [
        ("0", "60m"),
        ("0-1", "70m"),
        ("0-2\n", "75m"),
        ("0,2-4", "80m"),
        ("0-4", "82m"),
        ("0-5", "85m"),
        ("0-46", "187m"),
        ("0-47", "190m"),
        ("0-23,48-71", "190m"),
    ],
)
def test_the_cpu_time_that_is_kept_grows_with_the_number_of_cpus(online: str, cpu: str) -> None:
    assert config({"max-pods": 1}, {CPUS: online})["kubeReserved"]["cpu"] == cpu


@pytest.mark.parametrize(("pods", "memory"), [(0, "255Mi"), (1, "266Mi"), (29, "574Mi"), (737, "8362Mi")])
def test_the_memory_that_is_kept_grows_with_the_number_of_pods(pods: int, memory: str) -> None:
    assert config({"max-pods": pods})["kubeReserved"] == {"ephemeral-storage": "1Gi", "memory": memory}


@pytest.mark.parametrize("online", ["", "\n", "0-", "all", "0-1-2", "0;1"])
def test_a_list_of_cpus_that_the_kernel_does_not_write_counts_for_nothing(online: str) -> None:
    assert set(config({"max-pods": 1}, {CPUS: online})["kubeReserved"]) == {"ephemeral-storage", "memory"}


def test_what_the_settings_keep_is_kept_whatever_the_number_of_pods() -> None:
    reserved = {"cpu": "10m", "memory": "1Gi", "ephemeral-storage": "2Gi", "pid": "100"}
    assert config({"kube-reserved": reserved})["kubeReserved"] == reserved
    assert config({"kube-reserved": reserved, "max-pods": 9}, {CPUS: "0-3"})["kubeReserved"] == reserved
    assert config({"node-ip": "10.0.0.1"}, {CPUS: "0-3"})["kubeReserved"] == {"cpu": "80m", "ephemeral-storage": "1Gi"}


# ---- which cluster, and how


def test_a_node_without_a_cluster_has_no_way_to_one() -> None:
    alone = {**CLUSTER, **TOKEN, "standalone-mode": True, "server-tls-bootstrap": True, "cloud-provider": "external"}
    assert rendered("kubeconfig", {"kubernetes": alone}) is None
    assert rendered("bootstrap-kubeconfig", {"kubernetes": alone}) is None
    assert flags(alone) == []
    assert config(alone)["address"] == "127.0.0.1"
    assert {"serverTLSBootstrap", "rotateCertificates"}.isdisjoint(config(alone))


@pytest.mark.parametrize(
    ("kubernetes", "expected"),
    [
        ({}, []),
        ({"authentication-mode": "tls", **TOKEN}, []),
        (CLUSTER, ["--kubeconfig"]),
        ({**CLUSTER, **TOKEN}, ["--kubeconfig", "--bootstrap-kubeconfig"]),
        ({**CLUSTER, **TOKEN, "authentication-mode": "aws"}, ["--kubeconfig"]),
        ({**CLUSTER, "cloud-provider": ""}, ["--kubeconfig"]),
        ({**CLUSTER, "cloud-provider": '""'}, ["--kubeconfig"]),
        ({**CLUSTER, "cloud-provider": "external"}, ["--kubeconfig", "--cloud-provider"]),
    ],
)
def test_kubelet_is_told_of_the_files_that_there_are(kubernetes: dict[str, Any], expected: list[str]) -> None:
    kubernetes = {**kubernetes, "node-ip": "10.0.0.1"}
    assert flags(kubernetes) == [*expected, "--node-ip"]
    assert (rendered("kubeconfig", {"kubernetes": kubernetes}) is not None) is ("--kubeconfig" in expected)
    bootstrapped = rendered("bootstrap-kubeconfig", {"kubernetes": kubernetes}) is not None
    assert bootstrapped is ("--bootstrap-kubeconfig" in expected)


def test_without_a_cluster_s_name_there_is_nothing_to_ask_a_token_for() -> None:
    aws = {**CLUSTER, "authentication-mode": "aws"}
    assert document("kubeconfig", aws)["users"] == [{"name": "kubelet", "user": {}}]


@pytest.mark.parametrize("missing", ["server-certificate", "server-key"])
def test_a_certificate_and_its_key_are_used_together_or_not_at_all(missing: str) -> None:
    both = {"server-certificate": "Q0VSVA==", "server-key": "S0VZ", "server-tls-bootstrap": True}
    one = {name: value for name, value in both.items() if name != missing}
    assert config(both)["tlsPrivateKeyFile"] == "/etc/kubernetes/pki/private/kubelet-server.key"
    assert "serverTLSBootstrap" not in config(both)
    assert "tlsCertFile" not in config(one)
    assert config(one)["serverTLSBootstrap"] is True
    assert rendered("kubelet-server-certificate", {"kubernetes": one}) is None
    assert rendered("kubelet-server-key", {"kubernetes": one}) is None


# ---- static pods


def test_static_pods_that_are_switched_off_leave_no_manifest() -> None:
    pods = {"static-pods": {"a": {"enabled": True, "manifest": "e30K"}}}
    assert rendered("static-pods", {"kubernetes": pods}) == {"a": b"{}\n"}
    off = {**pods, "static-pods-enabled": False}
    assert rendered("static-pods", {"kubernetes": off}) == {}
    assert "staticPodPath" not in config(off)


@pytest.mark.parametrize("pod", [{"enabled": True}, {"enabled": True, "manifest": ""}])
def test_a_static_pod_that_runs_needs_a_manifest(pod: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"^static-pods\.a is enabled and has no manifest$"):
        rendered("static-pods", {"kubernetes": {"static-pods": {"a": pod}}})


# ---- values


@given(ONE_LINE, st.dictionaries(st.sampled_from(["A", "B_C", "HOME"]), ONE_LINE), st.lists(ONE_LINE))
def test_whatever_a_credential_provider_is_given_kubelet_reads_it_back(
    profile: str, variables: dict[str, str], patterns: list[str]
) -> None:
    provider = {"enabled": True, "image-patterns": patterns, "environment": variables}
    settings = {
        "aws": {"profile": profile},
        "kubernetes": {"credential-providers": {"ecr-credential-provider": provider}},
    }
    result = rendered("credential-providers", settings)
    assert isinstance(result, bytes)
    (read,) = json.loads(result)["providers"]
    expected = {"HOME": "/root", **({"AWS_PROFILE": profile} if profile else {}), **variables}
    assert {variable["name"]: variable["value"] for variable in read["env"]} == expected
    assert read["matchImages"] == patterns


@given(st.lists(ONE_LINE, min_size=1))
def test_whatever_a_sysctl_is_called_kubelet_reads_it_back(names: list[str]) -> None:
    assert config({"allowed-unsafe-sysctls": names})["allowedUnsafeSysctls"] == names


def test_memory_is_kept_on_a_numa_node_that_has_a_number() -> None:
    kept = {"first": {"enabled": True, "memory": "1Gi"}}
    with pytest.raises(
        ValueError, match=r"^memory-manager-reserved-memory\.first is named by no number of a NUMA node$"
    ):
        config({"memory-manager-reserved-memory": kept})
    kept["first"]["enabled"] = False
    assert "reservedMemory" not in config({"memory-manager-reserved-memory": kept})


# ---- applied to an image


def test_a_static_pod_that_is_switched_off_loses_its_manifest_and_nobody_is_restarted_for_it(tmp_path: Path) -> None:
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/kubelet").touch()
    paths = Paths(str(tmp_path))
    profile = profiles.load("metal", paths)
    pods = {name: {"enabled": True, "manifest": "e30K"} for name in ("first", "second")}

    def settings() -> dict[str, object]:
        return flatten(check({"kubernetes": {"static-pods": pods, "node-ip": "10.0.0.1"}})[0])

    before = apply(settings(), profile, paths, None)
    folder = tmp_path / "etc/kubernetes/static-pods"
    assert sorted(os.listdir(folder)) == ["first.yaml", "second.yaml"]
    assert {stat.S_IMODE((folder / name).stat().st_mode) for name in os.listdir(folder)} == {0o600}
    assert [service.name for service in before.services] == ["kubelet"]
    pods["first"]["enabled"] = False
    after = apply(settings(), profile, paths, Applied(1, "", {}, before.record))
    assert os.listdir(folder) == ["second.yaml"]
    assert after.services == ()
