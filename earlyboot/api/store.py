"""The settings store: one SQLite file, written by the API server alone.

Live settings, pending transactions, generations, the phase of each machine identity, what was applied. Every public
method that writes is one database transaction: after a power cut it happened or it did not.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from earlyboot.api.schema import MIGRATIONS
from earlyboot.render.record import Applied, AppliedFile
from hostkit import files
from hostkit.errors import Fault, HostError, Where

PHASES = ("committed", "applied", "bootstrapped", "configured")
PENDING_LIMIT = 64
# Of the keys and values of one transaction, and of all live settings: every apply holds them in memory.
SIZE_LIMIT_BYTES = 8 << 20


class Peer(NamedTuple):
    """Who asked: the credentials that the kernel gives for the other end of a Unix socket."""

    uid: int
    gid: int
    pid: int


class Entry(NamedTuple):
    """One live setting: its value, the source that won, the generation that set it."""

    value: object
    origin: str
    generation: int


class Change(NamedTuple):
    """One line of a generation's record. `value` is `None` where the key went away."""

    generation: int
    key: str
    value: object
    origin: str


class NothingPendingError(Exception):
    """The transaction to be committed is empty."""


class PendingLimitError(Exception):
    """Too many transactions are open."""


class SizeLimitError(Exception):
    """The transaction, or what would be live after it, is larger than `SIZE_LIMIT_BYTES`."""


class Reader:
    """The store for those who only look. Everything is one consistent moment a call."""

    def __init__(self, path: str, *, writable: bool = False) -> None:
        self.path = path
        with _damage_named(path):
            mode = "rwc" if writable else "ro"
            name = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
            self._database = sqlite3.connect(
                f"file:{name}?mode={mode}", uri=True, timeout=30, isolation_level=None, check_same_thread=False
            )

    def close(self) -> None:
        self._database.close()

    def _rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        with _damage_named(self.path):
            return self._database.execute(query, values).fetchall()

    def _version(self) -> int:
        """How many migrations the file has been through; `HostError` for more than this program knows."""
        version = _whole(self._rows("PRAGMA user_version")[0][0])
        if version < 0:
            raise _damaged(self.path, f"its version is {version}")
        if version > len(MIGRATIONS):
            raise HostError(
                Fault(
                    "store-version",
                    f"the settings store is of version {version}, newer than this program's {len(MIGRATIONS)}",
                    Where(self.path),
                    "install the earlyboot that wrote it, or a newer one",
                )
            )
        return version

    def _parsed(self, text: object) -> object:
        try:
            return json.loads(str(text))
        except ValueError:
            raise _damaged(self.path, "a value in it is not JSON") from None

    def phases(self) -> dict[str, str]:
        """Every machine identity that this store knows, with the phase it reached."""
        return {str(identity): str(phase) for identity, phase in self._rows("SELECT identity, phase FROM machine")}

    def live(self) -> dict[str, Entry]:
        rows = self._rows("SELECT key, value, origin, generation FROM live ORDER BY key")
        return {
            str(key): Entry(self._parsed(value), str(origin), _whole(generation))
            for key, value, origin, generation in rows
        }

    def generation(self) -> int:
        """The newest generation, 0 before the first."""
        return _whole(self._rows("SELECT coalesce(max(id), 0) FROM generation")[0][0])

    def changes(self, key: str) -> list[Change]:
        """Every value that a key was ever given, oldest first; the last one of a generation is the one that won."""
        rows = self._rows(
            "SELECT generation, key, value, origin FROM change WHERE key = ? ORDER BY generation, ordinal", key
        )
        return [
            Change(_whole(generation), str(key), None if value is None else self._parsed(value), str(origin))
            for generation, key, value, origin in rows
        ]

    def applied(self) -> Applied | None:
        columns = "path, name, sha256, size, mtime_ns, ctime_ns, mode"
        # One query, so that no other apply comes between the record and its files.
        rows = self._rows(
            f"SELECT generation, digest, notes, {columns} FROM applied LEFT JOIN applied_file ON true ORDER BY path"
        )
        if not rows:
            return None
        generation, digest, notes = rows[0][:3]
        recorded = tuple(
            AppliedFile(*fields)  # type: ignore[arg-type]  # the table's own column types
            for _, _, _, *fields in rows
            if fields[0] is not None
        )
        parsed = self._parsed(notes)
        if not isinstance(parsed, dict):
            raise _damaged(self.path, "the notes of the last apply are not an object")
        return Applied(_whole(generation), str(digest), parsed, recorded)


