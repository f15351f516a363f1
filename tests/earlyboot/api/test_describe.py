"""What the API tells about services, files and generators; the machine's phases and its reboot."""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path

import pytest

from earlyboot.api.machine import REBOOT, reboot
from earlyboot.config import profile as profiles
from earlyboot.config.paths import Paths
from hostkit.errors import HostError
from tests.earlyboot.api.serving import Server, fault, problem

PROFILE = profiles.load("metal", Paths("/nonexistent"))


def test_the_services_of_a_key_are_those_whose_files_it_feeds(shared_server: Server) -> None:
    asked = "settings.ntp,ntp.time-servers,settings.ntp.time-servers.x,settings.motd,network.hostname"
    assert shared_server.call("affected_services", keys=asked) == {
        "settings.ntp": ["chrony"],
        "settings.ntp.time-servers": ["chrony"],
        "settings.ntp.time-servers.x": ["chrony"],
        "settings.motd": [],
        "settings.network.hostname": ["hostname"],
    }


def test_the_templates_of_a_key_are_the_files_that_it_feeds(shared_server: Server) -> None:
    assert shared_server.call("templates", keys="settings.ntp,motd") == {
        "settings.ntp": ["chrony-sources", "chrony-conf"],
        "settings.motd": ["motd"],
    }


def test_generators_are_told_with_what_they_run(tmp_path: Path) -> None:
    folder = tmp_path / "root/etc/earlyboot/profiles.d"
    folder.mkdir(parents=True)
    (folder / "50-own.toml").write_text(
        '[generators.own]\nkey = "settings.motd"\ncommand = ["/usr/bin/say", "two words"]\nstrength = "weak"\n'
        '[generators.strong]\nkey = "settings.network.no-proxy"\ncommand = ["/usr/bin/x"]\n'
    )
    with Server(tmp_path / "root") as server:
        strong = server.call("setting_generators")
        every = server.call("setting_generators_v2")
    assert isinstance(strong, dict)
    assert isinstance(every, dict)
    builtin = {spec.key: spec for spec in PROFILE.generators}
    assert builtin
    assert strong == {
        **{key: f"earlyboot:{spec.name}" for key, spec in builtin.items() if spec.strength == "strong"},
        "settings.network.no-proxy": "/usr/bin/x",
    }
    assert every.keys() == {*builtin, "settings.motd", "settings.network.no-proxy"}
    assert every["settings.motd"] == {"command": "/usr/bin/say 'two words'", "strength": "weak", "depth": 0}
    assert shlex.split(every["settings.motd"]["command"]) == ["/usr/bin/say", "two words"]


def test_services_and_files_are_found_by_name_and_by_the_beginning_of_a_name(shared_server: Server) -> None:
    services = shared_server.call("get_services")
    assert isinstance(services, dict)
    assert set(services) == {spec.name for spec in PROFILE.services}
    assert shared_server.call("get_services", names="chrony,hostname") == {
        name: services[name] for name in ("chrony", "hostname")
    }
    assert shared_server.call("get_services", prefix="chr") == {"chrony": services["chrony"]}
    assert shared_server.call("get_services", prefix="none") == {}
    files = shared_server.call("get_configuration_files")
    assert isinstance(files, dict)
    assert set(files) == {spec.name for spec in PROFILE.files}
    for spec in PROFILE.files:
        made_by = {"template-path": spec.template} if spec.template else {"renderer": spec.renderer}
        assert files[spec.name] == {"path": spec.path, "mode": f"{spec.mode:04o}", **made_by}
    assert shared_server.call("get_configuration_files", names="motd", prefix="x") == {"motd": files["motd"]}


@pytest.mark.parametrize(
    ("target", "what", "fix"),
    [
        ("/services?names=chrony,a,b", "there is no service '{}'", "GET /services lists all"),
        (
            "/configuration-files?names=motd,a,b",
            "there is no configuration file '{}'",
            "GET /configuration-files lists all",
        ),
    ],
)
def test_every_name_that_is_none_is_not_found(shared_server: Server, target: str, what: str, fix: str) -> None:
    answer = shared_server.ask("GET", target)
    expected = [fault("no-such-name", what.format(name), fix) for name in ("a", "b")]
    assert (answer.status, answer.json()) == (404, problem(404, "Not found", *expected))


def test_the_keys_of_an_apply_have_their_services_told(server: Server) -> None:
    server.call("patch_settings", {"network": {"hostname": "a"}})
    server.call("commit_tx")
    for keys, told in ((None, ["hostname"]), (None, []), ("network.hostname", ["hostname"]), ("settings.motd", [])):
        report = server.call("apply", keys=keys)
        assert isinstance(report, dict)
        assert [service["name"] for service in report["services"]] == told


# ---- rebooting


def test_a_root_that_is_not_the_machines_is_not_rebooted(shared_server: Server) -> None:
    expected = fault(
        "not-this-machine", "this root is not the running machine's", "ask the API of the machine to reboot"
    )
    answer = shared_server.ask("POST", "/actions/reboot")
    assert (answer.status, answer.json()) == (409, problem(409, "Conflict", expected))


def fake_systemctl(folder: Path, script: str) -> str:
    path = folder / "systemctl"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(stat.S_IRWXU)
    return str(path)


def test_the_machine_is_rebooted_by_systemd_which_asks_who_inhibits_it(tmp_path: Path) -> None:
    assert REBOOT == ("systemctl", "reboot", "--check-inhibitors=yes")
    program = fake_systemctl(tmp_path, f'echo "$@" > {tmp_path}/called')
    reboot((program, *REBOOT[1:]))
    assert (tmp_path / "called").read_text() == "reboot --check-inhibitors=yes\n"


def test_who_inhibits_a_reboot_is_named(tmp_path: Path) -> None:
    program = fake_systemctl(tmp_path, 'echo \'Operation inhibited by "x" (PID 1 "y")\' >&2; exit 1')
    with pytest.raises(HostError) as caught:
        reboot((program, "reboot"))
    assert str(caught.value) == (
        f'error: the machine does not reboot: {program} reboot: exit status 1: Operation inhibited by "x" (PID 1 "y")\n'
        "  fix:   look at: systemd-inhibit --list"
    )


def test_a_machine_without_systemctl_says_so(tmp_path: Path) -> None:
    missing = os.path.join(tmp_path, "systemctl")
    with pytest.raises(HostError) as caught:
        reboot((missing,))
    assert str(caught.value) == (
        f"error: {missing} cannot be started: No such file or directory\n  fix:   reboot it by other means"
    )
