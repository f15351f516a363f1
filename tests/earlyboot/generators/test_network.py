"""The address of a Kubernetes node: waited for on a machine, and only there."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from earlyboot.config.paths import Paths
from earlyboot.generators.network import node_ip, primary_address
from hostkit import address
from hostkit.errors import HostError
from tests.earlyboot.generators.asking import question, spec


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    noted: list[float] = []
    monkeypatch.setattr(time, "sleep", noted.append)
    return noted


def arrives_after(looks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[str | None] = [None] * looks
    monkeypatch.setattr(address, "primary", lambda: answers.pop() if answers else "192.0.2.10")


def test_the_primary_address_is_the_node_s(monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> None:
    arrives_after(0, monkeypatch)
    assert node_ip(question("/")) == "192.0.2.10"
    assert pauses == []


def test_a_network_that_comes_up_is_waited_for(monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> None:
    arrives_after(5, monkeypatch)
    assert node_ip(question("/")) == "192.0.2.10"
    assert pauses == [0.05] * 5


def test_one_that_does_not_is_a_fault_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    arrives_after(1000, monkeypatch)
    with pytest.raises(HostError) as caught:
        node_ip(question("/", spec(deadline_s=0.2), deadline_s=0.2))
    assert str(caught.value) == (
        "error: the network gave this machine no address within 0.2 s\n"
        "  fix:   see why: `networkctl status`, `ip route get 198.41.0.4`; or set settings.kubernetes.node-ip"
    )


def test_an_offline_machine_has_what_is_there(monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> None:
    arrives_after(1, monkeypatch)
    assert node_ip(question("/", offline=True)) is None
    assert node_ip(question("/", offline=True)) == "192.0.2.10"
    assert pauses == []


def test_a_root_that_is_no_machine_s_has_none_and_waits_for_none(tmp_path: Path, pauses: list[float]) -> None:
    assert primary_address(Paths(str(tmp_path))) is None
    assert node_ip(question(tmp_path)) is None
    assert pauses == []
