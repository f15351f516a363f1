"""systemd as a manager of units: commands as they are, and a fake systemctl where the machine has no manager."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hostkit import systemd
from hostkit.errors import HostError
from hostkit.systemd import UnitResult


def test_a_transient_unit_is_one_command_with_its_properties() -> None:
    properties = {"DynamicUser": "yes", "CapabilityBoundingSet": "", "Description": "a source"}
    assert systemd.transient_unit("x.service", properties, ["program", "--flag", "a b"]) == [
        "systemd-run",
        "--quiet",
        "--wait",
        "--collect",
        "--pipe",
        "--no-ask-password",
        "--unit=x.service",
        "--property=DynamicUser=yes",
        "--property=CapabilityBoundingSet=",
        "--property=Description=a source",
        "--",
        "program",
        "--flag",
        "a b",
    ]


FakeSystemctl = Callable[[str], Path]


@pytest.fixture
def fake_systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSystemctl:
    """Makes a systemctl that writes its arguments to the returned file, then runs a line of shell."""

    def make(line: str) -> Path:
        calls = tmp_path / "calls"
        program = tmp_path / "systemctl"
        program.write_text(f'#!/bin/sh\necho "$@" >> {calls}\n{line}\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        return calls

    return make


def test_the_results_of_several_units_come_from_one_command(fake_systemctl: FakeSystemctl) -> None:
    calls = fake_systemctl(
        "printf 'ExecMainStatus=9\\nResult=signal\\nActiveState=failed\\nId=a.service\\n\\n"
        "Result=success\\nActiveState=inactive\\nId=b.target\\n'"
    )
    assert systemd.unit_results(["a.service", "b.target"]) == {
        "a.service": UnitResult("failed", "signal", "9"),
        "b.target": UnitResult("inactive", "success", ""),
    }
    assert calls.read_text() == "show --property=Id,ActiveState,Result,ExecMainStatus -- a.service b.target\n"


def test_a_manager_that_cannot_be_asked_is_an_error_with_its_own_words(fake_systemctl: FakeSystemctl) -> None:
    fake_systemctl("echo 'Failed to connect to bus: No such file or directory' >&2; exit 1")
    with pytest.raises(HostError) as caught:
        systemd.unit_results(["a.service"])
    assert str(caught.value) == (
        "error: systemctl show --property=Id,ActiveState,Result,ExecMainStatus -- a.service: exit status 1:"
        " Failed to connect to bus: No such file or directory\n"
        "  fix:   run the command by hand to see more"
    )


def test_an_image_without_systemctl_is_told_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostError) as caught:
        systemd.unit_results(["a.service"])
    assert str(caught.value) == (
        "error: systemctl cannot be started: No such file or directory\n  fix:   install systemctl on the image"
    )


def test_what_would_wait_for_this_very_stage_is_not_waited_for(fake_systemctl: FakeSystemctl) -> None:
    calls = fake_systemctl("exit 5")
    systemd.start_emergency()
    assert calls.read_text() == "--no-block start emergency.target\n"
