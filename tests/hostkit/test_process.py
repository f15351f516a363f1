"""Commands: real processes that end, linger, print without end and leave children behind."""

from __future__ import annotations

import errno
import os
import select
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hostkit import process
from hostkit.process import OUTPUT_LIMIT_BYTES, Command, Completed

LONG_S = 60.0
DEADLINE_S = 0.2


def sh(script: str, deadline_s: float = LONG_S, **options: object) -> Command:
    return Command(["/bin/sh", "-c", script], deadline_s, **options)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """No descriptor stays open, and no process is left to be waited for."""
    before = sorted(os.listdir("/proc/self/fd"))
    yield
    assert sorted(os.listdir("/proc/self/fd")) == before
    with pytest.raises(ChildProcessError):
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)


class Lifeline:
    """A pipe that a process and its children hold open: its end is their end."""

    def __init__(self) -> None:
        self._reading, self.held = os.pipe()

    def all_died(self) -> bool:
        os.close(self.held)
        try:
            return bool(select.select([self._reading], [], [], LONG_S)[0]) and os.read(self._reading, 1) == b""
        finally:
            os.close(self._reading)


def test_a_command_gives_its_status_and_both_outputs() -> None:
    ended = process.run(sh("echo out; echo err >&2; exit 3"))
    assert ended == Completed(3, b"out\n", b"err\n", None)
    assert ended.explain() == "exit status 3"


@pytest.mark.parametrize(
    ("number", "text"), [(9, "killed by SIGKILL"), (15, "killed by SIGTERM"), (40, "killed by signal 40")]
)
def test_a_command_that_a_signal_ended_says_which(number: int, text: str) -> None:
    ended = process.run(sh(f"kill -{number} $$"))
    assert (ended.status, ended.cut_off) == (-number, None)
    assert ended.explain() == text


def test_a_command_has_no_input_of_its_own() -> None:
    assert process.run(sh("cat; readlink /proc/self/fd/0")).stdout == b"/dev/null\n"


