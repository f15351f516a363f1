"""First boots that end well: which sources are asked, what is made of their data, what stays as it was."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from earlyboot.api import store
from tests.earlyboot.stages.machine import (
    DEFAULTS,
    DROP_IN,
    FILE,
    METADATA,
    OVERRIDES,
    SOURCE_REQUESTS,
    Machine,
    first_boot,
    requests_of_a_first_boot,
    server_pids,
)
from tests.fakes.imds import FakeImds, Peer, ok

IMAGE = {"etc/motd": b"of the image\n", "etc/hostname": b"image\n", "etc/hosts": b"127.0.0.1 image\n"}
LAYERS = {
    "local-defaults": (DEFAULTS, b'motd = "defaults"\nnetwork.hostname = "defaults"\nkernel.lockdown = "none"\n'),
    "local-file": (FILE, b'motd = "file"\nnetwork.hostname = "file"\n'),
    "ec2-imds": (None, b'motd = "imds"\nnetwork.no-proxy = ["imds"]\n'),
    "local-overrides": (OVERRIDES, b'motd = "overrides"\n'),
}


def pour(machine: Machine, *, compressed: bool = False) -> None:
    """Gives every source its data."""
    for path, body in LAYERS.values():
        data = b"[settings]\n" + body
        data = gzip.compress(data) if compressed else data
        if path is None:
            machine.give(data)
        else:
            machine.put(path, data)


def change_lines(machine: Machine, key: str) -> list[tuple[int, object, str]]:
    reader = store.open_for_reading(machine.paths.store)
    assert reader is not None
    try:
        return [(change.generation, change.value, change.origin) for change in reader.changes(key)]
    finally:
        reader.close()


def outcomes(machine: Machine) -> dict[str, str]:
    rows = machine.status()["sources"]
    assert isinstance(rows, list)
    return {row["name"]: row["outcome"] for row in rows}


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
def test_sources_are_merged_in_order_and_every_value_knows_its_origin(machine: Machine, compressed: bool) -> None:
    pour(machine, compressed=compressed)
    boot = first_boot(machine)
    assert sorted(boot.requests) == requests_of_a_first_boot("placement/region", "public-keys/")
    assert boot.servers_started == 1
    defaults, file, overrides = (str(machine.root / path) for path in (DEFAULTS, FILE, OVERRIDES))
    known = machine.known()
    assert known.live == {
        "settings.kernel.lockdown": ("none", defaults),
        "settings.motd": ("overrides", overrides),
        "settings.network.hostname": ("file", file),
        "settings.network.no-proxy": (["imds"], "ec2-imds"),
    }
    assert known.phases == {machine.identity: "configured"}
    assert (known.generation, known.pending) == (1, 0)
    assert change_lines(machine, "settings.motd") == [
        (1, "defaults", defaults),
        (1, "file", file),
        (1, "imds", "ec2-imds"),
        (1, "overrides", overrides),
    ]
    assert machine.files()["etc/motd"] == (0o644, b"overrides\n")
    assert machine.files()["etc/hostname"] == (0o644, b"file\n")
    assert outcomes(machine) == dict.fromkeys(LAYERS, "read")
    assert machine.verdict()["verdict"] == "configured"
    assert machine.verdict()["first_boot"] is True


@pytest.mark.parametrize("user_data", [None, b" \n\t\n"], ids=["absent", "white space"])
def test_a_machine_without_user_data_is_configured_and_its_image_untouched(
    machine: Machine, user_data: bytes | None
) -> None:
    machine.give(user_data)
    times = {}
    for path, data in IMAGE.items():
        times[path] = machine.put(path, data, 0o604).stat().st_mtime_ns
    before = machine.files()
    boot = first_boot(machine)
    assert sorted(boot.requests) == requests_of_a_first_boot(*METADATA)
    assert machine.files() == before
    assert {path: (machine.root / path).stat().st_mtime_ns for path in IMAGE} == times
    assert machine.status()["files"] == []
    assert outcomes(machine) == dict.fromkeys(LAYERS, "absent")
    known = machine.known()
    assert (known.live, known.phases) == ({}, {machine.identity: "configured"})
    assert machine.verdict()["verdict"] == "configured"


def test_a_document_that_sets_nothing_is_data_and_changes_nothing(machine: Machine) -> None:
    machine.give(b"[settings]\n")
    before = machine.files()
    first_boot(machine)
    assert outcomes(machine)["ec2-imds"] == "read"
    assert (machine.files(), machine.known().live) == (before, {})


def test_an_offline_machine_makes_no_request(machine: Machine) -> None:
    pour(machine)
    machine.put(DROP_IN, b"offline = true\n")
    boot = first_boot(machine)
    assert boot.requests == []
    assert outcomes(machine) == {"local-defaults": "read", "local-file": "read", "local-overrides": "read"}
    assert "settings.network.no-proxy" not in machine.known().live


@pytest.mark.parametrize("name", ["local-file", "ec2-imds"])
def test_a_source_that_is_switched_off_is_not_asked(machine: Machine, name: str) -> None:
    pour(machine)
    machine.put(DROP_IN, f"[providers.{name}]\nenabled = false\n".encode())
    boot = first_boot(machine)
    # Who wants no user data of the metadata service wants nothing else of it either.
    assert boot.requests[:2] == ([] if name == "ec2-imds" else list(SOURCE_REQUESTS))
    assert list(outcomes(machine)) == [other for other in LAYERS if other != name]
    assert len(change_lines(machine, "settings.motd")) == 3


def test_bare_metal_asks_no_service(tmp_path: Path) -> None:
    with Machine(tmp_path / "root", platform="metal") as machine:
        machine.put(FILE, b'[settings]\nmotd = "metal"\n')
        first_boot(machine)
        assert list(outcomes(machine)) == ["local-defaults", "local-file", "local-overrides"]
        assert machine.known().live == {"settings.motd": ("metal", str(machine.root / FILE))}


def test_a_server_that_left_while_a_slow_source_was_read_is_started_again(machine: Machine) -> None:
    def wait_for_the_server_to_leave(peer: Peer) -> bool:
        for present in (True, False):
            while bool(server_pids(machine.root)) is not present and not peer.sleep(0.05):
                pass
        return ok(b'[settings]\nmotd = "late"\n')(peer)

    with FakeImds(wait_for_the_server_to_leave) as slow, machine.powered_on(idle_timeout_s=0.1) as activation:
        machine.put(DROP_IN, f'[providers.ec2-imds]\nendpoint = "{slow.endpoint}"\ndeadline = 100\n'.encode())
        ended = machine.stage("settings")
        assert (ended.status, ended.stderr) == (0, "")
        # Twice at least: with so short a time-out it may also have left between the knock and the first request.
        assert activation.started >= 2
    assert machine.known().live["settings.motd"] == ("late", "ec2-imds")


BOOTSTRAP = """
[settings.bootstrap-commands]
a = { commands = [["apiclient", "set", "motd=x"]], mode = "always" }
b = { commands = [["apiclient", "set", "motd=x"]], mode = "MODE" }
[settings.bootstrap-containers]
c = { source = "registry.example/prepare:1", mode = "MODE" }
d = { source = "registry.example/prepare:1", mode = "always" }
"""


def test_bootstrap_settings_that_ask_to_be_run_degrade_the_boot_and_every_later_one(machine: Machine) -> None:
    machine.give(BOOTSTRAP.replace("MODE", "once").encode())
    first_boot(machine)
    keys = [f"settings.bootstrap-{name}" for name in ("commands.a", "commands.b", "containers.c", "containers.d")]
    faults = [
        {
            "code": "not-run",
            "what": f"{key} was not run: this version stores bootstrap settings and does not run them yet",
            "where": {"source": None, "line": None, "column": None, "key": key},
            "fix": f'set {key}.mode to "off" to accept that',
        }
        for key in keys
    ]
    assert machine.verdict()["verdict"] == "degraded"
    assert machine.verdict()["faults"] == faults
    assert machine.known().phases == {machine.identity: "configured"}
    assert first_boot(machine).servers_started == 0
    assert machine.verdict()["verdict"] == "degraded"
    assert machine.verdict()["faults"] == faults


def test_bootstrap_settings_that_are_off_do_not(machine: Machine) -> None:
    machine.give(
        BOOTSTRAP.replace("MODE", "off").replace("always", "off").replace(', mode = "off" }', " }", 1).encode()
    )
    first_boot(machine)
    assert machine.verdict()["verdict"] == "configured"
    assert machine.verdict()["faults"] == []


def test_keys_that_nothing_on_the_image_reads_are_listed(machine: Machine) -> None:
    machine.give(b'[settings]\nmotd = "x"\nntp.time-servers = ["a.example"]\ndns.name-servers = ["192.0.2.1"]\n')
    for consumer in ("etc/chrony", "usr/lib/systemd/systemd-resolved"):
        (machine.root / consumer).rmdir()
    first_boot(machine)
    notes = machine.status()["notes"]
    assert isinstance(notes, dict)
    assert notes["unused_keys"] == ["settings.dns.name-servers", "settings.ntp.time-servers"]
    assert machine.verdict()["verdict"] == "configured"
    assert not (machine.root / "etc/chrony").exists()
    listed = "    set, but nothing on this image reads them: settings.dns.name-servers, settings.ntp.time-servers\n"
    assert listed in machine.earlyboot("status").stdout


def test_a_table_beside_the_settings_is_a_warning_with_its_line(machine: Machine) -> None:
    machine.give(b'[settings]\nmotd = "x"\n\n[setings.network]\nhostname = "a"\n')
    first_boot(machine)
    assert machine.verdict()["verdict"] == "configured"
    assert machine.status()["warnings"] == [
        {
            "code": "ignored-table",
            "what": "'setings' is beside [settings] and means nothing",
            "where": {"source": "ec2-imds", "line": 4, "column": 2, "key": "setings"},
            "fix": "put it below [settings], or delete it",
        }
    ]
