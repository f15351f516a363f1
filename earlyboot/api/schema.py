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
    """
    -- A pending value may be NULL: the commit unsets that key and all keys below it.
    CREATE TABLE pending_2 (
        tx TEXT NOT NULL, patch INTEGER NOT NULL, key TEXT NOT NULL, value TEXT, origin TEXT NOT NULL,
        PRIMARY KEY (tx, patch, key)
    );
    INSERT INTO pending_2 SELECT tx, patch, key, value, origin FROM pending;
    DROP TABLE pending;
    ALTER TABLE pending_2 RENAME TO pending;

    -- One row a pending transaction: the generation that was live when it began, and when it was last added to (Unix
    -- time, seconds).
    CREATE TABLE tx (name TEXT PRIMARY KEY, began INTEGER NOT NULL, touched_at REAL NOT NULL);
    INSERT INTO tx
        SELECT DISTINCT tx, (SELECT coalesce(max(id), 0) FROM generation), CAST(strftime('%s', 'now') AS REAL) FROM pending;

    DROP INDEX change_key;
    CREATE INDEX change_key ON change (key, generation, ordinal);

    -- How many keys have another value than before, and how many bytes the generation's lines in `change` hold. Lines of
    -- a generation that has no row any more say what was set before the oldest that has one.
    ALTER TABLE generation ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE generation ADD COLUMN size_bytes INTEGER NOT NULL DEFAULT 0;
    UPDATE generation SET
        changed = (
            SELECT count(*) FROM change AS line
            WHERE line.generation = generation.id
            AND line.ordinal = (SELECT max(ordinal) FROM change WHERE generation = line.generation AND key = line.key)
            AND line.value IS NOT (
                SELECT value FROM change WHERE key = line.key AND generation < line.generation
                ORDER BY generation DESC, ordinal DESC LIMIT 1
            )
        ),
        size_bytes = (
            SELECT coalesce(sum(length(CAST(key || coalesce(value, '') || origin AS BLOB))), 0) FROM change
            WHERE change.generation = generation.id
        );

    -- Whether the file is ours alone, so that it can go when nothing knows its name any more.
    ALTER TABLE applied_file ADD COLUMN owned INTEGER NOT NULL DEFAULT 0;
    """,
)
