"""The Kubernetes settings: every key, the forms that become one, and the bounds of the numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earlyboot.model.check import check
from earlyboot.model.kubernetes import Kubernetes
from earlyboot.model.kubernetes_types import Quantity, Threshold
from earlyboot.model.secrets import is_secret
from earlyboot.model.tree import flatten, unflatten
from earlyboot.model.types import Scalar
from tests.earlyboot.model.documents_kubernetes import kubernetes
from tests.earlyboot.model.tables_kubernetes import BAD, GOOD, TABLES


def stored(key: str, value: object) -> object:
    settings, faults = check({"kubernetes": {key: value}})
    assert faults == ()
    group = settings["kubernetes"]
    assert isinstance(group, dict)
    return group[key]


def refused(key: str, value: object) -> list[tuple[str, str, str]]:
    settings, faults = check({"kubernetes": {key: value}})
    assert settings == {}
    return [(fault.code, fault.what, fault.fix) for fault in faults]


def test_the_document_has_every_key_and_comes_out_as_it_went_in() -> None:
    document = {"kubernetes": kubernetes()}
    settings, faults = check(document)
    assert faults == ()
    assert settings == document
    assert list(flatten(settings)) == list(flatten(document))
    assert unflatten(flatten(settings)) == document
    assert tuple(kubernetes()) == Kubernetes.__struct_encode_fields__


def test_the_token_and_the_private_key_are_the_secrets() -> None:
    keys = flatten({"kubernetes": kubernetes()})
    secret = {key for key in keys if is_secret(key)}
    assert secret == {"settings.kubernetes.bootstrap-token", "settings.kubernetes.server-key"}


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in GOOD.items() for text in texts])
def test_good_text_is_stored_as_it_is(kind: type[Scalar], text: str) -> None:
    assert kind(text) == text


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in BAD.items() for text in texts])
def test_bad_text_is_refused(kind: type[Scalar], text: str) -> None:
    with pytest.raises(ValueError) as caught:
        kind(text)
    assert str(caught.value) == f"must be {kind.rule}"


@given(st.text(alphabet="0123456789.+-eEKMGikmnu%hs:/aZ_\n\u00b5\u0663"), st.sampled_from(list(TABLES)))
def test_what_a_scalar_gave_it_accepts_and_leaves_alone(text: str, kind: type[Scalar]) -> None:
    if kind.accepts(text):
        assert kind(kind(text)) == kind(text)


@pytest.mark.parametrize("kind", list(TABLES))
@pytest.mark.parametrize("unit", ["1", "a", "1.", "1,", "a.", "a-", "0", "1h", "1-1,", "a b", "\\ "])
def test_long_text_is_judged_in_linear_time(kind: type[Scalar], unit: str) -> None:
    assert not kind.accepts(unit * 50_000 + "!")  # with a pattern that tries everything, this does not end


@pytest.mark.parametrize(
    ("key", "written", "form"),
    [
        ("image-gc-high-threshold-percent", "85", 85),
        ("image-gc-high-threshold-percent", "007", 7),
        ("image-gc-low-threshold-percent", 0, 0),
        ("image-gc-low-threshold-percent", "100", 100),
        ("cpu-manager-policy", "Static", "static"),
        ("cpu-manager-policy", "None", "none"),
        ("memory-manager-policy", "static", "Static"),
        ("memory-manager-policy", "none", "None"),
        ("cloud-provider", '""', ""),
        ("cloud-provider", "", ""),
        ("cluster-dns-ip", "10.100.0.10", ["10.100.0.10"]),
        ("cluster-dns-ip", "2001:DB8:0::A", ["2001:db8::a"]),
        ("cluster-dns-ip", [], []),
        ("node-ip", "FD00::1", "fd00::1"),
        ("node-taints", {"a": "b:NoSchedule"}, {"a": ["b:NoSchedule"]}),
        ("node-taints", {"example.com/a": [":NoExecute"]}, {"example.com/a": [":NoExecute"]}),
        ("container-log-max-size", "100K", "100k"),
        ("container-log-max-size", "100Ki", "100Ki"),
        ("eviction-hard", {"memory.available": "5K"}, {"memory.available": "5k"}),
        ("memory-throttling-factor", 1, 1.0),
        ("credential-providers", {"x": {"enabled": False, "image-patterns": []}}, None),
    ],
)
def test_one_meaning_is_stored_in_one_form(key: str, written: object, form: object) -> None:
    assert stored(key, written) == (written if form is None else form)


I32, I64 = ["registry-qps", "container-log-max-files", "max-parallel-image-pulls", "kube-api-burst"], ["pod-pids-limit"]


@pytest.mark.parametrize(
    ("key", "lowest", "highest"),
    [
        *((key, -(2**31), 2**31 - 1) for key in I32),
        *((key, -(2**63), 2**63 - 1) for key in I64),
        ("max-pods", 0, 2**32 - 1),
        ("eviction-max-pod-grace-period", 0, 2**31 - 1),
        ("log-level", 0, 255),
    ],
)
def test_numbers_are_accepted_to_their_bounds(key: str, lowest: int, highest: int) -> None:
    assert (stored(key, lowest), stored(key, highest)) == (lowest, highest)
    for outside in (lowest - 1, highest + 1):
        assert refused(key, outside) == [
            (
                "bad-value",
                f"settings.kubernetes.{key} must be a whole number from {lowest} to {highest}",
                "write a number within that range",
            )
        ]
    assert refused(key, True)
    assert refused(key, "1")
    assert refused(key, 1.0)


PERCENT = "must be a whole number from 0 to 100"
FACTOR = "must be a number greater than 0, at most 1"
TAINT = "a taint: a label's value, which may be empty, then ':' and an effect such as NoSchedule"


@pytest.mark.parametrize(
    ("key", "value", "code", "what", "fix"),
    [
        ("image-gc-high-threshold-percent", 101, "bad-value", f" {PERCENT}", "write it such as 85"),
        ("image-gc-high-threshold-percent", "85%", "bad-value", f" {PERCENT}", "write it such as 85"),
        (
            "image-gc-high-threshold-percent",
            True,
            "wrong-type",
            f" {PERCENT}, not true or false",
            "write it such as 85",
        ),
        (
            *("ids-per-pod", 65537, "bad-value"),
            *(" must be a multiple of 65536, from 65536 to 4294901760", "write it such as 65536"),
        ),
        (
            *("ids-per-pod", 0, "bad-value"),
            *(" must be a whole number from 65536 to 4294901760", "write a number within that range"),
        ),
        ("memory-throttling-factor", 0, "bad-value", f" {FACTOR}", "write it such as 0.9"),
        ("memory-throttling-factor", 1.5, "bad-value", f" {FACTOR}", "write it such as 0.9"),
        ("memory-throttling-factor", float("nan"), "bad-value", f" {FACTOR}", "write it such as 0.9"),
        (
            *("cluster-dns-ip", "x", "bad-value", " must be an IP address, or a list of them"),
            'write it such as ["10.100.0.10"]',
        ),
        (
            *("cluster-dns-ip", ["::1", "x"], "bad-value", "[1] must be an IPv4 or IPv6 address"),
            'write for example "192.0.2.1"',
        ),
        (
            *("node-taints", {"a": []}, "bad-value", ".a must not be an empty list"),
            'write a list, such as ["special:NoSchedule"]',
        ),
        (
            *("node-taints", {"a": ["b"]}, "bad-value", f".a[0] must be {TAINT}"),
            'write for example "special:NoSchedule"',
        ),
        (
            *("static-pods", {"": {}}, "bad-value"),
            ".\"\" has a name that must be a name of 1 to 76 letters, digits and '-'",
            'rename it, for example to "my-name"',
        ),
        (
            *("topology-manager-policy-options", {"max-allowable-numa-nodes": 7}, "bad-value"),
            *(
                ".max-allowable-numa-nodes must be a whole number from 8 to 4294967295",
                "write a number within that range",
            ),
        ),
        (
            *("eviction-soft", {"memory": {"available": "5%"}}, "wrong-type", ".memory must be text, not a table"),
            'put a name that has dots in quotes: "memory.available" = "10%"',
        ),
        (
            *("bootstrap-token", "hunter2", "bad-value"),
            " must be a bootstrap token: 6 lower-case letters and digits, a dot, and 16 more",
            'write for example "abcdef.0123456789abcdef"',
        ),
        ("cpu-manager-policy", "dynamic", "bad-value", " must be 'static' or 'none'", 'write for example "static"'),
    ],
)
def test_a_fault_says_what_is_wanted(key: str, value: object, code: str, what: str, fix: str) -> None:
    assert refused(key, value)[0] == (code, f"settings.kubernetes.{key}{what}", fix)


@pytest.mark.parametrize("percent", ["0%", "99.9%", "12.5%"])
def test_only_a_threshold_may_be_a_percentage(percent: str) -> None:
    assert Threshold.accepts(percent)
    assert not Quantity.accepts(percent)
