"""The host itself refuses what earlyboot needs: the boot ends all the same, soon, with a verdict that says why."""

from __future__ import annotations

import os

import pytest

from tests.boot import userdata
from tests.boot.machine import Machine, MakeMachine
from tests.boot.observation import Observation, boot_and_observe
from tests.boot.roots import Suite

pytestmark = pytest.mark.boot

# A boot that nothing holds up takes about one second here.
SOON_S = 20.0


def assert_failed(seen: Observation) -> None:
    assert seen.state == "degraded"
    assert seen.units["multi-user.target"] == seen.units["earlyboot-finish.service"] == "active"
    assert seen.units["earlyboot-configured.target"] == seen.units["workload.service"] == "inactive"
    assert (seen.status["verdict"], seen.status_code) == ("failed", 10)


def break_server(machine: Machine, drop_in: str) -> None:
    folder = machine.path("/etc/systemd/system/earlyboot-api.service.d")
    os.mkdir(folder)
    with open(os.path.join(folder, "broken.conf"), "w", encoding="ascii") as file:
        file.write(f"[Service]\n{drop_in}")


def test_a_read_only_disk_is_named(
    suite: Suite, installed_lowers: tuple[str, ...], make_own_machine: MakeMachine
) -> None:
    machine = make_own_machine(f"read-only-{suite.name}", installed_lowers)
    machine.world.set_user_data(userdata.GZIPPED)
    break_server(machine, "ReadOnlyPaths=/var/lib/earlyboot\n")
    seen = boot_and_observe(machine)
    assert_failed(seen)
    assert "/var/lib/earlyboot/settings.db cannot be made: Read-only file system" in seen.status_text
    assert machine.journal("--unit=earlyboot-api.service").count("Starting earlyboot-api.service") == 1


def test_a_server_that_cannot_start_does_not_hold_the_boot(
    suite: Suite, installed_lowers: tuple[str, ...], make_own_machine: MakeMachine
) -> None:
    machine = make_own_machine(f"no-server-{suite.name}", installed_lowers)
    machine.world.set_user_data(userdata.GZIPPED)
    break_server(machine, "ExecStart=\nExecStart=/bin/false\n")
    seen = boot_and_observe(machine)
    assert_failed(seen)
    assert "/run/earlyboot/api.sock" in seen.status_text
    assert machine.age_s() < SOON_S
    # It is not started over and over, now or while the machine lives.
    assert 1 <= machine.journal("--unit=earlyboot-api.service").count("Starting earlyboot-api.service") <= 10


def test_a_damaged_store_is_reported_and_left_as_it_is(
    suite: Suite, installed_lowers: tuple[str, ...], make_own_machine: MakeMachine
) -> None:
    machine = make_own_machine(f"damaged-store-{suite.name}", installed_lowers)
    machine.world.set_user_data(userdata.GZIPPED)
    store = "/var/lib/earlyboot/settings.db"
    os.mkdir(machine.path(os.path.dirname(store)), 0o700)
    garbage = b"no database" * 1000
    with open(machine.path(store), "wb") as file:
        file.write(garbage)
    seen = boot_and_observe(machine)
    assert_failed(seen)
    assert store in seen.status_text
    # What an operator may still want to look at is neither replaced nor taken for a first boot.
    assert machine.read(store) == garbage
    assert seen.requests == ()
