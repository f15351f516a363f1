"""The settings stage: on a first boot sources → transaction → generators → commit → apply; later only a look, and a repair
if needed.

The store's phase row decides which: it is written in the commit of the settings themselves, so that an interruption at
any moment leaves either nothing or something to be applied again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from earlyboot.config.paths import Paths
from earlyboot.stages.generate import Generated, again, failed_before, for_first_boot, refuse, remember
from earlyboot.stages.launch import Launch, Work
from earlyboot.stages.state import State, read_state
from earlyboot.stages.timeline import Timeline
from hostkit.errors import Fault, HostError, OperatorError, SourceError, Where

if TYPE_CHECKING:
    from earlyboot.stages.sources import Gathered, Source

Status = dict[str, object]

# What the report of an apply says that stays true until the next one.
_NOTES = ("unused_keys", "not_run", "failed_files", "failed_services", "left_out", "remarks")


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
        return
    failed = failed_before(paths)
    if state.repair is not None or state.now_known_as is not None or failed:
        _later_boot(paths, state, failed, timeline, status)


def _first_boot(paths: Paths, state: State, timeline: Timeline, status: Status) -> None:
    from hostkit.activation import knock

    # The server starts now, and is there when the sources have been read.
    knock(paths.socket)
    work = _work(paths, timeline, status)
    keep = state.others and work.options["on-new-identity"] == "keep"
    try:
        if keep:
            work.launch.begin()
            _commit(work, state, (), Generated(), keep=True)
        else:
            from earlyboot.stages.sources import gather, questions

            asked = questions(work.profile, work.options, paths)
            gathered = gather(asked, work.options, timeline, meanwhile=lambda: _meanwhile(work.launch))
            status["sources"] = list(gathered.rows)
            status["warnings"] = [fault.json() for fault in gathered.warnings]
            _push(work, gathered)
            documents = [source.settings for source in gathered.sources]
            kept = state.others and not any(map(_has_values, documents))
            generated = for_first_boot(work, documents, others=state.others, kept=kept)
            _commit(work, state, gathered.sources, generated)
        _apply(work)
    finally:
        work.launch.close()


def _meanwhile(launch: Launch) -> None:
    """What needs no source is done while the sources are read."""
    launch.begin()
    import earlyboot.generators.run  # noqa: F401


def _later_boot(paths: Paths, state: State, failed: Sequence[str], timeline: Timeline, status: Status) -> None:
    # The server needs it too; here a fault in it is the operator's, there it would only be a refusal.
    work = _work(paths, timeline, status)
    try:
        if state.now_known_as is not None:
            # Once: from now on a copy of this disk in another machine is told from this one.
            work.launch.client.call("patch_machine", identity=state.now_known_as, phase=state.phase, was=state.identity)
            state = state._replace(identity=state.now_known_as)
        changed = again(work, state, failed) if failed or state.updated else False
        if state.repair is not None or changed:
            _apply(work, state.repair or "a setting was generated that was not before")
    finally:
        work.launch.close()


def _work(paths: Paths, timeline: Timeline, status: Status) -> Work:
    with timeline.step("configuration") as step:
        from earlyboot.config import options as choices
        from earlyboot.config import profile as profiles

        options = choices.load(paths)
        profile = profiles.load(profiles.name_of(options), paths)
        step.detail = f"profile {profile.name}"
    return Work(paths, options, profile, Launch(paths.socket), timeline, status)


def _push(work: Work, gathered: Gathered) -> None:
    """One PATCH a source, in order. Every fault of every source is collected; with one, nothing stays pending."""
    from earlyboot.api.client import RefusedError

    faults = [fault for error in gathered.errors for fault in error.faults]
    unreadable = any(not isinstance(error, OperatorError) for error in gathered.errors)
    with work.timeline.step("validate") as step:
        for source in gathered.sources:
            try:
                work.launch.push(source.settings, source.origin)
            except RefusedError as refused:
                if refused.status != 400:
                    raise
                faults += source.place(zip(refused.faults, refused.paths, strict=True))
        step.detail = f"{len(gathered.sources)} sources with data" if not faults else f"{len(faults)} faults"
        if faults:
            work.launch.drop()
            raise (SourceError if unreadable else OperatorError)(*faults)


def _commit(work: Work, state: State, sources: Sequence[Source], generated: Generated, *, keep: bool = False) -> None:
    from earlyboot.api.client import RefusedError

    launch = work.launch
    has_values = any(_has_values(source.settings) for source in sources)

    def commit(*, empty: bool) -> int:
        # Another machine's settings go only when this one has its own: a copied disk without user data keeps what it knows.
        return launch.commit(state.identity, replace=state.others and has_values, empty=empty)

    with work.timeline.step("commit") as step:
        try:
            try:
                changed = commit(empty=not has_values and not generated.changed)
            except RefusedError as refused:
                if not generated.changed or refused.status not in (400, 413):
                    raise
                # What nobody asked for must not keep a machine from what somebody did.
                launch.begin()
                for source in sources:
                    launch.push(source.settings, source.origin)
                changed = commit(empty=not has_values)
                remember(work, refuse(work, generated, refused.faults).failed)
        except RefusedError as refused:
            launch.drop()
            raise (OperatorError(*refused.faults) if refused.status == 400 else refused) from None
        step.detail = f"{changed} settings changed"
    if state.others and not sources and not keep:
        what = "this machine is a new one, no source has data, and the settings of the old one were kept"
        fix = "provide user data; before an image is copied, remove /var/lib/earlyboot from it"
        work.degrade([Fault("kept-settings", what, Where(), fix)])


def _has_values(table: Mapping[str, object]) -> bool:
    return any(_has_values(value) if isinstance(value, Mapping) else True for value in table.values())


def _apply(work: Work, why: str = "") -> None:
    """`HostError` with every file that could not be written: the phase stays, and the next boot tries again."""
    from earlyboot.api.report import file_failures

    with work.timeline.step("apply") as step:
        report = work.launch.client.call("apply")
        assert isinstance(report, Mapping)
        files, services = report["files"], report["services"]
        written = sum(file["outcome"] in ("written", "removed") for file in files)
        step.detail = f"{written} of {len(files)} files written" + (f"; {why}" if why else "")
        work.status["files"], work.status["services"] = files, services
        work.status["notes"] = {name: value for name, value in report.items() if name in _NOTES}
        if failed := file_failures(report):
            step.detail = f"{len(failed)} of {len(files)} files could not be written"
            raise HostError(*failed)
