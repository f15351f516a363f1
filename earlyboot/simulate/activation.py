"""Socket activation without systemd: the API's server starts with the first connection, and again after it left."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from types import TracebackType

from earlyboot.api.server import listen
from earlyboot.config.paths import PROGRAM, Paths

_IDLE_TIMEOUT_S = 30


class Activation:
    """Listens on the API's socket of a root, as `earlyboot-api.socket` does, and starts the service on demand."""

    def __init__(self, paths: Paths, *, idle_timeout_s: float = _IDLE_TIMEOUT_S, log: int | None = None) -> None:
        """`log` is an open file for what the service says; this process's stderr without one."""
        self._paths = paths
        self._log = log
        self._idle_timeout_s = idle_timeout_s
        self._listener = listen(paths.socket)
        self._stop_read, self._stop_write = os.pipe()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.started = 0

    def __enter__(self) -> Activation:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._stop_write)
        self._thread.join()
        os.close(self._stop_read)
        self._listener.close()

    def _run(self) -> None:
        stop = self._stop_read
        while True:
            if stop in _readable(self._listener.fileno(), stop):
                return
            server = self._start()
            pidfd = os.pidfd_open(server.pid)
            ready = _readable(pidfd, stop)
            os.close(pidfd)
            if stop in ready:
                server.send_signal(signal.SIGTERM)
            server.wait()
            if stop in ready:
                return

    def _start(self) -> subprocess.Popen[bytes]:
        self.started += 1
        argv = [*PROGRAM, "--root", self._paths.root, "serve", f"--idle-timeout={self._idle_timeout_s:g}"]
        # The pid that sd_listen_fds(3) checks is only known after the fork; a shell knows its own and keeps it in exec.
        # The socket comes as stdin, because a shell need not understand descriptors of two digits.
        script = 'exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"'
        return subprocess.Popen(
            ["/bin/sh", "-c", script, "sh", *argv],
            stdin=self._listener.fileno(),
            stdout=sys.stderr if self._log is None else self._log,
            stderr=self._log,
        )


def _readable(*descriptors: int) -> list[int]:
    return select.select(descriptors, [], [])[0]
