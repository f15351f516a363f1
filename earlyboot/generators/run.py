"""Runs generators in rounds: what is independent together, each in a thread with a deadline, what needs others after them.

Nothing is raised for one that fails: it is an outcome, and so is every one that needed its value.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from earlyboot.config.paths import Paths
from earlyboot.config.profile import GeneratorSpec
from earlyboot.generators import plan
from earlyboot.generators.built_in import BUILT_IN
from earlyboot.generators.contract import ABSENT, FAILED, MADE, Make, Outcome, Question
from earlyboot.generators.known import Known, Path
from hostkit.deadline import Deadline
from hostkit.errors import EarlybootError, Fault, Where
from providers.ec2_metadata import Metadata

# A generator keeps its deadline itself and can say why; who does not is left behind a little later.
_GRACE_S = 2.0

# Takes a generator's settings table; the faults for which it is refused.
Push: TypeAlias = Callable[[GeneratorSpec, Mapping[str, object]], Sequence[Fault]]


class Host(NamedTuple):
    """Where the generators run. `metadata` is `None` beside EC2, and on a machine that is offline.

    `before` is what each generator made earlier, by its name and by path.
    """

    paths: Paths
    metadata: Metadata | None
    offline: bool
    exists: Callable[[str], bool]
    before: Mapping[str, Mapping[Path, object]] = {}

    def can_run(self, spec: GeneratorSpec) -> bool:
        return spec.command is not None or self.metadata is not None or not BUILT_IN[spec.name].needs_metadata


class Reporter(NamedTuple):
    """Who is told that a generator begins, and how it ended."""

    announce: Callable[[GeneratorSpec], None]
    record: Callable[[Outcome], None]


def run(
    specs: Sequence[GeneratorSpec], known: Known, host: Host, push: Push, reporter: Reporter
) -> tuple[Outcome, ...]:
    """How each generator ended that had to run. What one makes is in `known` for those that run after it."""
    outcomes: list[Outcome] = []
    pending = [spec for spec in specs if host.can_run(spec)]
    while pending:
        turn = plan.ready(pending)
        circle = not turn
        turn = turn or pending
        pending = [spec for spec in pending if spec not in turn]
        failed = [outcome.spec for outcome in outcomes if outcome.outcome == FAILED]
        running: list[_Running] = []
        for spec in plan.wanted(turn, known, host.exists):
            reporter.announce(spec)
            reason = _circle(spec) if circle else _skipped(spec, plan.needed(spec, failed))
            running.append(_Running(spec, known, host, reason))
        for one in running:
            outcomes.append(one.settle(known, push))
            reporter.record(outcomes[-1])
    return tuple(outcomes)


def _maker(spec: GeneratorSpec) -> Make:
    if spec.command is None:
        return BUILT_IN[spec.name].load()
    from earlyboot.generators.command import run as run_command

    return run_command


class _Running:
    """One generator in its thread, or one that was not started and the reason."""

    def __init__(self, spec: GeneratorSpec, known: Known, host: Host, reason: Fault | None) -> None:
        self._spec = spec
        self._faults: tuple[Fault, ...] = (reason,) if reason else ()
        self._value: object = None
        self._deadline = Deadline(spec.deadline_s)
        self._began_s = self._ended_s = _now_s()
        self._thread = None
        if reason is None:
            before = host.before.get(spec.name, {})
            question = Question(spec, host.paths, known, self._deadline, host.metadata, host.offline, before)
            # Nobody waits for one that does not end: it goes with the process.
            self._thread = threading.Thread(target=self._make, args=(question,), daemon=True)
            self._thread.start()

    def _make(self, question: Question) -> None:
        try:
            self._value = _maker(self._spec)(question)
        except EarlybootError as error:
            self._faults = tuple(_failed(self._spec, fault) for fault in error.faults)
        except Exception as error:  # noqa: BLE001 - a bug in one generator is no reason for a machine without settings
            import traceback

            traceback.print_exception(error)
            fix = "report it with the log: journalctl -b -u earlyboot-settings"
            self._faults = (_failed(self._spec, Fault("bug", f"a bug: {type(error).__name__}", Where(), fix)),)
        self._ended_s = _now_s()

    def settle(self, known: Known, push: Push) -> Outcome:
        """Waits for the end and hands the value on."""
        value, faults, ended_s = None, self._faults, self._ended_s
        if self._thread is not None:
            self._thread.join(self._deadline.remaining() + _GRACE_S)
            if self._thread.is_alive():
                what = f"no end within {self._spec.deadline_s:g} s"
                fix = f"set {self._spec.key} to do without it, or reboot to try again"
                faults, ended_s = (_failed(self._spec, Fault("generator-deadline", what, Where(), fix)),), _now_s()
            else:
                value, faults, ended_s = self._value, self._faults, self._ended_s
        made = False
        if value is not None and not faults:
            try:
                settings = plan.used(self._spec, value, known)
            except ValueError as error:
                fix = "correct the generator"
                faults = (_refused(self._spec, Fault("wrong-type", f"the value {error}", Where(), fix)),)
            else:
                faults = tuple(_refused(self._spec, fault) for fault in push(self._spec, settings)) if settings else ()
                made = bool(settings) and not faults
                if made:
                    known.add(settings)
        outcome = FAILED if faults else MADE if made else ABSENT
        return Outcome(self._spec, outcome, faults, self._began_s, ended_s - self._began_s)


def _now_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _failed(spec: GeneratorSpec, fault: Fault) -> Fault:
    what = f"the generator {spec.name} failed: {fault.what}"
    return fault._replace(what=what, where=fault.where._replace(key=spec.key))


def _refused(spec: GeneratorSpec, fault: Fault) -> Fault:
    what = f"what the generator {spec.name} made is refused: {fault.what}"
    where = fault.where._replace(source=f"generator {spec.name}", key=fault.where.key or spec.key)
    return fault._replace(what=what, where=where)


def _skipped(spec: GeneratorSpec, failed: Sequence[GeneratorSpec]) -> Fault | None:
    if not failed:
        return None
    names = ", ".join(other.name for other in failed)
    what = f"the generator {spec.name} did not run: it needs what failed, {names}"
    fix = f"see above why that failed, or set {spec.key}"
    return Fault("generator-skipped", what, Where(key=spec.key), fix)


def _circle(spec: GeneratorSpec) -> Fault:
    what = f"the generator {spec.name} did not run: it and others need each other's keys"
    fix = "take a key out of the `needs` of one of them"
    return Fault("generator-circle", what, Where(key=spec.key), fix)
