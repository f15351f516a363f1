"""Files: bounded reads, and writes that are whole whatever fails and whenever the process is killed."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hostkit import files
from hostkit.errors import HostError
from hostkit.files import NewFile

# The system calls that a write is made of.
STEPS = ("open", "write", "fchmod", "fsync", "close", "rename", "unlink", "mkdir", "chmod")


class FaultyOs:
    """The `os` module as `hostkit.files` sees it; `before` is called with the number of each step and its name."""

    def __init__(self, before: Callable[[int, str], None]) -> None:
        self._before = before
        self.steps = 0

    def __getattr__(self, name: str) -> object:
        real = getattr(os, name)
        if name not in STEPS:
            return real

        def step(*arguments: object, **options: object) -> object:
            self.steps += 1
            if name == "close":
                real(*arguments)  # a close that fails has closed, close(2)
            self._before(self.steps, name)
            return None if name == "close" else real(*arguments, **options)

        return step


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def text(what: str, path: object, fix: str) -> str:
    return f"error: {what}\n  where: {path}\n  fix:   {fix}"


OTHER_FIX = "look at the path and at the file system below it"


@pytest.mark.parametrize("size", [0, 1, 99, 100])
def test_a_file_within_the_limit_is_read_whole(tmp_path: Path, size: int) -> None:
    (tmp_path / "f").write_bytes(b"x" * size)
    assert files.read(str(tmp_path / "f"), 100) == b"x" * size


@pytest.mark.parametrize("size", [101, 100_000])
def test_a_file_over_the_limit_is_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"x" * size)
    with pytest.raises(HostError) as caught:
        files.read(str(path), 100)
    assert str(caught.value) == text(f"{path} is larger than 100 bytes", path, "make the file smaller")


def test_a_file_without_an_end_is_read_to_the_limit_only() -> None:
    descriptor = os.open("/dev/zero", os.O_RDONLY)
    try:
        with pytest.raises(HostError, match="/dev/zero is larger than 1,000 bytes"):
            files.read_descriptor(descriptor, "/dev/zero", 1000)
    finally:
        os.close(descriptor)


def test_no_file_and_no_folder_are_absent(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    assert files.read(str(tmp_path / "no"), 1) is None
    assert files.read(str(tmp_path / "f" / "below"), 1) is None


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir])
def test_what_is_no_file_is_refused_and_holds_nobody(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "f"
    make(path)
    with pytest.raises(HostError) as caught:
        files.read(str(path), 1)
    assert str(caught.value) == text(f"{path} is not a regular file", path, "put a file there")


def test_a_socket_in_the_place_of_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "f"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        with pytest.raises(HostError) as caught:
            files.read(str(path), 1)
    assert str(caught.value) == text(f"{path} cannot be opened: No such device or address", path, OTHER_FIX)


def test_reading_leaves_nothing_open(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    (tmp_path / "f").write_text("too long")
    os.mkfifo(tmp_path / "fifo")
    for name in ("f", "fifo", "no", "."):
        try:
            files.read(str(tmp_path / name), 3)
        except HostError:
            pass
    assert os.listdir("/proc/self/fd") == before


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o400, 0o000])
def test_a_file_has_its_mode_and_never_had_more(tmp_path: Path, mode: int, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[int] = set()

    def look(number: int, name: str) -> None:
        seen.update(entry.stat().st_mode & 0o7777 for entry in tmp_path.iterdir())

    monkeypatch.setattr(files, "os", FaultyOs(look))
    files.write(str(tmp_path / "f"), b"secret", mode)
    assert (tmp_path / "f").stat().st_mode & 0o7777 == mode
    assert seen == {0o600, mode}


def test_missing_folders_are_made_with_their_mode_whatever_the_umask(tmp_path: Path) -> None:
    os.umask(0o077)
    files.write(str(tmp_path / "a/b/f"), b"x", 0o644)
    files.make_folder(str(tmp_path / "c/d"), 0o700)
    modes = {name: (tmp_path / name).stat().st_mode & 0o7777 for name in ("a", "a/b", "a/b/f", "c", "c/d")}
    assert modes == {"a": 0o755, "a/b": 0o755, "a/b/f": 0o644, "c": 0o755, "c/d": 0o700}


def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(0o711)
    files.make_folder(str(tmp_path / "a"), 0o755)
    assert (tmp_path / "a").stat().st_mode & 0o7777 == 0o711


def test_a_link_is_replaced_and_its_target_untouched(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("theirs")
    (tmp_path / "f").symlink_to("target")
    files.write(str(tmp_path / "f"), b"ours", 0o644)
    assert not (tmp_path / "f").is_symlink()
    assert [(tmp_path / name).read_text() for name in ("f", "target")] == ["ours", "theirs"]


@pytest.mark.parametrize("leftover", ["file", "link"])
def test_what_a_killed_write_left_behind_is_replaced(tmp_path: Path, leftover: str) -> None:
    temporary = tmp_path / ".f.earlyboot-new"
    (tmp_path / "victim").write_text("theirs")
    if leftover == "file":
        temporary.write_text("a much longer leftover of an earlier try")
    else:
        temporary.symlink_to("victim")
    files.write(str(tmp_path / "f"), b"ours", 0o644)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["f", "victim"]
    assert [(tmp_path / name).read_text() for name in ("f", "victim")] == ["ours", "theirs"]


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, bytes(data)[:7]))
    files.write(str(tmp_path / "f"), bytes(range(256)), 0o644)
    monkeypatch.undo()
    assert (tmp_path / "f").read_bytes() == bytes(range(256))


def old_files(folder: Path) -> list[NewFile]:
    """Two files with old contents, and the three new ones that shall replace them and stand beside them."""
    for name in ("a", "b"):
        (folder / name).write_text("old")
        (folder / name).chmod(0o640)
    return [NewFile(str(folder / name), f"new {name}".encode(), 0o600) for name in ("a", "b", "made/c")]


def state(folder: Path) -> list[tuple[str, int] | None]:
    found: list[tuple[str, int] | None] = []
    for name in ("a", "b", "made/c"):
        path = folder / name
        found.append((path.read_text(), path.stat().st_mode & 0o777) if path.exists() else None)
    return found


OLD = [("old", 0o640), ("old", 0o640), None]
NEW = [("new a", 0o600), ("new b", 0o600), ("new made/c", 0o600)]


def leftovers(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob(".*"))


def steps_of_a_write(folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    counter = FaultyOs(lambda number, name: None)
    monkeypatch.setattr(files, "os", counter)
    files.write_all(old_files(folder))
    monkeypatch.undo()
    assert state(folder) == NEW
    return counter.steps


def test_whichever_step_fails_no_file_is_half_and_nothing_is_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "count").mkdir()
    count = steps_of_a_write(tmp_path / "count", monkeypatch)
    assert count >= 20
    for failing in range(1, count + 1):
        folder = tmp_path / str(failing)
        folder.mkdir()
        names: list[str] = []

        def fail(number: int, name: str, failing: int = failing, names: list[str] = names) -> None:
            names.append(name)
            if number == failing:
                raise OSError(errno.EIO, "Input/output error")

        new = old_files(folder)
        open_before = os.listdir("/proc/self/fd")
        monkeypatch.setattr(files, "os", FaultyOs(fail))
        with pytest.raises(HostError) as caught:
            files.write_all(new)
        monkeypatch.undo()
        (fault,) = caught.value.faults
        places = {file.path for file in new} | {str(folder), str(folder / "made")}
        assert fault.where.source in places, names[failing - 1]
        assert fault.what.endswith(": Input/output error")
        found = state(folder)
        # A failure before the first rename changes nothing; after it every file is still old or new.
        expected = list(zip(OLD, NEW, strict=True)) if "rename" in names[: failing - 1] else [(old,) for old in OLD]
        assert all(file in allowed for file, allowed in zip(found, expected, strict=True)), names[failing - 1]
        assert leftovers(folder) == []
        assert os.listdir("/proc/self/fd") == open_before


KILLED = """
import os, signal, sys
from hostkit import files
left, folder = int(sys.argv[1]), sys.argv[2]
class MortalOs:
    def __getattr__(self, name):
        global left
        left -= name in sys.argv[3:]
        if name in sys.argv[3:] and left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return getattr(os, name)
