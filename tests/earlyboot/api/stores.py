"""What the tests of the store do with it in one step."""

from __future__ import annotations

import json
from collections.abc import Mapping

from earlyboot.api import pending as pendings
from earlyboot.api.store import Reader
from earlyboot.api.writer import Peer, Store

PEER = Peer(1, 2, 3)
DAMAGE_FIX = "if the file is damaged, move it away: the next boot is a first boot then"


def end(
    store: Store, tx: str = "tx", *, identity: str | None = None, replace: bool = False, may_be_empty: bool = False
) -> list[str]:
    """Commits a pending transaction."""
    proposal = pendings.proposed(store, tx, replace=replace, may_be_empty=may_be_empty)
    return store.commit(proposal, PEER, identity=identity, replaced=replace and bool(proposal.record))


def commit(
    store: Store,
    values: Mapping[str, object],
    tx: str = "tx",
    *,
    identity: str | None = None,
    replace: bool = False,
) -> list[str]:
    store.patch(tx, values, "origin")
    return end(store, tx, identity=identity, replace=replace)


def pending(store: Reader, tx: str) -> dict[str, object]:
    """What a transaction was told, without what it unsets."""
    return {line.key: json.loads(line.text) for line in pendings.lines(store, tx) if line.text is not None}


def values_at(reader: Reader, generation: int) -> dict[str, object]:
    return {key: json.loads(text) for key, text, _, _ in reader.texts(generation)}


def values_of(reader: Reader) -> dict[str, object]:
    return {key: entry.value for key, entry in reader.live().items()}
