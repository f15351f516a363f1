"""`earlyboot simulate`: a whole first boot, on any machine, without privileges."""

from __future__ import annotations

import argparse
import json
import shutil
import sys

from earlyboot.cli.table import table
from earlyboot.config.paths import Paths
from earlyboot.simulate.boot import Boot, boot, throwaway_root
from earlyboot.simulate.progress import Progress
from earlyboot.stages import status as statuses
from earlyboot.stages.timeline import Event
from hostkit import files
from hostkit.errors import Fault, OperatorError, Where

_USER_DATA_LIMIT_BYTES = 64 << 20
_FAILED = 10


def simulate(arguments: argparse.Namespace, paths: Paths) -> int:
    """Exit status 0 configured or degraded; a failed boot's is that of its settings stage."""
    user_data = files.read(arguments.user_data, _USER_DATA_LIMIT_BYTES)
    if user_data is None:
        fix = "give the path of a file with user data"
        raise OperatorError(Fault("no-file", "there is no such file", Where(arguments.user_data), fix))
    as_json = arguments.format == "json"
    progress = Progress(quiet=as_json)
    with throwaway_root(arguments.simulated_root) as root:
        progress.line(f"booting {root.root} as {arguments.platform}")
        try:
            booted = boot(root, arguments.platform, user_data, progress.event)
        finally:
            progress.close()
    print(json.dumps(_document(booted), indent=1, ensure_ascii=False) if as_json else "\n".join(_report(booted)))
    if booted.verdict.get("verdict") in (statuses.CONFIGURED, statuses.DEGRADED):
        return 0
    if 1 in booted.exit_statuses.values():
        sys.stderr.write(booted.log)
    return booted.exit_statuses.get("settings") or _FAILED


def _document(booted: Boot) -> dict[str, object]:
    settings = booted.stages.get("settings", {})
    return {
        "verdict": booted.verdict.get("verdict"),
        "first_boot": booted.verdict.get("first_boot"),
        "settings": [setting._asdict() for setting in booted.settings],
        "files": settings.get("files", []),
        "steps": booted.steps,
        "requests": booted.requests,
        "servers_started": booted.servers_started,
        "faults": booted.verdict.get("faults", []),
        "warnings": settings.get("warnings", []),
    }


def _report(booted: Boot) -> list[str]:
    width = shutil.get_terminal_size((120, 24)).columns if sys.stdout.isatty() else 160
    settings = booted.stages.get("settings", {})
    lines = []
    if booted.verdict.get("first_boot") is False:
        lines.append("This machine is already configured: no source was read and no request was made.")
    rows = [(item.key, json.dumps(item.value, ensure_ascii=False), item.origin) for item in booted.settings]
    lines += table("Settings", [(key, origin, value) for key, value, origin in rows], width)
    files_seen = settings.get("files")
    if isinstance(files_seen, list):
        lines += table("Files", [(file["path"], file["outcome"]) for file in files_seen], width)
    unused = settings.get("notes")
    if isinstance(unused, dict) and unused.get("unused_keys"):
        lines += table("Set, but nothing on this image reads them", [(key,) for key in unused["unused_keys"]], width)
    lines += table("Steps", [_step_row(step) for step in booted.steps], width)
    for kind, faults in (("warning", settings.get("warnings")), ("error", booted.verdict.get("faults"))):
        for fault in faults if isinstance(faults, list) else []:
            lines += ["", Fault.from_json(fault).text(kind)]
    return [*lines, "", f"verdict: {booted.verdict.get('verdict', 'not finished')}"]


def _step_row(step: Event) -> tuple[str, ...]:
    duration_s = step["duration_s"]
    assert isinstance(duration_s, float)
    return (
        str(step["stage"]),
        str(step["step"]),
        f"{duration_s * 1000:8.1f} ms",
        str(step["event"]),
        str(step["detail"]),
    )
