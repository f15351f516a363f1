"""Data that is there and cannot be used: what is said of it, and that it changes nothing."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from hostkit.errors import Fault
from tests.earlyboot.stages.machine import NOTHING, OVERRIDES, SETTINGS, Machine

INVALID = Path(__file__).parent / "invalid"
DEEP = b"[settings]\nmotd = " + b"[" * 40 + b"]" * 40

# What no text file can hold, or no reader wants to see.
BUILT = {
    "gzip-truncated": gzip.compress(SETTINGS, mtime=0)[:-9],
    "gzip-bomb": gzip.compress(bytes(64 << 20), mtime=0),
    "invalid-utf-8": b'[settings]\nmotd = "caf\xe9"\n',
    "too-deep": DEEP,
    "too-large": b'[settings]\nmotd = "' + b"x" * (1 << 20) + b'"\n',
    "too-many-keys": b"[settings.kernel.sysctl]\n" + b"".join(b"k%d = '1'\n" % number for number in range(20_001)),
}
UNREADABLE = {"gzip-truncated", "gzip-bomb", "invalid-utf-8", "too-large"}
FAULTS = sorted(path.stem for path in INVALID.glob("*.txt"))


def break_it(machine: Machine, fault: str) -> None:
    machine.give(BUILT.get(fault) or (INVALID / f"{fault}.toml").read_bytes())
    overrides = INVALID / f"{fault}.overrides.toml"
    if overrides.exists():
        machine.put(OVERRIDES, overrides.read_bytes())


def mend_it(machine: Machine) -> None:
    machine.give(b'[settings]\nmotd = "mended"\n')
    (machine.root / OVERRIDES).unlink(missing_ok=True)


def explanation(fault: str) -> str:
    return (INVALID / f"{fault}.txt").read_text()


def test_every_fault_has_its_input_and_every_input_its_explanation() -> None:
    inputs = {path.stem for path in INVALID.glob("*.toml") if not path.stem.endswith(".overrides")} | BUILT.keys()
    assert inputs == set(FAULTS)


@pytest.mark.parametrize("fault", FAULTS)
def test_it_is_explained_and_changes_nothing_until_it_is_mended(configured: Machine, fault: str) -> None:
    copied = configured
    copied.become_another()
    known, files = copied.known(), copied.files()
    break_it(copied, fault)
    with copied.powered_on():
        ended, finish = copied.stage("settings"), copied.stage("finish")

        assert copied.without_root(ended.stderr) == explanation(fault)
        assert ended.status == (3 if fault in UNREADABLE else 2)
        assert copied.known() == known
        assert copied.files() == files

        status = copied.status()
        assert status["outcome"] == "failed"
        assert status["exit_status"] == ended.status
        assert isinstance(status["faults"], list)
        assert "".join(Fault.from_json(item).text() + "\n" for item in status["faults"]) == ended.stderr
        assert (finish.status, finish.stderr) == (0, "finish: failed\n")
        assert copied.verdict()["verdict"] == "failed"
        assert copied.verdict()["faults"] == status["faults"]
        shown = copied.earlyboot("status")
        assert (shown.status, shown.stderr) == (10, "")
        assert shown.stdout.startswith("failed (first boot)\n  settings: failed in ")
        assert shown.stdout.endswith(f"\n{ended.stderr}")

        mend_it(copied)
        assert copied.stage("settings").stderr == ""
        assert copied.stage("finish").stderr == "finish: configured\n"
    assert copied.verdict()["verdict"] == "configured"
    assert copied.known().live == {"settings.motd": ("mended", "ec2-imds")}
    assert copied.known().phases[copied.identity] == "configured"


@pytest.mark.parametrize("fault", ["gzip-truncated", "toml-syntax", "two-sources"])
def test_a_new_machine_gets_nothing_of_it(machine: Machine, fault: str) -> None:
    files = machine.files()
    break_it(machine, fault)
    boot = machine.boot()
    assert machine.without_root(boot.settings.stderr) == explanation(fault)
    assert machine.known() == NOTHING
    assert machine.files() == files
    assert machine.verdict()["verdict"] == "failed"


@pytest.mark.parametrize(
    ("mode", "what", "fix"),
    [
        (0o666, "every user may write to the file: others could have written it", "chmod o-w"),
        (None, "the file cannot be opened: Too many levels of symbolic links", "put a regular file there, not a link"),
    ],
    ids=["writable by all", "a link"],
)
def test_a_file_that_cannot_be_trusted_is_no_absent_one(
    machine: Machine, mode: int | None, what: str, fix: str
) -> None:
    path = machine.put(OVERRIDES, SETTINGS, mode or 0o600)
    if mode is None:
        path.rename(machine.root / "elsewhere")
        path.symlink_to(machine.root / "elsewhere")
    boot = machine.boot()
    assert boot.settings.status == 3
    assert boot.settings.stderr.startswith(f"error: {what}\n  where: {path}\n  fix:   ")
    assert fix in boot.settings.stderr
    assert machine.known() == NOTHING
    assert machine.verdict()["verdict"] == "failed"
