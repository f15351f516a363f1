"""Measures a tree of processes from outside: wall and CPU time, the number of processes, the peak memory of each."""

from __future__ import annotations

import os
import resource
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple

_SAMPLE_S = 0.002


class Cost(NamedTuple):
    """Seconds; CPU is that of every process that has ended."""

    wall_s: float
    cpu_s: float


def measure(work: Callable[[], None], settle: Callable[[], None] = lambda: None) -> Cost:
    """Runs `work` and measures all that it starts; `settle` ends what outlives it before the CPU time is read."""
    before = _children_cpu_s()
    began = time.perf_counter()
    work()
    wall_s = time.perf_counter() - began
    settle()
    return Cost(wall_s, _children_cpu_s() - before)


def peaks_mib(work: Callable[[], None]) -> dict[str, float]:
    """The peak memory of each process that `work` starts, by the telling part of its command line.

    A run of its own: the looking itself takes a good part of a core.
    """
    with _Sampler() as sampler:
        work()
    return sampler.peaks_mib


def _children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class _Sampler:
    """Reads VmHWM of every descendant now and then; it only rises, so the last look at each is close to its peak."""

    def __init__(self) -> None:
        self.peaks_mib: dict[str, float] = {}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> _Sampler:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._done.wait(_SAMPLE_S):
            for pid in _descendants(os.getpid()):
                try:
                    self._look(pid)
                except (OSError, ValueError, StopIteration):
                    continue

    def _look(self, pid: int) -> None:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().decode("utf-8", "replace").split("\0")
        name = next(
            (" ".join(words[place : place + 2]) for place, word in enumerate(words) if word in ("stage", "provider")),
            "serve" if "serve" in words else "",
        )
        if not name:
            return
        with open(f"/proc/{pid}/status") as file:
            peak = next(line for line in file if line.startswith("VmHWM"))
        self.peaks_mib[name] = max(self.peaks_mib.get(name, 0), int(peak.split()[1]) / 1024)


def _descendants(pid: int) -> list[int]:
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as file:
                found += [int(child) for child in file.read().split()]
    except OSError:
        return []
    return found + [deeper for child in found for deeper in _descendants(child)]
