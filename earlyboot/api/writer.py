"""The settings store for the one who writes: the API server alone.

Every public method that writes is one database transaction: after a power cut it happened or it did not.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from itertools import pairwise
from typing import Concatenate, NamedTuple, ParamSpec, TypeVar

from earlyboot.api import schema
from earlyboot.api.proposal import Line, Proposal
from earlyboot.api.store import PHASES, FullError, Reader, damage_named
from earlyboot.render.record import Applied
from hostkit import files
from hostkit.errors import HostError

PENDING_LIMIT = 64
# A transaction that nobody has touched for so long may go when there is no room for a new one.
ABANDONED_S = 24 * 3600.0
# Of the keys, values and origins of one transaction, and of all live settings: every apply holds them in memory.
SIZE_LIMIT_BYTES = 8 << 20
# Of the same: a short key costs far more as an object than as text.
KEY_LIMIT = 25_000
# Of what the remembered generations were told.
HISTORY_LIMIT_BYTES = 64 << 20
REMEMBERED = 1000
# What SQLite's log keeps of the disk when its content is in the file.
_LOG_BYTES = 1 << 20

_Given = ParamSpec("_Given")
_Answer = TypeVar("_Answer")


class Peer(NamedTuple):
    """Who asked: the credentials that the kernel gives for the other end of a Unix socket."""

    uid: int
    gid: int
    pid: int
    groups: frozenset[int] = frozenset()


class PendingLimitError(Exception):
    """Too many transactions are open."""


class SizeLimitError(Exception):
    """The transaction, or what would be live after it, is larger than `SIZE_LIMIT_BYTES` or `KEY_LIMIT`."""


def _again_when_full(
    method: Callable[Concatenate[Store, _Given], _Answer],
) -> Callable[Concatenate[Store, _Given], _Answer]:
    """A write that met a full disk is tried once more when there may be room."""

    @wraps(method)
    def write(store: Store, /, *given: _Given.args, **named: _Given.kwargs) -> _Answer:
        try:
            return method(store, *given, **named)
        except FullError:
            with store._making_room():
                return method(store, *given, **named)

    return write


class Store(Reader):
    """The store for the one who writes. Its owner serialises the calls."""

    def __init__(self, path: str, remembered: int = REMEMBERED) -> None:
        """`remembered` is how many generations can be looked at and gone back to; the history's size has a limit too."""
        self._remembered = remembered
        files.make_folder(os.path.dirname(path), 0o700)
        if not os.path.exists(path):
            # SQLite would make it with the umask's mode; it must never have been readable by others.
            try:
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
            except OSError as error:
                raise files.refused("cannot be made", path, error) from None
            files.sync_folder(os.path.dirname(path))
        super().__init__(path, writable=True)
        try:
            with damage_named(path):
                # Of a new file; only so can pages be given back when the disk is full.
                self._database.execute("PRAGMA auto_vacuum = INCREMENTAL")
                self._database.execute("PRAGMA journal_mode = WAL")
                # Enough while the tables are made: what makes them durable is that the log is emptied into the file.
                self._database.execute("PRAGMA synchronous = NORMAL")
                self._database.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
            self._migrate()
            with damage_named(path):
                self._database.execute("PRAGMA synchronous = FULL")
        except HostError:
            self.close()
            raise

    def _migrate(self) -> None:
        for number in range(self._version(), len(schema.MIGRATIONS)):
            with self._transaction():
                # executescript would commit what is open: the step and its number belong together.
                for statement in _statements(schema.MIGRATIONS[number]):
                    self._database.execute(statement)
                self._database.execute(f"PRAGMA user_version = {number + 1}")
            if number + 1 == len(schema.MIGRATIONS):
                # A disk that is full later must hold the tables already: the file could not grow any more.
                self._empty_log()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with damage_named(self.path):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            finally:
                # A full disk has rolled back by itself; a second time would hide why.
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")

    @contextmanager
    def _making_room(self) -> Iterator[None]:
        """On a full disk: empties the log before and after, and what goes inside goes without being overwritten, which
        would need room in the log."""
        self._empty_log()
        (overwriting,) = self.rows("PRAGMA secure_delete")[0]
        self.rows("PRAGMA secure_delete = OFF")
        try:
            yield
            # The log can go into the file only where the file does not have to grow.
            with damage_named(self.path):
                # A script is run to its end: `execute` would give back one page.
                self._database.executescript("PRAGMA incremental_vacuum")
            self._empty_log()
        finally:
            self.rows(f"PRAGMA secure_delete = {overwriting}")

    def _empty_log(self) -> None:
        try:
            self.rows("PRAGMA wal_checkpoint(TRUNCATE)")
        except FullError:
            pass  # nothing is lost; it is tried again

    @_again_when_full
    def patch(self, tx: str, values: Mapping[str, object], origin: str) -> None:
        """Adds values to a pending transaction; of two patches with the same key the later one wins."""
        self._add(tx, [Line(key, json_text(value), origin) for key, value in values.items()])

    @_again_when_full
    def unset(self, tx: str, keys: list[str], origin: str) -> None:
        """Has the commit of a transaction unset keys and all keys below each, those it has set so far too."""
        self._add(tx, [Line(key, None, origin) for key in dict.fromkeys(keys)])

    def _add(self, tx: str, lines: list[Line]) -> None:
        if not lines:
            return
        with self._transaction() as database:
            now = time.time()
            if not database.execute("UPDATE tx SET touched_at = ? WHERE name = ?", (now, tx)).rowcount:
                _make_room(database, now)
                database.execute("INSERT INTO tx SELECT ?, coalesce(max(id), 0), ? FROM generation", (tx, now))
            number = database.execute("SELECT coalesce(max(patch), 0) + 1 FROM pending WHERE tx = ?", (tx,)).fetchone()
            database.executemany("INSERT INTO pending VALUES (?, ?, ?, ?, ?)", [(tx, *number, *line) for line in lines])
            _bound(database, "pending WHERE tx = ?", tx)

    @_again_when_full
    def discard(self, tx: str) -> list[str]:
        """Drops a pending transaction and returns the keys it had."""
        with self._transaction() as database:
            rows = database.execute("SELECT DISTINCT key FROM pending WHERE tx = ? ORDER BY key", (tx,)).fetchall()
            _close(database, tx)
        return [str(key) for (key,) in rows]

    @_again_when_full
    def commit(
        self, proposal: Proposal, peer: Peer, *, identity: str | None = None, replaced: bool = False
    ) -> list[str]:
        """Makes a proposal live and returns the keys whose values really changed, sorted.

        With `identity` the same database transaction says that this machine's settings are committed; with `replaced`
        too, no other machine's are any more.
        """
        with self._transaction() as database:
            if self.generation() != proposal.generation:
                raise AssertionError("the store was committed to after the proposal was made")
            if proposal.closes is not None:
                _close(database, proposal.closes)
            if proposal.changed or identity is not None:
                generation = self._record_generation(database, proposal, peer)
                database.executemany("DELETE FROM live WHERE key = ?", [(key,) for key in proposal.unsets])
                database.executemany(
                    "INSERT OR REPLACE INTO live VALUES (?, ?, ?, ?)",
                    [(*line, generation) for line in proposal.sets.values()],
                )
                self._forget(database)
            _bound(database, "live")
            if identity is not None:
                if replaced:
                    # Whose settings went away is not configured any more, should its disk come back to it.
                    database.execute("DELETE FROM machine WHERE identity != ?", (identity,))
                # A machine that is further than that stays there: a phase moves only forward.
                database.execute("INSERT OR IGNORE INTO machine VALUES (?, 'committed', ?)", (identity, time.time()))
        return list(proposal.changed)

    def _record_generation(self, database: sqlite3.Connection, proposal: Proposal, peer: Peer) -> int:
        size = sum(len(f"{key}{text or ''}{origin}".encode()) for key, text, origin in proposal.record)
        cursor = database.execute(
            """
            INSERT INTO generation (committed_at, tx, uid, gid, pid, changed, size_bytes) VALUES (?, ?, ?, ?, ?, ?, ?)
            """,
            (time.time(), proposal.tx, peer.uid, peer.gid, peer.pid, len(proposal.changed), size),
        )
        assert cursor.lastrowid is not None
        database.executemany(
            "INSERT INTO change VALUES (?, ?, ?, ?, ?)",
            [(cursor.lastrowid, ordinal, *line) for ordinal, line in enumerate(proposal.record)],
        )
        return cursor.lastrowid

    def _forget(self, database: sqlite3.Connection) -> None:
        """Drops the oldest generations above the limits, never the newest.

        An open transaction is judged by the generation in which it began: from there on only the size counts, unless
        nobody has touched it for `ABANDONED_S`.

        Of their lines those stay that say what was set when the oldest remembered generation began: each of the
        remembered ones can still be put together.
        """
        number, total = database.execute("SELECT count(*), sum(size_bytes) FROM generation").fetchone()
        if number <= self._remembered and total <= HISTORY_LIMIT_BYTES:
            return
        (needed,) = database.execute(
            """
            SELECT count(*) FROM generation WHERE id >= (SELECT min(began) FROM tx WHERE began > 0 AND touched_at >= ?)
            """,
            (time.time() - ABANDONED_S,),
        ).fetchone()
        remembered = max(self._remembered, needed)
        if number <= remembered and total <= HISTORY_LIMIT_BYTES:
            return
        rows = database.execute("SELECT id, size_bytes FROM generation ORDER BY id DESC").fetchall()
        kept = size = 0
        for _, size_bytes in rows[:remembered]:
            size += size_bytes
            if kept and size > HISTORY_LIMIT_BYTES:
                break
            kept += 1
        ids = [generation for generation, _ in reversed(rows)]
        for forgotten, oldest in pairwise(ids[: len(ids) - kept + 1]):
            # One at a time: every step finds, of what is older than `forgotten`, only the last value of each key.
            database.execute(
                """
                DELETE FROM change WHERE generation = :forgotten AND (value IS NULL OR ordinal < (
                    SELECT max(ordinal) FROM change AS other WHERE generation = :forgotten AND other.key = change.key
                ))
                """,
                {"forgotten": forgotten},
            )
            database.execute(
                """
                DELETE FROM change WHERE generation < :oldest AND key IN (
                    SELECT key FROM change WHERE generation = :oldest
                )
                """,
                {"oldest": oldest},
            )
            database.execute("DELETE FROM generation WHERE id = ?", (forgotten,))

    @_again_when_full
    def rename_machine(self, before: str, identity: str) -> None:
        """Gives a machine's row the identity that it has now."""
        with self._transaction() as database:
            database.execute("UPDATE OR REPLACE machine SET identity = ? WHERE identity = ?", (identity, before))

    @_again_when_full
    def reach_phase(self, identity: str, phase: str) -> bool:
        """Moves an identity forward; `False` where the store does not know it. Going back is no move."""
        with self._transaction() as database:
            row = database.execute("SELECT phase FROM machine WHERE identity = ?", (identity,)).fetchone()
            if row is None:
                return False
            if PHASES.index(phase) > PHASES.index(row[0]):
                database.execute(
                    "UPDATE machine SET phase = ?, changed_at = ? WHERE identity = ?", (phase, time.time(), identity)
                )
        return True

    @_again_when_full
    def record_applied(self, applied: Applied, *, succeeded: bool = True) -> None:
        """Records what an apply left; where it succeeded, machines that waited for it are `applied` from now on."""
        with self._transaction() as database:
            database.execute(
                "INSERT OR REPLACE INTO applied VALUES (1, ?, ?, ?)",
                (applied.generation, applied.digest, json_text(applied.notes)),
            )
            database.execute("DELETE FROM applied_file")
            database.executemany("INSERT INTO applied_file VALUES (?, ?, ?, ?, ?, ?, ?, ?)", applied.files)
            if succeeded:
                database.execute(
                    "UPDATE machine SET phase = 'applied', changed_at = ? WHERE phase = 'committed'", (time.time(),)
                )


def json_text(value: object) -> str:
    """A value as the store keeps it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _make_room(database: sqlite3.Connection, now: float) -> None:
    """For one more transaction. `PendingLimitError` where all that are open are in use."""
    if database.execute("SELECT count(*) FROM tx").fetchone()[0] < PENDING_LIMIT:
        return
    row = database.execute(
        "SELECT name FROM tx WHERE touched_at < ? ORDER BY touched_at, name LIMIT 1", (now - ABANDONED_S,)
    ).fetchone()
    if row is None:
        raise PendingLimitError
    _close(database, row[0])


def _close(database: sqlite3.Connection, tx: str) -> None:
    database.execute("DELETE FROM pending WHERE tx = ?", (tx,))
    database.execute("DELETE FROM tx WHERE name = ?", (tx,))


def _bound(database: sqlite3.Connection, table: str, *values: object) -> None:
    size = "coalesce(sum(length(key) + coalesce(length(value), 0) + length(origin)), 0)"
    number, size_bytes = database.execute(f"SELECT count(*), {size} FROM {table}", values).fetchone()
    if number > KEY_LIMIT or size_bytes > SIZE_LIMIT_BYTES:
        raise SizeLimitError


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
