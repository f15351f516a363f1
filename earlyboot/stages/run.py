"""Runs one stage: its timeline, its status file at the start and at the end, and what its failure means."""

from __future__ import annotations

from earlyboot.config.paths import Paths
from earlyboot.stages import status as statuses
from earlyboot.stages.timeline import Reporter, Timeline, now_s, say
from hostkit.errors import EarlybootError, Fault, Where

# In the order of the boot. The units of the same names call `earlyboot stage NAME`.
STAGES = ("settings", "finish")


def run_stage(stage: str, paths: Paths, report: Reporter) -> int:
    """Runs a stage to its end and returns the exit status. Errors are on stderr and in the status file, bugs too."""
    if stage == "finish":
        return _finish(paths, Timeline(stage, report))
    timeline = Timeline(stage, report)
    status: statuses.Status = {}
    statuses.clear(paths, stage)
    _write(paths, timeline, status, "running")
    exit_status = 0
    faults: tuple[Fault, ...] = ()
    try:
        from earlyboot.stages import settings

        settings.run(paths, timeline, status)
    except EarlybootError as error:
        say(str(error))
        exit_status, faults = error.exit_status, error.faults
    except Exception as error:  # noqa: BLE001 - the status must say that it failed; the traceback is kept
        exit_status, faults = 1, (_bug(stage, error),)
    status["faults"] = [fault.json() for fault in faults]
    status["exit_status"] = exit_status
    _write(paths, timeline, status, "failed" if faults else "finished")
    return exit_status


def _finish(paths: Paths, timeline: Timeline) -> int:
    from earlyboot.stages import finish

    try:
        return finish.run(paths, timeline)
    except EarlybootError:
        raise
    except Exception as error:  # noqa: BLE001 - without a verdict everybody who waits for one would wait in vain
        fault = _bug("finish", error)
        verdict = {"verdict": statuses.FAILED, "first_boot": None, "finished_s": now_s(), "faults": [fault.json()]}
        statuses.write_verdict(paths, verdict, {"stages": []})
        return 1


def _bug(stage: str, error: Exception) -> Fault:
    import traceback

    say("".join(traceback.format_exception(error)).rstrip())
    what = f"earlyboot has a bug: {type(error).__name__}"
    return Fault("bug", what, Where(), f"report it with the log: journalctl -b -u earlyboot-{stage}")


def _write(paths: Paths, timeline: Timeline, status: statuses.Status, outcome: str) -> None:
    times = {"started_s": timeline.started_s, "finished_s": None if outcome == "running" else now_s()}
    try:
        statuses.write_stage(paths, timeline.stage, {"outcome": outcome, **times, **status, "steps": timeline.steps})
    except EarlybootError as error:
        # What the stage is for matters more than what is known of it; without its file finish asks systemd.
        say(str(error))
