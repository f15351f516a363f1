"""`earlyboot`: finds the verb, and is the only place that exits. A verb's imports are its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from hostkit.errors import EarlybootError


def run(program: str = "earlyboot") -> None:
    """The program: runs and exits with the status that the command line promises."""
    status: int | str | None = 0
    try:
        try:
            status = main(program, sys.argv[1:])
        except SystemExit as end:  # argparse, after its help
            status = end.code
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output went away, as `head` does. Python must not try to flush into it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)


def main(program: str, argv: Sequence[str]) -> int:
    """Runs one command line and returns its exit status; a bug keeps its traceback and ends with 1."""
    try:
        if program == "earlyboot":
            # What the units call at every boot: the general parser would cost it 9 ms.
            match argv:
                case ["stage", name]:
                    return _stage(name, "/")
                case ["--root", root, "stage", name]:
                    return _stage(name, root)
        from earlyboot.cli import arguments

        return arguments.run(program, argv)
    except EarlybootError as error:
        print(error, file=sys.stderr)
        return error.exit_status


def _stage(name: str, root: str) -> int:
    from earlyboot.config.paths import Paths
    from earlyboot.stages.run import STAGES, run_stage
    from earlyboot.stages.timeline import report_text

    if name not in STAGES:
        from earlyboot.cli import arguments

        return arguments.run("earlyboot", ["stage", name])
    return run_stage(name, Paths(root), report_text)
