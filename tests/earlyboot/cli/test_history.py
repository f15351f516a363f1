"""`earlyboot history`, `diff` and `rollback` on a configured machine."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.earlyboot.stages.machine import Ended, Machine


@pytest.fixture
def powered(tmp_path: Path, original: Machine) -> Iterator[Machine]:
    """A configured machine that is on, for one test."""
    with Machine(tmp_path / "root", copy_of=original) as made, made.powered_on():
        yield made


def test_history_lists_every_commit_and_who_made_it(powered: Machine) -> None:
    assert powered.apiclient("set", "motd=second").status == 0
    ended = powered.earlyboot("history")
    assert (ended.status, ended.stderr) == (0, "")
    newest, oldest = ended.stdout.splitlines()
    form = r"{}  \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d UTC  \S+  {} {} keys? changed"
    assert re.fullmatch(form.format(2, r"apiclient-set-[0-9a-f]{16} *", 1), newest)
    assert re.fullmatch(form.format(1, r"earlyboot-launch-[0-9a-f]{8} *", r"\d+"), oldest)
    found = json.loads(powered.earlyboot("history", "--format", "json").stdout)
    assert (found[0]["id"], found[0]["changed"]) == (2, 1)
    assert {"uid", "gid", "pid", "tx", "committed_at"} < found[0].keys()
    assert len(json.loads(powered.earlyboot("history", "--limit", "1", "--format", "json").stdout)) == 1


def test_history_of_a_machine_without_one_is_empty(machine: Machine) -> None:
    assert machine.earlyboot("history") == Ended(0, "nothing was committed yet\n", "")
    assert machine.earlyboot("history", "--format", "json") == Ended(0, "[]\n", "")
    assert machine.earlyboot("diff", "0") == Ended(0, "no difference\n", "")


def test_diff_says_what_changed_and_shows_no_secret(powered: Machine) -> None:
    assert powered.apiclient("set", "motd=second", "network.https-proxy=http://other.example:1").status == 0
    assert powered.apiclient("unset", 'kernel.sysctl."vm.swappiness"').status == 0
    assert powered.earlyboot("diff", "1") == Ended(
        0,
        '- settings.kernel.sysctl."vm.swappiness" = "10"\n'
        '- settings.motd = "hello"\n'
        '+ settings.motd = "second"\n'
        '- settings.network.https-proxy = "REDACTED"\n'
        '+ settings.network.https-proxy = "REDACTED"\n',
        "",
    )
    assert powered.earlyboot("diff", "2", "3").stdout == '- settings.kernel.sysctl."vm.swappiness" = "10"\n'
    assert powered.earlyboot("diff", "3") == Ended(0, "no difference\n", "")
    found = json.loads(powered.earlyboot("diff", "2", "3", "--format", "json").stdout)
    assert found == [{"key": 'settings.kernel.sysctl."vm.swappiness"', "before": "10", "after": None}]


def test_rollback_is_a_new_generation_that_is_applied(powered: Machine) -> None:
    before = powered.known().live
    assert powered.apiclient("set", "motd=second", "kernel.sysctl.extra=1").status == 0
    ended = powered.earlyboot("rollback", "1")
    assert (ended.status, ended.stderr) == (0, "")
    assert "changed settings.motd\n" in ended.stdout
    assert "wrote /etc/motd\n" in ended.stdout
    known = powered.known()
    assert known.generation == 3
    assert {key: value for key, (value, _) in known.live.items()} == {key: value for key, (value, _) in before.items()}
    assert (powered.root / "etc/motd").read_bytes() == b"hello\n"
    assert b"extra" not in (powered.root / "etc/sysctl.d/90-earlyboot.conf").read_bytes()
    ended = powered.earlyboot("rollback", "3")
    assert ended == Ended(0, "", "the settings are those of generation 3 already\n")
    assert powered.known().generation == 3


def test_a_generation_that_is_none_is_refused(powered: Machine) -> None:
    known = powered.known()
    for verb in ("diff", "rollback"):
        ended = powered.earlyboot(verb, "99")
        assert (ended.status, ended.stdout) == (2, "")
        assert ended.stderr.startswith("error: there is no such generation, or it is forgotten\n")
        ended = powered.earlyboot(verb, "-1")
        assert (ended.status, ended.stdout) == (2, "")
        ended = powered.earlyboot(verb, "first")
        assert ended.stderr.startswith("error: argument GENERATION: a generation is a whole number, from 0")
    assert powered.known() == known
