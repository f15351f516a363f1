"""Keys as people write them."""

from __future__ import annotations

import pytest

from earlyboot.model.custom import custom_groups
from earlyboot.model.key import parse_key
from earlyboot.model.known import own_path, unknown_key

CUSTOM = custom_groups(
    {
        "own": {
            "type": "object",
            "properties": {"text": {"type": "string"}, "any": {}, "inner": {"type": "object"}},
            "required": ["text"],
            "additionalProperties": False,
        }
    }
)


@pytest.mark.parametrize(
    ("key", "own"),
    [
        ("boot.kernel", "boot.kernel-parameters"),
        ("boot.init.a", "boot.init-parameters.a"),
        ("container-registry.creds", "container-registry.credentials"),
        ("image-verifier-plugins.any.trust-policy", "image-verifier-plugins.any.trustpolicy"),
        ("kernel.modules.boot.allowed", "kernel.modules.boot.allowed"),
        ("motd", "motd"),
        ("own.kernel", "own.kernel"),
        ("none.kernel", "none.kernel"),
    ],
)
def test_a_key_has_the_names_that_are_stored(key: str, own: str) -> None:
    assert own_path(parse_key(key)) == parse_key(own)


@pytest.mark.parametrize(
    "key",
    [
        *("motd", "ntp", "ntp.time-servers", 'kernel.sysctl."vm.x"', "boot.kernel.a", "host-containers.any.source"),
        *("oci-defaults.resource-limits.max-open-files.soft-limit", "own", "own.text", "own.any.x", "own.inner.y"),
    ],
)
def test_what_can_be_set_is_known(key: str) -> None:
    assert unknown_key(parse_key(key), None, CUSTOM) is None


def test_the_root_is_known() -> None:
    assert unknown_key(()) is None


@pytest.mark.parametrize(
    ("key", "at", "what", "fix"),
    [
        ("motd.x", "motd.x", "is not a known key", "settings.motd has no keys below it"),
        ("kernel.lockdwn", "kernel.lockdwn", "is not a known key", 'did you mean "lockdown"?'),
        (
            "kernel.modules.m.zzz.y",
            "kernel.modules.m.zzz",
            "is not a known key",
            "the keys here are: allowed, autoload",
        ),
        (
            *("kernel.sysctl.vm.x.y", "kernel.sysctl.vm.x", "is not a known key"),
            'put a name that has dots in quotes: settings.kernel.sysctl."vm.x.y"',
        ),
        ("ntp.time-servers.a.addres", "ntp.time-servers.a.addres", "is not a known key", 'did you mean "address"?'),
        (
            *("host-containers.a_b.source", "host-containers.a_b"),
            *("has a name that must be a name of 1 to 76 letters, digits and '-'", 'a name is for example "my-name"'),
        ),
        ("own.nope", "own.nope", "is not a known key", "the keys here are: text, any, inner"),
        ("own.text.x.y", "own.text.x", "is not a known key", "settings.own.text has no keys below it"),
    ],
)
def test_a_key_that_cannot_be_is_explained(key: str, at: str, what: str, fix: str) -> None:
    fault = unknown_key(parse_key(key), None, CUSTOM)
    assert fault is not None
    assert (fault.path, fault.code) == (parse_key(at), "unknown-key")
    assert (fault.what, fault.fix) == (f"settings.{at} {what}", fix)


def test_a_group_that_this_machine_has_not_is_none() -> None:
    fault = unknown_key(("ecs", "cluster"), ("motd", "ntp"), CUSTOM)
    assert fault is not None
    assert (fault.path, fault.code, fault.what) == (
        ("ecs",),
        "unknown-group",
        "settings.ecs is not a group of settings here",
    )
    assert fault.fix == "the groups are: motd, ntp, own"
