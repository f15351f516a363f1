"""A server in the test's own process, whose parts can be held up or cut short, and work done at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from earlyboot.api import server as servers
from earlyboot.api.application import Application
from earlyboot.api.server import listen
from earlyboot.api.service import Service
from earlyboot.config.options import Options
from earlyboot.config.paths import Paths
from tests.earlyboot.api.serving import PATIENCE_S


class InProcess:
    """Serves below `folder` until the end of the block, which waits for it; the block gets the socket's path."""

    def __init__(self, folder: Path) -> None:
        self.paths = Paths(str(folder / "root"))
        self._listener = listen(self.paths.socket)
        self._application = Application(lambda: Service(self.paths, "metal", Options()))
        self._server = servers.Server(self._application, self._listener, None)
        self._thread = threading.Thread(target=self._server.run)

    def __enter__(self) -> str:
        self._thread.start()
        return self.paths.socket

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        self._application.close()


def together(*works: Callable[[], None]) -> None:
    """Runs all at the same time; the first failure of any is raised."""
    failures: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised below, in the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
