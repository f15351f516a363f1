"""The status files in /run: written by each stage and by finish, merged by readers. They hold no value of a setting."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from earlyboot.config.paths import Paths
from hostkit import files
from hostkit.errors import HostError

CONFIGURED, DEGRADED, FAILED = "configured", "degraded", "failed"
_LIMIT_BYTES = 4 << 20

Status = dict[str, object]


def write_stage(paths: Paths, stage: str, status: Mapping[str, object]) -> None:
    """Replaces a stage's status at once; `status["outcome"]` is `running`, `finished` or `failed`."""
    _write(os.path.join(paths.status_folder, f"{stage}.json"), {"stage": stage, **status})


def read_stage(paths: Paths, stage: str) -> Status | None:
    """What a stage wrote in this boot, or `None`; a damaged file is as good as none."""
    return _read(os.path.join(paths.status_folder, f"{stage}.json"))


def write_verdict(paths: Paths, verdict: Mapping[str, object], timeline: Mapping[str, object]) -> None:
    """What finish decided. The timeline is written first: whoever sees the verdict sees it all."""
    _write(paths.timeline, timeline)
    _write(paths.verdict, verdict)


def read_verdict(paths: Paths) -> Status | None:
    """The verdict of this boot, or `None` before there is one."""
    return _read(paths.verdict)


def clear(paths: Paths, stage: str) -> None:
    """Forgets what a stage, and with it the verdict, said before: it runs again."""
    files.remove(paths.verdict)
    files.remove(os.path.join(paths.status_folder, f"{stage}.json"))


def _write(path: str, value: Mapping[str, object]) -> None:
    files.write_volatile(path, json.dumps(value, indent=1).encode() + b"\n")


def _read(path: str) -> Status | None:
    try:
        data = files.read(path, _LIMIT_BYTES)
        value = json.loads(data) if data else None
    except (HostError, ValueError):
        return None
    return value if isinstance(value, dict) else None
