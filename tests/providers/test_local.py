"""User data in local files: real files, and everything else that can stand in their place."""

from __future__ import annotations

import errno
import gzip
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from hostkit.errors import SourceError
from providers.contract import Document, Request
from providers.local import read

TEXT = "[settings]\nmotd = 'x'\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "user-data.toml"


def report(path: Path) -> tuple[str, str]:
    with pytest.raises(SourceError) as caught:
        read(Request(path=str(path), limit_bytes=1000))
    return caught.value.faults[0].code, str(caught.value)


def text(path: Path, what: str, fix: str) -> str:
    return f"error: {what}\n  where: {path}\n  fix:   {fix}"


@pytest.mark.parametrize("content", [TEXT.encode(), gzip.compress(TEXT.encode())])
def test_a_file_is_read_and_its_path_is_the_origin(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert read(Request(path=str(path))) == Document(str(path), TEXT)


def test_no_file_and_no_folder_are_absent(path: Path) -> None:
    assert read(Request(path=str(path))) is None
    assert read(Request(path=str(path / "below"))) is None


@pytest.mark.parametrize("content", [b"", b"\n \t\r\n", gzip.compress(b"")])
def test_a_file_with_nothing_in_it_is_absent(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert read(Request(path=str(path))) is None


def test_an_open_file_is_read_instead_of_the_path_and_stays_open(path: Path) -> None:
    path.write_text(TEXT)
    descriptor = os.open(path, os.O_RDONLY)
    path.unlink()
    try:
        assert read(Request(path=str(path), stdin_fd=descriptor)) == Document(str(path), TEXT)
        os.fstat(descriptor)
    finally:
        os.close(descriptor)


def test_an_open_file_is_checked_as_well(path: Path) -> None:
    reader, writer = os.pipe()
    try:
        with pytest.raises(SourceError) as caught:
            read(Request(path=str(path), stdin_fd=reader))
    finally:
        os.close(reader)
        os.close(writer)
    assert str(caught.value) == text(path, "this is not a regular file", "put a regular file there, or nothing")


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, make_socket])
def test_what_is_no_regular_file_is_refused_without_waiting(path: Path, make: Callable[[Path], None]) -> None:
    make(path)
    assert report(path) == (
        "local-not-a-file",
        text(path, "this is not a regular file", "put a regular file there, or nothing"),
    )


@pytest.mark.parametrize("target_exists", [True, False])
def test_a_symbolic_link_is_refused_and_never_absent(path: Path, *, target_exists: bool) -> None:
    target = path.with_name("target")
    if target_exists:
        target.write_text(TEXT)
    path.symlink_to(target)
    assert report(path) == (
        "local-symlink",
        text(path, "the file is a symbolic link, and links are not followed", "put the file itself there"),
    )


def test_a_file_that_everybody_may_write_to_is_refused(path: Path) -> None:
    path.write_text(TEXT)
    path.chmod(0o646)
    assert report(path) == (
        "local-untrusted",
        text(
            path,
            "every user may write to the file: others could have written it",
            f"look at what it holds, then `chmod o-w {path}`",
        ),
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a file away")
def test_a_file_of_another_user_is_refused(path: Path) -> None:
    path.write_text(TEXT)
    os.chown(path, 65534, -1)
    assert report(path) == (
        "local-untrusted",
        text(
            path,
            "the file belongs to user 65534: others could have written it",
            f"look at what it holds, then `chown root:root {path}`",
        ),
    )


def test_a_file_of_the_caller_is_trusted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text(TEXT)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid)
    assert read(Request(path=str(path))) is not None


@pytest.mark.parametrize("error", [errno.EACCES, errno.EIO, errno.ENOTDIR])
def test_a_file_that_cannot_be_opened_is_broken_and_not_absent(
    path: Path, error: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "open", fail)
    assert report(path) == (
        "local-unreadable",
        text(
            path,
            f"the file cannot be opened: {os.strerror(error)}",
            f"see who may read it, and its folders: `namei -l {path}`",
        ),
    )


def test_a_disk_that_fails_while_reading_is_broken(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    path.write_text(TEXT)
    monkeypatch.setattr(os, "read", fail)
    assert report(path) == (
        "local-unreadable",
        text(path, "reading the file failed: Input/output error", "see the kernel's log: `dmesg`"),
    )


@pytest.mark.parametrize(("size", "fits"), [(1000, True), (1001, False), (10_000_000, False)])
def test_reading_stops_at_the_limit(path: Path, size: int, *, fits: bool) -> None:
    with path.open("wb") as file:
        file.write(b"#")
        file.seek(size - 1)
        file.write(b"#")
    if fits:
        path.write_bytes(b"#" * size)
        assert read(Request(path=str(path), limit_bytes=1000)) == Document(str(path), "#" * size)
    else:
        assert report(path) == (
            "user-data-too-large",
            text(
                path,
                "the user data is larger than 1000 bytes",
                "make it smaller; large files belong into a bootstrap container",
            ),
        )


def test_a_broken_file_names_its_line(path: Path) -> None:
    path.write_bytes(b"[settings]\nmotd = '\xe9'\n")
    code, said = report(path)
    assert code == "user-data-not-utf8"
    assert said == text(
        Path(f"{path}:2"), "the user data is not UTF-8, at byte 19", "save it as UTF-8; binary values belong in base64"
    )


def test_no_descriptor_is_left_open(path: Path) -> None:
    path.write_bytes(b"\xff")
    before = len(os.listdir("/proc/self/fd"))
    report(path)
    path.unlink()
    os.mkfifo(path)
    report(path)
    assert len(os.listdir("/proc/self/fd")) == before
