"""Shows the events of a stage as they come: a live line on a terminal, a plain line a step elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping

from earlyboot.stages.timeline import say
from hostkit.errors import printable

_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_CLEAR = "\r\x1b[K"


class Progress:
    """Takes events of the timeline; `close` leaves the terminal as it was."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._live = sys.stderr.isatty() and not quiet
        self._lock = threading.Lock()
        # In the order in which they began; the newest is shown.
        self._running: dict[str, float] = {}
        self._closed = threading.Event()
        self._spinner = threading.Thread(target=self._spin, daemon=True)
        if self._live:
            self._spinner.start()

    def event(self, event: Mapping[str, object]) -> None:
        name = f"{event['stage']}: {event['step']}"
        if event["event"] == "started":
            with self._lock:
                self._running[name] = time.monotonic()
            return
        with self._lock:
            self._running.pop(name, None)
        duration_s = event["duration_s"]
        assert isinstance(duration_s, float)
        failed = event["event"] == "failed"
        mark = ("✗" if failed else "✓") if self._live else ("failed" if failed else "ok    ")
        detail = f"  {printable(str(event['detail']))}" if event["detail"] else ""
        self.line(f"{mark} {name:<33}{duration_s * 1000:7.1f} ms{detail}")

    def line(self, text: str) -> None:
        """A line of its own, above the live one."""
        if self._quiet:
            return
        with self._lock:
            say(f"{_CLEAR if self._live else ''}{text}")

    def close(self) -> None:
        self._closed.set()
        if self._live:
            self._spinner.join()
            sys.stderr.write(_CLEAR)
            sys.stderr.flush()

    def _spin(self) -> None:
        frame = 0
        while not self._closed.wait(0.08):
            frame += 1
            with self._lock:
                if self._running:
                    name, since_s = next(reversed(self._running.items()))
                    spent_s = time.monotonic() - since_s
                    sys.stderr.write(f"{_CLEAR}{_FRAMES[frame % len(_FRAMES)]} {name} {spent_s:.1f} s")
                    sys.stderr.flush()
