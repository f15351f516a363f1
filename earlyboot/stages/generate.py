"""The generators as a part of the settings stage: what they know, where their values go, what a failed one means.

A failed one makes the boot `degraded` and is run again at the next boot: its name is kept in a file until then.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from earlyboot.config.paths import Paths
from earlyboot.stages.launch import Launch, Work
from earlyboot.stages.state import State
from earlyboot.stages.timeline import Timeline
from hostkit import files
from hostkit.errors import EarlybootError, Fault

if TYPE_CHECKING:
    from earlyboot.api.store import Entry
    from earlyboot.config.profile import GeneratorSpec
    from earlyboot.generators.contract import Outcome
    from earlyboot.generators.known import Path
    from earlyboot.generators.run import Host

_NAMES_LIMIT_BYTES = 64 << 10
# Below a generator's own deadline: at the end it is still able to say what the service did.
_METADATA_DEADLINE_S = 8.0


class Generated(NamedTuple):
    """What came of the generators, by their names. `changed` is whether the transaction holds something of them."""

    made: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    changed: bool = False


def for_first_boot(work: Work, documents: Sequence[Mapping[str, object]], *, others: bool, kept: bool) -> Generated:
    """Makes what `documents` do not set, into the transaction of the launch.

    `others` is whether the store has settings of another machine, and `kept` whether these stay: then what generators
    made for that machine is made again, and what is not, goes away.
    """
    live = _live(work.paths) if others else {}
    generated = _generate(work, work.profile.generators, documents, live, kept=kept)
    remember(work, generated.failed)
    return generated


def again(work: Work, state: State, names: Iterable[str]) -> bool:
    """On a later boot: the generators that failed before, and where the program or its configuration is new the weak ones.

    Whether a commit changed something.
    """
    specs = [
        spec for spec in work.profile.generators if spec.name in names or (state.updated and spec.strength == "weak")
    ]
    generated = _generate(work, specs, (), _live(work.paths), kept=True)
    if generated.changed:
        from earlyboot.api.client import RefusedError

        with work.timeline.step("commit") as step:
            try:
                step.detail = f"{work.launch.commit()} settings changed"
            except RefusedError as refused:
                step.detail = "refused"
                work.launch.drop()
                generated = refuse(work, generated, refused.faults)
    remember(work, generated.failed)
    return generated.changed


def refuse(work: Work, generated: Generated, faults: Sequence[Fault]) -> Generated:
    """Says that a commit was refused because of what generators made."""
    names = ", ".join(generated.made)
    work.degrade(
        [fault._replace(what=f"what the generators {names} made is refused: {fault.what}") for fault in faults]
    )
    return Generated(failed=(*generated.failed, *generated.made))


def failed_before(paths: Paths) -> tuple[str, ...]:
    """The names of the generators that failed in an earlier boot and are to be run again."""
    try:
        names = json.loads(files.read(_file(paths), _NAMES_LIMIT_BYTES) or b"[]")
    except (EarlybootError, ValueError):
        return ()
    return tuple(name for name in names if isinstance(name, str)) if isinstance(names, list) else ()


def remember(work: Work, failed: Sequence[str]) -> None:
    """Keeps the names for the next boot; a disk that refuses is said, and keeps no machine from its settings."""
    try:
        if failed:
            files.write(_file(work.paths), json.dumps(failed).encode(), 0o600)
        else:
            files.remove(_file(work.paths))
    except EarlybootError as error:
        work.degrade(error.faults)


def _file(paths: Paths) -> str:
    return os.path.join(paths.state, "failed-generators.json")


def _live(paths: Paths) -> Mapping[str, Entry]:
    from earlyboot.api import store

    with store.reading(paths.store) as reader:
        return reader.live() if reader else {}


def _generate(
    work: Work,
    specs: Sequence[GeneratorSpec],
    documents: Sequence[Mapping[str, object]],
    live: Mapping[str, Entry],
    *,
    kept: bool,
) -> Generated:
    from earlyboot.generators import run as generators
    from earlyboot.generators.known import Known, grown, key_path

    host = _host(work)
    specs = [spec for spec in specs if host.can_run(spec)]
    before = _made_before(specs, live)
    own = {path for made in before.values() for path in made}
    others = {path: entry.value for key, entry in live.items() if kept and (path := key_path(key)) not in own}
    values = _Values(work.launch, before if kept else {})
    try:
        outcomes = generators.run(
            specs,
            Known(work.profile.defaults, [grown(others), *documents]),
            host._replace(before=before),
            values.push,
            generators.Reporter(
                announce=lambda spec: work.timeline.announce(f"generator {spec.name}"),
                record=lambda outcome: _record(outcome, work.timeline),
            ),
        )
    finally:
        if host.metadata is not None:
            host.metadata.close()
    failed = tuple(outcome.spec.name for outcome in outcomes if outcome.faults)
    values.drop_what_was_not_made_again([spec for spec in specs if spec.name not in failed])
    if outcomes:
        work.status["generators"] = [
            {"name": outcome.spec.name, "key": outcome.spec.key, "outcome": outcome.outcome} for outcome in outcomes
        ]
    if failed:
        work.degrade([fault for outcome in outcomes for fault in outcome.faults])
    made = tuple(name for name, paths in values.now.items() if paths)
    return Generated(made, failed, values.changed)


def _host(work: Work) -> Host:
    """The instance metadata is asked where the profile asks it for user data, and nobody switched that off."""
    from earlyboot.generators.run import Host

    options, paths = work.options, work.paths
    offline = options.flag("offline")
    metadata = None
    if "ec2-imds" in work.profile.providers and options.provider("ec2-imds", "enabled") is not False and not offline:
        from providers.ec2_metadata import Metadata

        endpoint = options.provider("ec2-imds", "endpoint")
        metadata = Metadata(endpoint if isinstance(endpoint, str) else None, _METADATA_DEADLINE_S)
    return Host(paths, metadata, offline, exists=lambda path: os.path.exists(paths.inside(path)))


def _origin(spec: GeneratorSpec) -> str:
    return f"generator {spec.name}"


def _made_before(specs: Iterable[GeneratorSpec], live: Mapping[str, Entry]) -> dict[str, dict[Path, object]]:
    """By the names of the generators, which live settings are theirs and nobody set since."""
    from earlyboot.generators.known import key_path

    before: dict[str, dict[Path, object]] = {spec.name: {} for spec in specs}
    names = {_origin(spec): spec.name for spec in specs}
    for key, entry in live.items():
        if entry.origin in names:
            before[names[entry.origin]][key_path(key)] = entry.value
    return before


def _record(outcome: Outcome, timeline: Timeline) -> None:
    timeline.add(
        f"generator {outcome.spec.name}",
        "failed" if outcome.faults else "finished",
        outcome.started_s,
        outcome.duration_s,
        outcome.faults[0].what if outcome.faults else outcome.spec.key if outcome.outcome == "made" else "no value",
    )


class _Values:
    """What is generated, on its way into the transaction, which begins with the first value if it has not begun.

    `now` are the paths that each generator made, also those whose values are what they were.
    """

    def __init__(self, launch: Launch, before: Mapping[str, Mapping[Path, object]]) -> None:
        self._launch = launch
        self._before = before
        self.now: dict[str, set[Path]] = {}
        self.changed = False

    def push(self, spec: GeneratorSpec, settings: Mapping[str, object]) -> Sequence[Fault]:
        from earlyboot.api.client import RefusedError
        from earlyboot.generators.known import leaves

        before, now = self._before.get(spec.name, {}), leaves((), settings)
        if before.items() >= now.items():
            self.now[spec.name] = set(now)
            return ()
        self._begin()
        try:
            self._launch.push(settings, _origin(spec))
        except RefusedError as refused:
            return refused.faults
        self.now[spec.name] = set(now)
        self.changed = True
        return ()

    def drop_what_was_not_made_again(self, specs: Iterable[GeneratorSpec]) -> None:
        from earlyboot.model.key import format_key

        for spec in specs:
            gone = sorted(self._before.get(spec.name, {}).keys() - self.now.get(spec.name, set()))
            if gone:
                self._begin()
                self._launch.unset([format_key(("settings", *path)) for path in gone], _origin(spec))
                self.changed = True

    def _begin(self) -> None:
        if not self._launch.tx:
            self._launch.begin()
