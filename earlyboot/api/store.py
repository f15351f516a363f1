"""The settings store: one SQLite file. Here for those who look; `earlyboot.api.writer` is for the one who writes.

Live settings, pending transactions, generations, the phase of each machine identity, what was applied.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from earlyboot.api import schema
from earlyboot.render.record import Applied, AppliedFile
from hostkit import files
from hostkit.errors import Fault, HostError, Where

# How far a machine identity can have come, in order.
PHASES = ("committed", "applied", "bootstrapped", "configured")


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


class Generation(NamedTuple):
    """One commit: when (Unix time, seconds), in which transaction, by whom, and how many keys it changed."""

    id: int
    committed_at: float
    tx: str
    uid: int
    gid: int
    pid: int
    changed: int


class Difference(NamedTuple):
    """A key with different values in two generations; `None` where it was not set."""

    key: str
    before: object
    after: object


class FullError(HostError):
    """The disk of the store is full."""


class UnknownGenerationError(Exception):
    """There is no generation of that number, or it is forgotten."""


_SETTINGS_AT = """
    SELECT key, value, origin, generation FROM (
        SELECT *, row_number() OVER (PARTITION BY key ORDER BY generation DESC, ordinal DESC) AS place
        FROM change WHERE generation <= ?
    ) WHERE place = 1 AND value IS NOT NULL ORDER BY key
"""

_CHANGES = """
    SELECT generation, key, value, origin FROM change WHERE key IN (SELECT value FROM json_each(?))
    ORDER BY key, generation, ordinal
"""


class Reader:
    """The store for those who only look. Every answer is of one consistent moment."""

    def __init__(self, path: str, *, writable: bool = False) -> None:
        self.path = path
        with damage_named(path):
            mode = "rwc" if writable else "ro"
            name = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
            self._database = sqlite3.connect(
                f"file:{name}?mode={mode}", uri=True, timeout=30, isolation_level=None, check_same_thread=False
            )

    def close(self) -> None:
        self._database.close()

    @contextmanager
    def moment(self) -> Iterator[None]:
        """Whatever is read inside is of one moment."""
        self.rows("BEGIN")
        try:
            yield
        finally:
            if self._database.in_transaction:
                self.rows("COMMIT")

    def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """What a query answers, for the modules that know the tables."""
        with damage_named(self.path):
            return self._database.execute(query, values).fetchall()

    def _version(self) -> int:
        """How many migrations the file has been through; `HostError` for more than this program knows."""
        version = _whole(self.rows("PRAGMA user_version")[0][0])
        if version < 0:
            raise _damaged(self.path, f"its version is {version}")
        if version > len(schema.MIGRATIONS):
            raise HostError(
                Fault(
                    "store-version",
                    f"the settings store is of version {version}, newer than this program's {len(schema.MIGRATIONS)}",
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
        return {str(identity): str(phase) for identity, phase in self.rows("SELECT identity, phase FROM machine")}

    def live(self) -> dict[str, Entry]:
        return {key: Entry(self._parsed(text), origin, number) for key, text, origin, number in self.texts()}

    def generation(self) -> int:
        """The newest generation, 0 before the first."""
        return _whole(self.rows("SELECT coalesce(max(id), 0) FROM generation")[0][0])

    def stamp(self) -> tuple[int, float]:
        """The newest generation and its time: together they tell two stores apart that count alike."""
        rows = self.rows("SELECT id, committed_at FROM generation ORDER BY id DESC LIMIT 1")
        return (_whole(rows[0][0]), float(str(rows[0][1]))) if rows else (0, 0.0)

    def generations(self, limit: int | None = None) -> list[Generation]:
        """The commits that are remembered, newest first."""
        # A store that no server of today has opened yet does not know what a commit changed, only what it was told.
        changed = "changed" if self._version() > 1 else "(SELECT count(DISTINCT key) FROM change WHERE generation = id)"
        columns = f"id, committed_at, tx, uid, gid, pid, {changed}"
        rows = self.rows(f"SELECT {columns} FROM generation ORDER BY id DESC LIMIT ?", -1 if limit is None else limit)
        return [Generation(*row) for row in rows]  # type: ignore[arg-type]  # the table's own column types

    def texts(self, generation: int | None = None) -> list[tuple[str, str, str, int]]:
        """What is live, or was in a generation, in the order of the keys: key, value as JSON, origin, which generation
        set it. `UnknownGenerationError` for one that is none."""
        if generation is None:
            rows = self.rows("SELECT key, value, origin, generation FROM live ORDER BY key")
        elif generation and not self.rows("SELECT 1 FROM generation WHERE id = ?", generation):
            raise UnknownGenerationError
        else:
            rows = self.rows(_SETTINGS_AT, generation)
        return [(str(key), str(text), str(origin), _whole(number)) for key, text, origin, number in rows]

    def diff(self, old: int, new: int | None = None) -> list[Difference]:
        """The keys whose values differ between two generations, or between one and what is live, sorted."""
        with self.moment():
            before, after = ({key: text for key, text, _, _ in self.texts(number)} for number in (old, new))
        return [
            Difference(key, *(self._parsed(side[key]) if key in side else None for side in (before, after)))
            for key in sorted(before.keys() | after.keys())
            if before.get(key) != after.get(key)
        ]

    def changes(self, *keys: str) -> list[Change]:
        """Every value that each key was ever given, by key, oldest first; the last one of a generation is the one that
        won."""
        rows = self.rows(_CHANGES, json.dumps(keys))
        return [
            Change(_whole(generation), str(key), None if value is None else self._parsed(value), str(origin))
            for generation, key, value, origin in rows
        ]

    def applied(self) -> Applied | None:
        columns = "path, name, sha256, size, mtime_ns, ctime_ns, mode" + (", owned" if self._version() > 1 else "")
        # One query, so that no other apply comes between the record and its files.
        rows = self.rows(
            f"SELECT generation, digest, notes, {columns} FROM applied LEFT JOIN applied_file ON true ORDER BY path"
        )
        if not rows:
            return None
        generation, digest, notes = rows[0][:3]
        recorded = tuple(
            AppliedFile(*fields[:7], fields[7:] == [1])  # type: ignore[arg-type,call-arg]  # the table's own column types
            for _, _, _, *fields in rows
            if fields[0] is not None
        )
        parsed = self._parsed(notes)
        if not isinstance(parsed, dict):
            raise _damaged(self.path, "the notes of the last apply are not an object")
        return Applied(_whole(generation), str(digest), parsed, recorded)


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
def damage_named(path: str) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:
        if isinstance(error, UnicodeDecodeError) or "decode" in str(error):
            # sqlite3 quotes the text, which may be a secret.
            raise _damaged(path, "a text in it is not UTF-8") from None
        if getattr(error, "sqlite_errorname", "") == "SQLITE_FULL":
            fault = Fault("store", f"the settings store: {error}", Where(path), "free space on this file system")
            raise FullError(fault) from None
        raise _damaged(path, str(error)) from None


def _damaged(path: str, what: str) -> HostError:
    fix = "if the file is damaged, move it away: the next boot is a first boot then"
    return HostError(Fault("store", f"the settings store: {what}", Where(path), fix))


def _whole(value: object) -> int:
    assert isinstance(value, int)
    return value
