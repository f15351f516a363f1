"""The server is killed at random moments while eight writers commit: whatever it acknowledged is there, whole.

`EARLYBOOT_TEST_COMMITS=1000` has each writer commit so often; a smaller number is the default.
"""

from __future__ import annotations

import os
import random
import subprocess
import threading
import time
from pathlib import Path

from earlyboot.api.client import Client, RefusedError
from earlyboot.api.store import Reader, open_for_reading
from earlyboot.config.paths import Paths
from earlyboot.simulate.activation import Activation
from hostkit.errors import ApiError
from tests.earlyboot.api.serving import PATIENCE_S

WRITERS = 8
COMMITS = int(os.environ.get("EARLYBOOT_TEST_COMMITS", "100"))
KEYS = 5


class Killable(Activation):
    """Socket activation whose server can be killed; the next request starts another one."""

    process: subprocess.Popen[bytes] | None = None
    kills = 0

    def _start(self) -> subprocess.Popen[bytes]:
        self.process = super()._start()
        return self.process

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.kills += 1


class Writer(threading.Thread):
    """Commits numbers, one after the other, each to all of its keys in a transaction of its own."""

    def __init__(self, path: str, name: str) -> None:
        super().__init__(name=name)
        self._path = path
        self.acknowledged: list[int] = []
        self.lost: list[int] = []
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            with Client(self._path, deadline_s=PATIENCE_S) as client:
                for number in range(1, COMMITS + 1):
                    while not self._commit(client, number):
                        pass
        except BaseException as error:  # noqa: BLE001 - raised in the test's own thread
            self.failure = error

    def _commit(self, client: Client, number: int) -> bool:
        """Whether that number is committed for sure; without an answer nobody knows."""
        sysctl = {f"{self.name}.{key}": str(number) for key in range(KEYS)}
        tx = f"{self.name}-{number}"
        try:
            client.call("patch_settings", {"kernel": {"sysctl": sysctl}}, tx=tx)
            changed = client.call("commit_tx", tx=tx)
        except RefusedError:
            raise
        except ApiError:
            self.lost.append(number)
            return False
        assert isinstance(changed, list)
        # Nothing changes where the commit that nobody heard of was made after all.
        assert len(changed) == KEYS or (changed == [] and number in self.lost)
        self.acknowledged.append(number)
        return True


def test_after_any_kill_every_acknowledged_commit_of_eight_writers_is_there_whole_and_no_other(tmp_path: Path) -> None:
    paths = Paths(str(tmp_path / "root"))
    folder = tmp_path / "root/etc/earlyboot"
    folder.mkdir(parents=True)
    (folder / "earlyboot.toml").write_text("history.generations = 10000\n")
    chance = random.Random(20240602)
    activation = Killable(paths)
    with activation:
        writers = [Writer(paths.socket, f"w{number}") for number in range(WRITERS)]
        for writer in writers:
            writer.start()
        while any(writer.is_alive() for writer in writers):
            # A server needs half a second to be at work again; in a long run it is to get there more often.
            time.sleep(chance.uniform(0.2, 1.5 + COMMITS / 200))
            activation.kill()
        for writer in writers:
            writer.join()
    failures = [writer.failure for writer in writers if writer.failure is not None]
    assert failures == []
    assert activation.kills > 1
    assert sum(len(writer.lost) for writer in writers) > 0  # it was hit while it worked
    reader = open_for_reading(paths.store)
    assert reader is not None
    try:
        assert reader.rows("PRAGMA integrity_check") == [("ok",)]
        for writer in writers:
            check_commits_of(writer, reader)
    finally:
        reader.close()


def check_commits_of(writer: Writer, reader: Reader) -> None:
    prefix = f"{writer.name}-"
    generations = [one for one in reader.generations() if one.tx.startswith(prefix)]
    committed = [int(one.tx.removeprefix(prefix)) for one in reversed(generations)]
    # Each once and in order: one that was lost was either made, and then not again, or not made, and then again.
    assert committed == writer.acknowledged == list(range(1, COMMITS + 1))
    assert [one.changed for one in generations] == [KEYS] * COMMITS
    keys = {f'settings.kernel.sysctl."{writer.name}.{key}"' for key in range(KEYS)}
    for one in generations:
        number = one.tx.removeprefix(prefix)
        rows = reader.rows("SELECT key, value FROM change WHERE generation = ?", one.id)
        assert {(str(key), str(value)) for key, value in rows} == {(key, f'"{number}"') for key in keys}
    live = reader.live()
    assert {live[key].value for key in keys} == {str(COMMITS)}
