"""What containers, Kubernetes and ECS get: golden files for each renderer, and hostile values through real parsers."""

from __future__ import annotations

import base64
import json
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from earlyboot.config.paths import PROFILES
from earlyboot.render.renderers import Rendered, find
from hostkit.errors import HostError
from tests.earlyboot.render.image import image, rendered

GOLDEN = Path(__file__).parent / "golden/containers"
CASES = sorted(GOLDEN.glob("*/*.toml"))
PARTS = ("containers", "kubernetes", "ecs", "bottlerocket")
SPECS: dict[str, dict[str, Any]] = {
    name: spec
    for part in PARTS
    for name, spec in tomllib.loads((Path(PROFILES) / f"files/{part}.toml").read_text())["files"].items()
}
ONE_LINE = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], include_characters="\t"))
REGISTRY = st.from_regex(r"[a-z0-9]{1,9}(\.[a-z]{1,9})?(:[0-9]{1,5})?", fullmatch=True)
CONFIG = "/etc/containerd/config.toml"


def made(case: Path) -> Rendered:
    document = tomli.loads(case.read_text())
    files = document.pop("image", {})
    return rendered(case.parent.name, document, files)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.stem}")
def test_a_file_is_rendered_exactly_so(case: Path) -> None:
    result = made(case)
    if isinstance(result, Mapping):
        files = case.with_suffix(".d").iterdir()
        assert result == {file.name: file.read_bytes() for file in files}
    else:
        assert result == case.with_suffix(".txt").read_bytes()


def test_every_renderer_has_golden_files_and_every_golden_file_its_settings() -> None:
    assert {case.parent.name for case in CASES} == {spec["renderer"] for spec in SPECS.values()}
    outcomes = {path.with_suffix("") for path in GOLDEN.glob("*/*") if path.suffix != ".toml"}
    assert outcomes == {case.with_suffix("") for case in CASES}


@pytest.mark.parametrize("name", sorted(SPECS))
def test_no_renderer_makes_a_file_without_settings_of_its_own(name: str) -> None:
    assert not find(SPECS[name]["renderer"])({}, image())


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.stem}")
def test_a_parser_of_its_format_reads_every_golden_file(case: Path) -> None:
    result = made(case)
    for data in result.values() if isinstance(result, Mapping) else [result or b""]:
        text = data.decode()
        if text.startswith(("# ", "\n")) and not case.parent.name.startswith(("ecs", "kubelet")):
            assert tomllib.loads(text)
        elif text.startswith("{"):
            assert json.loads(text) is not None


# ---- secrets

SECRET = base64.b64encode(b"the secret").decode()
TOKEN = "secret.0123456789abcdef"
SECRETS: dict[str, Any] = {
    "network": {"https-proxy": f"http://user:{SECRET}@proxy.example"},
    "updates": {
        "metadata-base-url": "https://updates.example/metadata",
        "targets-base-url": "https://updates.example/targets",
        "seed": 1,
    },
    "autoscaling": {"should-wait": False},
    "cloudformation": {"should-signal": False},
    "metrics": {"metrics-url": "https://metrics.example"},
    "ecs": {"cluster": "c"},
    "host-containers": {"admin": {"user-data": SECRET}},
    "container-registry": {
        "mirrors": {"docker.io": ["https://mirror.example"]},
        "credentials": [{"registry": "a", "auth": SECRET}, {"registry": "b", "username": "u", "password": SECRET}],
    },
    "container-runtime-plugins": {"soci-snapshotter": {"pull-mode": "parallel-pull-unpack"}},
    "oci-defaults": {"capabilities": {"net-raw": False}},
    "nvidia-container-runtime": {"visible-devices-as-volume-mounts": True},
    "kubelet-device-plugins": {"nvidia": {"pass-device-specs": True}},
    "kubernetes": {
        "api-server": "https://cluster.example",
        "authentication-mode": "tls",
        "bootstrap-token": TOKEN,
        "cluster-certificate": "Q0E=",
        "server-certificate": "Q0VSVA==",
        "server-key": SECRET,
        "credential-providers": {
            "mine": {"enabled": True, "image-patterns": ["x"], "environment": {"PASSWORD": SECRET}}
        },
        "static-pods": {"mine": {"enabled": True, "manifest": SECRET}},
    },
}


