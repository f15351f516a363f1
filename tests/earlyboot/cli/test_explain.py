"""`earlyboot explain`: the value of a setting and all who set it."""

from __future__ import annotations

import json

import pytest

from tests.earlyboot.stages.machine import DEFAULTS, OVERRIDES, Ended, Machine, first_boot

KEYS = ["motd", "settings.motd"]


def test_every_source_that_set_it_is_named_in_order_and_the_winner_marked(machine: Machine) -> None:
    defaults = machine.put(DEFAULTS, b'[settings]\nmotd = "first"\nkernel.sysctl."vm.swappiness" = "1"\n')
    overrides = machine.put(OVERRIDES, b'[settings]\nmotd = "third \xc3\xbc"\n')
    machine.give(b'[settings]\nmotd = "second"\nnetwork.https-proxy = "http://u:p@proxy.example"\n')
    first_boot(machine)
    text = (
        'settings.motd = "third ü"\n'
        f'  generation 1  {defaults}: "first"\n'
        '  generation 1  ec2-imds: "second"\n'
        f'  generation 1  {overrides}: "third ü"  <- won\n'
    )
    for key in KEYS:
        assert machine.earlyboot("explain", key) == Ended(0, text, "")
    ended = machine.earlyboot("explain", "motd", "--format", "json")
    assert (ended.status, ended.stderr) == (0, "")
    assert json.loads(ended.stdout) == [
        {
            "key": "settings.motd",
            "value": "third ü",
            "origin": str(overrides),
            "set_by": [
                {"origin": str(defaults), "generation": 1, "value": "first", "won": False},
                {"origin": "ec2-imds", "generation": 1, "value": "second", "won": False},
                {"origin": str(overrides), "generation": 1, "value": "third ü", "won": True},
            ],
        }
    ]
    for key in ('settings.kernel.sysctl."vm.swappiness"', 'kernel.sysctl."vm.swappiness"', "kernel"):
        assert machine.earlyboot("explain", key).stdout == (
            f'settings.kernel.sysctl."vm.swappiness" = "1"\n  generation 1  {defaults}: "1"  <- won\n'
        )
    assert machine.earlyboot("explain", "network.https-proxy").stdout == (
        'settings.network.https-proxy = "REDACTED"\n  generation 1  ec2-imds: "REDACTED"  <- won\n'
    )
    ended = machine.earlyboot("explain", "network.https-proxy", "--format", "json")
    assert [found["value"] for found in json.loads(ended.stdout)[0]["set_by"]] == ["REDACTED"]
    everything = machine.earlyboot("explain", "settings").stdout
    keys = [line.split(" = ")[0] for line in everything.splitlines() if not line.startswith(" ")]
    assert keys == sorted(keys)
    assert set(keys) > {
        'settings.kernel.sysctl."vm.swappiness"',
        "settings.motd",
        "settings.network.https-proxy",
    }
    assert machine.earlyboot("explain", "oci-defaults.capabilities.chown").stdout == (
        "settings.oci-defaults.capabilities.chown = true\n  generation 0  default of profile ec2: true  <- won\n"
    )


def test_a_setting_that_a_later_generation_took_away_is_not_set(configured: Machine) -> None:
    configured.become_another()
    configured.give(b'[settings]\nmotd = "other"\n')
    first_boot(configured)
    assert configured.earlyboot("explain", "network.hostname") == Ended(0, "network.hostname: not set\n", "")
    assert configured.earlyboot("explain", "motd").stdout == (
        'settings.motd = "other"\n  generation 1  ec2-imds: "hello"\n  generation 2  ec2-imds: "other"  <- won\n'
    )


@pytest.mark.parametrize("key", ["dns", "settings.kubernetes.node-labels", "boot.kernel"])
def test_what_is_not_set_is_said_so(configured: Machine, key: str) -> None:
    assert configured.earlyboot("explain", key) == Ended(0, f"{key}: not set\n", "")
    assert configured.earlyboot("explain", key, "--format", "json") == Ended(0, "[]\n", "")


def test_a_machine_that_was_never_booted_has_nothing_set(machine: Machine) -> None:
    assert machine.earlyboot("explain", "motd") == Ended(0, "motd: not set\n", "")


@pytest.mark.parametrize(
    ("key", "error"),
    [
        (
            "settings.motd.deeper",
            "settings.motd.deeper is not a known key\n  fix:   settings.motd has no keys below it",
        ),
        (
            "kernel.sysctl.vm.x",
            "settings.kernel.sysctl.vm.x is not a known key\n  fix:   put a name that has dots in quotes: settings.kernel.",
        ),
        (
            "montd",
            'settings.montd is not a group of settings here\n  fix:   did you mean "motd"? the groups are: motd, ',
        ),
    ],
)
def test_what_can_never_be_set_is_refused(configured: Machine, key: str, error: str) -> None:
    ended = configured.earlyboot("explain", key)
    assert (ended.status, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"error: {error}")


def test_a_text_that_is_no_key_is_refused(configured: Machine) -> None:
    what, fix = "the key 'a..b' has an empty segment", "write it like settings.ntp.time-servers"
    assert configured.earlyboot("explain", "a..b") == Ended(2, "", f"error: {what}\n  fix:   {fix}\n")
    ended = configured.earlyboot("explain", "a..b", "--format", "json")
    assert (ended.status, ended.stderr) == (2, "")
    nowhere = {"source": None, "line": None, "column": None, "key": None}
    assert json.loads(ended.stdout) == [{"code": "bad-key", "what": what, "where": nowhere, "fix": fix}]


def test_a_store_that_is_damaged_is_no_empty_one(configured: Machine) -> None:
    for suffix in ("", "-wal", "-shm"):
        store = configured.root / f"var/lib/earlyboot/settings.db{suffix}"
        if store.exists():
            store.write_bytes(b"no database" * 1000)
    ended = configured.earlyboot("explain", "motd")
    assert (ended.status, ended.stdout) == (4, "")
    assert ended.stderr == (
        "error: the settings store: file is not a database\n"
        f"  where: {configured.paths.store}\n"
        "  fix:   if the file is damaged, move it away: the next boot is a first boot then\n"
    )
    boot = configured.boot()
    assert (boot.settings.status, boot.settings.stderr) == (4, ended.stderr)
    assert boot.requests == []
    assert configured.verdict()["verdict"] == "failed"