class Store(Reader):
    """The store for the one who writes. Its owner serialises the calls."""

    def __init__(self, path: str) -> None:
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
            with _damage_named(path):
                self._database.execute("PRAGMA journal_mode = WAL")
                self._database.execute("PRAGMA synchronous = FULL")
            self._migrate()
        except HostError:
            self.close()
            raise

    def _migrate(self) -> None:
        for number in range(self._version(), len(MIGRATIONS)):
            with self._transaction():
                # executescript would commit what is open: the step and its number belong together.
                for statement in _statements(MIGRATIONS[number]):
                    self._database.execute(statement)
                self._database.execute(f"PRAGMA user_version = {number + 1}")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with _damage_named(self.path):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            finally:
                # A full disk has rolled back by itself; a second time would hide why.
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")

    def patch(self, tx: str, values: Mapping[str, object], origin: str) -> None:
        """Adds values to a pending transaction; of two patches with the same key the later one wins."""
        with self._transaction() as database:
            rows = database.execute("SELECT count(DISTINCT tx) FROM pending WHERE tx != ?", (tx,)).fetchall()
            if rows[0][0] >= PENDING_LIMIT:
                raise PendingLimitError
            number = database.execute("SELECT coalesce(max(patch), 0) + 1 FROM pending WHERE tx = ?", (tx,)).fetchone()
            database.executemany(
                "INSERT INTO pending VALUES (?, ?, ?, ?, ?)",
                [(tx, number[0], key, _json(value), origin) for key, value in values.items()],
            )
            _bound(database, "SELECT sum(length(key) + length(value)) FROM pending WHERE tx = ?", tx)

    def pending(self, tx: str) -> dict[str, object]:
        """The values of a pending transaction; empty if there is none of that name."""
        rows = self._rows("SELECT key, value FROM pending WHERE tx = ? ORDER BY patch, rowid", tx)
        return {str(key): json.loads(str(value)) for key, value in rows}

    def transactions(self) -> list[str]:
        return [str(name) for (name,) in self._rows("SELECT DISTINCT tx FROM pending ORDER BY tx")]

    def discard(self, tx: str) -> list[str]:
        """Drops a pending transaction and returns the keys it had."""
        with self._transaction() as database:
            rows = database.execute("SELECT DISTINCT key FROM pending WHERE tx = ? ORDER BY key", (tx,)).fetchall()
            database.execute("DELETE FROM pending WHERE tx = ?", (tx,))
        return [str(key) for (key,) in rows]

    def commit(
        self,
        tx: str,
        peer: Peer,
        *,
        identity: str | None = None,
        replace: bool = False,
        may_be_empty: bool = False,
    ) -> list[str]:
        """Makes a pending transaction live and returns the keys whose values really changed, sorted.

        With `identity` the same database transaction says that this machine's settings are committed. With `replace` the
        settings that the transaction does not name go away. Raises `NothingPendingError`, unless `may_be_empty`.
        """
        with self._transaction() as database:
            pending = database.execute(
                "SELECT key, value, origin FROM pending WHERE tx = ? ORDER BY patch, rowid", (tx,)
            ).fetchall()
            if not pending and not may_be_empty:
                raise NothingPendingError
            before = dict(database.execute("SELECT key, value FROM live").fetchall())
            after = {key: (value, origin) for key, value, origin in pending}
            gone = sorted(before.keys() - after.keys()) if replace and pending else []
            changed = sorted([*gone, *(key for key, (value, _) in after.items() if before.get(key) != value)])
            if changed or identity is not None:
                record = [*pending, *((key, None, "replaced") for key in gone)]
                self._record_generation(database, tx, peer, record)
                database.executemany("DELETE FROM live WHERE key = ?", [(key,) for key in gone])
                database.executemany(
                    "INSERT OR REPLACE INTO live VALUES (?, ?, ?, (SELECT max(id) FROM generation))",
                    [(key, value, origin) for key, (value, origin) in after.items()],
                )
            _bound(database, "SELECT sum(length(key) + length(value)) FROM live")
            database.execute("DELETE FROM pending WHERE tx = ?", (tx,))
            if identity is not None:
                if replace and pending:
                    # Whose settings went away is not configured any more, should its disk come back to it.
                    database.execute("DELETE FROM machine WHERE identity != ?", (identity,))
                # A machine that is further than that stays there: a phase moves only forward.
                database.execute("INSERT OR IGNORE INTO machine VALUES (?, 'committed', ?)", (identity, time.time()))
        return changed

    def _record_generation(
        self, database: sqlite3.Connection, tx: str, peer: Peer, record: Sequence[tuple[str, str | None, str]]
    ) -> None:
        cursor = database.execute(
            "INSERT INTO generation (committed_at, tx, uid, gid, pid) VALUES (?, ?, ?, ?, ?)", (time.time(), tx, *peer)
        )
        database.executemany(
            "INSERT INTO change VALUES (?, ?, ?, ?, ?)",
            [(cursor.lastrowid, ordinal, *line) for ordinal, line in enumerate(record)],
        )

    def rename_machine(self, before: str, identity: str) -> None:
        """Gives a machine's row the identity that it has now."""
        with self._transaction() as database:
            database.execute("UPDATE OR REPLACE machine SET identity = ? WHERE identity = ?", (identity, before))

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

    def record_applied(self, applied: Applied) -> None:
        """Records an apply that succeeded; machines that waited for it are `applied` from now on."""
        with self._transaction() as database:
            database.execute(
                "INSERT OR REPLACE INTO applied VALUES (1, ?, ?, ?)",
                (applied.generation, applied.digest, _json(applied.notes)),
            )
            database.execute("DELETE FROM applied_file")
            database.executemany("INSERT INTO applied_file VALUES (?, ?, ?, ?, ?, ?, ?)", applied.files)
            database.execute(
                "UPDATE machine SET phase = 'applied', changed_at = ? WHERE phase = 'committed'", (time.time(),)
            )


