"""The machine itself: how far its first boot has come, and its reboot."""

from __future__ import annotations

from collections.abc import Sequence

from earlyboot.api.core import Core, Request
from earlyboot.api.problem import Problem
from hostkit import process
from hostkit.errors import Fault, HostError, Where

REBOOT = ("systemctl", "reboot", "--check-inhibitors=yes")
_REBOOT_DEADLINE_S = 30.0


class Machine:
    def __init__(self, core: Core) -> None:
        self._core = core

    def patch_machine(self, request: Request) -> None:
        identity = request.query["identity"]
        with self._core.writing() as store:
            if "was" in request.query:
                store.rename_machine(request.query["was"], identity)
            known = store.reach_phase(identity, request.query["phase"])
        if not known:
            what = "the store does not know this machine identity"
            raise Problem(404, Fault("unknown-identity", what, Where(), "commit its settings first"))

    def reboot(self, request: Request) -> None:
        if not self._core.paths.is_machine:
            what = "this root is not the running machine's"
            raise Problem(409, Fault("not-this-machine", what, Where(), "ask the API of the machine to reboot"))
        reboot()


def reboot(command: Sequence[str] = REBOOT) -> None:
    """Asks systemd to reboot, and returns before it does. `HostError` where it refuses, such as for an inhibitor."""
    fix = "look at: systemd-inhibit --list"
    try:
        ended = process.run(process.Command(command, _REBOOT_DEADLINE_S))
    except OSError as error:
        what = f"{command[0]} cannot be started: {error.strerror}"
        raise HostError(Fault("reboot", what, Where(), "reboot it by other means")) from None
    if ended.status != 0 or ended.cut_off:
        words = ended.stderr.decode("utf-8", "replace").strip().splitlines()
        what = f"the machine does not reboot: {' '.join(command)}: {ended.explain()}" + (
            f": {words[-1]}" if words else ""
        )
        raise HostError(Fault("reboot", what, Where(), fix))
