"""What all endpoints share: the profile, the store and who may use it when, the settings as they hold now."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from earlyboot.api import etag
from earlyboot.api.proposal import layered
from earlyboot.api.store import Reader
from earlyboot.api.writer import Peer, Store
from earlyboot.config import profile as profiles
from earlyboot.config.options import Options
from earlyboot.config.paths import Paths
from earlyboot.model.tree import flatten, unflatten
from earlyboot.render.record import digest
from hostkit import machine

if TYPE_CHECKING:
    from earlyboot.model.custom import CustomGroup
    from earlyboot.render.fileset import Rendering

_OS_FIELDS = {
    "pretty_name": "PRETTY_NAME",
    "variant_id": "VARIANT_ID",
    "version_id": "VERSION_ID",
    "build_id": "BUILD_ID",
}
# What was rendered to judge a commit serves the apply that comes right behind it, and no later one: files of the image
# flow into it too.
_RENDERED_FOR_S = 2.0


class Request(NamedTuple):
    """What an endpoint is asked. `sees_secrets` says whether the peer may; `if_match` is as `etag.parse` gives it."""

    query: Mapping[str, str]
    peer: Peer
    body: object = None
    sees_secrets: bool = True
    if_match: etag.Condition | None = None


class Tagged(NamedTuple):
    """An answer with the tag of its state."""

    tag: str
    answer: object


class Snapshot(NamedTuple):
    """The settings of one moment as flat keys: what is live, and the same with the defaults layered in."""

    generation: int
    tag: str
    live: Mapping[str, object]
    settings: Mapping[str, object]


class Core:
    """The one owner of the store.

    Writers come one at a time, and one may think while it holds the store; those who read have a connection of their own
    and never wait for a writer.
    """

    def __init__(self, paths: Paths, profile_name: str, options: Options, *, overridden: bool = False) -> None:
        self.paths = paths
        self.options = options
        self.profile = profiles.load(profile_name, paths)
        self.digest = digest(paths, profile_name if overridden else None)
        self.defaults = flatten(self.profile.defaults)
        self.custom = _custom(self.profile, paths)
        self.os = _os(paths)
        self.apply_lock = threading.Lock()
        self._tag_digest = hashlib.sha256(json.dumps((self.profile, self.os), default=sorted).encode()).hexdigest()
        self._store = Store(paths.store, options.number("history.generations"))
        self._reader = Reader(paths.store)
        self._writing = threading.Lock()
        self._reading = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._rendered: tuple[int, float, Rendering] | None = None

    def close(self) -> None:
        self._reader.close()
        self._store.close()

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        with self._reading:
            yield self._reader

    @contextmanager
    def writing(self, condition: etag.Condition | None = None) -> Iterator[Store]:
        """The store, for nobody else to change until the end. `Problem` with status 412 where `condition` does not hold."""
        with self._writing:
            if condition is not None:
                etag.require(condition, self._tag(self._store))
            yield self._store

    def snapshot(self) -> Snapshot:
        with self._reading, self._reader.moment():
            tag = self._tag(self._reader)
            # Live settings change with a new generation and never without one.
            if self._snapshot is None or self._snapshot.tag != tag:
                live = {key: entry.value for key, entry in self._reader.live().items()}
                self._snapshot = Snapshot(self._reader.generation(), tag, live, layered(self.defaults, live))
            return self._snapshot

    def shown(self, request: Request, flat: Mapping[str, object]) -> dict[str, object]:
        """Settings as the peer may see them, nested."""
        if not request.sees_secrets:
            from earlyboot.model.secrets import redact

            flat = redact(flat, self.custom)
        return unflatten(flat)

    def shown_value(self, request: Request, key: str, value: object) -> object:
        """One value as the peer may see it; `None`, for no value, stays."""
        if request.sees_secrets or value is None:
            return value
        from earlyboot.model.secrets import redacted

        return redacted(key, value, self.custom)

    def committed(self, live: Mapping[str, object], settings: Mapping[str, object], rendered: Rendering | None) -> None:
        """Remembers what a commit just left, for those who read it and the apply that follows. The caller holds the
        store."""
        with self._reading:
            generation = self._store.generation()
            self._snapshot = Snapshot(generation, self._tag(self._store), live, settings)
        self._rendered = None if rendered is None else (generation, time.monotonic(), rendered)

    def take_rendered(self, generation: int) -> Rendering | None:
        """What was remembered, once, if it is of that generation and fresh."""
        kept, self._rendered = self._rendered, None
        if kept is None or kept[0] != generation or time.monotonic() - kept[1] > _RENDERED_FOR_S:
            return None
        return kept[2]

    def _tag(self, store: Reader) -> str:
        return etag.make(store.stamp(), self._tag_digest)


def _custom(profile: profiles.Profile, paths: Paths) -> Mapping[str, CustomGroup]:
    """The image builder's groups. `OperatorError` where drop-ins do not fit the model."""
    if not profile.drop_ins:
        return {}
    from earlyboot.model.fit import verified_groups

    return verified_groups(profile, paths)


def _os(paths: Paths) -> Mapping[str, str]:
    fields = machine.os_release(paths.root)
    return {name: fields.get(field, "") for name, field in _OS_FIELDS.items()} | {"arch": os.uname().machine}
