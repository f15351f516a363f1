"""Commands: started without a shell, bounded in time and output, several at once, killed as a whole."""

from __future__ import annotations

import fcntl
import os
import selectors
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from hostkit.deadline import Deadline

OUTPUT_LIMIT_BYTES = 64 << 10
# For programs of the image, whatever ours is.
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


class Command(NamedTuple):
    """What to run: an argument list, its deadline in seconds, an open descriptor for its stdin (else /dev/null).

    With `leaves_nothing` whatever is left of its process group when it has ended is killed.
    """

    argv: Sequence[str]
    deadline_s: float
    stdin_fd: int | None = None
    stdout_limit_bytes: int = OUTPUT_LIMIT_BYTES
    environment: Mapping[str, str] | None = None
    leaves_nothing: bool = False


class Completed(NamedTuple):
    """How it ended. `status` is the exit status, or minus the signal's number; `cut_off` says why we killed it."""

    status: int
    stdout: bytes
    stderr: bytes
    cut_off: str | None

    def explain(self) -> str:
        """How it ended, for people: `exit status 3`, `killed by SIGKILL`, `no end within 10 s`."""
        if self.cut_off:
            return self.cut_off
        if self.status < 0:
            return f"killed by {_signal_name(-self.status)}"
        return f"exit status {self.status}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        # Of the real-time signals only the first and the last have a name.
        return f"signal {number}"


class _Running:
    """One child process with its pipes."""

    def __init__(self, number: int, command: Command) -> None:
        self.number = number
        self.command = command
        self.deadline = Deadline(command.deadline_s)
        self.cut_off: str | None = None
        self.output = {"stdout": bytearray(), "stderr": bytearray()}
        self.process = subprocess.Popen(
            command.argv,
            stdin=subprocess.DEVNULL if command.stdin_fd is None else command.stdin_fd,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=command.environment,
            start_new_session=True,
        )
        try:
            self.pidfd = os.pidfd_open(self.process.pid)
        except OSError:
            self.kill("it cannot be watched")
            with self.process:  # closes its pipes and waits for it
                raise

    def pipes(self) -> list[tuple[int, str]]:
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        return [(self.process.stdout.fileno(), "stdout"), (self.process.stderr.fileno(), "stderr")]

    def kill(self, why: str) -> None:
        self.cut_off = self.cut_off or why
        self._kill_group()

    def _kill_group(self) -> None:
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def take(self, name: str, data: bytes) -> None:
        kept = self.output[name]
        kept += data
        if name == "stderr":
            # The end of what a program complained about says more than its beginning.
            del kept[:-OUTPUT_LIMIT_BYTES]
        elif len(kept) > self.command.stdout_limit_bytes:
            self.kill(f"more than {self.command.stdout_limit_bytes:,} bytes of output")
            del kept[self.command.stdout_limit_bytes :]

    def finish(self) -> Completed:
        # Before the child is waited for: until then its process group, which may be killed, is nobody else's.
        if self.command.leaves_nothing:
            self._kill_group()
        for descriptor, name in self.pipes():
            self._drain(descriptor, name)
        status = self.process.wait()
        self.close()
        return Completed(status, bytes(self.output["stdout"]), bytes(self.output["stderr"]), self.cut_off)

    def _drain(self, descriptor: int, name: str) -> None:
        """Takes what a pipe holds, and waits for nobody: a grandchild may keep it open, or keep writing into it."""
        os.set_blocking(descriptor, False)
        left_bytes = fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ)
        try:
            while left_bytes > 0 and (data := os.read(descriptor, left_bytes)):
                left_bytes -= len(data)
                self.take(name, data)
        except BlockingIOError:
            pass

    def close(self) -> None:
        os.close(self.pidfd)
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()


def run(command: Command) -> Completed:
    """Runs one command to its end. `OSError` where it cannot be started at all."""
    return run_all([command])[0]


def run_all(
    commands: Sequence[Command],
    on_end: Callable[[int, Completed], None] = lambda number, completed: None,
    meanwhile: Callable[[], None] = lambda: None,
) -> list[Completed]:
    """Runs all commands at the same time and returns their ends in the order given.

    `meanwhile` is called once, when all are started and nothing is waited for yet. `on_end` is called with a command's
    number as soon as that one is seen to have ended. At its deadline a command's whole process
    group is killed. `OSError` where one cannot be started: then those already started are killed.
    """
    ends: dict[int, Completed] = {}
    running: dict[int, _Running] = {}
    with selectors.DefaultSelector() as selector:
        try:
            for number, command in enumerate(commands):
                child = running[number] = _Running(number, command)
                selector.register(child.pidfd, selectors.EVENT_READ, (child, "end"))
                for descriptor, name in child.pipes():
                    selector.register(descriptor, selectors.EVENT_READ, (child, name))
            meanwhile()
            while running:
                _wait_once(selector, running)
                for child in [child for child in running.values() if _ended(child)]:
                    for descriptor in (child.pidfd, *(pipe for pipe, _ in child.pipes())):
                        if descriptor in selector.get_map():
                            selector.unregister(descriptor)
                    del running[child.number]
                    ends[child.number] = child.finish()
                    on_end(child.number, ends[child.number])
        finally:
            for child in running.values():
                child.kill("the run was abandoned")
                child.finish()
    return [ends[number] for number in range(len(commands))]


def _ended(child: _Running) -> bool:
    return os.waitid(os.P_PIDFD, child.pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _wait_once(selector: selectors.BaseSelector, running: Mapping[int, _Running]) -> None:
    timeout_s = min(child.deadline.remaining() for child in running.values())
    for key, _ in selector.select(timeout_s):
        child, name = key.data
        if name == "end":
            continue
        data = os.read(key.fd, 1 << 16)
        if data:
            child.take(name, data)
        else:
            selector.unregister(key.fd)
    for child in running.values():
        if child.deadline.expired and child.cut_off is None:
            child.kill(f"no end within {child.command.deadline_s:g} s")
            # The selector must not spin while the kernel buries it.
            child.deadline = Deadline(3600)
