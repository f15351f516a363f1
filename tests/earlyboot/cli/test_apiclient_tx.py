"""`apiclient unset`, `tx`, `reboot`, the verb that is left out, and what a terminal sees."""

from __future__ import annotations

import json
import os
import pty
import subprocess

import pytest

from tests.earlyboot.stages.machine import APICLIENT, PATIENCE_S, Ended, Machine

DONE = Ended(0, "", "")


def on_a_terminal(machine: Machine, *arguments: str) -> str:
    """What a program says that has a terminal of 80 columns as its standard output."""
    ours, theirs = pty.openpty()
    argv = [*APICLIENT, "-s", machine.paths.socket, *arguments]
    environment = {**os.environ, "COLUMNS": "80"}
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=theirs, env=environment) as child:
        os.close(theirs)
        said = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            said += piece
        assert child.wait(PATIENCE_S) == 0
    os.close(ours)
    return said.decode().replace("\r\n", "\n")


def test_unset_takes_a_key_and_all_below_it_away(powered: Machine) -> None:
    assert powered.apiclient("set", "kernel.sysctl.a=1", "kernel.modules.loop.autoload=true") == DONE
    generation = powered.known().generation
    assert powered.apiclient("unset", "kernel.sysctl", "motd") == DONE
    known = powered.known()
    assert known.generation == generation + 1
    assert [key for key in known.live if key.startswith(("settings.kernel", "settings.motd"))] == [
        "settings.kernel.modules.loop.autoload"
    ]
    assert not (powered.root / "etc/sysctl.d/90-earlyboot.conf").exists()
    # What is not set need not be taken away.
    stays = "oci-defaults.capabilities.chown"
    assert powered.apiclient("unset", "motd", "boot.kernel", stays) == Ended(
        0,
        "",
        f"motd is not set\nboot.kernel is not set\n{stays} is a default of the profile: it can be set, not unset\n",
    )
    assert powered.known().generation == generation + 1
    for key, error in (
        ("nope", "settings.nope is not a group of settings here\n"),
        ("kernel.sysctl.vm.x", "settings.kernel.sysctl.vm.x is not a known key\n"),
    ):
        ended = powered.apiclient("unset", key)
        assert (ended.status, ended.stdout) == (2, "")
        assert ended.stderr.startswith(f"error: {error}")
    ended = powered.apiclient("unset", "a..b")
    assert (ended.status, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error: the key 'a..b' has an empty segment\n")
    assert powered.known().pending == 0


def test_pending_transactions_are_listed_shown_deleted_and_committed(powered: Machine) -> None:
    assert powered.apiclient("tx", "list") == Ended(0, "", "")
    assert powered.apiclient("tx", "list", "--format", "json") == Ended(0, "[]\n", "")
    for name in ("a", "b"):
        assert powered.apiclient("raw", "-m", "PATCH", "-u", f"/settings?tx={name}", "-d", '{"motd": "new"}') == DONE
    assert powered.apiclient("tx", "list").stdout == "a\nb\n"
    shown = json.loads(powered.apiclient("tx", "show", "a").stdout)
    assert shown["settings"] == {"motd": "new"}
    assert powered.apiclient("tx", "delete", "a") == DONE
    assert (
        powered.apiclient("tx", "commit", "b", "--format", "text").stdout == "changed settings.motd\nwrote /etc/motd\n"
    )
    assert (powered.root / "etc/motd").read_bytes() == b"new\n"
    assert powered.apiclient("tx", "list").stdout == ""
    ended = powered.apiclient("tx", "commit", "b")
    assert (ended.status, ended.stdout) == (5, "")
    assert ended.stderr == (
        "error: nothing is pending in the transaction 'b'\n"
        "  fix:   see: apiclient tx list; to change settings at once: apiclient set motd=hello\n"
    )


def test_a_key_is_unset_by_its_other_name_too(powered: Machine) -> None:
    assert powered.apiclient("set", 'boot.kernel={"quiet": []}').status == 0
    assert "settings.boot.kernel-parameters.quiet" in powered.known().live
    assert powered.apiclient("unset", "boot.kernel.quiet").status == 0
    assert "settings.boot.kernel-parameters.quiet" not in powered.known().live


def test_two_transactions_that_change_the_same_key_end_with_one_refused(powered: Machine) -> None:
    for name, value in (("a", "first"), ("b", "second")):
        body = json.dumps({"motd": value})
        assert powered.apiclient("raw", "-m", "PATCH", "-u", f"/settings?tx={name}", "-d", body) == DONE
    assert powered.apiclient("tx", "commit", "a").status == 0
    ended = powered.apiclient("tx", "commit", "b")
    assert (ended.status, ended.stdout) == (5, "")
    assert "settings.motd" in ended.stderr
    assert ended.stderr.endswith("  fix:   look at the settings, then: apiclient tx delete b, and begin again\n")
    assert powered.known().live["settings.motd"][0] == "first"


def test_without_a_verb_it_is_raw(powered: Machine) -> None:
    pending = powered.apiclient("raw", "-u", "/tx/list")
    assert pending.status == 0
    assert powered.apiclient("-u", "/tx/list") == pending
    assert powered.apiclient("-m", "GET", "--uri", "/tx/list") == pending
    assert powered.apiclient("--uri=/tx/list") == pending


def test_reboot_is_refused_where_the_root_is_not_the_machine(powered: Machine) -> None:
    ended = powered.apiclient("reboot")
    assert (ended.status, ended.stdout) == (5, "")
    assert ended.stderr.startswith("error: ")


@pytest.mark.parametrize(
    "arguments", [["get", "settings.network"], ["set", "motd=terminal"], ["tx", "list"], ["unset", "motd"]]
)
def test_nothing_a_setting_holds_can_steer_a_terminal(powered: Machine, arguments: list[str]) -> None:
    assert powered.apiclient("set", "network.no-proxy=" + json.dumps(["a\tb"])).status == 0
    said = on_a_terminal(powered, *arguments)
    assert "\x1b" not in said
    assert "\t" not in said


def test_a_terminal_sees_a_table_and_a_pipe_json(powered: Machine) -> None:
    assert powered.apiclient("unset", "network.no-proxy") == DONE
    assert on_a_terminal(powered, "get", "settings.network") == (
        'settings.network.hostname     "node-1"\nsettings.network.https-proxy  "http://proxy.example:3128"\n'
    )
    assert json.loads(on_a_terminal(powered, "get", "settings.network", "--format", "json"))["settings"]["network"]
    assert on_a_terminal(powered, "get", "nothing") == "nothing is set\n"
    assert on_a_terminal(powered, "set", "motd=seen") == "changed settings.motd\nwrote /etc/motd\n"
