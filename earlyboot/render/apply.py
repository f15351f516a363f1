"""Applying: everything is rendered before anything is written; what differs is written; what it belongs to is told."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from earlyboot.config.paths import Paths
from earlyboot.config.profile import Profile, ServiceSpec
from earlyboot.render.fileset import LeftOut, RenderedFile, Rendering, context_of, render_files
from earlyboot.render.plan import Orphans, Plan, find_orphans, make_plan, services_of
from earlyboot.render.record import FILE_LIMIT_BYTES, Applied, AppliedFile, observe
from earlyboot.render.remarks import Remarks, remarks_on
from hostkit import files, process, selinux
from hostkit.deadline import Deadline
from hostkit.errors import Fault, HostError

_COMMAND_DEADLINE_S = 90.0
# For the commands of all services together: below the deadline of the client that waits for the answer.
_ALL_COMMANDS_DEADLINE_S = 200.0


class FileOutcome(NamedTuple):
    """`outcome` is `written`, `unchanged`, `removed`, `left`: no setting feeds it any more, or `failed`: the host refused
    to write or remove it, for the reason in `detail`, and `fix` helps. `path` is the image's.

    The files of a set share their `name`.
    """

    name: str
    path: str
    outcome: str
    detail: str = ""
    fix: str = ""

    def json(self) -> dict[str, str]:
        return {name: text for name, text in self._asdict().items() if text}


class ServiceOutcome(NamedTuple):
    """`outcome` is `done`, `failed`, or `skipped` in a root that is not the running machine's."""

    name: str
    outcome: str
    detail: str


_NOTED_LIMIT = 100


class Outcome(NamedTuple):
    """All that an apply did, and the record of the files it left. `remarks` say what could not be as the settings ask,
    `left_out` which files wait for a generator."""

    files: tuple[FileOutcome, ...]
    services: tuple[ServiceOutcome, ...]
    plan: Plan
    record: tuple[AppliedFile, ...]
    remarks: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    @property
    def succeeded(self) -> bool:
        """Whether every file says what the settings say."""
        return not any(file.outcome == "failed" for file in self.files)

    def notes(self) -> dict[str, object]:
        """What stays true until the next apply, and makes a status more than `configured`."""
        return {
            "unused_keys": _first(self.plan.unused_keys),
            "not_run": _first(self.plan.not_run),
            "failed_files": [file.path for file in self.files if file.outcome == "failed"],
            "failed_services": [service.name for service in self.services if service.outcome == "failed"],
            "left_out": [file._asdict() for file in self.left_out],
            "remarks": list(self.remarks),
        }

    def json(self) -> dict[str, object]:
        return {
            "files": [file.json() for file in self.files],
            "services": [service._asdict() for service in self.services],
            **self.notes(),
        }


def _first(names: Sequence[str]) -> list[str]:
    """Names for people: nobody reads ten thousand, and a status must stay readable for programs too."""
    more = len(names) - _NOTED_LIMIT
    return [*names[:_NOTED_LIMIT], *([f"and {more:,} more"] if more > 0 else [])]


def render_all(settings: Mapping[str, object], profile: Profile, paths: Paths) -> Rendering:
    """The files that an apply of `settings` would make, and writes nothing; `HostError` where that is impossible."""
    wanted = make_plan(settings, profile, _exists(paths), ()).wanted
    return render_files(settings, wanted, profile, context_of(profile, paths))


def apply(
    settings: Mapping[str, object],
    profile: Profile,
    paths: Paths,
    previous: Applied | None,
    *,
    keys: Collection[str] = (),
    rendered: Rendering | None = None,
) -> Outcome:
    """Makes the files say what `settings` (flat keys) say, and has the services take what changed.

    The services of `keys` are told in any case. `rendered` is what `render_all` made of the same settings. A `HostError`
    while rendering leaves every file as it was. A file that the host refuses and a service whose command fails are
    outcomes, not errors: the others still get theirs.
    """
    before = {file.path: file for file in previous.files} if previous else {}
    plan = make_plan(settings, profile, _exists(paths), before.values())
    context = context_of(profile, paths)
    if rendered is None:
        rendered = render_files(settings, plan.wanted, profile, context)
    made, restored = rendered.files, render_files(settings, plan.restored, profile, context).files
    orphans = find_orphans(before.values(), {file.path for file in (*made, *restored)}, profile)
    differing = [file for file in (*made, *restored) if not _says(file, paths)]
    written = _write(differing, paths)
    unlabelled = _label([file for file in differing if file.path not in written.faults], written.new_folders, paths)
    faults = {**written.faults, **_remove(orphans.obsolete, profile, paths)}
    hashes = {file.path: hashlib.sha256(file.data).hexdigest() for file in made}
    # The record, not only the disk, tells what a service has seen: a kill between a write and its command shows here.
    seen = {path: file.sha256 for path, file in before.items()}
    there = [*differing, *restored, *(file for file in made if seen.get(file.path) != hashes[file.path])]
    changed = {file.spec.name for file in there if file.path not in faults}
    changed |= {file.name for file in orphans.obsolete if file.path not in faults}
    here = {file.spec.name for file in made}
    services = _tell_all(profile, paths, changed, here, keys, previous)
    remarks = remarks_on(settings, profile.access_user) if paths.is_machine else Remarks()
    unmet = [ServiceOutcome(name, "failed", detail) for name, detail in remarks.failures.items()]
    return Outcome(
        files=_file_outcomes((*made, *restored), differing, orphans, faults),
        services=(*(service for service in services if service.name not in remarks.failures), *unmet),
        plan=plan,
        record=(
            *(observe(file.spec, file.path, hashes[file.path], paths) for file in made if file.path not in faults),
            # What could not be replaced or removed is still what it was, and no service has seen anything else.
            *(before[path] for path in faults if path in before),
        ),
        remarks=(*([unlabelled] if unlabelled else []), *remarks.texts),
        left_out=rendered.left_out,
    )


