"""What is reached without the proxy."""

from __future__ import annotations

import pytest

from earlyboot.model.proxy import direct_hosts

ALWAYS = ["localhost", "127.0.0.1"]


def test_without_settings_it_is_the_machine_itself() -> None:
    assert direct_hosts({}) == ALWAYS


def test_what_is_there_already_is_not_there_twice() -> None:
    settings = {"network": {"no-proxy": [".a", "127.0.0.1", ".a", "b"]}}
    assert direct_hosts(settings) == [*ALWAYS, ".a", "b"]


@pytest.mark.parametrize(
    ("server", "host"),
    [
        ("https://K8S.example.com:6443", "k8s.example.com"),
        ("api.example/path", "api.example"),
        ("10.0.0.1:6443", "10.0.0.1"),
        ("https://user:word@api.example:443/", "api.example"),
        ("https://[2001:DB8::1]:6443", "2001:db8::1"),
    ],
)
def test_the_api_server_is_reached_without_the_proxy_and_so_is_the_cluster(server: str, host: str) -> None:
    cluster = {"api-server": server, "cluster-domain": "cluster.local"}
    assert direct_hosts({"kubernetes": cluster, "network": {"no-proxy": ["a"]}}) == [
        *ALWAYS,
        host,
        ".cluster.local",
        "a",
    ]


def test_a_cluster_domain_alone_is_that_of_no_cluster() -> None:
    assert direct_hosts({"kubernetes": {"cluster-domain": "cluster.local"}}) == ALWAYS
    assert direct_hosts({"kubernetes": {"api-server": "https://a"}}) == [*ALWAYS, "a"]


def test_a_server_that_names_no_host_adds_none() -> None:
    assert direct_hosts({"kubernetes": {"api-server": "https://", "cluster-domain": "a.b"}}) == [*ALWAYS, ".a.b"]
