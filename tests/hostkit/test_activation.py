"""Socket activation and readiness over real sockets and real descriptors."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from hostkit import activation

REPOSITORY = Path(activation.__file__).parents[1]


@pytest.mark.parametrize("abstract", [False, True])
def test_readiness_reaches_the_manager(tmp_path: Path, abstract: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"\0earlyboot-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        monkeypatch.setenv("NOTIFY_SOCKET", address.replace("\0", "@"))
        activation.notify("READY=1")
        activation.notify("STOPPING=1")
        assert [manager.recv(100), manager.recv(100)] == [b"READY=1", b"STOPPING=1"]


def test_nobody_is_told_where_nobody_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    activation.notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    activation.notify("READY=1")


# Prints what it was handed and whether a child would inherit it, twice.
ACTIVATED = """
import os
if os.environ.get("LISTEN_PID") == "mine":
    os.environ["LISTEN_PID"] = str(os.getpid())
from hostkit import activation, systemd
for _ in range(2):
    print([(s.fileno(), s.getsockname(), s.get_inheritable()) for s in activation.listen_sockets()])
print(sorted(name for name in os.environ if name.startswith("LISTEN_")))
"""


def activated(*addresses: Path, **environment: str) -> list[str]:
    listeners = [socket.socket(socket.AF_UNIX) for _ in addresses]
    try:
        for listener, address in zip(listeners, addresses, strict=True):
            listener.bind(str(address))
            listener.listen()
        # dup2 to 3, 4, … as the manager does; a shell, because of the numbers that Python's own descriptors take.
        moves = " ".join(f"{3 + n}<&{listener.fileno()}" for n, listener in enumerate(listeners))
        script = f'exec "$@" {moves}'
        ended = subprocess.run(
            ["/bin/bash", "-c", script, "bash", sys.executable, "-c", ACTIVATED],
            check=True,
            capture_output=True,
            text=True,
            cwd=REPOSITORY,
            env={"PATH": os.environ["PATH"], **environment},
            pass_fds=[listener.fileno() for listener in listeners],
        )
    finally:
        for listener in listeners:
            listener.close()
    return ended.stdout.splitlines()


def test_handed_over_sockets_are_taken_once_and_not_inherited(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    assert activated(one, two, LISTEN_PID="mine", LISTEN_FDS="2", LISTEN_FDNAMES="a:b") == [
        f"[(3, '{one}', False), (4, '{two}', False)]",
        "[]",
        "[]",
    ]


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"LISTEN_FDS": "1"},
        {"LISTEN_PID": "1", "LISTEN_FDS": "1"},  # meant for the parent
        {"LISTEN_PID": "mine", "LISTEN_FDS": "0"},
        {"LISTEN_PID": "mine", "LISTEN_FDS": "-1"},
        {"LISTEN_PID": "mine", "LISTEN_FDS": "x"},
        {"LISTEN_PID": "mine"},
    ],
)
def test_sockets_that_are_not_meant_for_this_process_are_not_taken(tmp_path: Path, environment: dict[str, str]) -> None:
    assert activated(tmp_path / "one", **environment) == ["[]", "[]", "[]"]


def test_a_knock_wakes_the_service_and_says_nothing(tmp_path: Path) -> None:
    path = str(tmp_path / "api.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        activation.knock(path)
        assert select.select([listener], [], [], 0)[0]
        knocked, _ = listener.accept()
        with knocked:
            assert knocked.recv(1) == b""


def test_a_knock_where_nobody_listens_is_no_error(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    (tmp_path / "file").touch()
    for path in (tmp_path / "none", tmp_path / "file", tmp_path / ("x" * 200)):
        activation.knock(str(path))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "full"))
        listener.listen(0)
        for _ in range(5):
            activation.knock(str(tmp_path / "full"))
    assert os.listdir("/proc/self/fd") == before
