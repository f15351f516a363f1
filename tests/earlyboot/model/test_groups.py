"""What is particular to one group: other names of its keys, other forms of its values, rules between them."""

from __future__ import annotations

import pytest

from earlyboot.model.check import check
from earlyboot.model.oci_defaults import CAPABILITIES, RLIMITS


def stable(document: dict[str, object]) -> object:
    settings, faults = check(document)
    assert faults == ()
    assert check(settings) == (settings, ())
    return settings


def only_fault(document: dict[str, object]) -> str:
    settings, faults = check(document)
    assert settings == {}
    (fault,) = faults
    return fault.what


@pytest.mark.parametrize(
    ("group", "alias", "name", "value"),
    [
        ("boot", "kernel", "kernel-parameters", {"console": ["ttyS0"]}),
        ("boot", "init", "init-parameters", {"splash": []}),
        ("container-registry", "creds", "credentials", [{"registry": "docker.io", "username": "me"}]),
        ("container-runtime", "concurrent-layer-fetch-buffer", "concurrent-download-chunk-size", 512),
    ],
)
def test_a_key_is_stored_under_its_own_name_whichever_it_was_read_by(
    group: str, alias: str, name: str, value: object
) -> None:
    assert stable({group: {alias: value}}) == stable({group: {name: value}}) == {group: {name: value}}
    assert only_fault({group: {alias: value, name: value}}) == (
        f"settings.{group}.{alias} is another name of {name}, which is there too"
    )


def test_a_boot_parameter_with_one_empty_value_is_a_flag() -> None:
    for values in ([], [""]):
        assert stable({"boot": {"kernel-parameters": {"quiet": values}}}) == {
            "boot": {"kernel-parameters": {"quiet": []}}
        }
    several: dict[str, object] = {"boot": {"kernel-parameters": {"quiet": ["", ""]}}}
    assert stable(several) == several


def test_mirrors_in_a_map_become_a_list_in_the_order_of_the_registries() -> None:
    mirrors = {"quay.io": ["https://a.example"], "*": [], "docker.io": ["b.example", "c.example"]}
    assert stable({"container-registry": {"mirrors": mirrors}}) == {
        "container-registry": {
            "mirrors": [
                {"registry": "*", "endpoint": []},
                {"registry": "docker.io", "endpoint": ["b.example", "c.example"]},
                {"registry": "quay.io", "endpoint": ["https://a.example"]},
            ]
        }
    }


def test_mirrors_in_a_list_keep_their_order() -> None:
    mirrors = [{"registry": name, "endpoint": ["https://a.example"]} for name in ("quay.io", "docker.io", "quay.io")]
    document: dict[str, object] = {"container-registry": {"mirrors": mirrors}}
    assert stable(document) == document


@pytest.mark.parametrize(
    ("size", "count"),
    [
        (0, 0),
        (8388608, 8388608),
        ("1024", 1024),
        ("8b", 8),
        ("64mb", 64_000_000),
        ("64MB", 64_000_000),
        ("3mib", 3 * 1024**2),
        ("1Gi", 1024**3),
        ("2k", 2000),
        ("1.5gb", 1_500_000_000),
        (".5kb", 500),
        ("0.5b", 0),
        ("1.0009kib", 1024),
        ("1.1tib", 1_209_462_790_553),
        ("9223372036854775807", 2**63 - 1),
    ],
)
def test_a_size_is_stored_as_its_number_of_bytes(size: object, count: int) -> None:
    assert stable({"container-runtime": {"concurrent-download-chunk-size": size}}) == {
        "container-runtime": {"concurrent-download-chunk-size": count}
    }


@pytest.mark.parametrize(("size", "kept"), [("unlimited", "unlimited"), ("16mb", 16_000_000), (0, 0)])
def test_the_snapshotters_chunks_may_be_unlimited(size: object, kept: object) -> None:
    def plugins(value: object) -> dict[str, object]:
        unpack = {"concurrent-download-chunk-size": value}
        return {"container-runtime-plugins": {"soci-snapshotter": {"parallel-pull-unpack": unpack}}}

    assert stable(plugins(size)) == plugins(kept)


def limits(hard: object, soft: object) -> dict[str, object]:
    return {"oci-defaults": {"resource-limits": {"max-open-files": {"hard-limit": hard, "soft-limit": soft}}}}


@pytest.mark.parametrize(
    ("hard", "soft", "kept"),
    [
        (1048576, 65536, (1048576, 65536)),
        (1, 1, (1, 1)),
        (-1, 2**63 - 1, (-1, 2**63 - 1)),
        ("unlimited", 5, (-1, 5)),
        ("unlimited", "unlimited", (-1, -1)),
        (-1, "unlimited", (-1, -1)),
    ],
)
def test_no_limit_is_stored_as_minus_one(hard: object, soft: object, kept: tuple[int, int]) -> None:
    assert stable(limits(hard, soft)) == limits(*kept)


def test_the_capabilities_are_all_of_linux() -> None:
    assert len(CAPABILITIES) == len(set(CAPABILITIES)) == 41


def test_the_limits_are_all_of_linux() -> None:
    """`resource` knows all but one, which the kernel ignores."""
    import resource

    known = {name for name in dir(resource) if name.startswith("RLIMIT_")} - {"RLIMIT_OFILE"}
    assert len(RLIMITS) == 16
    assert set(RLIMITS.values()) == known | {"RLIMIT_LOCKS"}


@pytest.mark.parametrize("size", ["2Mi", "1Gi", "64Ki", "16Gi"])
def test_huge_pages_are_reserved_by_size(size: str) -> None:
    document: dict[str, object] = {"kernel": {"hugepages": {"static": {size: {"count": "0:1,1:2"}}}}}
    assert stable(document) == document


def test_the_strategies_of_the_nvidia_plugin_keep_the_form_they_are_written_in() -> None:
    for strategy in ("cdi-cri", ["cdi-cri"], ["volume-mounts", "envvar"]):
        document: dict[str, object] = {"kubelet-device-plugins": {"nvidia": {"device-list-strategy": strategy}}}
        assert stable(document) == document


POLICY = "e30="


def test_the_policy_of_a_verifier_is_stored_under_its_own_name() -> None:
    for name in ("trustpolicy", "trust-policy"):
        assert stable({"image-verifier-plugins": {"enabled": True, "mine": {name: POLICY}}}) == {
            "image-verifier-plugins": {"enabled": True, "mine": {"trustpolicy": POLICY}}
        }
    assert only_fault({"image-verifier-plugins": {"mine": {"trustpolicy": POLICY, "trust-policy": POLICY}}}) == (
        "settings.image-verifier-plugins.mine.trust-policy is another name of trustpolicy, which is there too"
    )


@pytest.mark.parametrize(
    ("plugins", "what"),
    [
        (
            {"enabled": "yes"},
            "enabled must be true or false for enabled, and the table of a plugin for any other name, not text",
        ),
        ({"mine": {"policy": POLICY}}, "mine.policy is not a known key"),
        (
            {"mine": {"trustpolicy": "bm90IGpzb24="}},
            "mine.trustpolicy must be JSON as base64: the standard alphabet, padded, without spaces or line breaks",
        ),
    ],
)
def test_what_is_no_verifier_is_refused(plugins: dict[str, object], what: str) -> None:
    assert only_fault({"image-verifier-plugins": plugins}) == f"settings.image-verifier-plugins.{what}"
