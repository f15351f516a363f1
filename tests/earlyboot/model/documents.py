"""Documents for the tests: one that uses every key, and strategies for good and for arbitrary ones."""

from __future__ import annotations

import base64
from pathlib import Path

from hypothesis import strategies as st

from earlyboot.model.kernel import HUGEPAGE_SIZES
from earlyboot.model.oci_defaults import CAPABILITIES, RLIMITS
from tests.earlyboot.model.documents_kubernetes import ecs, kubernetes
from tests.earlyboot.model.tables import SSH_KEY

CERTIFICATE = base64.b64encode((Path(__file__).parent / "certificate.pem").read_bytes()).decode()
SECRET = "aGlkZGVuIHZhbHVl"


def complete() -> dict[str, object]:
    """Every key of every group, in the model's order and in its stable form."""
    return {
        "motd": "Welcome!\nTo a machine.\n",
        "network": {
            "hostname": "node-1.example.com",
            "hosts": [["10.0.0.1", ["a", "b.example"]], ["2001:db8::1", ["c"]], ["10.0.0.1", []]],
            "https-proxy": "http://user:hidden@proxy.example:3128",
            "no-proxy": [".internal", "10.0.0.0/8"],
            "disable-ipv6": ["eth0", "eth1"],
        },
        "ntp": {
            "time-servers": [
                {"address": "169.254.169.123", "options": ["iburst", "minpoll 4"]},
                {"address": "2.amazon.pool.ntp.org", "directive": "pool"},
            ],
            "options": ["iburst"],
            "logging": ["tracking", "measurements"],
        },
        "kernel": {
            "lockdown": "integrity",
            "modules": {"br_netfilter": {"allowed": True, "autoload": True}, "udf": {"allowed": False}},
            "sysctl": {"net.core.rmem_max": "1", "net/ipv4/ip_forward": "0"},
            "hugepages": {
                "static": {"essential": True, **{size: {"count": "0:1,1:2"} for size in HUGEPAGE_SIZES}},
                "transparent": {"enabled": "madvise", "defrag": "defer+madvise"},
            },
            "drivers": {"nvidia": {"branch": "lts"}},
        },
        "boot": {
            "reboot-to-reconcile": True,
            "kernel-parameters": {"console": ["tty0", "ttyS0,115200n8"], "nvme_core.io_timeout": ["1"], "quiet": []},
            "init-parameters": {"splash": [], "systemd.log_level": ["debug"]},
        },
        "dns": {"name-servers": ["10.0.0.2", "2001:db8::53"], "search-list": ["example.com"]},
        "aws": {"region": "eu-west-1", "profile": "default", "config": SECRET, "credentials": SECRET},
        "access": {"authorized-keys": [f"{SSH_KEY} admin@example.com"]},
        "pki": {"mine": {"data": CERTIFICATE, "trusted": True}, "none": {"data": "", "trusted": False}},
        "container-registry": {
            "mirrors": [
                {
                    "registry": "docker.io",
                    "endpoint": ["https://mirror.example.com"],
                    "capabilities": ["pull", "resolve", "push"],
                },
                {"registry": "*", "endpoint": []},
            ],
            "credentials": [
                {"registry": "docker.io", "username": "me", "password": "hidden 1", "identitytoken": "hidden 2"},
                {"registry": "https://index.docker.io/v1/", "auth": SECRET},
            ],
        },
        "container-runtime": {
            "log-level": "info",
            "max-container-log-line-size": -1,
            "max-concurrent-downloads": 3,
            "max-concurrent-unpacks": 2,
            "concurrent-download-chunk-size": 8388608,
            "enable-unprivileged-ports": True,
            "enable-unprivileged-icmp": False,
            "snapshotter": "soci",
        },
        "container-runtime-plugins": {
            "soci-snapshotter": {
                "pull-mode": "parallel-pull-unpack",
                "parallel-pull-unpack": {
                    "max-concurrent-downloads": -1,
                    "max-concurrent-downloads-per-image": 20,
                    "concurrent-download-chunk-size": "unlimited",
                    "max-concurrent-unpacks": -1,
                    "max-concurrent-unpacks-per-image": 12,
                    "discard-unpacked-layers": True,
                },
            }
        },
        "image-verifier-plugins": {
            "enabled": True,
            "notation": {"trustpolicy": "eyJ2ZXJzaW9uIjogIjEuMCJ9"},
            "mine": {"trustpolicy": "e30="},
        },
        "oci-defaults": {
            "capabilities": {name: name.startswith("set") for name in CAPABILITIES},
            "resource-limits": {name: {"hard-limit": -1, "soft-limit": 1024} for name in RLIMITS},
        },
        "oci-hooks": {"log4j-hotpatch-enabled": False},
        "host-containers": {
            "admin": {
                "source": "public.ecr.aws/bottlerocket/bottlerocket-admin:v0.11.13",
                "enabled": True,
                "superpowered": False,
                "user-data": SECRET,
                "command": ["sleep", "infinity"],
            }
        },
        "bootstrap-commands": {
            "set-motd": {
                "commands": [["apiclient", "set", "motd=hello"], ["apiclient"]],
                "mode": "once",
                "essential": True,
            }
        },
        "bootstrap-containers": {
            "disks": {
                "source": "example.com/disks@sha256:0011",
                "mode": "always",
                "user-data": SECRET,
                "essential": False,
                "command": ["sh", "-c", "set -e\necho hello\n"],
            }
        },
        "updates": {
            "metadata-base-url": "https://updates.example/metadata",
            "targets-base-url": "https://updates.example/targets",
            "seed": 2047,
            "version-lock": "latest",
            "ignore-waves": False,
        },
        "metrics": {
            "metrics-url": "https://metrics.example/v1",
            "send-metrics": False,
            "service-checks": ["chronyd", "containerd"],
        },
        "measurement": {"excluded-settings": ["host-containers", "settings.network.hostname"]},
        "cloudformation": {"should-signal": True, "stack-name": "stack", "logical-resource-id": "NodeGroup"},
        "autoscaling": {"should-wait": True},
        "kubernetes": kubernetes(),
        "kubelet-device-plugins": {
            "nvidia": {
                "enabled": True,
                "pass-device-specs": True,
                "device-id-strategy": "index",
                "device-list-strategy": ["volume-mounts", "cdi-cri"],
                "device-sharing-strategy": "time-slicing",
                "time-slicing": {
                    "replicas": 2,
                    "rename-by-default": True,
                    "fail-requests-greater-than-one": True,
                },
                "mps": {"replicas": 4, "rename-by-default": False},
                "device-partitioning-strategy": "mig",
                "mig": {"profile": {"a100.40gb": "1g.5gb", "h100.80gb": "4"}},
            }
        },
        "kubelet-dra-drivers": {
            "nvidia": {"enabled": True},
            "net": {
                "enabled": False,
                "bind-address": "127.0.0.1:9177",
                "device-filter": '"dra.net/pciDevice" in attributes',
            },
        },
        "nvidia-container-runtime": {
            "visible-devices-as-volume-mounts": True,
            "visible-devices-envvar-when-unprivileged": False,
        },
        "ecs": ecs(),
    }