def test_an_open_file_becomes_the_input_and_stays_open(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("content")
    descriptor = os.open(tmp_path / "f", os.O_RDONLY)
    try:
        assert process.run(sh("cat", stdin_fd=descriptor)).stdout == b"content"
        os.fstat(descriptor)
    finally:
        os.close(descriptor)


def test_the_environment_is_the_given_one() -> None:
    assert process.run(Command(["/usr/bin/env"], LONG_S, environment={"A": "b"})).stdout == b"A=b\n"


def test_no_descriptor_of_ours_is_inherited() -> None:
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    try:
        listed = process.run(Command([sys.executable, "-c", "import os; print(os.listdir('/proc/self/fd'))"], LONG_S))
    finally:
        os.close(reading)
        os.close(writing)
    assert listed.stdout == b"['0', '1', '2', '3']\n"  # the last is that of the listing itself


def test_output_of_exactly_the_limit_is_kept_whole() -> None:
    ended = process.run(sh("head -c 1000 /dev/zero", stdout_limit_bytes=1000))
    assert ended == Completed(0, bytes(1000), b"", None)


def test_output_over_the_limit_ends_the_command() -> None:
    ended = process.run(sh("exec yes", stdout_limit_bytes=1000))
    assert ended == Completed(-signal.SIGKILL, b"y\n" * 500, b"", "more than 1,000 bytes of output")
    assert ended.explain() == "more than 1,000 bytes of output"


def test_output_over_the_limit_is_found_also_after_the_end() -> None:
    ended = process.run(sh("head -c 1001 /dev/zero", stdout_limit_bytes=1000))
    assert (len(ended.stdout), ended.cut_off) == (1000, "more than 1,000 bytes of output")


def test_of_too_many_complaints_the_last_are_kept() -> None:
    ended = process.run(sh("seq 1 100000 >&2"))
    assert (ended.status, len(ended.stderr)) == (0, OUTPUT_LIMIT_BYTES)
    assert ended.stderr.endswith(b"\n99999\n100000\n")


def test_at_its_deadline_a_command_is_killed_with_its_children() -> None:
    lifeline = Lifeline()
    script = "echo before; exec 3<&0; sleep 1000 & sh -c 'sleep 1000; :' & exec sleep 1000"
    ended = process.run(sh(script, DEADLINE_S, stdin_fd=lifeline.held))
    assert ended == Completed(-signal.SIGKILL, b"before\n", b"", "no end within 0.2 s")
    assert lifeline.all_died()


def test_a_command_that_ignores_every_signal_ends_at_its_deadline_too() -> None:
    ended = process.run(sh("trap '' TERM INT HUP; while :; do sleep 1; done", DEADLINE_S))
    assert ended.explain() == "no end within 0.2 s"


def test_a_grandchild_that_keeps_the_output_open_holds_nobody() -> None:
    ended = process.run(sh("echo said; sleep 1000 & echo $!"))
    said, grandchild = ended.stdout.split()
    os.kill(int(grandchild), signal.SIGKILL)
    assert (ended.status, said, ended.cut_off) == (0, b"said", None)


@pytest.mark.parametrize("end", ["exit 0", "exit 3", "kill -9 $$"])
def test_a_command_that_is_to_leave_nothing_takes_its_children_with_it(end: str) -> None:
    lifeline = Lifeline()
    ended = process.run(sh(f"exec 3<&0; sleep 1000 & echo said; {end}", stdin_fd=lifeline.held, leaves_nothing=True))
    assert (ended.stdout, ended.cut_off) == (b"said\n", None)
    assert lifeline.all_died()


def test_a_grandchild_that_never_stops_printing_holds_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.read
    refills = 0

    def read(descriptor: int, size: int) -> bytes:
        """As if somebody had written again whenever the pipe was found empty."""
        nonlocal refills
        try:
            return real(descriptor, size)
        except BlockingIOError:
            refills += 1
            assert refills < 1000, "it reads for ever"
            return b"y" * size

    monkeypatch.setattr(os, "read", read)
    ended = process.run(sh("sleep 1000 & echo $!", stdout_limit_bytes=1 << 30))
    monkeypatch.undo()
    os.kill(int(ended.stdout.partition(b"\n")[0]), signal.SIGKILL)
    assert (ended.status, ended.cut_off) == (0, None)
    assert refills == 2  # one for each pipe


def test_several_commands_run_at_once_and_their_ends_come_in_the_order_given(tmp_path: Path) -> None:
    # The first can end only when the second has, the second only when the third has.
    order: list[int] = []

    def on_end(number: int, completed: Completed) -> None:
        assert completed.status == 0
        order.append(number)
        (tmp_path / str(number)).touch()

    def waits_for(number: int) -> str:
        return f"while [ ! -e {tmp_path}/{number} ]; do sleep 0.01; done; "

    ends = process.run_all([sh(waits_for(1) + "echo a"), sh(waits_for(2) + "echo b"), sh("echo c")], on_end)
    assert order == [2, 1, 0]
    assert [ended.stdout for ended in ends] == [b"a\n", b"b\n", b"c\n"]


def test_each_command_has_its_own_deadline() -> None:
    ends = process.run_all([sh("sleep 1000", DEADLINE_S), sh("sleep 0.5; echo done"), sh("sleep 1000", 0.1)])
    assert [ended.explain() for ended in ends] == ["no end within 0.2 s", "exit status 0", "no end within 0.1 s"]


def test_no_commands_have_no_ends() -> None:
    assert process.run_all([]) == []


def test_where_one_cannot_be_started_the_others_are_killed() -> None:
    lifeline = Lifeline()
    with pytest.raises(FileNotFoundError) as caught:
        process.run_all([sh("sleep 1000", stdin_fd=lifeline.held), Command(["/no/such/program"], LONG_S)])
    assert caught.value.filename == "/no/such/program"
    assert lifeline.all_died()


def test_a_bug_in_the_caller_leaves_no_process_behind() -> None:
    lifeline = Lifeline()

    def on_end(number: int, completed: Completed) -> None:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        process.run_all([sh("sleep 1000", stdin_fd=lifeline.held), sh("true")], on_end)
    assert lifeline.all_died()


def test_meanwhile_something_else_is_done_once_while_all_run(tmp_path: Path) -> None:
    # Each command ends only when both run and the caller has done its own.
    def script(own: int, other: int) -> str:
        return f"touch {tmp_path}/{own}; until [ -e {tmp_path}/{other} -a -e {tmp_path}/done ]; do sleep 0.01; done"

    calls: list[str] = []

    def meanwhile() -> None:
        calls.append("meanwhile")
        (tmp_path / "done").touch()

    process.run_all([sh(script(1, 2)), sh(script(2, 1))], lambda number, ended: calls.append("end"), meanwhile)
    assert calls == ["meanwhile", "end", "end"]


def test_what_fails_meanwhile_leaves_no_process_behind() -> None:
    def meanwhile() -> None:
        raise RuntimeError("a bug")

    lifeline = Lifeline()
    with pytest.raises(RuntimeError, match="a bug"):
        process.run_all([sh("sleep 1000", stdin_fd=lifeline.held)], meanwhile=meanwhile)
    assert lifeline.all_died()


def test_a_process_that_cannot_be_watched_is_not_left_running(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(pid: int) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    lifeline = Lifeline()
    monkeypatch.setattr(os, "pidfd_open", fail)
    with pytest.raises(OSError, match="Too many open files"):
        process.run(sh("sleep 1000", stdin_fd=lifeline.held))
    assert lifeline.all_died()


def test_a_hundred_commands_at_once_end_well() -> None:
    ends = process.run_all([sh(f"echo {number}; exit {number}") for number in range(100)])
    assert [(ended.status, int(ended.stdout)) for ended in ends] == [(number, number) for number in range(100)]
