"""Where everything is."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from earlyboot.config.paths import APPLICATION, PROFILE_NAMES, PROFILES, PROGRAM, TEMPLATES, Paths

EVERYTHING = {
    "state": "/var/lib/earlyboot",
    "store": "/var/lib/earlyboot/settings.db",
    "run": "/run/earlyboot",
    "socket": "/run/earlyboot/api.sock",
    "status_folder": "/run/earlyboot/status.d",
    "verdict": "/run/earlyboot/status.json",
    "timeline": "/run/earlyboot/timeline.json",
    "options": "/etc/earlyboot/earlyboot.toml",
    "options_folder": "/etc/earlyboot/earlyboot.toml.d",
}


@pytest.mark.parametrize(("root", "prefix"), [("/", ""), ("/a", "/a"), ("/a/", "/a"), ("/a/../b", "/b")])
def test_everything_lies_below_the_root(root: str, prefix: str) -> None:
    paths = Paths(root)
    assert {name: getattr(paths, name) for name in EVERYTHING} == {
        name: prefix + path for name, path in EVERYTHING.items()
    }


def test_only_the_root_itself_is_the_machine() -> None:
    assert [Paths(root).is_machine for root in ("/", "/a", "/../", "/a/..")] == [True, False, True, True]


def test_a_relative_root_is_taken_from_where_we_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Paths("x").root == str(tmp_path / "x")


def test_the_store_moves_with_the_state_and_nothing_else_does() -> None:
    moved = {name: getattr(Paths("/a", "/b"), name) for name in EVERYTHING}
    assert moved == {name: f"/a{path}" for name, path in EVERYTHING.items()} | {
        "state": "/b",
        "store": "/b/settings.db",
    }


@pytest.mark.parametrize("root", ["/", "/a/b"])
def test_inside_and_outside_are_inverse(root: str) -> None:
    paths = Paths(root)
    assert paths.outside(paths.inside("/etc/motd")) == "/etc/motd"
    assert paths.inside("/etc/motd") == os.path.join(root, "etc/motd")


def test_the_program_starts_isolated_and_its_data_is_there() -> None:
    assert "-I" in PROGRAM
    shown = subprocess.run([*PROGRAM, "--version"], check=True, capture_output=True, text=True, cwd="/")
    assert shown.stdout.startswith("earlyboot ")
    data = {"files", "generators.toml", *(f"{name}.toml" for name in PROFILE_NAMES)}
    assert data <= set(os.listdir(PROFILES))
    assert PROFILES.startswith(APPLICATION)
    assert TEMPLATES.startswith(APPLICATION)
