"""Transactions: look at what is pending, make it live, make the machine do what is live."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from earlyboot.api import pending, query
from earlyboot.api.approval import approve
from earlyboot.api.core import Core, Request
from earlyboot.api.keys import named_keys
from earlyboot.api.pending import NothingPendingError
from earlyboot.api.problem import Problem
from earlyboot.api.proposal import Proposal, after, layered
from earlyboot.api.report import failures
from earlyboot.api.settings import too_large
from earlyboot.api.writer import Peer, SizeLimitError, Store
from earlyboot.render.record import Applied
from hostkit.errors import Fault, Where

if TYPE_CHECKING:
    from earlyboot.render.apply import Outcome

_SHOWN_CONFLICTS = 100


class Transactions:
    def __init__(self, core: Core) -> None:
        self._core = core

    def get_tx(self, request: Request) -> dict[str, object]:
        return self._pending(request)[0]

    def get_tx_v2(self, request: Request) -> dict[str, object]:
        settings, proposal, began = self._pending(request)
        return {"generation": began, "settings": settings, "unset": sorted(proposal.unsets)}

    def _pending(self, request: Request) -> tuple[dict[str, object], Proposal, int | None]:
        tx = query.transaction(request.query)
        with self._core.reading() as reader:
            proposal = pending.proposed(reader, tx, may_be_empty=True)
            began = pending.began(reader, tx)
        values = {key: json.loads(line.text or "null") for key, line in proposal.sets.items()}
        return self._core.shown(request, values), proposal, began

    def delete_tx(self, request: Request) -> list[str]:
        tx = query.transaction(request.query)
        with self._core.writing() as store:
            return store.discard(tx)

    def list_tx(self, request: Request) -> list[str]:
        with self._core.reading() as reader:
            return pending.names(reader)

    def commit_tx(self, request: Request) -> list[str]:
        tx = query.transaction(request.query)
        identity = request.query.get("identity")
        replace = query.flag(request.query, "replace")
        with self._core.writing(request.if_match) as store:
            try:
                proposal = pending.proposed(store, tx, replace=replace, may_be_empty=query.flag(request.query, "empty"))
            except NothingPendingError:
                what = f"nothing is pending in the transaction '{tx}'"
                fix = "PATCH /settings with this tx first"
                raise Problem(422, Fault("nothing-pending", what, Where(), fix)) from None
            if identity is None:
                # On a first boot there is nobody to ask, and its documents are what the operator wants of this machine:
                # a change that slipped in before them is one of those that they are meant to follow.
                _refuse_conflicts(store, proposal)
            replaced = replace and bool(proposal.record)
            return commit(self._core, store, proposal, request.peer, identity=identity, replaced=replaced)

    def apply(self, request: Request) -> dict[str, object]:
        outcome, generation = self._apply(named_keys(self._core, request.query) if "keys" in request.query else [])
        return {"generation": generation, **outcome.json()}

    def commit_and_apply(self, request: Request) -> list[str]:
        changed = self.commit_tx(request)
        outcome, _ = self._apply([])
        failed = failures(outcome.json())
        if failed:
            raise Problem(500, *failed)
        return changed

    def _apply(self, keys: list[str]) -> tuple[Outcome, int]:
        from earlyboot.render.apply import apply

        # One at a time, and each takes what is live when its turn comes: the last to end wrote the newest generation.
        with self._core.apply_lock:
            snapshot = self._core.snapshot()
            with self._core.reading() as reader:
                previous = reader.applied()
            rendered = self._core.take_rendered(snapshot.generation)
            outcome = apply(
                snapshot.settings, self._core.profile, self._core.paths, previous, keys=keys, rendered=rendered
            )
            record = Applied(snapshot.generation, self._core.digest, outcome.notes(), outcome.record)
            with self._core.writing() as store:
                store.record_applied(record, succeeded=outcome.succeeded)
        return outcome, snapshot.generation


def commit(
    core: Core,
    store: Store,
    proposal: Proposal,
    peer: Peer,
    *,
    identity: str | None = None,
    replaced: bool = False,
) -> list[str]:
    """Makes a proposal live if it is approved. The caller holds the store, so that it is judged against what it meets."""
    snapshot = core.snapshot()
    live = after(proposal, snapshot.live)
    settings = layered(core.defaults, live)
    rendered = None
    if settings != snapshot.settings:
        rendered = approve(core, snapshot.settings, settings, proposal.changed)
    try:
        changed = store.commit(proposal, peer, identity=identity, replaced=replaced)
    except SizeLimitError:
        raise too_large() from None
    core.committed(live, settings, rendered)
    return changed


def _refuse_conflicts(store: Store, proposal: Proposal) -> None:
    found = pending.conflicts(store, proposal)
    if not found:
        return
    began = pending.began(store, proposal.tx)
    fix = f"GET /settings, then DELETE /tx?tx={proposal.tx} and begin again"
    faults = [
        Fault(
            "conflict",
            f"{conflict.key} {_changed(conflict.generation, began)}",
            Where(key=conflict.key),
            fix,
        )
        for conflict in found[:_SHOWN_CONFLICTS]
    ]
    if len(found) > _SHOWN_CONFLICTS:
        what = f"{len(found) - _SHOWN_CONFLICTS:,} more keys were changed after the transaction began"
        faults.append(Fault("too-many", what, Where(), fix))
    raise Problem(409, *faults)


def _changed(generation: int | None, began: int | None) -> str:
    if generation is None:
        return f"may have been changed: generation {began}, in which the transaction began, is forgotten"
    return f"was changed in generation {generation}, after the transaction began"
