"""A process that commits in a loop and is killed at random moments: nothing that it acknowledged is lost."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

from earlyboot.api import store as stores
from earlyboot.api.store import open_for_reading
from earlyboot.api.writer import Store
from tests.earlyboot.api.stores import pending

KILLS = 12
KEYS = 20
# Every commit gives all keys the same number; a number is printed when its commit has returned.
LOOP = f"""
import sys
from earlyboot.api.pending import proposed
from earlyboot.api.writer import Peer, Store
store = Store(sys.argv[1])
store.discard("tx")  # of a commit that did not come, as a boot's first step does
number = store.generation()
print(number, flush=True)
while True:
    number += 1
    for patch in range(2):
        store.patch("tx", {{f"settings.{{key}}": number for key in range(patch, {KEYS}, 2)}}, "loop")
    store.commit(proposed(store, "tx"), Peer(0, 0, 0), identity=f"machine-{{number}}")
    print(number, flush=True)
"""


def test_after_any_kill_every_acknowledged_commit_is_there_and_none_is_half(tmp_path: Path) -> None:
    path = str(tmp_path / "settings.db")
    repository = Path(stores.__file__).parents[2]
    chance = random.Random(20240601)
    acknowledged = 0
    for _ in range(KILLS):
        with subprocess.Popen(
            [sys.executable, "-c", LOOP, path], stdout=subprocess.PIPE, text=True, cwd=repository
        ) as child:
            assert child.stdout is not None
            assert int(child.stdout.readline()) >= acknowledged  # it opened what the last one left
            for _ in range(chance.randrange(1, 30)):
                acknowledged = int(child.stdout.readline())
            try:
                # Somewhere in what follows the last acknowledgement that was read.
                child.wait(timeout=chance.random() * 0.02)
            except subprocess.TimeoutExpired:
                child.kill()
            acknowledged = max([acknowledged, *map(int, child.stdout.read().split())])
        assert child.returncode == -signal.SIGKILL

        reader = open_for_reading(path)
        assert reader is not None
        numbers = {entry.value for entry in reader.live().values()}
        generation = reader.generation()
        keys, machines, changes = len(reader.live()), reader.phases(), reader.changes("settings.0")
        reader.close()
        assert numbers == {generation}
        assert generation in (acknowledged, acknowledged + 1)  # the last one may have been on its way
        assert keys == KEYS
        assert machines == {f"machine-{number}": "committed" for number in range(1, generation + 1)}
        assert [change.value for change in changes] == list(range(1, generation + 1))

    store = Store(path)
    try:
        # What was pending when it was killed is of the commit that did not come, and of no other.
        assert set(pending(store, "tx").values()) <= {generation + 1}
        store.discard("tx")
        store.rows("PRAGMA wal_checkpoint(TRUNCATE)")
        assert store.rows("PRAGMA integrity_check") == [("ok",)]
    finally:
        store.close()