def open_for_reading(path: str) -> Reader | None:
    """The store, or `None` before the first commit made one. `HostError` where it may not be looked at."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise files.refused("cannot be opened", path, error) from None
    reader = Reader(path)
    try:
        if reader._version() > 0:
            return reader
    except HostError:
        reader.close()
        raise
    # A power cut between making the file and filling it.
    reader.close()
    return None


@contextmanager
def reading(path: str) -> Iterator[Reader | None]:
    """`open_for_reading`, closed at the end."""
    reader = open_for_reading(path)
    try:
        yield reader
    finally:
        if reader is not None:
            reader.close()


@contextmanager
def _damage_named(path: str) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:
        if isinstance(error, UnicodeDecodeError) or "decode" in str(error):
            # sqlite3 quotes the text, which may be a secret.
            raise _damaged(path, "a text in it is not UTF-8") from None
        raise _damaged(path, str(error), full=getattr(error, "sqlite_errorname", "") == "SQLITE_FULL") from None


def _damaged(path: str, what: str, *, full: bool = False) -> HostError:
    fix = "if the file is damaged, move it away: the next boot is a first boot then"
    return HostError(
        Fault("store", f"the settings store: {what}", Where(path), "free space on this file system" if full else fix)
    )


def _bound(database: sqlite3.Connection, query: str, *values: object) -> None:
    if (database.execute(query, values).fetchone()[0] or 0) > SIZE_LIMIT_BYTES:
        raise SizeLimitError


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _whole(value: object) -> int:
    assert isinstance(value, int)
    return value
