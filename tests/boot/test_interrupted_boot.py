"""The power goes at any moment of a first boot: the next one ends where an undisturbed one would have."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest

from tests.boot import userdata
from tests.boot.machine import Machine, MakeMachine
from tests.boot.observation import boot_and_observe, rendered
from tests.boot.roots import Suite, image_file

pytestmark = pytest.mark.boot

# Moments by the clock, as parts of the time from the settings stage's begin to the verdict; the first is before it.
CLOCK = (-0.5, 0.15, 0.45, 0.8, 1.02)
# Moments that are too short to be met by the clock.
EVENTS: Mapping[str, Callable[[Machine], bool]] = {
    "store-made": lambda machine: os.path.exists(machine.path("/var/lib/earlyboot/settings.db")),
    "first-file-prepared": lambda machine: (
        os.path.exists(machine.path("/etc/.motd.earlyboot-new")) or machine.read("/etc/motd") != image_file("/etc/motd")
    ),
    "first-file-written": lambda machine: machine.read("/etc/motd") != image_file("/etc/motd"),
    "last-file-written": lambda machine: os.path.exists(machine.path("/etc/sysctl.d/90-earlyboot.conf")),
    "stage-finished": lambda machine: b'"finished"' in (machine.read("/run/earlyboot/status.d/settings.json") or b""),
}
EVENT_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """A first boot that nobody interrupts: what it leaves, and its moments in seconds from its start."""

    files: Mapping[str, bytes | None]
    settings_begin_s: float
    verdict_s: float


@pytest.fixture(scope="module")
def undisturbed(suite: Suite, installed_lowers: tuple[str, ...], make_machine: MakeMachine) -> Undisturbed:
    machine = make_machine(f"undisturbed-{suite.name}", installed_lowers)
    machine.world.set_user_data(userdata.GZIPPED)
    files = boot_and_observe(machine).files
    # systemd counts on the clock that time.monotonic() reads, containers included.
    begin, end = (
        int(machine.run("systemctl", "show", "--value", f"--property=ExecMain{what}TimestampMonotonic", unit).stdout)
        for what, unit in (("Start", "earlyboot-settings.service"), ("Exit", "earlyboot-finish.service"))
    )
    started = time.monotonic() - machine.age_s()
    machine.close()
    return Undisturbed(files, begin / 1e6 - started, end / 1e6 - started)


def wait(machine: Machine, moment: float | str, undisturbed: Undisturbed) -> None:
    if isinstance(moment, float):
        begin_s, length_s = undisturbed.settings_begin_s, undisturbed.verdict_s - undisturbed.settings_begin_s
        moment_s = begin_s / 2 if moment < 0 else begin_s + moment * length_s
        time.sleep(max(0.0, moment_s - machine.age_s()))
        return
    happened = EVENTS[moment]
    while not happened(machine):
        # No sleep between two looks: what is waited for may be over in a millisecond.
        assert machine.age_s() < EVENT_TIMEOUT_S, f"{moment} did not happen"


@pytest.mark.parametrize("moment", [*CLOCK, *EVENTS])
def test_a_first_boot_that_was_killed_is_taken_up_by_the_next(
    suite: Suite,
    installed_lowers: tuple[str, ...],
    make_own_machine: MakeMachine,
    undisturbed: Undisturbed,
    moment: float | str,
) -> None:
    machine = make_own_machine(f"killed-{moment}-{suite.name}", installed_lowers)
    machine.world.set_user_data(userdata.GZIPPED)
    machine.boot()
    wait(machine, moment, undisturbed)
    machine.kill()

    for path, content in rendered(machine).items():
        assert content in (image_file(path), undisturbed.files[path]), path
    seen = boot_and_observe(machine)
    assert seen.state == "running"
    assert set(seen.units.values()) == {"active"}, seen.units
    assert seen.status["verdict"] == "configured"
    assert seen.files == undisturbed.files
    assert (seen.kernel_hostname, seen.ip_forward) == (userdata.HOSTNAME, "1")
    assert machine.run("find", "/etc", "/var/lib/earlyboot", "-name", "*.earlyboot-new").stdout == ""