def _exists(paths: Paths) -> Callable[[str], bool]:
    return lambda path: os.path.exists(paths.inside(path))


def _says(file: RenderedFile, paths: Paths) -> bool:
    path = paths.inside(file.path)
    try:
        # A link in the place of the file is replaced by the file: what it points to is somebody else's.
        found = os.lstat(path)
    except OSError:
        return False
    if not stat.S_ISREG(found.st_mode) or stat.S_IMODE(found.st_mode) != file.spec.mode:
        return False
    try:
        return found.st_size == len(file.data) and files.read(path, FILE_LIMIT_BYTES) == file.data
    except HostError:
        return False


class _Written(NamedTuple):
    """Why files could not be written, by their paths of the image; the folders that were made for the others."""

    faults: Mapping[str, Fault]
    new_folders: Sequence[str]


def _write(differing: Sequence[RenderedFile], paths: Paths) -> _Written:
    missing = _missing_folders(paths.inside(file.path) for file in differing)
    new = {file.path: files.NewFile(paths.inside(file.path), file.data, file.spec.mode) for file in differing}
    faults: dict[str, Fault] = {}
    try:
        files.write_all(new.values())
    except HostError:
        for path, file in new.items():
            try:
                files.write_all([file])
            except HostError as error:
                faults[path] = error.faults[0]
    return _Written(faults, [folder for folder in missing if os.path.isdir(folder)] if faults else missing)


def _label(written: Sequence[RenderedFile], new_folders: Sequence[str], paths: Paths) -> str | None:
    """What is wrong with the SELinux labels of files and new folders, or `None`."""
    if not paths.is_machine:
        return None
    return selinux.restore([*new_folders, *(paths.inside(file.path) for file in written)])


def _missing_folders(places: Iterable[str]) -> list[str]:
    missing: set[str] = set()
    for place in places:
        folder = os.path.dirname(place)
        while folder not in missing and not os.path.isdir(folder):
            missing.add(folder)
            folder = os.path.dirname(folder)
    return sorted(missing)


def _remove(obsolete: Iterable[AppliedFile], profile: Profile, paths: Paths) -> dict[str, Fault]:
    """Why files could not be removed, by their paths of the image."""
    # A folder that stands for the name in a set goes with its file, if nothing else is in it.
    folders_of_sets = {spec.name for spec in profile.files if "*" in os.path.dirname(spec.path)}
    faults: dict[str, Fault] = {}
    for file in obsolete:
        place = paths.inside(file.path)
        folder = os.path.dirname(place)
        try:
            if not files.remove(place):
                continue
            if file.name in folders_of_sets:
                try:
                    os.rmdir(folder)
                except OSError:
                    pass
                else:
                    folder = os.path.dirname(folder)
            files.sync_folder(folder)
        except HostError as error:
            faults[file.path] = error.faults[0]
    return faults


def _file_outcomes(
    made: Iterable[RenderedFile],
    differing: Iterable[RenderedFile],
    orphans: Orphans,
    faults: Mapping[str, Fault],
) -> tuple[FileOutcome, ...]:
    written = {file.path for file in differing}
    found = (
        *(FileOutcome(file.spec.name, file.path, "written" if file.path in written else "unchanged") for file in made),
        *(FileOutcome(file.name, file.path, "removed") for file in orphans.obsolete),
        *(FileOutcome(file.name, file.path, "left") for file in orphans.left),
    )
    return tuple(
        file
        if (fault := faults.get(file.path)) is None
        else file._replace(outcome="failed", detail=fault.what, fix=fault.fix)
        for file in found
    )


def _tell_all(
    profile: Profile,
    paths: Paths,
    changed: Collection[str],
    here: Collection[str],
    keys: Collection[str],
    previous: Applied | None,
) -> tuple[ServiceOutcome, ...]:
    """Tells the services of the files in `changed`, those that failed the last time, and those of `keys` that are
    `here`."""
    failed_before = previous.notes.get("failed_services") if previous else None
    again = set(failed_before) if isinstance(failed_before, list) else set()
    asked = services_of(keys, profile) if keys else set()
    deadline = Deadline(_ALL_COMMANDS_DEADLINE_S)
    concerned = (
        service
        for service in profile.services
        if set(service.files) & set(changed)
        or service.name in again
        or (service.name in asked and set(service.files) & set(here))
    )
    return tuple(
        _tell(service, paths, deadline)
        for service in concerned
        if service.consumer is None or os.path.exists(paths.inside(service.consumer))
    )


def _tell(service: ServiceSpec, paths: Paths, deadline: Deadline) -> ServiceOutcome:
    if not paths.is_machine:
        return ServiceOutcome(service.name, "skipped", "this root is not the running machine's")
    for argv in service.commands:
        try:
            ended = process.run(
                process.Command(argv, deadline.bounded(_COMMAND_DEADLINE_S), environment=process.ENVIRONMENT)
            )
        except OSError as error:
            return ServiceOutcome(service.name, "failed", f"{argv[0]} cannot be started: {error.strerror}")
        if ended.status != 0:
            words = ended.stderr.decode("utf-8", "replace").strip().splitlines()
            detail = f"{' '.join(argv)}: {ended.explain()}" + (f": {words[-1]}" if words else "")
            return ServiceOutcome(service.name, "failed", detail)
    return ServiceOutcome(service.name, "done", "")
