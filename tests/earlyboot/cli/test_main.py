"""What every verb has in common: usage, the form of errors, readers that go away, bugs."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from earlyboot.cli.main import main
from earlyboot.config.paths import PROGRAM, Paths
from earlyboot.stages import finish, settings
from earlyboot.stages import status as statuses
from earlyboot.stages.run import run_stage
from earlyboot.stages.timeline import report_text
from tests.earlyboot.stages.machine import APICLIENT, PATIENCE_S, Machine, run


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ([], "the following arguments are required: VERB\n  fix:   see: earlyboot --help\n"),
        (["explain"], "the following arguments are required: KEY\n  fix:   see: earlyboot explain --help\n"),
        (["status", "x"], "unrecognized arguments: x\n  fix:   see: earlyboot --help\n"),
        (["stage", "no-such"], "argument stage: invalid choice: 'no-such'"),
        (["--root", "/nonexistent", "stage", "no-such"], "argument stage: invalid choice: 'no-such'"),
        (["stat"], "argument VERB: invalid choice: 'stat'"),
        *(
            (
                ["status", "--timeout", seconds],
                "argument --timeout: seconds are a number, more than 0 and at most 86400\n  fix:   see: earlyboot status ",
            )
            for seconds in ("0", "-1", "nan", "inf", "soon", "86401")
        ),
        (["provider", "no-such"], "there is no provider 'no-such'\n  fix:   use one of local-defaults, local-file, "),
    ],
    ids=str,
)
def test_a_command_line_that_is_wrong_is_the_operator_s(arguments: list[str], error: str) -> None:
    ended = run([*PROGRAM, *arguments])
    assert (ended.status, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"error: {error}")


def test_the_client_s_command_line_is_no_exception() -> None:
    ended = run([*APICLIENT, "raw"])
    assert (ended.status, ended.stdout) == (2, "")
    assert ended.stderr == (
        "error: the following arguments are required: -u/--uri\n  fix:   see: apiclient raw --help\n"
    )


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_and_version_are_no_errors(argument: str) -> None:
    ended = run([*PROGRAM, argument])
    assert (ended.status, ended.stderr) == (0, "")
    assert "earlyboot" in ended.stdout


def test_a_provider_s_errors_stay_off_its_data_channel_in_json_too(tmp_path: Path) -> None:
    path = tmp_path / "user-data"
    path.write_bytes(b"\xff")
    ended = run([*PROGRAM, "provider", "local-file", "--path", str(path), "--format", "json"])
    assert (ended.status, ended.stdout) == (3, "")
    assert '"code": "user-data-not-utf8"' in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(["--help"], 0), (["status"], 12), (["status", "--format", "json"], 12), (["explain", "settings"], 0)],
    ids=str,
)
def test_a_reader_that_goes_away_is_no_bug_and_does_not_change_the_verdict(
    configured: Machine, arguments: list[str], status: int
) -> None:
    argv = [*PROGRAM, "--root", str(configured.root), *arguments]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.close()
        assert child.stderr is not None
        assert child.stderr.read() == b""
        assert child.wait(PATIENCE_S) == status


def test_a_reader_that_takes_one_line_of_many_sees_no_traceback(configured: Machine) -> None:
    with configured.powered_on():
        keys = ", ".join(f'"key{number}": "{"x" * 500}"' for number in range(500))
        document = f'{{"settings": {{"kernel": {{"sysctl": {{{keys}}}}}}}}}'
        assert configured.apiclient("apply", stdin=document.encode()).status == 0
    argv = [*PROGRAM, "--root", str(configured.root), "explain", "kernel"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b'settings.kernel.sysctl."vm.swappiness" = "10"\n'
        child.stdout.close()
        assert child.stderr is not None
        assert child.stderr.read() == b""
        assert child.wait(PATIENCE_S) == 0


def test_a_bug_keeps_its_traceback(tmp_path: Path) -> None:
    # No program of ours writes such a verdict.
    statuses.write_verdict(Paths(str(tmp_path)), {"faults": []}, {})
    ended = run([*PROGRAM, "--root", str(tmp_path), "status"])
    assert (ended.status, ended.stdout) == (1, "")
    assert ended.stderr.startswith("Traceback (most recent call last):\n")
    assert ended.stderr.endswith("KeyError: 'verdict'\n")


def _buggy(*_: object) -> None:
    raise LookupError("nobody expected it")


def _status(tmp_path: Path) -> Mapping[str, object]:
    return statuses.read_stage(Paths(str(tmp_path)), "settings") or {}


def test_a_bug_in_a_stage_is_in_its_status_and_in_the_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(settings, "run", _buggy)
    assert main("earlyboot", ["--root", str(tmp_path), "stage", "settings"]) == 1
    said = capfd.readouterr().err
    assert said.startswith("Traceback (most recent call last):\n")
    assert said.endswith("LookupError: nobody expected it\n")
    assert (_status(tmp_path)["outcome"], _status(tmp_path)["exit_status"]) == ("failed", 1)
    assert main("earlyboot", ["--root", str(tmp_path), "stage", "finish"]) == 0
    assert main("earlyboot", ["--root", str(tmp_path), "status"]) == 10
    assert capfd.readouterr().out.endswith(
        "error: earlyboot has a bug: LookupError\n"
        "  fix:   report it with the log: journalctl -b -u earlyboot-settings\n"
    )


def test_a_bug_in_finish_does_not_leave_everybody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(finish, "run", _buggy)
    assert run_stage("finish", Paths(str(tmp_path)), report_text) == 1
    assert capfd.readouterr().err.endswith("LookupError: nobody expected it\n")
    verdict = statuses.read_verdict(Paths(str(tmp_path)))
    assert verdict is not None
    assert verdict["verdict"] == "failed"
