"""What the API does: one method for each endpoint of the contract. Knows no HTTP beyond statuses in refusals."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from earlyboot.api.contract import DEFAULT_TX
from earlyboot.api.problem import Problem, bad_request
from earlyboot.api.store import (
    PENDING_LIMIT,
    PHASES,
    SIZE_LIMIT_BYTES,
    NothingPendingError,
    Peer,
    PendingLimitError,
    SizeLimitError,
    Store,
)
from earlyboot.config import profile as profiles
from earlyboot.config.paths import Paths
from earlyboot.model.key import parse_key
from earlyboot.model.tree import ROOT, flatten, unflatten
from earlyboot.render.record import Applied, digest
from hostkit import machine, toml
from hostkit.errors import Fault, HostError, Where

if TYPE_CHECKING:
    from earlyboot.render.apply import Outcome

Query = Mapping[str, str]
_ORIGIN_LIMIT = 4096
_OS_FIELDS = {
    "pretty_name": "PRETTY_NAME",
    "variant_id": "VARIANT_ID",
    "version_id": "VERSION_ID",
    "build_id": "BUILD_ID",
}


class Service:
    """The one owner of the store. Its methods may be called from several threads."""

    def __init__(self, paths: Paths, profile_name: str, *, overridden: bool = False) -> None:
        self._paths = paths
        self._profile = profiles.load(profile_name, paths)
        self._digest = digest(paths, profile_name if overridden else None)
        self._defaults = flatten(self._profile.defaults)
        self._store = Store(paths.store)
        self._store_lock = threading.Lock()
        self._apply_lock = threading.Lock()

    def close(self) -> None:
        self._store.close()

    def warm_up(self) -> None:
        """Imports what a commit and an apply need, so that a boot's server does it while the sources are read."""
        import earlyboot.model.check
        import earlyboot.render.templates  # noqa: F401

    def get_all(self, query: Query, peer: Peer, body: object) -> object:
        prefix = query.get("prefix", "")
        answer: dict[str, object] = {"settings": self.get_settings(query, peer, body) if not prefix else None}
        if prefix:
            found = self._settings(lambda key: key.startswith(prefix))
            answer["settings"] = unflatten(found) or None
        services = {
            service.name: {"configuration-files": list(service.files), "restart-commands": list(service.commands)}
            for service in self._profile.services
        }
        described = {
            file.name: {"path": file.path, "template-path": f"{file.name}.j2", "mode": f"{file.mode:04o}"}
            for file in self._profile.files
        }
        answer["services"] = _with_prefix(services, "services", prefix) or None
        answer["configuration-files"] = _with_prefix(described, "configuration-files", prefix) or None
        answer["os"] = _with_prefix(self._os(), "os", prefix) or None
        return answer if not prefix else {name: part for name, part in answer.items() if part is not None}

    def get_settings(self, query: Query, peer: Peer, body: object) -> object:
        if "keys" in query:
            wanted = [_segments(key) for key in query["keys"].split(",")]
            return unflatten(self._settings(lambda key: any(_is_below(key, path) for path in wanted)))
        if "prefix" in query:
            prefix = query["prefix"]
            if not prefix:
                raise bad_request("empty-prefix", "the prefix is empty", "leave it out to get everything")
            prefix = prefix if prefix.startswith(ROOT) else f"{ROOT}.{prefix}"
            return unflatten(self._settings(lambda key: key.startswith(prefix)))
        return unflatten(self._settings(lambda key: True))

    def patch_settings(self, query: Query, peer: Peer, body: object) -> None:
        from earlyboot.model.check import check

        settings, faults = check(body, self._profile.groups)
        if faults:
            raise Problem(
                400,
                *(Fault(fault.code, fault.what, Where(key=_key_text(fault.path)), fault.fix) for fault in faults),
                paths=tuple(fault.path for fault in faults),
            )
        try:
            values = flatten(settings)
        except ValueError as error:
            raise bad_request(
                "bad-key", str(error), "use a shorter name of letters, digits, '-', '_' and '/'"
            ) from None
        origin = query.get("origin") or f"api uid={peer.uid} pid={peer.pid}"
        if len(origin) > _ORIGIN_LIMIT or not origin.isprintable():
            what = f"origin is not 1 to {_ORIGIN_LIMIT} printable characters"
            raise bad_request("bad-parameter", what, "name the place that the settings come from, such as a path")
        try:
            with self._store_lock:
                self._store.patch(_tx(query), values, origin)
        except SizeLimitError:
            raise _too_large() from None
        except PendingLimitError:
            what = f"{PENDING_LIMIT} transactions are pending already"
            raise Problem(409, Fault("too-many-transactions", what, Where(), "commit or delete some first")) from None

    def get_tx(self, query: Query, peer: Peer, body: object) -> object:
        with self._store_lock:
            return unflatten(self._store.pending(_tx(query)))

    def delete_tx(self, query: Query, peer: Peer, body: object) -> object:
        with self._store_lock:
            return self._store.discard(_tx(query))

    def list_tx(self, query: Query, peer: Peer, body: object) -> object:
        with self._store_lock:
            return self._store.transactions()

    def commit_tx(self, query: Query, peer: Peer, body: object) -> object:
        replace = _flag(query, "replace")
        if "identity" in query:
            self._refuse_unrenderable(_tx(query), replace=replace)
        try:
            with self._store_lock:
                return self._store.commit(
                    _tx(query),
                    peer,
                    identity=query.get("identity"),
                    replace=replace,
                    may_be_empty=_flag(query, "empty"),
                )
        except NothingPendingError:
            what = f"nothing is pending in the transaction '{_tx(query)}'"
            raise Problem(422, Fault("nothing-pending", what, Where(), "PATCH /settings with this tx first")) from None
        except SizeLimitError:
            raise _too_large() from None

    def _refuse_unrenderable(self, tx: str, *, replace: bool) -> None:
        """A first boot's settings are never read again once they are committed: what no file can hold must not be."""
        from earlyboot.render.apply import render_all

        with self._store_lock:
            pending = self._store.pending(tx)
            live = {} if replace and pending else {key: entry.value for key, entry in self._store.live().items()}
        try:
            render_all({**self._defaults, **live, **pending}, self._profile, self._paths)
        except HostError as error:
            raise Problem(400, *error.faults) from None

    def apply(self, query: Query, peer: Peer, body: object) -> object:
        outcome, generation = self._apply()
        return {"generation": generation, **outcome.json()}

    def commit_and_apply(self, query: Query, peer: Peer, body: object) -> object:
        changed = self.commit_tx({"tx": _tx(query)}, peer, body)
        outcome, _ = self._apply()
        failed = [service for service in outcome.services if service.outcome == "failed"]
        if failed:
            fix = "the settings are committed and the files written; mend the service, then POST /tx/apply"
            raise Problem(
                500, *(Fault("service", f"{service.name}: {service.detail}", Where(), fix) for service in failed)
            )
        return changed

    def get_os(self, query: Query, peer: Peer, body: object) -> object:
        return _with_prefix(self._os(), "os", query.get("prefix", ""))

    def patch_machine(self, query: Query, peer: Peer, body: object) -> None:
        if query["phase"] not in PHASES:
            raise bad_request(
                "bad-parameter", "phase is none that a machine can be in", f"use one of {', '.join(PHASES)}"
            )
        with self._store_lock:
            if "was" in query:
                self._store.rename_machine(query["was"], query["identity"])
            known = self._store.reach_phase(query["identity"], query["phase"])
        if not known:
            what = "the store does not know this machine identity"
            raise Problem(404, Fault("unknown-identity", what, Where(), "commit its settings first"))

    def _settings(self, wanted: Callable[[str], bool]) -> dict[str, object]:
        with self._store_lock:
            live = self._store.live()
        merged = {**self._defaults, **{key: entry.value for key, entry in live.items()}}
        return {key: value for key, value in merged.items() if wanted(key)}

    def _apply(self) -> tuple[Outcome, int]:
        from earlyboot.render.apply import apply

        # One at a time, and each reads what is live when its turn comes: the last to end wrote the newest generation.
        with self._apply_lock:
            with self._store_lock:
                generation = self._store.generation()
                live = {key: entry.value for key, entry in self._store.live().items()}
                previous = self._store.applied()
            outcome = apply({**self._defaults, **live}, self._profile, self._paths, previous)
            with self._store_lock:
                self._store.record_applied(Applied(generation, self._digest, outcome.notes(), outcome.record))
        return outcome, generation

    def _os(self) -> dict[str, str]:
        import os

        fields = machine.os_release(self._paths.root)
        return {name: fields.get(field, "") for name, field in _OS_FIELDS.items()} | {"arch": os.uname().machine}