files.os = MortalOs()
files.write_all([files.NewFile(f"{folder}/{name}", f"new {name}".encode(), 0o600) for name in ("a", "b", "made/c")])
"""


def test_a_kill_between_any_two_steps_leaves_whole_files_and_the_next_try_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "count").mkdir()
    count = steps_of_a_write(tmp_path / "count", monkeypatch)
    repository = Path(files.__file__).parents[1]
    seen = set()
    for killing in range(1, count + 1):
        folder = tmp_path / str(killing)
        folder.mkdir()
        new = old_files(folder)
        argv = [sys.executable, "-c", KILLED, str(killing), str(folder), *STEPS]
        ended = subprocess.run(argv, check=False, cwd=repository)
        assert ended.returncode == -signal.SIGKILL
        found = state(folder)
        assert all(file in allowed for file, allowed in zip(found, zip(OLD, NEW, strict=True), strict=True))
        seen.add(found.count(None) + sum(file == ("old", 0o640) for file in found))
        files.write_all(new)
        assert state(folder) == NEW
        assert leftovers(folder) == []
    assert seen == {0, 1, 2, 3}  # killed before, between and after the renames


@pytest.mark.parametrize(
    ("error", "fix"),
    [
        (errno.EROFS, "mount the file system writable before earlyboot runs, or give the path to a writable one"),
        (errno.ENOSPC, "free space on this file system"),
        (errno.EACCES, "run as root"),
        (errno.EPERM, "run as root"),
        (errno.EIO, OTHER_FIX),
    ],
)
def test_a_refusal_of_the_host_names_the_file_and_the_fix(
    tmp_path: Path, error: int, fix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(number: int, name: str) -> None:
        raise OSError(error, os.strerror(error))

    path = str(tmp_path / "f")
    monkeypatch.setattr(files, "os", FaultyOs(fail))
    with pytest.raises(HostError) as caught:
        files.write(path, b"x", 0o644)
    monkeypatch.undo()
    assert str(caught.value) == text(f"{path} cannot be written: {os.strerror(error)}", path, fix)


def test_a_mount_point_in_the_place_of_the_file_is_named_with_its_fix() -> None:
    error = files.refused("cannot be replaced", "/etc/hosts", OSError(errno.EBUSY, "Device or resource busy"))
    fix = "something is mounted on this path; unmount it, or leave the settings that feed the file unset"
    assert str(error) == text("/etc/hosts cannot be replaced: Device or resource busy", "/etc/hosts", fix)


def in_namespace(script: str) -> subprocess.CompletedProcess[str]:
    """Runs a shell script whose mounts nobody else sees."""
    if os.geteuid() or subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode:
        pytest.skip("needs root, to mount")
    command = ["unshare", "--mount", "sh", "-e", "-c", script]
    return subprocess.run(command, check=False, capture_output=True, text=True)


WRITE = "import sys; from hostkit import files; files.write(sys.argv[1], b'x', 0o644)"


def test_a_read_only_file_system_is_named_for_the_file_and_not_for_its_temporary(tmp_path: Path) -> None:
    repository = Path(files.__file__).parents[1]
    ended = in_namespace(
        f'mount -t tmpfs -o ro none {tmp_path}; cd {repository}; exec {sys.executable} -c "{WRITE}" {tmp_path}/f'
    )
    assert f"error: {tmp_path}/f cannot be written: Read-only file system" in ended.stderr
    assert f"where: {tmp_path}/f\n" in ended.stderr


def test_a_folder_in_the_place_of_the_file_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "f"
    (path / "inside").mkdir(parents=True)
    for write in (files.write, files.write_volatile):
        with pytest.raises(HostError) as caught:
            write(str(path), b"x", 0o644)
        assert str(caught.value) == text(f"{path} cannot be replaced: Is a directory", path, OTHER_FIX)
    assert leftovers(tmp_path) == []
    assert (path / "inside").is_dir()


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    path = tmp_path / "f" / "below"
    with pytest.raises(HostError) as caught:
        files.write(str(path), b"x", 0o644)
    assert str(caught.value) == text(f"{path} cannot be written: Not a directory", path, OTHER_FIX)


def test_a_volatile_file_is_replaced_at_once(tmp_path: Path) -> None:
    files.write_volatile(str(tmp_path / "run/status"), b"1")
    files.write_volatile(str(tmp_path / "run/status"), b"2")
    assert (tmp_path / "run/status").read_text() == "2"
    assert (tmp_path / "run/status").stat().st_mode & 0o777 == 0o644
    assert leftovers(tmp_path) == []


def test_removing_says_whether_there_was_something(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.touch()
    assert files.remove(str(path))
    assert not files.remove(str(path))
    path.mkdir()
    with pytest.raises(HostError) as caught:
        files.remove(str(path))
    assert str(caught.value) == text(f"{path} cannot be removed: Is a directory", path, OTHER_FIX)


def test_a_folder_that_is_gone_cannot_be_synced(tmp_path: Path) -> None:
    path = tmp_path / "gone"
    with pytest.raises(HostError) as caught:
        files.sync_folder(str(path))
    assert str(caught.value) == text(f"{path} cannot be synced: No such file or directory", path, OTHER_FIX)
