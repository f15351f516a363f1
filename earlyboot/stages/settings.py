"""The settings stage: on a first boot sources → transaction → commit → apply; later only a look, and a repair if needed.

The store's phase row decides which: it is written in the commit of the settings themselves, so that an interruption at
any moment leaves either nothing or something to be applied again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from earlyboot.config.paths import Paths
from earlyboot.stages.state import State, read_state
from earlyboot.stages.timeline import Timeline
from hostkit.errors import Fault, OperatorError, SourceError, Where

if TYPE_CHECKING:
    from earlyboot.api.client import Client
    from earlyboot.config.options import Options
    from earlyboot.config.profile import Profile
    from earlyboot.stages.sources import Gathered, Source

Status = dict[str, object]


def run(paths: Paths, timeline: Timeline, status: Status) -> None:
    """Fills `status` as it goes, so that what is known stands there also when it raises."""
    with timeline.step("state") as step:
        state = read_state(paths)
        status["first_boot"] = state.phase is None
        status["phase"] = state.phase
        step.detail = "a first boot" if state.phase is None else f"phase {state.phase}"
        status["notes"] = dict(state.notes)
    if state.phase is None:
        _first_boot(paths, state, timeline, status)
    elif state.repair is not None or state.now_known_as is not None:
        from earlyboot.api.client import Client

        # The server needs it too; here a fault in it is the operator's, there it would only be a refusal.
        _configuration(paths, timeline)
        with Client(paths.socket) as client:
            if state.now_known_as is not None:
                # Once: from now on a copy of this disk in another machine is told from this one.
                client.call("patch_machine", identity=state.now_known_as, phase=state.phase, was=state.identity)
            if state.repair is not None:
                _apply(client, timeline, status, state.repair)


def _first_boot(paths: Paths, state: State, timeline: Timeline, status: Status) -> None:
    from hostkit.activation import knock

    # The server starts now, and is there when the sources have been read.
    knock(paths.socket)
    options, profile = _configuration(paths, timeline)
    keep = state.others and options["on-new-identity"] == "keep"
    launch = _Launch(paths)
    try:
        if keep:
            launch.begin()
            sources: tuple[Source, ...] = ()
        else:
            from earlyboot.stages.sources import gather, questions

            gathered = gather(questions(profile, options, paths), options, timeline, meanwhile=launch.begin)
            status["sources"] = list(gathered.rows)
            status["warnings"] = [fault.json() for fault in gathered.warnings]
            sources = gathered.sources
            _push(launch, gathered, timeline)
        _commit(launch, state, sources, timeline, status, keep=keep)
        _apply(launch.client, timeline, status)
    finally:
        launch.close()


class _Launch:
    """The transaction of a first boot. It begins, imports included, while the sources are being read.

    Each run has one of its own, and says whether it may be empty: what a killed run still had under way can then neither
    mix with what this one reads nor commit nothing in its name.
    """

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._client: Client | None = None
        self.tx = ""

    def begin(self) -> None:
        from earlyboot.api.client import Client
        from earlyboot.api.contract import LAUNCH_TX

        self._client = Client(self._paths.socket)
        pending = self._client.call("list_tx")
        assert isinstance(pending, list)
        self.tx = f"{LAUNCH_TX}-{os.urandom(4).hex()}"
        for name in [name for name in pending if name.startswith(LAUNCH_TX)] or [self.tx]:
            # Dropping its own, where nothing is left over, still tells the server that there is going to be work.
            self._client.call("delete_tx", tx=name)

    @property
    def client(self) -> Client:
        assert self._client is not None
        return self._client

    def close(self) -> None:
        if self._client is not None:
            self._client.close()


def _configuration(paths: Paths, timeline: Timeline) -> tuple[Options, Profile]:
    with timeline.step("configuration") as step:
        from earlyboot.config import options as choices
        from earlyboot.config import profile as profiles

        options = choices.load(paths)
        profile = profiles.load(profiles.name_of(options), paths)
        step.detail = f"profile {profile.name}"
    return options, profile


def _push(launch: _Launch, gathered: Gathered, timeline: Timeline) -> None:
    """One PATCH a source, in order. Every fault of every source is collected; with one, nothing stays pending."""
    from earlyboot.api.client import RefusedError

    client = launch.client
    faults = [fault for error in gathered.errors for fault in error.faults]
    unreadable = any(not isinstance(error, OperatorError) for error in gathered.errors)
    with timeline.step("validate") as step:
        for source in gathered.sources:
            try:
                client.call("patch_settings", source.settings, tx=launch.tx, origin=source.origin)
            except RefusedError as refused:
                if refused.status != 400:
                    raise
                faults += source.place(zip(refused.faults, refused.paths, strict=True))
        step.detail = f"{len(gathered.sources)} sources with data" if not faults else f"{len(faults)} faults"
        if faults:
            client.call("delete_tx", tx=launch.tx)
            raise (SourceError if unreadable else OperatorError)(*faults)


def _commit(
    launch: _Launch, state: State, sources: Sequence[Source], timeline: Timeline, status: Status, *, keep: bool
) -> None:
    from earlyboot.api.client import RefusedError

    # Another machine's settings go only when this one has its own: a copied disk without user data keeps what it knows.
    replace = state.others and bool(sources)
    with timeline.step("commit") as step:
        try:
            changed = launch.client.call(
                "commit_tx",
                tx=launch.tx,
                identity=state.identity,
                replace="true" if replace else None,
                empty=None if any(_has_values(source.settings) for source in sources) else "true",
            )
        except RefusedError as refused:
            launch.client.call("delete_tx", tx=launch.tx)
            raise (OperatorError(*refused.faults) if refused.status == 400 else refused) from None
        step.detail = f"{len(changed) if isinstance(changed, list) else 0} settings changed"
    if state.others and not sources and not keep:
        what = "this machine is a new one, no source has data, and the settings of the old one were kept"
        fix = "provide user data; before an image is copied, remove /var/lib/earlyboot from it"
        status["degraded"] = [Fault("kept-settings", what, Where(), fix).json()]


def _has_values(table: Mapping[str, object]) -> bool:
    return any(_has_values(value) if isinstance(value, Mapping) else True for value in table.values())


def _apply(client: Client, timeline: Timeline, status: Status, why: str = "") -> None:
    with timeline.step("apply") as step:
        report = client.call("apply")
        assert isinstance(report, Mapping)
        files, services = report["files"], report["services"]
        written = sum(file["outcome"] in ("written", "removed") for file in files)
        step.detail = f"{written} of {len(files)} files written" + (f"; {why}" if why else "")
        status["files"], status["services"] = files, services
        status["notes"] = {name: report[name] for name in ("unused_keys", "not_run", "failed_services")}
