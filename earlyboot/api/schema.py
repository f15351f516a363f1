"""The tables of the store, as the steps that lead from an empty file to today's version."""

from __future__ import annotations

# `PRAGMA user_version` counts the steps that were taken. A step is never changed once it is released.
MIGRATIONS = (
    """
    -- What holds now. `value` is JSON; a list is one value. `origin` names the source that won.
    CREATE TABLE live (key TEXT PRIMARY KEY, value TEXT NOT NULL, origin TEXT NOT NULL, generation INTEGER NOT NULL);

    -- What is not committed yet: every PATCH of a transaction with its origin, in order.
    CREATE TABLE pending (
        tx TEXT NOT NULL, patch INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, origin TEXT NOT NULL,
        PRIMARY KEY (tx, patch, key)
    );

    -- One row a commit: who (SO_PEERCRED), when (Unix time, seconds), in which transaction.
    CREATE TABLE generation (
        id INTEGER PRIMARY KEY AUTOINCREMENT, committed_at REAL NOT NULL, tx TEXT NOT NULL,
        uid INTEGER NOT NULL, gid INTEGER NOT NULL, pid INTEGER NOT NULL
    );

    -- What a generation was told, in order, the losers too; `value` is NULL where a key went away.
    CREATE TABLE change (
        generation INTEGER NOT NULL, ordinal INTEGER NOT NULL, key TEXT NOT NULL, value TEXT, origin TEXT NOT NULL,
        PRIMARY KEY (generation, ordinal)
    );
    CREATE INDEX change_key ON change (key);

    -- How far a machine identity has come: committed, applied, bootstrapped, configured.
    CREATE TABLE machine (identity TEXT PRIMARY KEY, phase TEXT NOT NULL, changed_at REAL NOT NULL);

    -- What was rendered last: from which generation, by which program and configuration, with which notes.
    CREATE TABLE applied (
        only INTEGER PRIMARY KEY CHECK (only = 1), generation INTEGER NOT NULL, digest TEXT NOT NULL, notes TEXT NOT NULL
    );
    CREATE TABLE applied_file (
        path TEXT PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL,
        size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL, mode INTEGER NOT NULL
    );
    """,
)
