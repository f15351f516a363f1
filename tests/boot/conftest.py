"""The fixtures of the boot tests: both suites' roots, worlds and machines, and what a failed test is explained with."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Generator, Iterator, Sequence

import pytest

from tests.boot import overlay, world
from tests.boot.machine import Machine, MakeMachine
from tests.boot.roots import SUITES, Suite, base_root, installed_root
from tests.boot.world import World

TOOLS = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "dnsmasq": "dnsmasq-base",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
}

_open_machines: list[Machine] = []


def why_not() -> str | None:
    """What this machine lacks for booting another one; None when nothing is missing."""
    if os.geteuid() != 0:
        return "booting a real systemd needs root"
    missing = sorted({package for tool, package in TOOLS.items() if shutil.which(tool) is None})
    return f"booting a real systemd needs the Debian packages: {' '.join(missing)}" if missing else None


@pytest.fixture(scope="session")
def able_to_boot() -> None:
    if reason := why_not():
        # Where everything is meant to run, a test that quietly does not is a failure.
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    overlay.sweep()
    world.sweep()


@pytest.fixture(scope="module", params=SUITES, ids=lambda suite: suite.name)
def suite(request: pytest.FixtureRequest, able_to_boot: None) -> Suite:
    """Every test that boots runs once with each."""
    chosen = request.param
    assert isinstance(chosen, Suite)
    return chosen


@pytest.fixture(scope="module")
def base_lowers(suite: Suite) -> tuple[str, ...]:
    """The image without the product."""
    return (base_root(suite),)


@pytest.fixture(scope="module")
def installed_lowers(suite: Suite) -> tuple[str, ...]:
    """The image with the product in it."""
    return installed_root(suite)


@pytest.fixture(scope="module")
def make_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeMachine]:
    """For machines that several tests of a module look at."""
    with _machines(tmp_path_factory) as make:
        yield make


@pytest.fixture
def make_own_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeMachine]:
    """For machines of one test."""
    with _machines(tmp_path_factory) as make:
        yield make


@contextlib.contextmanager
def _machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeMachine]:
    with contextlib.ExitStack() as undo:

        def make(name: str, lowers: Sequence[str]) -> Machine:
            outside = World(str(tmp_path_factory.mktemp(name)))
            undo.callback(outside.close)
            machine = Machine(name, lowers, outside)
            undo.callback(machine.close)
            _open_machines.append(machine)
            undo.callback(_open_machines.remove, machine)
            return machine

        yield make


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed and item.get_closest_marker("boot"):
        for machine in (machine for machine in _open_machines if not machine.closed):
            report.sections.append((f"{machine.name}, boot {machine.boots}", machine.diagnosis()))
    return report
