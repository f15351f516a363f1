"""The finish stage: reads how every other stage ended, writes the verdict, and marks a first boot that succeeded."""

from __future__ import annotations

from collections.abc import Iterator

from earlyboot.config.paths import Paths
from earlyboot.stages import status as statuses
from earlyboot.stages.timeline import Timeline, now_s, say
from hostkit.errors import EarlybootError, Fault, Where

# What a stage is judged by, in the order of the boot: its status file and the result of its unit.
JUDGED = ("settings",)
_FINAL_PHASE = "configured"


def run(paths: Paths, timeline: Timeline) -> int:
    """Never fails because a stage did: saying so is its work. Returns 0, or the status of its own failure."""
    stages = {stage: statuses.read_stage(paths, stage) for stage in JUDGED}
    with timeline.step("judge") as step:
        failures = [fault for stage, status in stages.items() for fault in _failures(paths, stage, status)]
        reasons = [fault for status in stages.values() if status for fault in _reasons(status)]
        step.detail = statuses.FAILED if failures else ""
    exit_status = 0
    if not failures:
        try:
            with timeline.step("mark") as step:
                # What the settings stage saw when it began: on a later boot nobody needs to open the store again.
                seen = (stages["settings"] or {}).get("phase")
                step.detail = "configured before" if seen == _FINAL_PHASE else _mark_configured(paths)
        except EarlybootError as error:
            say(str(error))
            # The next boot starts from the phase that was reached: nothing is lost, and nobody should miss it.
            reasons += error.faults
            exit_status = error.exit_status
    verdict = statuses.FAILED if failures else statuses.DEGRADED if reasons else statuses.CONFIGURED
    settings = stages["settings"] or {}
    statuses.write_verdict(
        paths,
        {
            "verdict": verdict,
            "first_boot": settings.get("first_boot"),
            "finished_s": now_s(),
            "faults": [fault.json() for fault in (*failures, *reasons)],
        },
        {
            "stages": [
                {"stage": stage, **{key: (status or {}).get(key) for key in ("started_s", "finished_s", "steps")}}
                for stage, status in stages.items()
            ]
            + [{"stage": "finish", "started_s": timeline.started_s, "finished_s": now_s(), "steps": timeline.steps}]
        },
    )
    say(f"finish: {verdict}")
    if failures and paths.is_machine:
        _go_to_emergency_if_strict(paths)
    return exit_status


def _failures(paths: Paths, stage: str, status: statuses.Status | None) -> Iterator[Fault]:
    """Why a stage did not succeed; nothing if it did. Only then systemd is asked, which costs a process."""
    if status is not None and status.get("outcome") == "finished":
        return
    faults = status.get("faults") if status else None
    if isinstance(faults, list) and faults:
        yield from (Fault.from_json(fault) for fault in faults)
        return
    what = f"the stage {stage} did not end" if status else f"the stage {stage} did not run"
    unit = f"earlyboot-{stage}.service"
    if paths.is_machine:
        from hostkit import systemd

        try:
            result = systemd.unit_results([unit]).get(unit)
        except EarlybootError as error:
            yield from error.faults
            result = None
        if result is not None and result.result != "success":
            what = f"{unit} failed: {result.result}" + (f", status {result.status}" if result.status != "0" else "")
    yield Fault("stage-failed", what, Where(unit), f"look at its log: journalctl -b -u {unit}")


def _reasons(status: statuses.Status) -> Iterator[Fault]:
    """What makes a boot that succeeded less than it was asked to be."""
    degraded = status.get("degraded")
    if isinstance(degraded, list):
        yield from (Fault.from_json(fault) for fault in degraded)
    notes = status.get("notes")
    if not isinstance(notes, dict):
        return
    for key in notes.get("not_run", []):
        what = f"{key} was not run: this version stores bootstrap settings and does not run them yet"
        yield Fault("not-run", what, Where(key=key), f'set {key}.mode to "off" to accept that')
    for file in notes.get("left_out", []):
        what = f"{file['path']} was not written: {file['key']} is not set, and its generator did not make it"
        yield Fault(
            "left-out", what, Where(key=file["key"]), "set it, or mend the generator: the next boot runs it again"
        )
    outcomes = status.get("services")
    details = {item["name"]: item["detail"] for item in outcomes} if isinstance(outcomes, list) else {}
    for name in notes.get("failed_services", []):
        what = f"the service {name} did not take its new configuration: {details.get(name) or 'see the log'}"
        yield Fault("service", what, Where(), "mend the service; the next boot, or `apiclient apply`, tries again")


def _mark_configured(paths: Paths) -> str:
    from earlyboot.stages.state import read_phase

    identity, phase = read_phase(paths)
    if phase == _FINAL_PHASE:
        return "configured before"
    from earlyboot.api.client import Client

    with Client(paths.socket) as client:
        client.call("patch_machine", identity=identity, phase=_FINAL_PHASE)
    return "configured"


def _go_to_emergency_if_strict(paths: Paths) -> None:
    """`strict = true` in earlyboot.toml, and only there: better no machine than a wrong one."""
    from earlyboot.config import options
    from hostkit import systemd

    try:
        if options.load(paths).flag("strict") and systemd.has_system_bus():
            systemd.start_emergency()
    except EarlybootError as error:
        say(str(error))
