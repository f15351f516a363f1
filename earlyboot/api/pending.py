"""The pending transactions of a store: what they hold, what a commit of one would do, what stands against it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from earlyboot.api.proposal import Line, Proposal, propose, propose_rollback
from earlyboot.api.store import Reader, UnknownGenerationError


class NothingPendingError(Exception):
    """The transaction to be committed is empty."""


class Conflict(NamedTuple):
    """A key that somebody else changed after the transaction began, and the generation that did it last; `None` where
    the generation in which the transaction began is forgotten, and the key may have been changed since."""

    key: str
    generation: int | None


def names(store: Reader) -> list[str]:
    return [str(name) for (name,) in store.rows("SELECT name FROM tx ORDER BY name")]


def lines(store: Reader, tx: str) -> list[Line]:
    """What was asked for, in order; empty if there is no transaction of that name."""
    rows = store.rows("SELECT key, value, origin FROM pending WHERE tx = ? ORDER BY patch, rowid", tx)
    return [Line(str(key), None if text is None else str(text), str(origin)) for key, text, origin in rows]


def began(store: Reader, tx: str) -> int | None:
    """The generation that was live when a transaction began; `None` if there is none of that name."""
    rows = store.rows("SELECT began FROM tx WHERE name = ?", tx)
    return int(str(rows[0][0])) if rows else None


def proposed(
    store: Reader, tx: str, *, replace: bool = False, may_be_empty: bool = False, more: Iterable[Line] = ()
) -> Proposal:
    """What a commit would do now; `more` are lines after those of the transaction. `NothingPendingError` unless
    `may_be_empty`."""
    with store.moment():
        wanted = [*lines(store, tx), *more]
        if not wanted and not may_be_empty:
            raise NothingPendingError
        before = {key: text for key, text, _, _ in store.texts()}
        return propose(tx, store.generation(), before, wanted, replace=replace)


def proposed_rollback(store: Reader, to: int) -> Proposal:
    """What going back to a generation would do now. `UnknownGenerationError` for one that is none or forgotten."""
    with store.moment():
        before = {key: text for key, text, _, _ in store.texts()}
        then = [Line(key, text, origin) for key, text, origin, _ in store.texts(to)]
        return propose_rollback(to, store.generation(), before, then)


def conflicts(store: Reader, proposal: Proposal) -> list[Conflict]:
    """The keys that would change although they have changed since the transaction began.

    Where that moment is forgotten, a key that was ever set counts as changed unless its value is known to be older.
    """
    since = None if proposal.closes is None else began(store, proposal.closes)
    if since is None or since == proposal.generation:
        return []
    with store.moment():
        live = {key: text for key, text, _, _ in store.texts()}
        try:
            then = {key: (text, number) for key, text, _, number in store.texts(since)}
        except UnknownGenerationError:
            then = {key: (text, number) for key, text, _, number in store.texts(_oldest(store))}
        found = []
        for key in proposal.changed:
            text, number = then.get(key, (None, None))
            if text != live.get(key):
                found.append(Conflict(key, _last_change(store, key)))
            elif number is None and _last_change(store, key) is None:
                # Never set, as far as anybody knows.
                continue
            elif number is None or number > since:
                found.append(Conflict(key, None))
        return found


def _oldest(store: Reader) -> int:
    """The oldest generation that is remembered."""
    return int(str(store.rows("SELECT coalesce(min(id), 0) FROM generation")[0][0]))


def _last_change(store: Reader, key: str) -> int | None:
    """The newest generation whose record names the key; `None` where none does that is remembered."""
    (newest,) = store.rows("SELECT max(generation) FROM change WHERE key = ?", key)[0]
    return None if newest is None else int(str(newest))
