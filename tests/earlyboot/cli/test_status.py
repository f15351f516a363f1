"""`earlyboot status`: its texts, its JSON and its exit statuses are what other programs rely on."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from earlyboot.config.paths import PROGRAM, Paths
from earlyboot.stages import status as statuses
from hostkit.errors import Fault, Where
from tests.earlyboot.stages.machine import PATIENCE_S, Ended, run

FAULT = Fault("bad", "it is wrong", Where("user-data.toml", 3, 1, "settings.motd"), "mend it")
WARNING = Fault("ignored-table", "'x' is beside [settings] and means nothing", Where("user-data.toml", 9), "delete it")
SETTINGS = {
    "outcome": "finished",
    "started_s": 10.0,
    "finished_s": 10.25,
    "sources": [{"name": "ec2-imds", "outcome": "read", "origin": "ec2-imds"}],
    "files": [
        {"name": "motd", "path": "/etc/motd", "outcome": "written"},
        {"name": "hosts", "path": "/etc/hosts", "outcome": "unchanged"},
    ],
    "notes": {"unused_keys": ["settings.a", "settings.b"]},
    "warnings": [WARNING.json()],
}


def status(root: Path, *arguments: str) -> Ended:
    return run([*PROGRAM, "--root", str(root), "status", *arguments])


def write_verdict(root: Path, verdict: str, *faults: Fault, first_boot: bool | None = True) -> None:
    statuses.write_verdict(
        Paths(str(root)),
        {"verdict": verdict, "first_boot": first_boot, "faults": [fault.json() for fault in faults]},
        {"stages": []},
    )


@pytest.mark.parametrize(
    ("verdict", "plain", "strict"), [("configured", 0, 0), ("degraded", 0, 11), ("failed", 10, 10)]
)
def test_the_exit_status_is_the_verdict(tmp_path: Path, verdict: str, plain: int, strict: int) -> None:
    write_verdict(tmp_path, verdict)
    assert status(tmp_path) == Ended(plain, f"{verdict} (first boot)\n", "")
    assert status(tmp_path, "--strict") == Ended(strict, f"{verdict} (first boot)\n", "")
    assert status(tmp_path, "--wait", "--timeout", "60").status == plain
    assert status(tmp_path, "--wait", "--strict", "--format", "json").status == strict


def test_a_boot_that_has_not_ended_is_not_finished(tmp_path: Path) -> None:
    assert status(tmp_path) == Ended(12, "not finished\n", "")
    statuses.write_stage(Paths(str(tmp_path)), "settings", {"outcome": "running", "started_s": 1.0, "finished_s": None})
    assert status(tmp_path, "--strict") == Ended(12, "not finished\n  settings: running\n", "")
    ended = status(tmp_path, "--format", "json")
    assert (ended.status, json.loads(ended.stdout)["verdict"]) == (12, None)


def test_waiting_ends_without_a_verdict_too(tmp_path: Path) -> None:
    assert status(tmp_path, "--wait", "--timeout", "0.2") == Ended(12, "not finished\n", "")


def test_waiting_ends_with_the_verdict(tmp_path: Path) -> None:
    argv = [*PROGRAM, "--root", str(tmp_path), "status", "--wait"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as child:
        write_verdict(tmp_path, "failed", first_boot=None)
        assert child.communicate(timeout=PATIENCE_S)[0] == b"failed\n"
    assert child.returncode == 10


def test_the_text_says_what_was_done_what_is_ignored_and_what_is_wrong(tmp_path: Path) -> None:
    statuses.write_stage(Paths(str(tmp_path)), "settings", SETTINGS)
    write_verdict(tmp_path, "degraded", FAULT, first_boot=False)
    assert status(tmp_path).stdout == (
        "degraded (configured before)\n"
        "  settings: finished in 0.250 s\n"
        "    source ec2-imds: read\n"
        "    file /etc/motd: written\n"
        "    set, but nothing on this image reads them: settings.a, settings.b\n"
        "warning: 'x' is beside [settings] and means nothing\n"
        "  where: user-data.toml:9\n"
        "  fix:   delete it\n"
        "error: it is wrong\n"
        "  where: user-data.toml:3 [settings.motd]\n"
        "  fix:   mend it\n"
    )


def test_the_json_holds_the_verdict_and_every_stage(tmp_path: Path) -> None:
    statuses.write_stage(Paths(str(tmp_path)), "settings", SETTINGS)
    write_verdict(tmp_path, "failed", FAULT)
    ended = status(tmp_path, "--format", "json")
    assert (ended.status, ended.stderr) == (10, "")
    assert json.loads(ended.stdout) == {
        "verdict": "failed",
        "first_boot": True,
        "faults": [
            {
                "code": "bad",
                "what": "it is wrong",
                "where": {"source": "user-data.toml", "line": 3, "column": 1, "key": "settings.motd"},
                "fix": "mend it",
            }
        ],
        "stages": {"settings": {"stage": "settings", **SETTINGS}},
    }


def test_a_verdict_that_is_damaged_is_none(tmp_path: Path) -> None:
    write_verdict(tmp_path, "configured")
    (tmp_path / "run/earlyboot/status.json").write_text('{"verdict": "conf')
    assert status(tmp_path) == Ended(12, "not finished\n", "")
