"""How far this machine has come, seen by opening the store read-only: what a stage needs to know to do nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from earlyboot.api import store
from earlyboot.config.paths import Paths
from earlyboot.render.record import Applied, digest, has_changed
from hostkit import machine

# A machine that nothing identifies is the same machine for as long as its disk is.
UNIDENTIFIED = "unidentified"


class State(NamedTuple):
    """`phase` is `None` on a first boot. `repair` says why the files must be applied again, `None` if they need not.

    `others` is whether the store belongs to another identity so far; `notes` are the last apply's. `now_known_as` is the
    identity of a machine that the store knows as one that nothing identified. `updated` is whether the program or its
    configuration is another than at the last apply.
    """

    identity: str
    phase: str | None
    others: bool
    repair: str | None
    notes: Mapping[str, object]
    now_known_as: str | None = None
    updated: bool = False


def this_machine(paths: Paths, phases: Mapping[str, str]) -> str:
    """The identity under which the store knows this machine, or will know it.

    On a disk's very first boot the machine-id is still transient: systemd writes it down only when that boot is
    complete. The machine that nothing identified then is the one that has its own machine-id now.
    """
    identity = machine.identity(paths.root)
    if identity is None or (identity.startswith("machine-id:") and set(phases) == {UNIDENTIFIED}):
        return UNIDENTIFIED
    return identity


def read_phase(paths: Paths) -> tuple[str, str | None]:
    """This machine's identity, and the phase it reached or `None`. `HostError` where the store is damaged."""
    with store.reading(paths.store) as reader:
        phases = reader.phases() if reader else {}
    identity = this_machine(paths, phases)
    return identity, phases.get(identity)


def read_state(paths: Paths) -> State:
    """Opens nothing for writing. `HostError` where the store is damaged."""
    with store.reading(paths.store) as reader:
        phases = reader.phases() if reader else {}
        identity = this_machine(paths, phases)
        phase = phases.get(identity)
        if reader is None or phase is None:
            return State(identity, None, bool(phases), None, {})
        applied = reader.applied()
        generation = reader.generation()
    notes = applied.notes if applied else {}
    known = machine.identity(paths.root) if identity == UNIDENTIFIED else None
    updated = applied is not None and applied.digest != digest(paths)
    repair = _repair(paths, phase, applied, generation, updated=updated)
    return State(identity, phase, False, repair, notes, known, updated)


def _repair(paths: Paths, phase: str, applied: Applied | None, generation: int, *, updated: bool) -> str | None:
    if applied is None or phase == "committed":
        return "the settings are committed and were not applied"
    if applied.generation != generation:
        return "settings were committed after the last apply"
    if updated:
        return "the program or its configuration is another than at the last apply"
    if applied.notes.get("failed_files"):
        return "a file could not be written at the last apply"
    if applied.notes.get("failed_services"):
        return "a service failed to take the last apply"
    changed = [file.path for file in applied.files if has_changed(file, paths)]
    return f"changed or missing: {', '.join(changed)}" if changed else None
