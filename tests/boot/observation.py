"""What a machine is like at the end of a boot, taken down once so that many tests can look at it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from tests.boot.machine import Machine

UNITS = (
    "multi-user.target",
    "earlyboot-settings.service",
    "earlyboot-preconfigured.target",
    "earlyboot-configured.target",
    "earlyboot-finish.service",
    "workload.service",
)

# Every file that the user data of these tests is rendered to.
RENDERED = (
    "/etc/motd",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/earlyboot/proxy.env",
    "/etc/chrony/sources.d/earlyboot.sources",
    "/etc/sysctl.d/90-earlyboot.conf",
)


@dataclass(frozen=True, slots=True)
class Observation:
    """`files` has None for a file that is not there; `requests` are those of all boots so far."""

    state: str
    units: Mapping[str, str]
    boot_id: str
    kernel_hostname: str
    ip_forward: str
    status_code: int
    status_text: str
    status: Mapping[str, object]
    files: Mapping[str, bytes | None]
    api_was_started: bool
    requests: tuple[str, ...]


def boot_and_observe(machine: Machine) -> Observation:
    """Boots, waits until systemd has nothing left to do, and looks."""
    machine.boot()
    state = machine.wait_until_up()
    as_json = machine.run("earlyboot", "status", "--format", "json", check=False)
    as_text = machine.run("earlyboot", "status", check=False)
    active = machine.run("systemctl", "show", "--value", "--property=ActiveState", *UNITS).stdout.split()
    entered = machine.run(
        "systemctl", "show", "--value", "--property=InactiveExitTimestampMonotonic", "earlyboot-api.service"
    )
    return Observation(
        state=state,
        units=dict(zip(UNITS, active, strict=True)),
        boot_id=machine.run("cat", "/proc/sys/kernel/random/boot_id").stdout.strip(),
        kernel_hostname=machine.run("uname", "-n").stdout.strip(),
        ip_forward=machine.run("cat", "/proc/sys/net/ipv4/ip_forward").stdout.strip(),
        status_code=as_json.returncode,
        status_text=as_text.stdout + as_text.stderr,
        status=_status(as_json.stdout, as_json.stderr),
        files=rendered(machine),
        api_was_started=entered.stdout.strip() != "0",
        requests=machine.world.requests(),
    )


def _status(stdout: str, stderr: str) -> Mapping[str, object]:
    try:
        status = json.loads(stdout)
    except ValueError:
        raise RuntimeError(f"earlyboot status said no JSON: {stdout}{stderr}") from None
    assert isinstance(status, dict)
    return status


def rendered(machine: Machine) -> dict[str, bytes | None]:
    """The files that settings may be rendered to, whether the machine runs or not."""
    return {path: machine.read(path) for path in RENDERED}
