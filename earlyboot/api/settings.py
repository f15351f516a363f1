"""Settings: read them, add changes to a transaction, check them without effect, say where they come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from earlyboot.api import pending, provenance, query
from earlyboot.api.approval import approve, refusal
from earlyboot.api.core import Core, Request, Tagged
from earlyboot.api.keys import named_keys, named_paths
from earlyboot.api.problem import Problem, bad_request
from earlyboot.api.proposal import Line, after, layered
from earlyboot.api.writer import (
    KEY_LIMIT,
    PENDING_LIMIT,
    SIZE_LIMIT_BYTES,
    PendingLimitError,
    SizeLimitError,
    json_text,
)
from earlyboot.model.key import parse_key
from earlyboot.model.tree import ROOT, flatten
from hostkit.errors import Fault, Where


class Settings:
    def __init__(self, core: Core) -> None:
        self._core = core

    def get_settings(self, request: Request) -> Tagged:
        snapshot = self._core.snapshot()
        if "keys" in request.query:
            wanted = query.paths(request.query)
            found = {key: value for key, value in snapshot.settings.items() if _is_below(key, wanted)}
        else:
            prefix = request.query.get("prefix", ROOT)
            prefix = prefix if prefix == ROOT or prefix.startswith(f"{ROOT}.") else f"{ROOT}.{prefix}"
            found = {key: value for key, value in snapshot.settings.items() if key.startswith(prefix)}
        return Tagged(snapshot.tag, self._core.shown(request, found))

    def patch_settings(self, request: Request) -> None:
        self._patch(request, self._checked(request.body))

    def patch_keypair(self, request: Request) -> None:
        from earlyboot.model.keypair import settings_of

        body = request.body
        pairs = body.get("request_payload") if isinstance(body, dict) and len(body) == 1 else None
        if not isinstance(pairs, list) or not pairs or not all(isinstance(pair, str) for pair in pairs):
            fix = 'send {"request_payload": ["motd=hello"]}'
            raise bad_request("bad-body", "the body is no object with a list of texts, request_payload", fix)
        settings = settings_of(pairs, self._core.profile.groups, self._core.custom)
        self._patch(request, self._checked(settings))

    def delete_settings(self, request: Request) -> list[str]:
        keys = named_keys(self._core, request.query)
        tx = query.transaction(request.query)
        origin = query.origin(request.query, request.peer)
        with self._core.writing(request.if_match) as store:
            _add(lambda: store.unset(tx, keys, origin))
            return sorted(pending.proposed(store, tx).unsets)

    def validate(self, request: Request) -> None:
        lines = [Line(key, json_text(value), "") for key, value in self._checked(request.body).items()]
        tx = query.transaction(request.query) if "tx" in request.query else ""
        with self._core.reading() as reader:
            proposal = pending.proposed(reader, tx, may_be_empty=True, more=lines)
        snapshot = self._core.snapshot()
        settings = layered(self._core.defaults, after(proposal, snapshot.live))
        if settings != snapshot.settings:
            approve(self._core, snapshot.settings, settings, proposal.changed)

    def get_origin(self, request: Request) -> list[dict[str, object]]:
        wanted = named_paths(self._core, request.query)

        def shown(key: str, value: object) -> object:
            return self._core.shown_value(request, key, value)

        with self._core.reading() as reader:
            told = provenance.read(reader, self._core.profile, wanted)
        return provenance.explanations(told, shown)

    def _checked(self, body: object) -> Mapping[str, object]:
        """A document of settings as flat keys with stable values; `Problem` with every fault."""
        from earlyboot.model.check import check

        settings, faults = check(body, self._core.profile.groups, self._core.custom)
        if faults:
            raise refusal(faults)
        return flatten(settings)

    def _patch(self, request: Request, values: Mapping[str, object]) -> None:
        tx = query.transaction(request.query)
        origin = query.origin(request.query, request.peer)
        with self._core.writing(request.if_match) as store:
            _add(lambda: store.patch(tx, values, origin))


def _is_below(key: str, wanted: list[tuple[str, ...]]) -> bool:
    path = parse_key(key)
    return any(path[: len(prefix)] == prefix for prefix in wanted)


def _add(add: Callable[[], None]) -> None:
    try:
        add()
    except SizeLimitError:
        raise too_large() from None
    except PendingLimitError:
        what = f"{PENDING_LIMIT} transactions are pending already"
        raise Problem(409, Fault("too-many-transactions", what, Where(), "commit or delete some first")) from None


def too_large() -> Problem:
    what = f"the settings have more than {KEY_LIMIT:,} keys or {SIZE_LIMIT_BYTES:,} bytes"
    return Problem(413, Fault("too-large", what, Where(), "large files belong into a bootstrap container"))
