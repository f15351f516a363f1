"""`earlyboot status`: the verdict of this boot, and what led to it."""

from __future__ import annotations

import argparse
import json
import time

from earlyboot.config.paths import Paths
from earlyboot.stages import status as statuses
from earlyboot.stages.run import STAGES
from hostkit.deadline import Deadline
from hostkit.errors import Fault, printable

_EXIT = {statuses.CONFIGURED: 0, statuses.DEGRADED: 0, statuses.FAILED: 10}
_DEGRADED_STRICT = 11
_NOT_FINISHED = 12
_POLL_S = 0.1


def status(arguments: argparse.Namespace, paths: Paths) -> int:
    """Exit status 0 configured or degraded, 10 failed, 11 degraded with --strict, 12 not finished."""
    verdict = _wait(paths, arguments.timeout) if arguments.wait else statuses.read_verdict(paths)
    stages = {stage: statuses.read_stage(paths, stage) for stage in STAGES}
    report = {
        "verdict": verdict["verdict"] if verdict else None,
        "first_boot": verdict.get("first_boot") if verdict else None,
        "faults": verdict.get("faults", []) if verdict else [],
        "stages": {stage: found for stage, found in stages.items() if found},
    }
    if arguments.format == "json":
        print(json.dumps(report, indent=1))
    else:
        print("\n".join(_lines(report)))
    if verdict is None:
        return _NOT_FINISHED
    if verdict["verdict"] == statuses.DEGRADED and arguments.strict:
        return _DEGRADED_STRICT
    return _EXIT.get(str(verdict["verdict"]), 10)


def _wait(paths: Paths, timeout_s: float) -> statuses.Status | None:
    deadline = Deadline(timeout_s)
    while (verdict := statuses.read_verdict(paths)) is None and not deadline.expired:
        time.sleep(deadline.bounded(_POLL_S))
    return verdict


def _lines(report: dict[str, object]) -> list[str]:
    verdict = report["verdict"] or "not finished"
    kind = {True: " (first boot)", False: " (configured before)"}.get(report["first_boot"], "")  # type: ignore[call-overload]
    lines = [f"{verdict}{kind}"]
    stages = report["stages"]
    assert isinstance(stages, dict)
    for stage, found in stages.items():
        finished_s = found.get("finished_s")
        took = f" in {finished_s - found['started_s']:.3f} s" if finished_s else ""
        lines.append(f"  {stage}: {found['outcome']}{took}")
        lines += [f"    source {row['name']}: {row['outcome']}" for row in found.get("sources", [])]
        lines += [
            f"    file {row['path']}: {row['outcome']}"
            for row in found.get("files", [])
            if row["outcome"] != "unchanged"
        ]
        unused = found.get("notes", {}).get("unused_keys", [])
        if unused:
            lines.append(f"    set, but nothing on this image reads them: {', '.join(unused)}")
        lines += [f"    {printable(str(remark))}" for remark in found.get("notes", {}).get("remarks", [])]
        lines += [Fault.from_json(fault).text("warning") for fault in found.get("warnings", [])]
    faults = report["faults"]
    assert isinstance(faults, list)
    return lines + [Fault.from_json(fault).text() for fault in faults]
