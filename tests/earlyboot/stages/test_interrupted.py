"""First boots that are cut off: the stage, the server or both die, anywhere; the next boot completes what was begun."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from earlyboot.config.paths import PROGRAM
from earlyboot.simulate.imds import METADATA
from tests.earlyboot.stages.machine import FILE, PATIENCE_S, Machine, first_boot, server_pids

# In the order in which a stage tells them; the sources end in an order of their own.
EVENTS = (
    *("state started", "state ended", "configuration started", "configuration ended"),
    *(f"source {number} {event}" for event in ("started", "ended") for number in range(1, 5)),
    *("validate started", "validate ended"),
    *(f"generator {number} {event}" for event in ("started", "ended") for number in range(1, 3)),
    *("commit started", "commit ended", "apply started", "apply ended"),
)
STEPS_THAT_WRITE = ("validate started", "generator 2 started", "commit started", "apply started")
VICTIMS = (("stage",), ("server",), ("stage", "server"))


class Outcome(NamedTuple):
    """What a boot leaves behind, without the times and the names of the machine."""

    files: dict[str, tuple[int, bytes]]
    live: dict[str, tuple[object, str]]
    phases: list[str]
    pending: int
    applied: list[tuple[str, str, int]]
    notes: dict[str, object]


@pytest.fixture
def two_sources(tmp_path: Path) -> Iterator[Machine]:
    with Machine(tmp_path / "root", metadata=METADATA) as machine:
        fill(machine)
        yield machine


def fill(machine: Machine) -> None:
    """Two sources, so that between them there is a half; the longer the lists, the longer the steps."""
    keys = "".join(f'"net.core.key{number}" = "{number}"\n' for number in range(300))
    machine.put(FILE, f'[settings]\nmotd = "file"\n[settings.kernel.sysctl]\n{keys}'.encode())


def outcome(machine: Machine) -> Outcome:
    known = machine.known()
    assert known.applied is not None
    return Outcome(
        files=machine.files(),
        live={key: (value, machine.without_root(origin)) for key, (value, origin) in known.live.items()},
        phases=list(known.phases.values()),
        pending=known.pending,
        applied=[(file.path, file.sha256, file.mode) for file in known.applied.files],
        notes=dict(known.applied.notes),
    )


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, tuple[int, bytes]], Outcome]:
    """The files of the image, and what an uninterrupted boot makes of it."""
    with Machine(tmp_path_factory.mktemp("undisturbed") / "root", metadata=METADATA) as machine:
        fill(machine)
        image = machine.files()
        assert len(first_boot(machine).settings.stdout.splitlines()) == len(EVENTS)
        return image, outcome(machine)


def interrupt(machine: Machine, stage: str, event: int, delay_s: float, victims: tuple[str, ...]) -> None:
    """Runs a stage and kills after its event of that number, counted from 0."""
    argv = [*PROGRAM, "--root", str(machine.root), "stage", stage, "--format", "json"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert child.stdout is not None
        for _ in range(event + 1):
            assert child.stdout.readline()
        time.sleep(delay_s)
        servers = server_pids(machine.root) if "server" in victims else []
        if "stage" in victims:
            child.kill()
        for pid in servers:
            os.kill(pid, signal.SIGKILL)
        child.stdout.read()
        child.wait(PATIENCE_S)


def check_that_nothing_is_half(machine: Machine, image: dict[str, tuple[int, bytes]], whole: Outcome) -> None:
    known = machine.known()
    if machine.identity in known.phases:
        live = {key: (value, machine.without_root(origin)) for key, (value, origin) in known.live.items()}
        assert live == whole.live
    else:
        assert (known.live, known.generation, known.applied) == ({}, 0, None)
        assert machine.files() == image


def interrupted_and_completed(
    machine: Machine,
    undisturbed: tuple[dict[str, tuple[int, bytes]], Outcome],
    event: int,
    delay_s: float,
    victims: tuple[str, ...],
) -> None:
    image, whole = undisturbed
    with machine.powered_on():
        interrupt(machine, "settings", event, delay_s, victims)
    check_that_nothing_is_half(machine, image, whole)
    first_boot(machine)
    assert machine.verdict()["verdict"] == "configured"
    assert outcome(machine) == whole


@pytest.mark.parametrize("event", range(len(EVENTS)), ids=EVENTS)
def test_a_kill_after_any_event_is_made_good(
    two_sources: Machine, undisturbed: tuple[dict[str, tuple[int, bytes]], Outcome], event: int
) -> None:
    interrupted_and_completed(two_sources, undisturbed, event, 0, VICTIMS[event % len(VICTIMS)])


@pytest.mark.parametrize("event", [EVENTS.index(step) for step in STEPS_THAT_WRITE], ids=STEPS_THAT_WRITE)
@pytest.mark.parametrize("victims", VICTIMS[:2], ids="+".join)
def test_a_kill_inside_a_step_that_writes_is_made_good(
    two_sources: Machine,
    undisturbed: tuple[dict[str, tuple[int, bytes]], Outcome],
    event: int,
    victims: tuple[str, ...],
) -> None:
    delay_s = random.Random(f"{event} {victims}").uniform(0.001, 0.03)
    interrupted_and_completed(two_sources, undisturbed, event, delay_s, victims)


@pytest.mark.parametrize("seed", range(2))
def test_kills_in_boot_after_boot_are_made_good(
    two_sources: Machine, undisturbed: tuple[dict[str, tuple[int, bytes]], Outcome], seed: int
) -> None:
    image, whole = undisturbed
    choice = random.Random(seed)
    for _ in range(3):
        with two_sources.powered_on():
            interrupt(two_sources, "settings", 0, choice.uniform(0, 0.5), choice.choice(VICTIMS))
        check_that_nothing_is_half(two_sources, image, whole)
    first_boot(two_sources)
    assert outcome(two_sources) == whole


def test_a_finish_that_is_killed_leaves_no_verdict_and_the_next_boot_ends_the_first(machine: Machine) -> None:
    with machine.powered_on():
        assert machine.stage("settings").status == 0
        with machine.stuck("finish"):
            pass
        assert machine.earlyboot("status").status == 12
    assert machine.known().phases == {machine.identity: "applied"}
    boot = first_boot(machine)
    assert boot.requests == []
    assert machine.known().phases == {machine.identity: "configured"}


def test_a_stage_that_died_is_what_the_verdict_is_about(machine: Machine) -> None:
    with machine.powered_on():
        with machine.stuck("settings"):
            while not Path(machine.paths.status_folder, "settings.json").exists():
                time.sleep(0.01)
        assert machine.stage("finish").stderr == "finish: failed\n"
    shown = machine.earlyboot("status")
    assert shown.status == 10
    assert shown.stdout == (
        "failed\n"
        "  settings: running\n"
        "error: the stage settings did not end\n"
        "  where: earlyboot-settings.service\n"
        "  fix:   look at its log: journalctl -b -u earlyboot-settings.service\n"
    )


def test_a_stage_that_did_not_run_is_what_the_verdict_is_about(machine: Machine) -> None:
    with machine.powered_on() as activation:
        ended = machine.stage("finish")
        assert (ended.status, ended.stderr) == (0, "finish: failed\n")
        assert activation.started == 0
    shown = machine.earlyboot("status")
    assert (shown.status, shown.stdout.splitlines()[:2]) == (10, ["failed", "error: the stage settings did not run"])


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_reader_of_the_progress_that_goes_away_holds_nothing_up(machine: Machine, form: str) -> None:
    argv = [*PROGRAM, "--root", str(machine.root), "stage", "settings", "--format", form]
    with machine.powered_on():
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
            assert child.stdout is not None
            assert child.stderr is not None
            child.stdout.close()
            child.stderr.close()
            assert child.wait(PATIENCE_S) == 0
        assert machine.stage("finish").status == 0
    assert machine.verdict()["verdict"] == "configured"
    assert (machine.root / "etc/motd").read_bytes() == b"hello\n"
