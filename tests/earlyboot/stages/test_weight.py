"""What the processes of a boot import, start and connect to: counted, with no clock. Boot time is the product."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from earlyboot.config.paths import APPLICATION
from earlyboot.simulate import activation
from tests.earlyboot.stages.machine import DEFAULTS, SETTINGS, Ended, Machine, requests_of_a_first_boot, run

# Runs before everything else in each interpreter of the observed environment, and tells at its end what happened in it.
OBSERVER = """
import atexit, os, sys
_seen = {"started": [], "connected": []}
def _hook(event, arguments):
    if event == "subprocess.Popen":
        _seen["started"].append([str(word) for word in arguments[1]])
    elif event in ("os.posix_spawn", "os.exec", "os.fork", "os.system"):
        _seen["started"].append([event])
    elif event == "socket.connect":
        _seen["connected"].append(str(arguments[1]))
def _tell():
    modules = sorted(sys.modules)
    import json
    with open(os.path.join("LOG", str(os.getpid())), "w") as log:
        json.dump({"argv": sys.orig_argv, "modules": modules, **_seen}, log)
sys.addaudithook(_hook)
atexit.register(_tell)
"""
HEAVY = {"asyncio", "cryptography", "jinja2", "msgspec", "pyroute2", "requests", "urllib3", "waitress"}
NEVER_LATER = {"argparse", "dataclasses", "http.client", "subprocess", "threading", "tomli"}


class Process(NamedTuple):
    """One interpreter that ended."""

    argv: list[str]
    modules: set[str]
    started: list[list[str]]
    connected: list[str]


class Observed:
    """An environment with the same packages, whose interpreters tell what they did."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "log"
        self.log.mkdir()
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
        (packages,) = (folder / "venv/lib").glob("python*/site-packages")
        (packages / "observer.py").write_text(OBSERVER.replace("LOG", str(self.log)))
        (packages / "observer.pth").write_text("import observer\n")
        (packages / "packages.pth").write_text(sysconfig.get_path("purelib") + "\n")
        self.program = (str(folder / "venv/bin/python"), "-I", f"{APPLICATION}/bin/earlyboot")

    def clear(self) -> None:
        for file in self.log.iterdir():
            file.unlink()

    def ended(self) -> list[Process]:
        found = [json.loads(file.read_text()) for file in self.log.iterdir()]
        return [Process(one["argv"], set(one["modules"]), one["started"], one["connected"]) for one in found]

    def earlyboot(self, machine: Machine, *arguments: str) -> Ended:
        return run([*self.program, "--root", str(machine.root), *arguments])


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Observed:
    return Observed(tmp_path_factory.mktemp("observed"))


@pytest.fixture
def observed(environment: Observed, monkeypatch: pytest.MonkeyPatch) -> Iterator[Observed]:
    environment.clear()
    monkeypatch.setattr(activation, "PROGRAM", environment.program)
    yield environment
    environment.clear()


def only(observed: Observed) -> Process:
    (process,) = observed.ended()
    return process


def test_a_first_boot_is_three_processes_and_two_sessions_of_the_metadata_service(
    machine: Machine, observed: Observed
) -> None:
    with machine.powered_on() as api:
        assert observed.earlyboot(machine, "stage", "settings").status == 0
        assert machine.known().phases == {machine.identity: "applied"}
    processes = {" ".join(process.argv): process for process in observed.ended()}
    assert len(processes) == 3
    (stage,) = (process for words, process in processes.items() if words.endswith(" stage settings"))
    (provider,) = (process for words, process in processes.items() if " provider ec2-imds " in words)
    (server,) = (process for words, process in processes.items() if " serve " in words)
    assert stage.started == [provider.argv]
    assert (provider.started, server.started) == ([], [])
    assert api.started == 1
    # The generators run in the stage itself, and share one connection.
    (metadata,) = [peer for peer in stage.connected if peer != machine.paths.socket]
    assert [metadata] == provider.connected
    assert server.connected == []
    assert sorted(machine.requests) == requests_of_a_first_boot("placement/region", "public-keys/")
    assert not provider.modules & {"jinja2", "msgspec", "sqlite3", "waitress"}
    assert not stage.modules & HEAVY


def test_a_later_boot_is_two_processes_that_connect_to_nothing(configured: Machine, observed: Observed) -> None:
    with configured.powered_on() as api:
        assert observed.earlyboot(configured, "stage", "settings").status == 0
        settings = only(observed)
        observed.clear()
        assert observed.earlyboot(configured, "stage", "finish").status == 0
        finish = only(observed)
        assert api.started == 0
    for process in (settings, finish):
        assert (process.started, process.connected) == ([], [])
        assert not process.modules & HEAVY
        assert "earlyboot.stages.run" in process.modules  # the list is of what was really imported
    assert not settings.modules & NEVER_LATER
    assert configured.verdict()["verdict"] == "configured"


def test_status_imports_nothing_heavy(configured: Machine, observed: Observed) -> None:
    assert observed.earlyboot(configured, "status").status == 12
    process = only(observed)
    assert process.started == []
    assert "earlyboot.cli.status" in process.modules
    assert not process.modules & (HEAVY | {"sqlite3", "subprocess", "http.client"})


@pytest.mark.parametrize("data", [None, SETTINGS], ids=["absent", "data"])
def test_a_local_source_imports_nothing_heavy(machine: Machine, observed: Observed, data: bytes | None) -> None:
    path = machine.root / DEFAULTS
    if data is not None:
        machine.put(DEFAULTS, data)
    ended = observed.earlyboot(machine, "provider", "local-file", "--path", str(path))
    assert (ended.status, bool(ended.stdout)) == (0, data is not None)
    process = only(observed)
    assert (process.started, process.connected) == ([], [])
    assert "providers.local" in process.modules
    assert not process.modules & (HEAVY | {"http.client", "sqlite3", "subprocess", "tomli"})
