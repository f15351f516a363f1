"""What a stage did and how long each step took, told while it happens and kept for `status` and `analyze`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from hostkit.errors import printable

Event = dict[str, object]
Reporter = Callable[[Event], None]


def now_s() -> float:
    """Seconds since the kernel started, suspend included: the one clock that early boot can compare across processes."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Step:
    """A step in the making; `detail` is for people and holds no value of a setting."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.detail = ""


class Timeline:
    """The steps of one stage, in the order in which they ended."""

    def __init__(self, stage: str, report: Reporter) -> None:
        self.stage = stage
        self.started_s = now_s()
        self.steps: list[Event] = []
        self._report = report

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Times what happens inside; a step that raises is recorded as failed."""
        step = Step(name)
        started_s = now_s()
        self.announce(name)
        outcome = "failed"
        try:
            yield step
            outcome = "finished"
        finally:
            self.add(name, outcome, started_s, now_s() - started_s, step.detail)

    def announce(self, name: str) -> None:
        """Says that a step begins."""
        self._report({"event": "started", "stage": self.stage, "step": name})

    def add(self, name: str, outcome: str, started_s: float, duration_s: float, detail: str = "") -> None:
        """Records a step that was timed elsewhere."""
        step: Event = {
            "step": name,
            "outcome": outcome,
            "started_s": round(started_s, 6),
            "duration_s": round(duration_s, 6),
            "detail": detail,
        }
        self.steps.append(step)
        self._report({"event": outcome, "stage": self.stage, **step})


def report_text(event: Event) -> None:
    """One plain line a step that ended, on stderr: the journal's form."""
    if event["event"] == "started":
        return
    duration_s = event["duration_s"]
    assert isinstance(duration_s, float)
    failed = " FAILED" if event["event"] == "failed" else ""
    detail = f": {printable(str(event['detail']))}" if event["detail"] else ""
    say(f"{event['stage']}: {event['step']}{failed}{detail} ({duration_s * 1000:.0f} ms)")


def report_json(event: Event) -> None:
    """One JSON object a line on stdout, as it happens, for programs that show progress."""
    import json

    _write(sys.stdout, json.dumps(event))


def say(text: str) -> None:
    """A line on stderr. A journal that restarts, or a reader that went away, is no reason for a boot to end half-way."""
    _write(sys.stderr, text)


def _write(stream: TextIO, line: str) -> None:
    try:
        stream.write(line + "\n")
        stream.flush()
    except OSError:
        # What stays in the buffer would fail again, and with an exit status of its own, when the interpreter ends.
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), stream.fileno())
