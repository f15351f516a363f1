"""What an apply left behind, so that a later boot sees from a few stats whether anything differs."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from earlyboot.config.paths import PROFILES, TEMPLATES, Paths
from hostkit import files
from hostkit.errors import HostError

FILE_LIMIT_BYTES = 4 << 20


class AppliedFile(NamedTuple):
    """A file as it was left: a stat that still agrees spares reading it, else the hash decides. `path` is the image's."""

    path: str
    name: str
    sha256: str
    size: int
    mtime_ns: int
    ctime_ns: int
    mode: int


class Applied(NamedTuple):
    """The last apply: of which generation, by which program and configuration (`digest`), with which notes."""

    generation: int
    digest: str
    notes: Mapping[str, object]
    files: tuple[AppliedFile, ...]


def observe(name: str, path: str, sha256: str, mode: int, paths: Paths) -> AppliedFile:
    """The record of a file that was just written or found to be right."""
    found = os.stat(paths.inside(path))
    return AppliedFile(path, name, sha256, found.st_size, found.st_mtime_ns, found.st_ctime_ns, mode)


def has_changed(record: AppliedFile, paths: Paths) -> bool:
    """Whether a file is missing or is not what the record says; read only where its stat differs from the recorded."""
    path = paths.inside(record.path)
    try:
        found = os.stat(path)
    except OSError:
        return True
    if stat.S_IMODE(found.st_mode) != record.mode or found.st_size != record.size:
        return True
    if (found.st_mtime_ns, found.st_ctime_ns) == (record.mtime_ns, record.ctime_ns):
        return False
    try:
        data = files.read(path, FILE_LIMIT_BYTES)
    except HostError:
        return True
    return data is None or hashlib.sha256(data).hexdigest() != record.sha256


def digest(paths: Paths, profile_name: str | None = None) -> str:
    """One hash over all that decides how settings become files: templates and the code around them, profiles, the
    image builder's choices.

    `profile_name` is given where the server was told to use another profile than the configured one.
    """
    result = hashlib.sha256((profile_name or "").encode())
    program = (*_tree(PROFILES), *_tree(TEMPLATES), *_tree(os.path.dirname(TEMPLATES)))
    for path in (*program, paths.options, *_tree(paths.options_folder)):
        data = files.read(path, FILE_LIMIT_BYTES)
        if data is not None:
            result.update(f"{os.path.basename(path)} {len(data)}\n".encode())
            result.update(data)
    return result.hexdigest()


def _tree(folder: str) -> Iterator[str]:
    try:
        names = sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    yield from (os.path.join(folder, name) for name in names if name.endswith((".toml", ".j2", ".py")))
