"""What an apply left behind: when a later boot sees a difference, and what makes it render again."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from earlyboot.config.paths import PROFILES, TEMPLATES, Paths
from earlyboot.config.profile import FileSpec
from earlyboot.render import record
from earlyboot.render.record import AppliedFile, digest, has_changed, observe
from hostkit import files

DATA = b"content\n"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(str(tmp_path / "root"))


@pytest.fixture
def file(paths: Paths) -> Path:
    files.write(paths.inside("/etc/f"), DATA, 0o640)
    return Path(paths.inside("/etc/f"))


@pytest.fixture
def recorded(paths: Paths, file: Path) -> AppliedFile:
    spec = FileSpec("f", "/etc/*", ("settings.motd",), 0o640, owned=True)
    return observe(spec, "/etc/f", hashlib.sha256(DATA).hexdigest(), paths)


def test_the_record_holds_what_the_disk_says(file: Path, recorded: AppliedFile) -> None:
    found = file.stat()
    assert recorded == AppliedFile(
        path="/etc/f",
        name="f",
        sha256=hashlib.sha256(DATA).hexdigest(),
        size=len(DATA),
        mtime_ns=found.st_mtime_ns,
        ctime_ns=found.st_ctime_ns,
        mode=0o640,
        owned=True,
    )


def rewrite(path: Path, data: bytes, *, keep_times: bool = False) -> None:
    before = path.stat()
    path.write_bytes(data)
    if keep_times:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink()
    make(path)


@pytest.mark.parametrize(
    ("happened", "changed"),
    [
        (lambda path: None, False),
        (lambda path: os.utime(path, (0, 0)), False),  # touched: the hash decides
        (lambda path: rewrite(path, DATA), False),
        (lambda path: rewrite(path, DATA.upper()), True),
        (lambda path: rewrite(path, DATA.upper(), keep_times=True), True),  # the inode's own time gives it away
        (lambda path: rewrite(path, DATA + b"x"), True),
        (lambda path: rewrite(path, b""), True),
        (lambda path: path.chmod(0o644), True),
        (lambda path: path.chmod(0o4640), True),
        (Path.unlink, True),
        (lambda path: replace(path, Path.mkdir), True),
        (lambda path: replace(path, os.mkfifo), True),
        (lambda path: replace(path, lambda place: place.symlink_to("nowhere")), True),
        (lambda path: shutil.rmtree(path.parent), True),
    ],
)
def test_a_difference_is_seen_and_nothing_else(
    paths: Paths, file: Path, recorded: AppliedFile, happened: Callable[[Path], object], changed: bool
) -> None:
    happened(file)
    assert has_changed(recorded, paths) is changed


def test_an_untouched_file_is_not_even_read(
    paths: Paths, recorded: AppliedFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "read", lambda *_: pytest.fail("read"))
    assert not has_changed(recorded, paths)


def test_a_file_too_large_to_be_ours_has_changed(paths: Paths, file: Path, recorded: AppliedFile) -> None:
    with file.open("wb") as opened:
        opened.truncate(record.FILE_LIMIT_BYTES + 1)
    assert has_changed(recorded._replace(size=record.FILE_LIMIT_BYTES + 1, mode=0o640), paths)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of all that is part of the program and decides how settings become files."""
    folder = tmp_path / "program"
    shutil.copytree(PROFILES, folder / "profiles")
    shutil.copytree(os.path.dirname(TEMPLATES), folder / "render", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(record, "PROFILES", str(folder / "profiles"))
    monkeypatch.setattr(record, "TEMPLATES", str(folder / "render/templates"))
    return folder


def test_the_digest_of_the_same_program_and_choices_is_the_same(program: Path, paths: Paths, tmp_path: Path) -> None:
    assert digest(paths) == digest(paths) == digest(Paths(str(tmp_path / "another")))


def options(paths: Paths, text: str, drop_in: str | None = None) -> None:
    files.write(os.path.join(paths.options_folder, drop_in) if drop_in else paths.options, text.encode(), 0o644)


def addition(paths: Paths, name: str) -> None:
    files.write(os.path.join(paths.profiles_folder, name), b"x", 0o644)


def append(path: Path) -> None:
    path.write_text(path.read_text() + "#")


INPUTS: dict[str, Callable[[Path, Paths], object]] = {
    "nothing": lambda program, paths: None,
    "a template": lambda program, paths: append(program / "render/templates/hosts.j2"),
    "a new template": lambda program, paths: (program / "render/templates/new.j2").touch(),
    "a template that went": lambda program, paths: (program / "render/templates/hosts.j2").unlink(),
    "the code around the templates": lambda program, paths: append(program / "render/chrony.py"),
    "a profile": lambda program, paths: append(program / "profiles/ec2.toml"),
    "a list of files": lambda program, paths: append(program / "profiles/files/system.toml"),
    "a list of files more": lambda program, paths: (program / "profiles/files/more.toml").touch(),
    "the generators": lambda program, paths: append(program / "profiles/generators.toml"),
    "a file of the image builder's": lambda program, paths: addition(paths, "10-x.toml"),
    "a schema of the image builder's": lambda program, paths: addition(paths, "schemas/x.json"),
    "a template of the image builder's": lambda program, paths: addition(paths, "x.j2"),
    "a template in a folder of the image builder's": lambda program, paths: addition(paths, "folder/x.j2"),
    "the image": lambda program, paths: files.write(paths.inside("/etc/os-release"), b"BUILD_ID=2\n", 0o644),
    "the options": lambda program, paths: options(paths, "strict = true"),
    "empty options": lambda program, paths: options(paths, ""),
    "other options": lambda program, paths: options(paths, "strict = false"),
    "a drop-in": lambda program, paths: options(paths, "strict = true", "a.toml"),
    "a drop-in of another name": lambda program, paths: options(paths, "strict = true", "b.toml"),
}


def test_every_input_changes_the_digest_in_its_own_way(program: Path, tmp_path: Path) -> None:
    pristine = tmp_path / "pristine"
    shutil.copytree(program, pristine)
    digests = {}
    for number, (name, change) in enumerate(INPUTS.items()):
        shutil.rmtree(program)
        shutil.copytree(pristine, program)
        paths = Paths(str(tmp_path / f"root-{number}"))
        change(program, paths)
        digests[name] = digest(paths)
    paths = Paths(str(tmp_path / "root-0"))
    digests["another profile"] = digest(paths, "ec2")
    digests["yet another profile"] = digest(paths, "metal")
    assert len(set(digests.values())) == len(digests)


def test_what_is_no_input_changes_nothing(program: Path, paths: Paths) -> None:
    before = digest(paths)
    options(paths, "x", "a.toml.disabled")
    addition(paths, "README")
    addition(paths, "x.toml~")
    (program / "profiles/README").touch()
    (program / "render/__pycache__").mkdir()
    os.utime(program / "render/templates/hosts.j2", (0, 0))
    files.write(paths.inside("/etc/motd"), b"x", 0o644)
    assert digest(paths) == before
