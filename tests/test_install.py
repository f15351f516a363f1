"""`make install` into a root: what it lays down, twice, and what it refuses."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from earlyboot.config.paths import APPLICATION

VERSION = f"3.{sys.version_info.minor}"


def install(root: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [f"{APPLICATION}/tools/install"],
        env={**os.environ, "DESTDIR": str(root), "PIP": str(Path(sys.executable).with_name("pip")), **environment},
        umask=0o077,
        capture_output=True,
        text=True,
        check=False,
    )


def tree(root: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(root)): (stat.S_IMODE(path.stat().st_mode), path.read_bytes())
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.name.endswith((".pyc", "-"))
    }


def test_a_root_is_laid_down_readable_and_twice_the_same(tmp_path: Path) -> None:
    root = tmp_path / "image"
    for _ in range(2):
        done = install(root, PYTHON_VERSION=VERSION, ENABLE="no")
        assert done.returncode == 0, done.stderr
        assert "not compiled" in done.stderr
    first = tree(root)
    units = {"earlyboot-api.socket", "earlyboot-settings.service", "earlyboot-configured.target"}
    assert {f"usr/lib/systemd/system/{unit}" for unit in units} <= first.keys()
    assert os.readlink(root / "usr/bin/earlyboot") == "../lib/earlyboot/bin/earlyboot"
    assert [path for path in first if "test" in path.split("/")] == []
    assert [
        path for path, (mode, _) in first.items() if path.startswith("usr/lib/earlyboot") and mode & 0o044 != 0o044
    ] == []
    command = [sys.executable, "-I", "-S", str(root / "usr/lib/earlyboot/bin/earlyboot"), "validate", "/dev/null"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Traceback" not in ended.stderr
    install(root, PYTHON_VERSION=VERSION, ENABLE="no")
    assert tree(root) == first


@pytest.mark.parametrize("version", ["3", "3.9", "2.7"])
def test_a_python_that_cannot_run_it_is_refused_before_anything_is_laid_down(tmp_path: Path, version: str) -> None:
    done = install(tmp_path, PYTHON_VERSION=version)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == (
        f"error: {tmp_path}/usr/bin/python3 is not Python 3.11 to 3.13\n"
        "  fix:   install one in the image, or name its version: make install PYTHON_VERSION=3.13\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_the_version_is_read_through_links_within_the_image(tmp_path: Path) -> None:
    for link, target in (
        ("usr/bin/python3", "/etc/alternatives/python3"),
        ("etc/alternatives/python3", "/usr/bin/python3.9"),
    ):
        (tmp_path / link).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / link).symlink_to(target)
    assert "is not Python 3.11 to 3.13" in install(tmp_path).stderr
    (tmp_path / "etc/alternatives/python3").unlink()
    (tmp_path / "etc/alternatives/python3").symlink_to(f"/usr/bin/python{VERSION}")
    assert install(tmp_path, ENABLE="no").returncode == 0
