"""The store and the server of a test, and a server that the tests of a module share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from earlyboot.api.writer import Store
from tests.earlyboot.api.serving import Server


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "lib/settings.db")


@pytest.fixture
def store(path: str) -> Iterator[Store]:
    opened = Store(path)
    yield opened
    opened.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path / "root") as running:
        yield running


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """For requests that change nothing."""
    with Server(tmp_path_factory.mktemp("shared") / "root") as running:
        yield running
