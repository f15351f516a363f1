"""systemd as a manager of units: transient ones, their ends and their states."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hostkit import process
from hostkit.errors import Fault, HostError, Where

SYSTEM_BUS = "/run/dbus/system_bus_socket"
_COMMAND_DEADLINE_S = 90.0


def has_system_bus() -> bool:
    """Whether systemd runs this machine and can be asked for transient units."""
    return os.path.isdir("/run/systemd/system") and os.path.exists(SYSTEM_BUS)


def transient_unit(unit: str, properties: Mapping[str, str], argv: Sequence[str]) -> list[str]:
    """The command that runs `argv` as a transient service and ends with its exit status.

    systemd-run hands its own stdin, stdout and stderr to the unit as they are, so output meant for a pipe never passes
    through the journal. It costs 28 to 64 ms a unit and 77 to 114 ms for four at once; a D-Bus library in Python costs
    30 to 50 ms for its import alone and has to be compiled.
    """
    command = ["systemd-run", "--quiet", "--wait", "--collect", "--pipe", "--no-ask-password", f"--unit={unit}"]
    command += [f"--property={name}={value}" for name, value in properties.items()]
    return [*command, "--", *argv]


def start_emergency() -> None:
    """Takes the machine to emergency.target without waiting: whoever asks is about to be stopped by it."""
    process.run(process.Command(["systemctl", "--no-block", "start", "emergency.target"], _COMMAND_DEADLINE_S))


class UnitResult(NamedTuple):
    """How a unit stands: its ActiveState, its Result, the status that its main process ended with."""

    active_state: str
    result: str
    status: str


def unit_results(units: Sequence[str]) -> dict[str, UnitResult]:
    """The state of several units with one command; a unit that is not installed is `inactive`, `success`."""
    argv = ["systemctl", "show", "--property=Id,ActiveState,Result,ExecMainStatus", "--", *units]
    ended = _run(argv)
    results = {}
    for block in ended.stdout.decode("utf-8", "replace").split("\n\n"):
        fields = dict(line.partition("=")[::2] for line in block.splitlines())
        if "Id" in fields:
            results[fields["Id"]] = UnitResult(
                fields.get("ActiveState", ""), fields.get("Result", ""), fields.get("ExecMainStatus", "")
            )
    return results


def _run(argv: Sequence[str]) -> process.Completed:
    try:
        ended = process.run(process.Command(argv, _COMMAND_DEADLINE_S))
    except OSError as error:
        fix = f"install {argv[0]} on the image"
        raise HostError(Fault("command", f"{argv[0]} cannot be started: {error.strerror}", Where(), fix)) from None
    if ended.status != 0:
        words = ended.stderr.decode("utf-8", "replace").strip()
        what = f"{' '.join(argv)}: {ended.explain()}" + (f": {words}" if words else "")
        raise HostError(Fault("command", what, Where(), "run the command by hand to see more"))
    return ended