def _tx(query: Query) -> str:
    name = query.get("tx", DEFAULT_TX)
    if not name or len(name) > 64 or not name.isprintable():
        raise bad_request("bad-parameter", "tx is not 1 to 64 printable characters", "use a short name")
    return name


def _too_large() -> Problem:
    what = f"the settings are larger than {SIZE_LIMIT_BYTES:,} bytes"
    return Problem(413, Fault("too-large", what, Where(), "large files belong into a bootstrap container"))


def _flag(query: Query, name: str) -> bool:
    text = query.get(name, "false")
    if text not in ("true", "false"):
        raise bad_request("bad-parameter", f"{name} is neither 'true' nor 'false'", f"write {name}=true, or nothing")
    return text == "true"


def _segments(key: str) -> tuple[str, ...]:
    try:
        return parse_key(key)
    except ValueError as error:
        raise bad_request("bad-key", str(error), "write it like settings.ntp.time-servers") from None


def _is_below(key: str, path: tuple[str, ...]) -> bool:
    return parse_key(key)[: len(path)] == path


def _key_text(path: tuple[str | int, ...]) -> str:
    """The key of a fault for people; the place inside a list is in the fault's own words."""
    names = tuple(part for part in path if isinstance(part, str))
    return toml.dotted((ROOT, *names))


def _with_prefix(part: Mapping[str, object], name: str, prefix: str) -> dict[str, object]:
    return {key: value for key, value in part.items() if f"{name}.{key}".startswith(prefix)}


def parse_body(data: bytes) -> object:
    """A JSON document; `Problem` for anything else, NaN, doubled keys and nesting without end included."""
    try:
        return json.loads(data.decode("utf-8"), parse_constant=_refuse_constant, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        match error:
            case RecursionError():
                what = "the body is nested too deeply"
            case UnicodeDecodeError():
                what = "the body is not UTF-8"
            case _:
                what = f"the body is not JSON: {error}"
        raise bad_request("bad-json", what, "send one JSON object of settings, without the outer 'settings'") from None


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON number")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return made
