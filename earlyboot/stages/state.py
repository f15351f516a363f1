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

    `others` is whether the store belongs to another identity so far; `notes` are the last apply's.
    """

    identity: str
    phase: str | None
    others: bool
    repair: str | None
    notes: Mapping[str, object]


def read_state(paths: Paths) -> State:
    """Opens nothing for writing. `HostError` where the store is damaged."""
    identity = machine.identity(paths.root) or UNIDENTIFIED
    reader = store.open_for_reading(paths.store)
    if reader is None:
        return State(identity, None, False, None, {})
    try:
        phases = reader.phases()
        phase = phases.get(identity)
        if phase is None:
            return State(identity, None, bool(phases), None, {})
        applied = reader.applied()
        generation = reader.generation()
    finally:
        reader.close()
    notes = applied.notes if applied else {}
    return State(identity, phase, False, _repair(paths, phase, applied, generation), notes)


def _repair(paths: Paths, phase: str, applied: Applied | None, generation: int) -> str | None:
    if applied is None or phase == "committed":
        return "the settings are committed and were not applied"
    if applied.generation != generation:
        return "settings were committed after the last apply"
    if applied.digest != digest(paths):
        return "the program or its configuration is another than at the last apply"
    if applied.notes.get("failed_services"):
        return "a service failed to take the last apply"
    changed = [file.path for file in applied.files if has_changed(file, paths)]
    return f"changed or missing: {', '.join(changed)}" if changed else None
