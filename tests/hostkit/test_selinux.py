"""SELinux labels, with a restorecon and a selinuxfs of the tests' own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from hostkit import selinux

PATHS = ["/etc/motd", "/etc/a b\nc", "/etc/é"]


@pytest.fixture
def selinuxfs(tmp_path: Path) -> str:
    (tmp_path / "selinux").mkdir()
    (tmp_path / "selinux/enforce").write_text("1")
    return str(tmp_path / "selinux")


def program(folder: Path, body: str) -> str:
    path = folder / "restorecon"
    path.write_text(f"#!{sys.executable}\nimport sys, os\n{body}\n")
    path.chmod(0o755)
    return str(path)


def test_all_paths_go_to_one_restorecon(tmp_path: Path, selinuxfs: str) -> None:
    body = f"open({str(tmp_path / 'seen')!r}, 'ab').write(repr((sys.argv[1:], sys.stdin.buffer.read())).encode())"
    assert selinux.restore(PATHS, selinuxfs, program(tmp_path, body)) is None
    listed = b"".join(os.fsencode(path) + b"\0" for path in PATHS)
    assert (tmp_path / "seen").read_text() == repr((["-0", "-f", "-"], listed))


def test_a_list_longer_than_any_argument_list_arrives_whole(tmp_path: Path, selinuxfs: str) -> None:
    paths = [f"/etc/{'x' * 200}/{number}" for number in range(20_000)]
    body = f"open({str(tmp_path / 'seen')!r}, 'w').write(str(len(sys.stdin.buffer.read().split(b'\\0'))))"
    assert selinux.restore(paths, selinuxfs, program(tmp_path, body)) is None
    assert (tmp_path / "seen").read_text() == "20001"


def test_without_selinux_nothing_is_started(tmp_path: Path) -> None:
    assert selinux.restore(PATHS, str(tmp_path / "none"), "/no/such/program") is None


def test_without_paths_nothing_is_started(selinuxfs: str) -> None:
    assert selinux.restore([], selinuxfs, "/no/such/program") is None


def test_an_image_without_restorecon_is_told_of(selinuxfs: str) -> None:
    assert selinux.restore(PATHS, selinuxfs, "/no/restorecon") == (
        "/no/restorecon cannot be started: No such file or directory; 3 files keep the label of their folder"
    )


@pytest.mark.parametrize(
    ("body", "note"),
    [
        ("print('one\\nthe reason', file=sys.stderr); sys.exit(1)", "exit status 1: the reason"),
        ("sys.exit(255)", "exit status 255"),
        ("os.kill(os.getpid(), 9)", "killed by SIGKILL"),
        ("import time; time.sleep(1000)", "no end within 0.5 s"),
    ],
)
def test_why_labels_could_not_be_restored_is_said(
    tmp_path: Path, selinuxfs: str, body: str, note: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selinux, "_DEADLINE_S", 0.5)
    restorecon = program(tmp_path, body)
    assert selinux.restore(PATHS, selinuxfs, restorecon) == f"{restorecon}: {note}"
