"""Documents for the tests: one that uses every key, and strategies for good and for arbitrary ones."""

from __future__ import annotations

import base64
from pathlib import Path

from hypothesis import strategies as st

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
        },
        "dns": {"name-servers": ["10.0.0.2", "2001:db8::53"], "search-list": ["example.com"]},
        "aws": {"region": "eu-west-1", "profile": "default", "config": SECRET, "credentials": SECRET},
        "pki": {"mine": {"data": CERTIFICATE, "trusted": True}, "none": {"data": "", "trusted": False}},
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


NAMES = sorted(_names(complete()))
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
