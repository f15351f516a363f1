"""Applying: everything is rendered before anything is written; what differs is written; what it belongs to is told."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from earlyboot.config.paths import Paths
from earlyboot.config.profile import FileSpec, Profile, ServiceSpec
from earlyboot.model.tree import unflatten
from earlyboot.render.plan import Plan, make_plan
from earlyboot.render.record import FILE_LIMIT_BYTES, Applied, AppliedFile, observe
from hostkit import files, process
from hostkit.deadline import Deadline

_COMMAND_DEADLINE_S = 90.0
# For the commands of all services together: below the deadline of the client that waits for the answer.
_ALL_COMMANDS_DEADLINE_S = 200.0
_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


class FileOutcome(NamedTuple):
    """`outcome` is `written`, `unchanged`, `removed`, or `left`: no setting feeds it any more; `path` is the image's."""

    name: str
    path: str
    outcome: str


class ServiceOutcome(NamedTuple):
    """`outcome` is `done`, `failed`, or `skipped` in a root that is not the running machine's."""

    name: str
    outcome: str
    detail: str


_NOTED_LIMIT = 100


class Outcome(NamedTuple):
    """All that an apply did, and the record of the files it left."""

    files: tuple[FileOutcome, ...]
    services: tuple[ServiceOutcome, ...]
    plan: Plan
    record: tuple[AppliedFile, ...]

    def notes(self) -> dict[str, list[str]]:
        """What stays true until the next apply, and makes a status more than `configured`."""
        return {
            "unused_keys": _first(self.plan.unused_keys),
            "not_run": _first(self.plan.not_run),
            "failed_services": [service.name for service in self.services if service.outcome == "failed"],
        }

    def json(self) -> dict[str, object]:
        return {
            "files": [file._asdict() for file in self.files],
            "services": [service._asdict() for service in self.services],
            **self.notes(),
        }


def _first(names: Sequence[str]) -> list[str]:
    """Names for people: nobody reads ten thousand, and a status must stay readable for programs too."""
    more = len(names) - _NOTED_LIMIT
    return [*names[:_NOTED_LIMIT], *([f"and {more:,} more"] if more > 0 else [])]


def apply(settings: Mapping[str, object], profile: Profile, paths: Paths, previous: Applied | None) -> Outcome:
    """Makes the files say what `settings` (flat keys) say, and has the services take what changed.

    A `HostError` while rendering leaves every file as it was. A service whose command fails is an outcome, not an error:
    the others still get theirs.
    """
    before = {file.name: file for file in previous.files} if previous else {}
    plan = make_plan(settings, profile, lambda path: os.path.exists(paths.inside(path)), before)
    rendered = _render(settings, plan.wanted) if plan.wanted else {}
    differing = [spec for spec in plan.wanted if not _says(spec, rendered[spec.name], paths)]
    files.write_all(files.NewFile(paths.inside(spec.path), rendered[spec.name], spec.mode) for spec in differing)
    for spec in plan.obsolete:
        if files.remove(paths.inside(spec.path)):
            files.sync_folder(os.path.dirname(paths.inside(spec.path)))
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in rendered.items()}
    # The record, not only the disk, tells what a service has seen: a kill between a write and its command shows here.
    changed = {spec.name for spec in (*differing, *plan.obsolete)}
    changed |= {name for name, sha256 in hashes.items() if name not in before or before[name].sha256 != sha256}
    failed_before = previous.notes.get("failed_services") if previous else None
    deadline = Deadline(_ALL_COMMANDS_DEADLINE_S)
    services = tuple(
        _tell(service, paths, deadline)
        for service in profile.services
        if changed & set(service.files) or (isinstance(failed_before, list) and service.name in failed_before)
    )
    written = {spec.name for spec in differing}
    return Outcome(
        files=(
            *(
                FileOutcome(spec.name, spec.path, "written" if spec.name in written else "unchanged")
                for spec in plan.wanted
            ),
            *(FileOutcome(spec.name, spec.path, "removed") for spec in plan.obsolete),
            *(FileOutcome(spec.name, spec.path, "left") for spec in plan.left),
        ),
        services=services,
        plan=plan,
        record=tuple(observe(spec.name, spec.path, hashes[spec.name], spec.mode, paths) for spec in plan.wanted),
    )


def render_all(settings: Mapping[str, object], profile: Profile, paths: Paths) -> None:
    """Renders what an apply of `settings` would write, and writes nothing; `HostError` where that is impossible."""
    plan = make_plan(settings, profile, lambda path: os.path.exists(paths.inside(path)), ())
    if plan.wanted:
        _render(settings, plan.wanted)


def _render(settings: Mapping[str, object], wanted: Collection[FileSpec]) -> dict[str, bytes]:
    from earlyboot.render.templates import Renderer

    renderer = Renderer(unflatten(settings))
    return {spec.name: renderer.render(spec.name) for spec in wanted}


def _says(spec: FileSpec, data: bytes, paths: Paths) -> bool:
    path = paths.inside(spec.path)
    try:
        # A link in the place of the file is replaced by the file: what it points to is somebody else's.
        found = os.lstat(path)
    except OSError:
        return False
    if not stat.S_ISREG(found.st_mode) or stat.S_IMODE(found.st_mode) != spec.mode or found.st_size != len(data):
        return False
    return files.read(path, FILE_LIMIT_BYTES) == data


def _tell(service: ServiceSpec, paths: Paths, deadline: Deadline) -> ServiceOutcome:
    if not paths.is_machine:
        return ServiceOutcome(service.name, "skipped", "this root is not the running machine's")
    for argv in service.commands:
        try:
            ended = process.run(process.Command(argv, deadline.bounded(_COMMAND_DEADLINE_S), environment=_ENVIRONMENT))
        except OSError as error:
            return ServiceOutcome(service.name, "failed", f"{argv[0]} cannot be started: {error.strerror}")
        if ended.status != 0:
            words = ended.stderr.decode("utf-8", "replace").strip().splitlines()
            detail = f"{' '.join(argv)}: {ended.explain()}" + (f": {words[-1]}" if words else "")
            return ServiceOutcome(service.name, "failed", detail)
    return ServiceOutcome(service.name, "done", "")
