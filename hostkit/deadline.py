"""One total time limit that everything done for one purpose shares, however many waits and tries that takes."""

from __future__ import annotations

import time


class Deadline:
    """The moment `seconds` from now. It counts with the monotonic clock: setting the time at boot does not move it."""

    __slots__ = ("_end",)

    def __init__(self, seconds: float) -> None:
        """A `ValueError` for infinity and NaN: a wait without an end is a bug. Not above zero means expired."""
        if not abs(seconds) < float("inf"):
            raise ValueError(f"a deadline needs a finite number of seconds, not {seconds}")
        self._end = time.monotonic() + seconds

    def remaining(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self._end - time.monotonic())

    @property
    def expired(self) -> bool:
        return self.remaining() == 0.0

    def bounded(self, seconds: float) -> float:
        """`seconds`, or what is left when that is less."""
        return min(seconds, self.remaining())