@pytest.mark.parametrize("name", sorted(SPECS))
def test_a_file_with_a_secret_is_for_root_alone_and_no_other_has_one(name: str) -> None:
    result = rendered(SPECS[name]["renderer"], SECRETS)
    assert result
    data = b"".join(result.values()) if isinstance(result, Mapping) else result
    told = [secret for secret in (SECRET.encode(), base64.b64decode(SECRET), TOKEN.encode()) if secret in data]
    assert (SPECS[name].get("mode") == "0600") is bool(told or name == "kubeconfig")


# ---- containerd


def failure(name: str, document: object, files: Mapping[str, str]) -> str:
    with pytest.raises(HostError) as caught:
        rendered(name, document, files)
    return str(caught.value)


def drop_in(document: object, config: str | None = None) -> dict[str, Any]:
    result = rendered("containerd", document, {} if config is None else {CONFIG: config})
    assert isinstance(result, bytes)
    return tomllib.loads(result.decode())


AUTH = base64.b64encode(b"user:password").decode()
MIRRORS = {"container-registry": {"mirrors": {"docker.io": ["https://mirror.example"]}}}


def test_settings_that_say_nothing_to_containerd_make_no_drop_in() -> None:
    assert rendered("containerd", {"container-registry": {"mirrors": []}}) is None


def test_the_endpoints_of_a_registry_keep_their_order() -> None:
    endpoints = [f"https://{name}.example" for name in "zaymb"]
    hosts = rendered("containerd-hosts", {"container-registry": {"mirrors": {"docker.io": endpoints}}})
    assert isinstance(hosts, Mapping)
    headers = [line for line in hosts["docker.io"].decode().splitlines() if line.startswith("[")]
    assert headers == [f'[host."{endpoint}"]' for endpoint in endpoints]


@pytest.mark.parametrize(
    ("endpoint", "verbatim"),
    [
        ("https://harbor.corp/v2/dockerhub-proxy", True),
        ("harbor.corp:5000/proxy/", True),
        ("https://harbor.corp/v2", True),
        ("https://harbor.corp", False),
        ("https://harbor.corp/", False),
        ("harbor.corp:5000", False),
        ("http://[2001:db8::1]:5000", False),
    ],
)
def test_the_path_of_a_mirror_is_the_whole_path(endpoint: str, verbatim: bool) -> None:
    made = rendered("containerd-hosts", {"container-registry": {"mirrors": {"docker.io": [endpoint]}}})
    assert isinstance(made, Mapping)
    (host,) = tomllib.loads(made["docker.io"].decode())["host"].values()
    assert host.get("override_path", False) is verbatim


SOCI = {"soci-snapshotter": {"pull-mode": "parallel-pull-unpack"}}


@pytest.mark.parametrize(
    ("endpoint", "host"),
    [
        ("https://mirror.example:5000", "mirror.example:5000"),
        ("mirror.example/", "mirror.example"),
        ("https://mirror.example/hub/v2", "mirror.example/hub"),
        ("https://mirror.example/v2/", "mirror.example"),
    ],
)
def test_the_snapshotter_adds_the_end_of_a_mirrors_path_itself(endpoint: str, host: str) -> None:
    document = {"container-runtime-plugins": SOCI, "container-registry": {"mirrors": {"docker.io": [endpoint]}}}
    made = rendered("soci-snapshotter", document)
    assert isinstance(made, bytes)
    assert tomllib.loads(made.decode())["resolver"]["host"]["docker.io"]["mirrors"] == [{"host": host}]


@pytest.mark.parametrize("endpoint", ["https://mirror.example/v2/hub", "https://mirror.example/hub", "a/v2x"])
def test_a_mirror_that_the_snapshotter_would_look_for_elsewhere_is_refused(endpoint: str) -> None:
    document = {"container-runtime-plugins": SOCI, "container-registry": {"mirrors": {"docker.io": [endpoint]}}}
    with pytest.raises(ValueError, match=r"does not end with /v2, and the SOCI snapshotter takes no other\Z"):
        rendered("soci-snapshotter", document)


