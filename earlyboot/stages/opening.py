"""The beginning of a first boot's transaction, in a thread: the API's server starts while the sources are read."""

from __future__ import annotations

import threading

from earlyboot.api.client import Client
from earlyboot.api.contract import LAUNCH_TX
from earlyboot.config.paths import Paths
from hostkit.errors import EarlybootError


class Opening(threading.Thread):
    """Opens the API's socket and an empty transaction, so that the server starts while the sources are read."""

    def __init__(self, paths: Paths) -> None:
        super().__init__(daemon=True)
        self._paths = paths
        self._result: Client | EarlybootError | None = None

    def run(self) -> None:
        client = Client(self._paths.socket)
        try:
            # What an interrupted boot left pending must not be committed with what this one reads.
            client.call("delete_tx", tx=LAUNCH_TX)
            self._result = client
        except EarlybootError as error:
            client.close()
            self._result = error

    def client(self) -> Client:
        """The connection, once the server has answered; raises what kept it from answering."""
        self.join()
        if isinstance(self._result, EarlybootError):
            raise self._result
        assert self._result is not None, "the thread ended with a bug, whose traceback it printed"
        return self._result
