"""The transaction of the settings stage: what is pushed into it becomes live in one commit, or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from earlyboot.config.paths import Paths
from earlyboot.stages.timeline import Timeline
from hostkit.errors import Fault

if TYPE_CHECKING:
    from earlyboot.api.client import Client
    from earlyboot.config.options import Options
    from earlyboot.config.profile import Profile


class Launch:
    """A transaction. It begins, imports included, while the sources are being read.

    Each run has one of its own, and says whether it may be empty: what a killed run still had under way can then neither
    mix with what this one reads nor commit nothing in its name.
    """

    def __init__(self, socket_path: str) -> None:
        self._socket_path = socket_path
        self._client: Client | None = None
        self.tx = ""

    def begin(self) -> None:
        """Begins, or begins again with nothing in it."""
        from earlyboot.api.contract import LAUNCH_TX

        pending = self.client.call("list_tx")
        assert isinstance(pending, list)
        self.tx = f"{LAUNCH_TX}-{os.urandom(4).hex()}"
        for name in [name for name in pending if name.startswith(LAUNCH_TX)] or [self.tx]:
            # Dropping its own, where nothing is left over, still tells the server that there is going to be work.
            self.client.call("delete_tx", tx=name)

    @property
    def client(self) -> Client:
        if self._client is None:
            from earlyboot.api.client import Client

            self._client = Client(self._socket_path)
        return self._client

    def push(self, settings: Mapping[str, object], origin: str) -> None:
        self.client.call("patch_settings", settings, tx=self.tx, origin=origin)

    def unset(self, keys: Sequence[str], origin: str) -> None:
        self.client.call("delete_settings", keys=",".join(keys), tx=self.tx, origin=origin)

    def drop(self) -> None:
        self.client.call("delete_tx", tx=self.tx)

    def commit(self, identity: str | None = None, *, replace: bool = False, empty: bool = False) -> int:
        """How many settings changed. `identity` is the machine whose first boot this is; `empty` is whether it is no fault
        that nothing is in it.
        """
        changed = self.client.call(
            "commit_tx",
            tx=self.tx,
            identity=identity,
            replace="true" if replace else None,
            empty="true" if empty else None,
        )
        return len(changed) if isinstance(changed, list) else 0

    def close(self) -> None:
        if self._client is not None:
            self._client.close()


class Work(NamedTuple):
    """What the steps of the stage have in common. `status` is filled as they go."""

    paths: Paths
    options: Options
    profile: Profile
    launch: Launch
    timeline: Timeline
    status: dict[str, object]

    def degrade(self, faults: Sequence[Fault]) -> None:
        """Adds reasons for which a boot that succeeds is less than it was asked to be."""
        known = self.status.get("degraded")
        added = [fault.json() for fault in faults]
        self.status["degraded"] = [*(known if isinstance(known, list) else ()), *added]