URLS = {"metadata-base-url": "https://a.example", "targets-base-url": "https://b.example"}


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("updog", {"updates": {**URLS}}),
        ("updog", {"updates": {"seed": 1, "version-lock": "latest"}}),
        ("updog", {"updates": {"seed": 1, "metadata-base-url": "https://a.example"}}),
        ("metricdog", {"metrics": {"metrics-url": "https://a.example"}}),
        ("metricdog", {"metrics": {"send-metrics": True}, "updates": {"seed": 1}}),
    ],
)
def test_a_file_that_its_program_could_not_read_is_not_made(name: str, document: dict[str, object]) -> None:
    assert rendered(name, document) is None


@given(
    st.lists(
        st.fixed_dictionaries(
            {"registry": REGISTRY, "username": ONE_LINE, "password": ONE_LINE}, optional={"identitytoken": ONE_LINE}
        ),
        unique_by=lambda credential: credential["registry"],
        min_size=1,
    )
)
def test_whatever_a_credential_is_containerd_reads_it_back(credentials: list[dict[str, str]]) -> None:
    document = {"container-registry": {"credentials": credentials}}
    configs = drop_in(document)["plugins"]["io.containerd.grpc.v1.cri"]["registry"]["configs"]
    expected = {
        credential["registry"]: {k: v for k, v in credential.items() if k != "registry"} for credential in credentials
    }
    assert configs == {name: {"auth": auth} for name, auth in expected.items()}
    result = rendered("host-ctr", document)
    assert isinstance(result, bytes)
    assert tomllib.loads(result.decode()) == {"creds": expected}


@pytest.mark.parametrize(
    ("registry", "host"),
    [
        ("docker.io", "registry-1.docker.io"),
        ("https://index.docker.io/v1/", "registry-1.docker.io"),
        ("https://registry.example:5000/v2/", "registry.example:5000"),
        ("registry.example/project", "registry.example"),
        ("[2001:db8::1]:5000", "[2001:db8::1]:5000"),
    ],
)
def test_a_credential_is_filed_under_the_host_that_asks_for_it(registry: str, host: str) -> None:
    document = {"container-registry": {"credentials": [{"registry": registry, "auth": AUTH}]}}
    assert drop_in(document)["plugins"]["io.containerd.grpc.v1.cri"]["registry"]["configs"] == {
        host: {"auth": {"auth": AUTH}}
    }


@pytest.mark.parametrize(
    ("config_path", "expected"),
    [
        ("", "/etc/containerd/certs.d"),
        ("/etc/containerd/certs.d", "/etc/containerd/certs.d"),
        ("/a:/etc/containerd/certs.d", "/a:/etc/containerd/certs.d"),
        ("/a:/b", "/etc/containerd/certs.d:/a:/b"),
    ],
)
def test_containerd_looks_for_hosts_where_they_are_and_where_the_image_has_its_own(
    config_path: str, expected: str
) -> None:
    config = f'version = 3\n[plugins."io.containerd.cri.v1.images".registry]\nconfig_path = "{config_path}"\n'
    section = drop_in(MIRRORS, config)["plugins"]["io.containerd.cri.v1.images"]["registry"]
    assert section == {"config_path": expected}


def test_what_the_image_says_of_another_plugin_is_not_repeated() -> None:
    config = 'version = 2\n[plugins."io.containerd.gc.v1.scheduler"]\nstartup_delay = "1s"\n'
    assert set(drop_in(MIRRORS, config)["plugins"]) == {"io.containerd.grpc.v1.cri"}


OLD_MIRRORS = (
    'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry.mirrors."docker.io"]\nendpoint = ["https://x"]\n'
)


def test_mirrors_of_the_image_that_would_hide_the_settings_are_refused() -> None:
    assert failure("containerd", MIRRORS, {CONFIG: OLD_MIRRORS}) == (
        "error: the image's configuration of containerd lists registry mirrors, so containerd reads no hosts.toml\n"
        "  where: /etc/containerd/config.toml\n"
        "  fix:   move registry.mirrors to files below /etc/containerd/certs.d"
    )