def _names(tree: object) -> set[str]:
    if isinstance(tree, dict):
        return set(tree).union(*map(_names, tree.values()))
    if isinstance(tree, list):
        return set().union(*map(_names, tree))
    return set()


def _leaves(tree: object) -> list[object]:
    members = list(tree.values()) if isinstance(tree, dict) else tree if isinstance(tree, list) else None
    return [tree] if members is None else [leaf for member in members for leaf in _leaves(member)]


ALIASES = {"kernel", "init", "creds", "concurrent-layer-fetch-buffer", "trust-policy"}
NAMES = sorted(_names(complete()) | ALIASES)
JUNK = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
LEAVES = st.sampled_from(_leaves(complete())) | JUNK
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES) | st.text() | st.integers(), inner, max_size=4)
    ),
    max_leaves=12,
)
ARBITRARY = st.dictionaries(st.sampled_from(list(complete())) | st.text(), VALUES, max_size=4) | VALUES

Document = dict[str, object]


@st.composite
def mutated(draw: st.DrawFn) -> Document:
    """The complete document with a few members replaced or removed: often good, often nearly good."""
    document = complete()
    for _ in range(draw(st.integers(0, 4))):
        holder: object = document
        while True:
            places: list[object] = list(holder) if isinstance(holder, dict) else list(range(len(_as_list(holder))))
            if not places:
                break
            place = draw(st.sampled_from(places))
            member = holder[place]  # type: ignore[index]
            if isinstance(member, dict | list) and member and draw(st.integers(0, 4)):
                holder = member
                continue
            if draw(st.booleans()):
                del holder[place]  # type: ignore[attr-defined]
            else:
                holder[place] = draw(VALUES)  # type: ignore[index]
            break
    return document


def _as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
