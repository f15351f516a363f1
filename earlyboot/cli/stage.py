"""`earlyboot stage NAME`."""

from __future__ import annotations

import argparse

from earlyboot.config.paths import Paths
from earlyboot.stages.run import run_stage
from earlyboot.stages.timeline import report_json, report_text


def stage(arguments: argparse.Namespace, paths: Paths) -> int:
    return run_stage(arguments.stage, paths, report_json if arguments.format == "json" else report_text)
