"""Boots of a machine that is configured, of a copy of its disk, and of one whose settings changed meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.earlyboot.stages.machine import (
    DROP_IN,
    FILE,
    METADATA,
    SOURCE_REQUESTS,
    Machine,
    first_boot,
    requests_of_a_first_boot,
)

OTHER = b'[settings]\nmotd = "other"\n'


def steps(machine: Machine) -> list[object]:
    found = machine.status()["steps"]
    assert isinstance(found, list)
    return [step["step"] for step in found]


def apply_detail(machine: Machine) -> object:
    found = machine.status()["steps"]
    assert isinstance(found, list)
    return next(step["detail"] for step in found if step["step"] == "apply")


def test_it_starts_nothing_asks_nobody_and_writes_nothing(configured: Machine) -> None:
    before = configured.every_file()
    boot = first_boot(configured)
    assert (boot.servers_started, boot.requests) == (0, [])
    assert steps(configured) == ["state"]
    assert configured.verdict()["verdict"] == "configured"
    assert configured.verdict()["first_boot"] is False
    after = configured.every_file()
    assert {path: found for path, found in after.items() if not path.startswith(("run/", "var/"))} == {
        path: found for path, found in before.items() if not path.startswith(("run/", "var/"))
    }


def test_user_data_that_changed_meanwhile_is_not_read(configured: Machine) -> None:
    known = configured.known()
    configured.put(FILE, b"not TOML at all")
    boot = first_boot(configured)
    assert (boot.servers_started, boot.requests) == (0, [])
    assert configured.known() == known


def _delete(path: Path) -> None:
    path.unlink()


def _change(path: Path) -> None:
    path.write_bytes(path.read_bytes().swapcase())


def _grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"more\n")


def _chmod(path: Path) -> None:
    path.chmod(0o666)


def _link(path: Path) -> None:
    path.unlink()
    path.symlink_to("machine-id")


@pytest.mark.parametrize("damage", [_delete, _change, _grow, _chmod, _link])
def test_a_file_that_is_not_what_was_written_is_repaired(configured: Machine, damage: Callable[[Path], None]) -> None:
    before = configured.files()
    path = configured.root / "etc/hosts"
    damage(path)
    assert configured.files() != before
    boot = first_boot(configured)
    assert (boot.servers_started, boot.requests) == (1, [])
    assert configured.files() == before
    assert not path.is_symlink()
    assert apply_detail(configured) == "1 of 5 files written; changed or missing: /etc/hosts"
    assert first_boot(configured).servers_started == 0


def test_a_file_that_was_only_touched_is_left_alone(configured: Machine) -> None:
    os.utime(configured.root / "etc/hosts", (1, 1))
    assert first_boot(configured).servers_started == 0


def test_another_configuration_leads_to_one_apply(configured: Machine) -> None:
    generation = configured.known().generation
    with Path(configured.paths.options).open("a") as options:
        options.write("# looked at\n")
    boot = first_boot(configured)
    assert (boot.servers_started, boot.requests) == (1, [])
    why = "the program or its configuration is another than at the last apply"
    assert apply_detail(configured) == f"0 of 5 files written; {why}"
    assert configured.known().generation == generation
    boot = first_boot(configured)
    assert (boot.servers_started, boot.requests) == (0, [])


def test_a_fault_in_the_configuration_is_said_instead_of_waited_for(configured: Machine) -> None:
    known, files = configured.known(), configured.files()
    configured.put(DROP_IN, b"ofline = true\nstrict = 1\n")
    boot = configured.boot()
    options = ", ".join(
        [
            "api.read-group, api.write-group, history.generations, limits.depth, limits.keys, limits.user-data-bytes",
            "offline, on-new-identity, platform, profile",
            "providers.NAME.deadline, providers.NAME.enabled, providers.NAME.endpoint, providers.NAME.path, strict",
        ]
    )
    assert boot.settings.stderr == (
        "error: ofline is not an option\n"
        f"  where: /{DROP_IN}:1 [ofline]\n"
        f"  fix:   the options are {options}\n"
        "error: strict must be true or false\n"
        f"  where: /{DROP_IN}:2 [strict]\n"
        "  fix:   correct it, or delete the line; it says a failed stage takes the machine to emergency.target\n"
    )
    assert boot.settings.status == 2
    assert boot.servers_started == 0
    assert configured.verdict()["verdict"] == "failed"
    assert (configured.known(), configured.files()) == (
        known,
        {**files, DROP_IN: (0o600, b"ofline = true\nstrict = 1\n")},
    )


def test_a_commit_that_was_not_applied_is_applied(configured: Machine) -> None:
    with configured.powered_on():
        for arguments in (
            ["-m", "PATCH", "-u", "/settings?tx=late", "-d", '{"motd": "late"}'],
            ["-m", "POST", "-u", "/tx/commit?tx=late"],
        ):
            assert configured.apiclient("raw", *arguments).status == 0
    assert (configured.root / "etc/motd").read_bytes() == b"hello\n"
    boot = first_boot(configured)
    assert (boot.servers_started, boot.requests) == (1, [])
    assert (configured.root / "etc/motd").read_bytes() == b"late\n"
    assert apply_detail(configured) == "1 of 5 files written; settings were committed after the last apply"
    assert first_boot(configured).servers_started == 0


def test_a_copied_disk_with_user_data_of_its_own_takes_that_instead(configured: Machine) -> None:
    old = configured.identity
    configured.become_another()
    configured.give(OTHER)
    boot = first_boot(configured)
    assert sorted(boot.requests) == requests_of_a_first_boot(*METADATA)
    known = configured.known()
    assert known.live == {"settings.motd": ("other", "ec2-imds")}
    # Should the disk come back to the old machine, that one has to be configured again.
    assert known.phases == {configured.identity: "configured"}
    assert old != configured.identity
    assert known.generation == 2
    assert configured.files()["etc/motd"] == (0o644, b"other\n")
    # What was ours alone goes with the settings that fed it.
    assert not (configured.root / "etc/earlyboot/proxy.env").exists()
    assert not (configured.root / "etc/sysctl.d/90-earlyboot.conf").exists()
    assert configured.verdict()["verdict"] == "configured"
    assert configured.verdict()["first_boot"] is True


def test_a_copied_disk_without_user_data_keeps_its_settings_and_says_so(configured: Machine) -> None:
    live, files = configured.known().live, configured.files()
    configured.become_another()
    configured.give(None)
    boot = first_boot(configured)
    assert sorted(boot.requests) == requests_of_a_first_boot("placement/region", "public-keys/")
    assert (configured.known().live, configured.files()) == (live, files)
    assert configured.known().phases[configured.identity] == "configured"
    assert configured.verdict()["verdict"] == "degraded"
    assert configured.earlyboot("status").stdout.endswith(
        "error: this machine is a new one, no source has data, and the settings of the old one were kept\n"
        "  fix:   provide user data; before an image is copied, remove /var/lib/earlyboot from it\n"
    )


def test_a_copied_disk_that_is_told_to_keep_its_settings_asks_nobody(configured: Machine) -> None:
    live, files = configured.known().live, configured.files()
    configured.become_another()
    configured.give(OTHER)
    configured.put(DROP_IN, b'on-new-identity = "keep"\n')
    boot = first_boot(configured)
    assert boot.requests == []
    assert configured.known().live == live
    assert configured.files() == {**files, DROP_IN: (0o600, b'on-new-identity = "keep"\n')}
    assert configured.known().phases[configured.identity] == "configured"
    assert configured.verdict()["verdict"] == "configured"
    assert "sources" not in configured.status()
    boot = first_boot(configured)
    assert (boot.servers_started, boot.requests) == (0, [])


def test_keeping_settings_is_for_disks_that_have_some(machine: Machine) -> None:
    machine.put(DROP_IN, b'on-new-identity = "keep"\n')
    assert tuple(first_boot(machine).requests[:2]) == SOURCE_REQUESTS
    assert machine.known().live["settings.motd"] == ("hello", "ec2-imds")


def test_a_file_that_cannot_be_written_fails_the_boot_and_the_next_one_writes_it(tmp_path: Path) -> None:
    with Machine(tmp_path / "root", b'[settings]\nmotd = "x"\nnetwork.hostname = "n"\n') as machine:
        place = machine.root / "etc/motd"
        place.mkdir(parents=True)
        for _ in range(2):
            machine.boot()
            status = machine.status()
            assert (status["exit_status"], machine.verdict()["verdict"]) == (4, "failed")
            assert [(fault["what"], fault["where"]["source"]) for fault in status["faults"]] == [  # type: ignore[attr-defined]
                (f"{place} cannot be replaced: Is a directory", "/etc/motd")
            ]
            assert machine.files()["etc/hostname"] == (0o644, b"n\n")
            assert list(machine.known().phases.values()) == ["committed"]
        place.rmdir()
        first_boot(machine)
        assert (machine.verdict()["verdict"], [*machine.known().phases.values()]) == ("configured", ["configured"])
        assert machine.files()["etc/motd"] == (0o644, b"x\n")