def test_credentials_leave_the_mirrors_of_the_image_alone() -> None:
    document = {"container-registry": {"credentials": [{"registry": "a", "auth": SECRET}]}}
    registry = drop_in(document, OLD_MIRRORS)["plugins"]["io.containerd.grpc.v1.cri"]["registry"]
    assert registry == {
        "mirrors": {"docker.io": {"endpoint": ["https://x"]}},
        "configs": {"a": {"auth": {"auth": SECRET}}},
    }


@pytest.mark.parametrize("config", ['disabled_plugins = ["cri"]', "version = 1\n", 'version = "2"\n'])
def test_a_configuration_of_version_1_cannot_be_extended(config: str) -> None:
    assert failure("containerd", MIRRORS, {CONFIG: config}) == (
        "error: the image's configuration of containerd is of version 1, which drop-ins of version 2 cannot extend\n"
        "  where: /etc/containerd/config.toml\n"
        "  fix:   write: containerd config migrate"
    )


def test_a_broken_configuration_of_containerd_is_named() -> None:
    assert failure("containerd", MIRRORS, {CONFIG: "version = "}) == (
        "error: the image's configuration of containerd is not TOML\n"
        "  where: /etc/containerd/config.toml\n"
        "  fix:   see: containerd config dump"
    )


def test_an_empty_configuration_of_containerd_is_none() -> None:
    assert drop_in(MIRRORS, "# nothing\n") == drop_in(MIRRORS)


@pytest.mark.parametrize("name", ['a"b', "a\\b"])
@pytest.mark.parametrize(
    ("renderer", "registry"),
    [
        ("containerd", lambda name: {"credentials": [{"registry": name, "auth": SECRET}]}),
        ("containerd-hosts", lambda name: {"mirrors": {"docker.io": [f"https://mirror.example/{name}"]}}),
    ],
)
def test_a_name_that_an_old_containerd_could_not_read_is_refused(
    renderer: str, registry: Callable[[str], object], name: str
) -> None:
    with pytest.raises(ValueError, match=r"^a registry or mirror has a quote or a backslash in its name$"):
        rendered(renderer, {"container-registry": registry(name)})


# ---- OCI


@given(st.dictionaries(st.sampled_from(["net-raw", "chown", "sys-admin", "bpf", "wake-alarm"]), st.booleans()))
def test_a_capability_that_no_setting_names_is_as_containerd_has_it(capabilities: dict[str, bool]) -> None:
    document = {"oci-defaults": {"capabilities": capabilities, "resource-limits": {"max-processes": LIMIT}}}
    result = rendered("oci-base-spec", document)
    assert isinstance(result, bytes)
    kinds = json.loads(result)["process"]["capabilities"]
    assert kinds["bounding"] == kinds["effective"] == kinds["permitted"] == sorted(kinds["bounding"])
    has = {name: f"CAP_{name.upper().replace('-', '_')}" in kinds["bounding"] for name in ("net-raw", "chown", "kill")}
    assert has == {
        "net-raw": capabilities.get("net-raw", True),
        "chown": capabilities.get("chown", True),
        "kill": True,
    }
    assert ("CAP_SYS_ADMIN" in kinds["bounding"]) is capabilities.get("sys-admin", False)


LIMIT = {"hard-limit": 2, "soft-limit": 1}


def test_without_limits_containers_have_those_of_containerd() -> None:
    result = rendered("oci-base-spec", {"oci-defaults": {"capabilities": {"net-raw": False}}})
    assert isinstance(result, bytes)
    assert "rlimits" not in json.loads(result)["process"]


# ---- NVIDIA


def test_a_broken_configuration_of_the_nvidia_runtime_is_named() -> None:
    document = {"nvidia-container-runtime": {"visible-devices-as-volume-mounts": True}}
    assert failure("nvidia-container-runtime", document, {"/etc/nvidia-container-runtime/config.toml": "["}) == (
        "error: the image's configuration of the NVIDIA container runtime is not TOML\n"
        "  where: /etc/nvidia-container-runtime/config.toml\n"
        "  fix:   mend the file, or remove it"
    )
