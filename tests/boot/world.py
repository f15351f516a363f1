"""What a machine under test sees outside itself: a network of its own with DHCP and an instance metadata service."""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import signal
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator

from tests.boot.overlay import call

PREFIX = "earlyboot-boot-"
BRIDGE = "uplink"
START_TIMEOUT_S = 10.0
IMDS_PROGRAM = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "fakes", "boot_imds.py")

_numbers = itertools.count()


class World:
    """One network namespace: a bridge that machines are plugged into, dnsmasq on it, IMDS at its usual address."""

    def __init__(self, folder: str) -> None:
        """`folder`: an existing one for logs and user data."""
        self.folder = folder
        self.namespace = f"{PREFIX}{os.getpid()}-{next(_numbers)}"
        self._user_data = os.path.join(folder, "user-data")
        self._metadata = os.path.join(folder, "metadata")
        os.mkdir(self._metadata)
        self._log = os.path.join(folder, "imds.log")
        self._undo = contextlib.ExitStack()
        with contextlib.ExitStack() as undo:
            undo.enter_context(self._network())
            undo.enter_context(self._dhcp())
            undo.enter_context(self._imds())
            self._undo = undo.pop_all()

    def close(self) -> None:
        self._undo.close()

    def inside(self, *argv: str) -> tuple[str, ...]:
        """`argv` made to run in the namespace, and to die with this process however that ends."""
        return ("setpriv", "--pdeathsig", "KILL", "nsenter", f"--net=/run/netns/{self.namespace}", "--", *argv)

    def set_user_data(self, content: bytes | None) -> None:
        """What IMDS answers from now on; None is 404."""
        if content is None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._user_data)
            return
        with open(f"{self._user_data}.new", "wb") as file:
            file.write(content)
        os.rename(f"{self._user_data}.new", self._user_data)

    def set_metadata(self, path: str, content: str) -> None:
        """What IMDS answers for a path below /latest/meta-data/ from now on."""
        with open(os.path.join(self._metadata, urllib.parse.quote(path, safe="")), "w", encoding="ascii") as file:
            file.write(content)

    def requests(self) -> tuple[str, ...]:
        """Every request that IMDS has seen, such as `GET /latest/user-data`."""
        with open(self._log, encoding="ascii") as file:
            return tuple(file.read().splitlines())

    def wait_until_unplugged(self, timeout_s: float = 10) -> None:
        """Returns once no machine is on the bridge: the kernel takes interfaces away a moment after their machine."""
        deadline = time.monotonic() + timeout_s
        while ports := call("ip", "-n", self.namespace, "-brief", "link", "show", "master", BRIDGE):
            if time.monotonic() > deadline:
                raise TimeoutError(f"still on the bridge after {timeout_s:g} s: {ports}")
            time.sleep(0.02)

    @contextlib.contextmanager
    def _network(self) -> Iterator[None]:
        call("ip", "netns", "add", self.namespace)
        try:
            for command in (
                "link set lo up",
                "address add 169.254.169.254/32 dev lo",
                f"link add {BRIDGE} type bridge",
                f"address add 192.168.77.1/24 dev {BRIDGE}",
                f"link set {BRIDGE} up",
            ):
                call("ip", "-n", self.namespace, *command.split())
            yield
        finally:
            call("ip", "netns", "delete", self.namespace)

    @contextlib.contextmanager
    def _dhcp(self) -> Iterator[None]:
        pid_file, log = os.path.join(self.folder, "dnsmasq.pid"), os.path.join(self.folder, "dnsmasq.log")
        command = self.inside(
            "dnsmasq",
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--user=root",
            "--port=0",
            f"--interface={BRIDGE}",
            "--bind-interfaces",
            "--dhcp-range=192.168.77.50,192.168.77.99,1h",
            "--dhcp-authoritative",
            "--no-ping",
            f"--dhcp-leasefile={os.path.join(self.folder, 'dnsmasq.leases')}",
            f"--pid-file={pid_file}",
            f"--log-facility={log}",
        )
        with _program(command, log) as process:
            deadline = time.monotonic() + START_TIMEOUT_S
            while not os.path.exists(pid_file):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"dnsmasq did not start: {_text(log)}")
                time.sleep(0.01)
            yield

    @contextlib.contextmanager
    def _imds(self) -> Iterator[None]:
        places = ("--user-data", self._user_data, "--metadata", self._metadata, "--log", self._log)
        command = self.inside(sys.executable, "-I", IMDS_PROGRAM, *places)
        errors = os.path.join(self.folder, "imds.stderr")
        with _program(command, errors) as process:
            assert process.stdout is not None
            if not select.select((process.stdout,), (), (), START_TIMEOUT_S)[0] or not process.stdout.readline():
                raise RuntimeError(f"the fake IMDS did not start: {_text(errors)}")
            yield


@contextlib.contextmanager
def _program(command: tuple[str, ...], errors: str) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a program with its stdout on a pipe and its stderr appended to the file `errors`."""
    with (
        open(errors, "ab") as stderr,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def _text(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read().strip()


def sweep() -> None:
    """Removes the namespaces of earlier runs that were killed."""
    for line in call("ip", "netns", "list").splitlines():
        name = line.split()[0]
        if name.startswith(PREFIX) and not os.path.exists(f"/proc/{name.removeprefix(PREFIX).split('-')[0]}"):
            # dnsmasq drops the order to die with its parent when it drops its capabilities.
            for pid in call("ip", "netns", "pids", name).split():
                os.kill(int(pid), signal.SIGKILL)
            call("ip", "netns", "delete", name)
