"""Machines below a folder of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.earlyboot.stages.machine import SETTINGS, Machine, first_boot


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """An EC2 instance that was never booted, with `SETTINGS` as its user data."""
    with Machine(tmp_path / "root") as made:
        yield made


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine after its first boot; for copies."""
    with Machine(tmp_path_factory.mktemp("original") / "root", SETTINGS) as made:
        first_boot(made)
        yield made


@pytest.fixture
def configured(tmp_path: Path, original: Machine) -> Iterator[Machine]:
    """A machine that was configured in an earlier boot."""
    with Machine(tmp_path / "root", copy_of=original) as made:
        yield made


@pytest.fixture(scope="module")
def powered(tmp_path_factory: pytest.TempPathFactory, original: Machine) -> Iterator[Machine]:
    """A configured machine that is on: its API answers. One for all tests of a module."""
    with Machine(tmp_path_factory.mktemp("powered") / "root", copy_of=original) as made, made.powered_on(600):
        yield made
