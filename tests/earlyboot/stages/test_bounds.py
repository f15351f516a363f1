"""What is accepted can be applied, and whatever is accepted leaves a verdict."""

from __future__ import annotations

import json

import pytest

from earlyboot.api.core import Request
from earlyboot.api.problem import Problem
from earlyboot.api.service import Service
from earlyboot.api.writer import Peer
from earlyboot.cli.explain import _lines
from earlyboot.config.options import Options
from earlyboot.config.paths import TEMPLATES
from earlyboot.model.secrets import redact
from earlyboot.render import templates
from earlyboot.stages.status import DEGRADED
from hostkit import toml
from hostkit.errors import Fault, HostError, Where
from tests.earlyboot.stages.machine import NOTHING, Machine, first_boot

PEER = Peer(0, 0, 1)


def test_ten_thousand_containers_still_leave_a_verdict(machine: Machine) -> None:
    names = "".join(f'c{number} = {{ source = "x", mode = "once" }}\n' for number in range(6000))
    machine.give(f"[settings.bootstrap-containers]\n{names}".encode())
    first_boot(machine)
    verdict = machine.verdict()
    faults = verdict["faults"]
    assert isinstance(faults, list)
    assert (verdict["verdict"], len(faults)) == (DEGRADED, 101)
    assert faults[-1]["what"].startswith("and 5,900 more ")
    assert machine.earlyboot("status", "--wait", "--timeout", "1").status == 0


@pytest.mark.parametrize("server", ["a;b", "file:///etc", "http://a!b", "http://%61"])
def test_a_time_server_that_chrony_cannot_be_told_is_refused_with_its_line(machine: Machine, server: str) -> None:
    machine.give(f'[settings.ntp]\ntime-servers = ["{server}"]\n'.encode())
    boot = machine.boot()
    assert boot.settings.status == 2
    assert "where: ec2-imds:2 [settings.ntp.time-servers]" in boot.settings.stderr
    assert (machine.known().live, machine.known().phases) == (NOTHING.live, NOTHING.phases)
    machine.give(b'[settings.ntp]\ntime-servers = ["ntp.example"]\n')
    first_boot(machine)


def test_settings_that_no_file_can_hold_are_not_committed(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing that the model accepts is known to be so; a template that fails stands in for it.
    def refuse(renderer: templates.Renderer, template: str, form: str, reads: object) -> bytes:
        raise HostError(Fault("template", f"{template} cannot hold this", Where(), "write something else"))

    monkeypatch.setattr(templates.Renderer, "render", refuse)
    service = Service(machine.paths, "ec2", Options())
    try:
        service.endpoints["patch_settings"](Request({"tx": "t"}, PEER, {"motd": "x"}))
        with pytest.raises(Problem) as refused:
            service.endpoints["commit_tx"](Request({"tx": "t", "identity": "m"}, PEER))
    finally:
        service.close()
    assert (refused.value.status, refused.value.faults[0].what) == (400, f"{TEMPLATES}/motd.j2 cannot hold this")
    assert (machine.known().live, machine.known().phases) == ({}, {})


def test_a_transaction_has_a_size(machine: Machine) -> None:
    service = Service(machine.paths, "ec2", Options())
    patch = service.endpoints["patch_settings"]
    statuses = []
    try:
        for number in range(6):
            try:
                patch(Request({"tx": "t", "origin": str(number)}, PEER, {"motd": "x" * 1_900_000}))
                statuses.append(204)
            except Problem as problem:
                statuses.append(problem.status)
    finally:
        service.close()
    assert statuses == [204, 204, 204, 204, 413, 413]


@pytest.mark.parametrize("origin", ["\x1b[31mred", "a\nb", "x" * 4097])
def test_an_origin_is_a_line_of_printable_text(machine: Machine, origin: str) -> None:
    service = Service(machine.paths, "ec2", Options())
    try:
        with pytest.raises(Problem, match="origin is not 1 to 4096 printable characters"):
            service.endpoints["patch_settings"](Request({"origin": origin}, PEER, {"motd": "x"}))
    finally:
        service.close()


def test_what_is_shown_steers_no_terminal_and_holds_no_password() -> None:
    shown = _lines(
        {
            "key": "settings.motd",
            "value": "\x9b31m",
            "set_by": [{"generation": 1, "origin": "\x1b[31mfile", "value": "\u202e", "won": True}],
        }
    )
    assert all(line.isprintable() for line in shown)
    commands = {
        "settings.bootstrap-commands.a.commands": [["apiclient", "set", "network.https-proxy=http://u:PW@h:1/"]]
    }
    assert redact(commands) == {
        "settings.bootstrap-commands.a.commands": [["apiclient", "set", "network.https-proxy=http://REDACTED@h:1/"]]
    }


def test_a_value_in_the_place_of_a_key_is_not_repeated(machine: Machine) -> None:
    secret = "http://user:s3cret-pw@proxy.example:3128"
    machine.give(f'[settings.network]\n"{secret}" = 1\n'.encode())
    boot = machine.boot()
    assert boot.settings.status == 2
    everything = (
        boot.settings.stderr + boot.finish.stderr + json.dumps(machine.status()) + json.dumps(machine.verdict())
    )
    assert "s3cret-pw" not in everything
    assert "ec2-imds:2" in everything
    assert toml.dotted(("settings", secret)) == 'settings."…"'
