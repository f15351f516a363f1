"""One machine under test: a real systemd as PID 1 in a container, on a disk that outlives its boots."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from tests.boot.overlay import Overlay, call
from tests.boot.world import BRIDGE, World

BOOT_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
POLL_S = 0.02
# systemd as PID 1 takes it as an order to power off (systemd(1), SIGRTMIN+4).
POWEROFF_SIGNAL = signal.SIGRTMIN + 4

_numbers = itertools.count()


class Machine:
    """Off at first; `boot` and `poweroff` or `kill` take turns, and `close` ends it in either state."""

    def __init__(self, name: str, lowers: Sequence[str], world: World) -> None:
        self.name = name
        self.world = world
        self.overlay = Overlay(lowers)
        self.root = self.overlay.root
        self.boots = 0
        self.closed = False
        # nspawn names the interface after its machine and cuts it at 15 characters.
        self._unit = f"eb{os.getpid()}x{next(_numbers)}"
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._leader = 0
        self._started = 0.0

    @property
    def console(self) -> str:
        """What all boots so far wrote on the console."""
        with contextlib.suppress(FileNotFoundError), open(self._console, encoding="utf-8", errors="replace") as file:
            return file.read()
        return ""

    @property
    def _console(self) -> str:
        return os.path.join(self.overlay.scratch, "console")

    def path(self, absolute: str) -> str:
        """The path on the host of a file of the machine; while it runs, /run and /tmp are its own too."""
        root = f"/proc/{self._leader}/root" if self._leader else self.root
        return root + absolute

    def read(self, absolute: str) -> bytes | None:
        """The content of a file of the machine, None when there is none."""
        try:
            with open(self.path(absolute), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def age_s(self) -> float:
        """Seconds since this boot began."""
        return time.monotonic() - self._started

    def boot(self) -> None:
        """Returns as soon as PID 1 runs; `wait_until_up` waits for the rest."""
        if self._nspawn is not None:
            raise RuntimeError(f"{self.name} is running")
        self.boots += 1
        command = self.world.inside(
            "systemd-nspawn",
            "--quiet",
            "--boot",
            f"--directory={self.root}",
            f"--machine={self._unit}",
            f"--network-bridge={BRIDGE}",
            "--console=pipe",
            "--register=no",
            "--keep-unit",
            "--settings=no",
            "--link-journal=no",
            "--resolv-conf=off",
            "--timezone=off",
        )
        with open(self._console, "ab") as console:
            self._started = time.monotonic()
            self._nspawn = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                # The host may still have the legacy hierarchy, which systemd 257 refuses.
                env={"PATH": os.environ.get("PATH", os.defpath), "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
            )
        self._leader = self._find_leader(self._nspawn)

    def _find_leader(self, nspawn: subprocess.Popen[bytes]) -> int:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and nspawn.poll() is None:
            with contextlib.suppress(FileNotFoundError):
                for child in _words(f"/proc/{nspawn.pid}/task/{nspawn.pid}/children"):
                    # nspawn's first child sets the container up and leaves; PID 1 is the one in a namespace of its own.
                    if _pids_in_namespaces(child)[1:] == ["1"] and _words(f"/proc/{child}/comm") == ["systemd"]:
                        return int(child)
            time.sleep(POLL_S)
        nspawn.kill()
        nspawn.wait()
        self._nspawn = None
        raise RuntimeError(f"{self.name}: systemd-nspawn did not start PID 1\n{self.console}")

    def wait_for(self, what: str, condition: Callable[[], bool], timeout_s: float = BOOT_TIMEOUT_S) -> None:
        """Polls `condition` until it holds; `what` names it in the error."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            if self._nspawn is None or self._nspawn.poll() is not None:
                raise RuntimeError(f"{self.name} stopped while waiting for {what}\n{self.console}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.name}: no {what} within {timeout_s:g} s")
            time.sleep(POLL_S)

    def wait_until_up(self) -> str:
        """Waits until systemd has no start job left; returns the system's state, such as `running` or `degraded`."""
        state = ""

        def settled() -> bool:
            nonlocal state
            state = self.run("systemctl", "is-system-running", check=False).stdout.strip()
            return state not in ("", "unknown", "offline", "initializing", "starting")

        self.wait_for("end of the boot", settled)
        return state

    def run(self, *argv: str, check: bool = True, timeout_s: float = 30) -> subprocess.CompletedProcess[str]:
        """Runs a command inside; with `check`, a failure raises with what it said."""
        if not self._leader:
            raise RuntimeError(f"{self.name} is off")
        done = subprocess.run(
            ("nsenter", "--target", str(self._leader), "--all", "--", *argv),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            text=True,
            errors="replace",
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/root"},
            timeout=timeout_s,
        )
        if check and done.returncode != 0:
            raise RuntimeError(f"{' '.join(argv)}: status {done.returncode}\n{done.stdout}{done.stderr}".rstrip())
        return done

    def poweroff(self) -> None:
        """Shuts down cleanly: every unit is stopped, the disk stays."""
        if self._nspawn is None:
            raise RuntimeError(f"{self.name} is off")
        os.kill(self._leader, POWEROFF_SIGNAL)
        try:
            self._nspawn.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise TimeoutError(f"{self.name} did not power off within {STOP_TIMEOUT_S:g} s") from None
        self._gone()

    def kill(self) -> None:
        """SIGKILL for every process at once, as when the power goes (the disk's cache apart)."""
        if self._nspawn is None:
            return
        with contextlib.suppress(ProcessLookupError):
            # PID 1 takes its whole namespace with it, and is not gone before all others are.
            os.kill(self._leader, signal.SIGKILL)
        self._nspawn.kill()
        self._nspawn.wait(STOP_TIMEOUT_S)
        self._gone()

    def _gone(self) -> None:
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while _state(self._leader) not in (None, "Z"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.name}: PID 1 is still there after {STOP_TIMEOUT_S:g} s")
            time.sleep(POLL_S)
        self._nspawn, self._leader = None, 0
        self.world.wait_until_unplugged()

    def journal(self, *options: str) -> str:
        """The journal of all boots, whether the machine runs or not; `options` are journalctl's."""
        command = ("journalctl", "--directory=/var/log/journal", "--no-pager", "--output=short-monotonic", *options)
        if self._leader:
            return self.run(*command, check=False).stdout
        return call("chroot", self.root, *command)

    def diagnosis(self) -> str:
        """What explains a failed test."""
        try:
            journal = self.journal("--boot=-0", "--lines=200")
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            journal = f"cannot be read: {error}"
        return f"console:\n{self.console[-4000:]}\njournal:\n{journal[-30000:]}"

    def close(self) -> None:
        """Ends it for good; once more does nothing."""
        if self.closed:
            return
        self.closed = True
        self.kill()
        self.overlay.close()
        # nspawn means to leave nothing here, and refuses to remove it where /run is no tmpfs.
        shutil.rmtree(f"/run/systemd/nspawn/propagate/{self._unit}", ignore_errors=True)


class MakeMachine(Protocol):
    """What two fixtures are: a machine in a world of its own, off; both end with the fixture."""

    def __call__(self, name: str, lowers: Sequence[str]) -> Machine: ...


def _words(path: str) -> list[str]:
    with open(path, encoding="ascii") as file:
        return file.read().split()


def _pids_in_namespaces(pid: str) -> list[str]:
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return next((line.split()[1:] for line in file if line.startswith("NSpid:")), [])


def _state(pid: int) -> str | None:
    """The state letter of a process; None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None
