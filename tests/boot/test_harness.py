"""The harness itself, on the image without the product: what the other boot tests take for granted."""

from __future__ import annotations

import re

import pytest

from tests.boot.machine import Machine, MakeMachine
from tests.boot.roots import FILES, Suite

pytestmark = pytest.mark.boot


@pytest.fixture(scope="module")
def machine(suite: Suite, base_lowers: tuple[str, ...], make_machine: MakeMachine) -> Machine:
    machine = make_machine(f"harness-{suite.name}", base_lowers)
    machine.boot()
    assert machine.wait_until_up() == "running", machine.run("systemctl", "--failed").stdout
    return machine


def test_the_image_boots_its_own_systemd(machine: Machine, suite: Suite) -> None:
    assert machine.run("systemctl", "--version").stdout.startswith(f"systemd {suite.systemd} ")
    assert machine.run("python3", "--version").stdout.startswith(f"Python {suite.python}.")
    assert machine.run("uname", "-n").stdout == FILES["etc/hostname"]


def test_the_image_gets_an_address_by_dhcp_and_reaches_imds(machine: Machine) -> None:
    machine.wait_for("lease", lambda: "inet 192.168.77." in machine.run("ip", "address", "show", "host0").stdout)
    before = machine.world.requests()
    script = "import urllib.request as u; u.urlopen('http://169.254.169.254/latest/user-data', timeout=5)"
    assert "401" in machine.run("python3", "-c", script, check=False).stderr
    assert machine.world.requests() == (*before, "GET /latest/user-data")


def test_a_machine_keeps_its_disk_but_not_its_boot_id(suite: Suite, machine: Machine) -> None:
    boot_id = machine.read("/proc/sys/kernel/random/boot_id")
    machine_id = machine.read("/etc/machine-id")
    assert machine_id is not None
    assert re.fullmatch(rb"[0-9a-f]{32}\n", machine_id)
    machine.run("sh", "-c", "echo kept > /var/kept")
    machine.poweroff()
    machine.boot()
    machine.wait_until_up()
    assert machine.read("/proc/sys/kernel/random/boot_id") not in (None, boot_id)
    assert machine.read("/etc/machine-id") == machine_id
    machine.kill()
    assert machine.read("/var/kept") == b"kept\n"
    machine.boot()
    assert machine.wait_until_up() == "running"
    assert machine.journal("--boot=-2", "_PID=1")
