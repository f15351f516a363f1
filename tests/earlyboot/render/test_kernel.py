"""What the kernel is asked through tmpfiles.d, read by systemd's own tool, and what is said when it does not follow."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import tomli

from earlyboot.model.tree import unflatten
from earlyboot.render import remarks
from earlyboot.render.hugepages import Pool, pools
from earlyboot.render.remarks import (
    CONTAINERD_CONFIG,
    CONTAINERD_DROP_IN,
    LOCKDOWN,
    Remarks,
    containerd_remarks,
    lockdown_remarks,
    missing_hugepages,
    remarks_on,
)
from hostkit import files
from tests.earlyboot.render.rendering import rendered, stored

HUGEPAGES = """
[kernel.hugepages.static]
2Mi = { count = "512" }
1Gi = { count = "0:2,1:3" }
[kernel.hugepages.transparent]
enabled = "madvise"
defrag = "defer+madvise"
"""
SYSTEM = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
NODES = [f"/sys/devices/system/node/node{node}/hugepages/hugepages-1048576kB/nr_hugepages" for node in (0, 1)]
REBOOT = "it goes down only with a reboot"
TRANSPARENT = "/sys/kernel/mm/transparent_hugepage"


def test_systemd_tmpfiles_writes_what_the_kernel_should_hear_and_passes_over_what_it_does_not_have(
    tmp_path: Path,
) -> None:
    made = rendered("hugepages", stored(tomli.loads(HUGEPAGES))) | rendered(
        "lockdown", stored(tomli.loads('[kernel]\nlockdown = "integrity"'))
    )
    for path, data in made.items():
        (tmp_path / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path[1:]).write_bytes(data)
    there = {SYSTEM: "512", NODES[0]: "2", f"{TRANSPARENT}/enabled": "madvise", LOCKDOWN: "integrity"}
    for path in there:
        (tmp_path / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path[1:]).touch()
    argv = ["systemd-tmpfiles", "--create", f"--root={tmp_path}", "--prefix=/sys"]
    ended = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert {path: (tmp_path / path[1:]).read_text() for path in there} == there
    assert not (tmp_path / NODES[1][1:]).exists()


def test_larger_pages_come_first() -> None:
    settings = unflatten(stored(tomli.loads(HUGEPAGES)))
    assert list(pools(settings)) == [Pool(NODES[0], 2), Pool(NODES[1], 3), Pool(SYSTEM, 512)]


def reader(contents: dict[str, str]) -> Callable[[str], str | None]:
    return contents.get


@pytest.mark.parametrize(
    ("wanted", "modes", "remark"),
    [
        (None, "none [integrity] confidentiality", None),
        ("integrity", "none [integrity] confidentiality", None),
        ("none", "[none] integrity confidentiality", None),
        ("none", None, None),
        ("integrity", None, "kernel.lockdown is 'integrity', and this kernel has no lockdown"),
        (
            "integrity",
            "none integrity [confidentiality]",
            "kernel.lockdown is 'integrity', and the kernel is at 'confidentiality' already: " + REBOOT,
        ),
        (
            "none",
            "none [integrity] confidentiality",
            "kernel.lockdown is 'none', and the kernel is at 'integrity' already: " + REBOOT,
        ),
        (
            "confidentiality",
            "none [integrity] confidentiality",
            "kernel.lockdown is 'confidentiality', and the kernel stayed at 'integrity'",
        ),
    ],
)
def test_a_lockdown_that_is_not_as_asked_is_remarked(wanted: str | None, modes: str | None, remark: str | None) -> None:
    settings: dict[str, object] = {"settings.kernel.lockdown": wanted} if wanted else {}
    read = reader({LOCKDOWN: modes} if modes else {})
    assert list(lockdown_remarks(settings, read)) == ([remark] if remark else [])


def test_pages_that_the_kernel_could_not_reserve_are_remarked() -> None:
    settings = unflatten(stored(tomli.loads(HUGEPAGES)))
    assert list(missing_hugepages(settings, reader({SYSTEM: "512", NODES[0]: "2", NODES[1]: "4"}))) == []
    assert list(missing_hugepages(settings, reader({SYSTEM: "511", NODES[0]: "2"}))) == [
        f"{NODES[1]} is not there: the machine has no such node or no pages of this size",
        f"{SYSTEM} is 511, not 512: there is not enough memory in one piece",
    ]


@pytest.mark.parametrize("essential", [True, False])
def test_missing_pages_fail_their_service_only_where_they_are_essential(
    essential: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = stored(
        {"kernel": {"hugepages": {"static": {"essential": essential, "2Mi": {"count": "1"}, "1Gi": {"count": "0:1"}}}}}
    )
    texts = (f"{NODES[0]} is 0, not 1: there is not enough memory in one piece",)
    monkeypatch.setattr(
        remarks, "missing_hugepages", lambda nested: missing_hugepages(nested, reader({SYSTEM: "1", NODES[0]: "0"}))
    )
    assert remarks_on(settings, "root") == (Remarks((), {"hugepages": texts[0]}) if essential else Remarks(texts))


def test_settings_that_ask_the_kernel_nothing_read_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "read", lambda *_: pytest.fail("read"))
    assert remarks_on({"settings.motd": "x", "settings.kernel.sysctl.a": "1"}, "root") == Remarks()


@pytest.mark.parametrize(
    ("config", "reads"),
    [
        ('imports = ["/etc/containerd/conf.d/*.toml"]', True),
        ('imports = ["/etc/other/*.toml", "conf.d/*.toml"]', True),
        ('imports = ["/etc/containerd/conf.d/earlyboot.toml"]', True),
        ('version = 3\nimports = ["/etc/containerd/config.d/*.toml"]', False),
        ("version = 3", False),
    ],
)
def test_a_drop_in_that_containerd_may_not_read_is_remarked(config: str, reads: bool) -> None:
    settings = {"settings.oci-defaults.capabilities.net-raw": False}
    remark = (
        "/etc/containerd/config.toml does not import /etc/containerd/conf.d/earlyboot.toml: "
        "a containerd before 2.2 does not read it"
    )
    machine = {CONTAINERD_CONFIG: config, CONTAINERD_DROP_IN: "version = 3"}
    assert list(containerd_remarks(settings, reader(machine))) == ([] if reads else [remark])
    assert list(containerd_remarks(settings, reader({CONTAINERD_CONFIG: config}))) == []
    assert list(containerd_remarks(settings, reader({CONTAINERD_DROP_IN: "version = 3"}))) == []
    assert list(containerd_remarks({"settings.motd": "x"}, reader(machine))) == []
