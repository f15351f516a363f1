"""The rules across keys: each by what breaks it and by what must not, and that no checked document makes one fail."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Mapping

import pytest
from hypothesis import given

from earlyboot.model.check import KeyFault, check
from earlyboot.model.rules import broken_rules, rules_of
from earlyboot.model.rules_kubernetes import nanoseconds
from earlyboot.model.settings import GROUPS
from tests.earlyboot.model.documents import complete, mutated

CERTIFICATE = "Y2VydGlmaWNhdGU="
TOKEN = "abcdef.0123456789abcdef"
CLUSTER = {"api-server": "https://api.example.com", "cluster-certificate": CERTIFICATE}

Group = Mapping[str, object]


def broken(group: str, value: object, generated: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """What each broken rule says of a group of good settings, and how to mend it."""
    settings, faults = check({group: value})
    assert faults == ()
    found = broken_rules(settings, generated)
    assert {fault.code for fault in found} <= {"broken-rule", "missing-key"}
    assert all(fault.what.endswith(" is missing") for fault in found if fault.code == "missing-key")
    assert {fault.path[0] for fault in found} <= {group}
    return [(fault.what, fault.fix) for fault in found]


BROKEN: list[tuple[str, Group, str, str]] = [
    (
        *("bootstrap-containers", {"a": {"mode": "once"}}),
        *("a.source is missing, and the container is to run", 'add it, or set mode = "off"'),
    ),
    (
        *("bootstrap-containers", {"a": {"mode": "always", "user-data": "AA=="}}),
        *("a.source is missing, and the container is to run", 'add it, or set mode = "off"'),
    ),
    (
        *("host-containers", {"admin": {"enabled": True, "superpowered": True}}),
        *("admin.source is missing, and the container is to run", "add it, or set enabled = false"),
    ),
    (
        *("bootstrap-commands", {"a": {"mode": "once", "essential": True}}),
        *("a.commands is missing, and they are to run", 'add it, or set mode = "off"'),
    ),
    (
        *("pki", {"a": {"trusted": True}}),
        *("a.data is missing", 'add the certificates, or data = "" to leave the bundle out'),
    ),
    (
        *("container-registry", {"credentials": [{"registry": "a", "username": "b"}]}),
        *("credentials[0] has a username without a password", 'add password, or password = "" if there is none'),
    ),
    (
        *(
            "container-registry",
            {"creds": [{"registry": "a", "auth": "QQ=="}, {"registry": "b", "password": "hidden"}]},
        ),
        *("credentials[1] has a password without a username", "add username"),
    ),
    (
        *("container-registry", {"credentials": [{"registry": "a"}]}),
        "credentials[0] has nothing to log in with",
        "add username and password, auth or identitytoken, or remove the entry",
    ),
    (
        *("cloudformation", {"should-signal": True, "stack-name": "a"}),
        "logical-resource-id is missing or empty, and the stack is to be signalled",
        "add it, or set should-signal = false",
    ),
    (
        *("kubernetes", {"api-server": "https://api.example.com"}),
        "cluster-certificate is missing or empty, and there is an api-server",
        "add the certificate of the cluster's authority, or set standalone-mode = true",
    ),
    (
        *("kubernetes", {**CLUSTER, "authentication-mode": "tls", "standalone-mode": False}),
        'bootstrap-token is missing, and authentication-mode is "tls"',
        "add the token that the node asks for its certificate with (kubeadm token create)",
    ),
    (
        *("kubernetes", {**CLUSTER, "authentication-mode": "aws"}),
        'cluster-name is missing, and authentication-mode is "aws"',
        "add the name that the cluster has in EKS (aws eks list-clusters)",
    ),
    (
        *("image-verifier-plugins", {"enabled": {"trustpolicy": "e30="}}),
        *("enabled must be true or false", "write enabled = true, and give the plugin another name"),
    ),
    (
        *("image-verifier-plugins", {"enabled": True, "mine": True}),
        "mine must be a plugin's table",
        'write mine = { trustpolicy = "…" }, or enabled = true to verify images',
    ),
    (
        *(
            "kubelet-device-plugins",
            {"nvidia": {"device-sharing-strategy": "mps", "device-partitioning-strategy": "mig"}},
        ),
        'nvidia.device-sharing-strategy must not be "mps" where device-partitioning-strategy is "mig"',
        'share by "time-slicing", or set one of the two to "none"',
    ),
    (
        *("kubernetes", {"server-certificate": CERTIFICATE}),
        *("server-key is missing or empty, and there is a server-certificate", "add it, or remove server-certificate"),
    ),
    (
        *("kubernetes", {"server-certificate": "", "server-key": CERTIFICATE}),
        *("server-certificate is missing or empty, and there is a server-key", "add it, or remove server-key"),
    ),
    (
        *("kubernetes", {"static-pods": {"a": {"enabled": True}, "b": {"enabled": False}}}),
        *("static-pods.a.manifest is missing or empty, and the pod is enabled", "add it, or set enabled = false"),
    ),
    (
        *("oci-defaults", {"resource-limits": {"max-open-files": {"hard-limit": 5}}}),
        *("resource-limits.max-open-files.soft-limit is missing", "add soft-limit = 65536"),
    ),
    (
        *("oci-defaults", {"resource-limits": {"max-open-files": {"soft-limit": 5}}}),
        *("resource-limits.max-open-files.hard-limit is missing", "add hard-limit = 65536"),
    ),
    *(
        (
            "oci-defaults",
            {"resource-limits": {"max-processes": {"hard-limit": hard, "soft-limit": soft}}},
            "resource-limits.max-processes.soft-limit must not be above hard-limit",
            "lower it, or raise hard-limit",
        )
        for hard, soft in ((1, 2), (0, "unlimited"), (2**63 - 1, -1))
    ),
    (
        *("kubernetes", {"credential-providers": {"a": {"enabled": True}}}),
        *("credential-providers.a.image-patterns is missing", 'add image-patterns = ["some text"]'),
    ),
    (
        *("kubernetes", {"credential-providers": {"a": {"image-patterns": []}}}),
        *("credential-providers.a.enabled is missing", "add enabled = true"),
    ),
    (
        *("kubernetes", {"memory-manager-reserved-memory": {"0": {"memory": "1Gi"}}}),
        *("memory-manager-reserved-memory.0.enabled is missing", "add enabled = true"),
    ),
    (
        *("kubernetes", {"credential-providers": {"a": {"enabled": True, "image-patterns": []}}}),
        "credential-providers.a.image-patterns is empty, and the provider is enabled",
        "add a pattern, or set enabled = false",
    ),
    (
        *(
            "kubernetes",
            {"eviction-soft": {"memory.available": "5%"}, "eviction-soft-grace-period": {"pid.available": "1s"}},
        ),
        'eviction-soft-grace-period."memory.available" is missing, and eviction-soft has it',
        "add a duration, such as 1m30s",
    ),
    (
        *("kubernetes", {"image-gc-high-threshold-percent": 70, "image-gc-low-threshold-percent": "70"}),
        "image-gc-low-threshold-percent must be below image-gc-high-threshold-percent, which is 85 if not given",
        "lower it, or raise image-gc-high-threshold-percent",
    ),
    (
        *("kubernetes", {"image-gc-low-threshold-percent": 85}),
        "image-gc-low-threshold-percent must be below image-gc-high-threshold-percent, which is 85 if not given",
        "lower it, or raise image-gc-high-threshold-percent",
    ),
    (
        *("kubernetes", {"image-gc-high-threshold-percent": 80}),
        "image-gc-high-threshold-percent must be above image-gc-low-threshold-percent, which is 80 if not given",
        "raise it, or lower image-gc-low-threshold-percent",
    ),
    (
        *("kubernetes", {"image-maximum-gc-age": "1h", "image-minimum-gc-age": "60m"}),
        "image-maximum-gc-age must be longer than image-minimum-gc-age, which is 2m if not given",
        "raise it, or lower image-minimum-gc-age",
    ),
    (
        *("kubernetes", {"image-maximum-gc-age": "1m59s"}),
        "image-maximum-gc-age must be longer than image-minimum-gc-age, which is 2m if not given",
        "raise it, or lower image-minimum-gc-age",
    ),
    (
        *("kubernetes", {"shutdown-grace-period": "1m", "shutdown-grace-period-for-critical-pods": "61s"}),
        "shutdown-grace-period-for-critical-pods must not be longer than shutdown-grace-period, which is 0s if not given",
        "lower it, or raise shutdown-grace-period",
    ),
    (
        *("kubernetes", {"shutdown-grace-period-for-critical-pods": "10s"}),
        "shutdown-grace-period-for-critical-pods must not be longer than shutdown-grace-period, which is 0s if not given",
        "lower it, or raise shutdown-grace-period",
    ),
    (
        *("kubernetes", {"cpu-manager-policy": "static", "kube-reserved": {"cpu": "0.0m"}}),
        'kube-reserved.cpu must not be zero where cpu-manager-policy is "static" and nothing else reserves CPUs',
        "raise or remove it, or add reserved-cpus",
    ),
    (
        *("kubernetes", {"cpu-manager-policy-options": ["full-pcpus-only"]}),
        'cpu-manager-policy-options are only for cpu-manager-policy = "static"',
        'set cpu-manager-policy = "static", or remove them',
    ),
    (
        "kubernetes",
        {
            "memory-manager-policy": "static",
            "memory-manager-reserved-memory": {"0": {"enabled": False, "memory": "1Gi"}},
        },
        'memory-manager-policy is "Static", and no memory is reserved',
        "add memory-manager-reserved-memory.0 = { enabled = true, memory = … }, or remove it",
    ),
    (
        *("kubernetes", {"memory-manager-reserved-memory": {"node0": {"enabled": True}}}),
        "memory-manager-reserved-memory.node0 must be named by the number of a NUMA node, such as 0",
        "rename it, or set enabled = false",
    ),
]


@pytest.mark.parametrize(("group", "value", "what", "fix"), BROKEN)
def test_a_broken_rule_says_where_and_how_to_mend_it(group: str, value: Group, what: str, fix: str) -> None:
    assert broken(group, value) == [(f"settings.{group}.{what}", fix)]


@pytest.mark.parametrize(
    ("group", "value"),
    [
        (
            "bootstrap-containers",
            {"a": {"mode": "off"}, "b": {"essential": True}, "c": {"mode": "once", "source": "x"}},
        ),
        (
            "host-containers",
            {"a": {"enabled": False}, "b": {"superpowered": True}, "c": {"enabled": True, "source": "x"}},
        ),
        ("bootstrap-commands", {"a": {"mode": "off"}, "b": {"essential": True}}),
        ("pki", {"a": {"data": ""}, "b": {"data": "", "trusted": True}}),
        ("container-registry", {"credentials": [{"registry": "a", "username": "b", "password": "c"}]}),
        ("container-registry", {"credentials": [{"registry": "a", "username": "b", "password": ""}]}),
        ("container-registry", {"credentials": [{"registry": "a", "identitytoken": "b", "username": "c"}]}),
        ("container-registry", {"credentials": [], "mirrors": [{"registry": "*", "endpoint": ["https://a"]}]}),
        ("cloudformation", {"should-signal": False, "stack-name": ""}),
        ("cloudformation", {"should-signal": True, "stack-name": "a", "logical-resource-id": "b"}),
        ("kubernetes", {**CLUSTER, "cluster-name": "a", "cluster-dns-ip": "10.100.0.10", "max-pods": 17}),
        ("kubernetes", {**CLUSTER, "authentication-mode": "aws", "cluster-name": "a"}),
        ("kubernetes", {**CLUSTER, "authentication-mode": "aws", "standalone-mode": True}),
        ("kubernetes", {"authentication-mode": "aws"}),
        ("image-verifier-plugins", {"enabled": False}),
        ("image-verifier-plugins", {"enabled": True, "mine": {"trustpolicy": "e30="}}),
        (
            "kubelet-device-plugins",
            {"nvidia": {"device-sharing-strategy": "time-slicing", "device-partitioning-strategy": "mig"}},
        ),
        (
            "kubelet-device-plugins",
            {"nvidia": {"device-sharing-strategy": "mps", "device-partitioning-strategy": "none"}},
        ),
        ("kubernetes", {**CLUSTER, "authentication-mode": "tls", "bootstrap-token": TOKEN}),
        ("kubernetes", {"authentication-mode": "tls", "standalone-mode": True, "api-server": "https://localhost"}),
        ("kubernetes", {"cluster-name": "a", "authentication-mode": "tls"}),
        ("kubernetes", {"server-certificate": "", "server-tls-bootstrap": True}),
        ("kubernetes", {"server-certificate": CERTIFICATE, "server-key": CERTIFICATE}),
        ("kubernetes", {"static-pods": {"a": {"enabled": True, "manifest": "QQ=="}, "b": {"manifest": ""}}}),
        ("kubernetes", {"credential-providers": {"a": {"enabled": False, "image-patterns": []}}}),
        (
            "kubernetes",
            {"eviction-soft": {"pid.available": "0%"}, "eviction-soft-grace-period": {"memory.available": "1s"}},
        ),
        ("kubernetes", {"eviction-hard": {"memory.available": "5%"}}),
        ("kubernetes", {"image-gc-high-threshold-percent": "81"}),
        ("kubernetes", {"image-gc-low-threshold-percent": 84}),
        ("kubernetes", {"image-gc-high-threshold-percent": 50, "image-gc-low-threshold-percent": 0}),
        ("kubernetes", {"image-minimum-gc-age": "500h"}),
        ("kubernetes", {"image-maximum-gc-age": "0s", "image-minimum-gc-age": "5m"}),
        ("kubernetes", {"image-maximum-gc-age": "2m1ms"}),
        ("kubernetes", {"shutdown-grace-period": "60s", "shutdown-grace-period-for-critical-pods": "1m"}),
        ("kubernetes", {"shutdown-grace-period": "60s"}),
        ("kubernetes", {"cpu-manager-policy": "static", "cpu-manager-policy-options": ["full-pcpus-only"]}),
        ("kubernetes", {"cpu-manager-policy": "static", "kube-reserved": {"memory": "1Gi"}}),
        (
            "kubernetes",
            {"cpu-manager-policy": "static", "kube-reserved": {"cpu": "0"}, "system-reserved": {"cpu": ".5"}},
        ),
        ("kubernetes", {"cpu-manager-policy": "static", "kube-reserved": {"cpu": "0"}, "reserved-cpus": "0"}),
        ("kubernetes", {"cpu-manager-policy": "none", "kube-reserved": {"cpu": "0"}, "cpu-manager-policy-options": []}),
        ("kubernetes", {"memory-manager-policy": "None"}),
        ("kubernetes", {"memory-manager-reserved-memory": {"node0": {"enabled": False}, "10": {"enabled": True}}}),
        (
            "kubernetes",
            {
                "memory-manager-policy": "Static",
                "memory-manager-reserved-memory": {"0": {"enabled": True, "memory": "1Gi"}},
            },
        ),
    ],
)
def test_what_a_consumer_takes_breaks_no_rule(group: str, value: Group) -> None:
    assert broken(group, value) == []


def test_the_document_that_uses_every_key_breaks_no_rule() -> None:
    assert broken_rules(check(complete())[0]) == ()


def test_all_broken_rules_are_told_at_once_in_the_order_of_the_settings() -> None:
    settings, _ = check(
        {
            "kubernetes": {"image-gc-low-threshold-percent": 99, "server-key": CERTIFICATE},
            "pki": {"b": {"trusted": False}, "a": {"trusted": True}},
        }
    )
    assert [fault.path for fault in broken_rules(settings)] == [
        ("pki", "b", "data"),
        ("pki", "a", "data"),
        ("kubernetes", "server-certificate"),
        ("kubernetes", "image-gc-low-threshold-percent"),
    ]


@pytest.mark.parametrize(
    ("generated", "expected"),
    [
        ((), ["admin", "control"]),
        (("settings.host-containers.control.source",), ["admin"]),
        (("settings.host-containers.control.sourc", "settings.host-containers.contro"), ["admin", "control"]),
        (("settings.host-containers.admin", "settings.motd"), ["control"]),
        (("settings.host-containers",), []),
    ],
)
def test_what_a_generator_makes_up_is_not_missing(generated: tuple[str, ...], expected: list[str]) -> None:
    found = broken("host-containers", {"admin": {"enabled": True}, "control": {"enabled": True}}, generated)
    assert [what.split(".")[2] for what, _ in found] == expected


def test_what_is_there_and_wrong_no_generator_mends() -> None:
    settings, _ = check({"kubernetes": {"image-gc-low-threshold-percent": 99}})
    assert len(broken_rules(settings, ["settings.kubernetes"])) == 1
    settings, _ = check({"container-registry": {"credentials": [{"registry": "a"}]}})
    assert len(broken_rules(settings, ["settings.container-registry"])) == 1


def test_an_image_builders_own_group_has_no_rules() -> None:
    assert broken_rules({"mine": {"static-pods": {"a": {"enabled": True}}}, "text": "x"}) == ()


def test_no_text_of_a_rule_holds_a_value() -> None:
    secret = "aGlkZGVu"
    settings, faults = check(
        {
            "kubernetes": {"server-key": secret, "api-server": "https://hidden.example"},
            "container-registry": {"credentials": [{"registry": "a", "password": "hidden"}]},
        }
    )
    assert faults == ()
    found = broken_rules(settings)
    assert len(found) == 3
    assert secret not in repr(found)
    assert "hidden" not in repr(found)


def test_the_rules_describe_themselves_and_their_names_are_their_own() -> None:
    rules = [rule for group in GROUPS for rule in rules_of(group)]
    assert len({rule.name for rule in rules}) == len(rules) == 23
    for group in GROUPS:
        assert all(rule.group == group for rule in rules_of(group))
    assert all(rule.says.endswith(".") and rule.says[0].isupper() for rule in rules)
    assert {fault_group for fault_group, *_ in BROKEN} == {rule.group for rule in rules}


@given(mutated())
def test_no_checked_document_makes_a_rule_fail(document: dict[str, object]) -> None:
    settings, faults = check(document)
    before = copy.deepcopy(settings)
    found = broken_rules(settings)
    assert settings == before
    for fault in found:
        assert isinstance(fault, KeyFault)
        assert fault.what.startswith(f"settings.{fault.path[0]}")
        assert fault.fix
    assert not (faults and found)


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        ("1h2m3s4ms", 3_723_004_000_000),
        ("1.5h", 5_400_000_000_000),
        ("0.001s", 1_000_000),
        ("1ms", 1_000_000),
        ("0.5ms", 500_000),
        ("0s", 0),
        ("1m1ms", 60_001_000_000),
    ],
)
def test_a_duration_is_compared_as_a_number(duration: str, expected: int) -> None:
    assert nanoseconds(duration) == expected


def test_settings_that_break_no_rule_import_nothing_for_faults() -> None:
    code = (
        "import sys; from earlyboot.model.rules import broken_rules; "
        "assert broken_rules({'pki': {'a': {'data': ''}}}) == (); "
        "print([name for name in ('earlyboot.model.faults', 'earlyboot.model.phrases', 'earlyboot.model.rules_kubernetes') "
        "if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout == "[]\n"
