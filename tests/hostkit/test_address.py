"""The primary address: what the kernel would send from, where that is of use to others."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from hostkit import address


@pytest.mark.parametrize(
    "text",
    ["10.0.0.1", "192.0.2.7", "100.64.0.1", "2001:db8::1", "fd00::1", "::ffff:192.0.2.1", "fec0::1", "64:ff9b::"],
)
def test_an_address_that_others_reach(text: str) -> None:
    assert address.is_usable(text)


@pytest.mark.parametrize(
    "text",
    ["0.0.0.0", "127.0.0.1", "127.9.9.9", "169.254.3.4", "::", "::1", "fe80::1", "fe80::1%eth0", "febf::1"],
)
def test_an_address_that_means_another_machine_elsewhere(text: str) -> None:
    assert not address.is_usable(text)


def test_the_source_of_a_route_is_asked_of_the_kernel() -> None:
    assert address.source(socket.AF_INET, "127.0.0.9") == "127.0.0.1"


def test_without_a_route_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert address.source(socket.AF_INET, "198.41.0.4") is None
    assert address.primary() is None


@pytest.mark.parametrize(
    ("sources", "primary"),
    [
        ({socket.AF_INET: "10.0.0.1", socket.AF_INET6: "2001:db8::1"}, "10.0.0.1"),
        ({socket.AF_INET: None, socket.AF_INET6: "2001:db8::1"}, "2001:db8::1"),
        ({socket.AF_INET: "169.254.0.9", socket.AF_INET6: "2001:db8::1"}, "2001:db8::1"),
        ({socket.AF_INET: None, socket.AF_INET6: "fe80::1"}, None),
    ],
)
def test_ipv4_comes_first_and_link_local_never(
    sources: dict[int, str | None], primary: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(address, "source", lambda family, far: sources[family])
    assert address.primary() == primary


IN_A_NETWORK_OF_ITS_OWN = """
import subprocess, sys
sys.path.insert(0, sys.argv[1])
from hostkit import address
for line in sys.stdin.read().splitlines():
    if line == "?":
        print(address.primary())
    else:
        subprocess.run(["ip", *line.split()], check=True)
"""


def test_the_default_route_of_a_real_network_decides() -> None:
    """Two interfaces, and a route that changes its mind."""
    unshare, ip = shutil.which("unshare"), shutil.which("ip")
    if unshare is None or ip is None:
        pytest.skip("unshare (util-linux) and ip (iproute2) are needed for a network of one's own")
    alone = [unshare, "--user", "--map-root-user", "--net"]
    if subprocess.run(
        [*alone, ip, "link", "add", "one", "type", "veth", "peer", "name", "two"], capture_output=True, check=False
    ).returncode:
        pytest.skip("this machine makes no network of one's own")
    commands = """\
?
link add one type veth peer name two
address add 192.0.2.10/24 dev one
address add 203.0.113.20/24 dev two
link set one up
link set two up
?
route add default via 203.0.113.1 dev two
?
route replace default via 192.0.2.1 dev one
?
route del default
address add 2001:db8::10/64 dev one nodad
?
-6 route add default via 2001:db8::1 dev one
?
"""
    argv = [*alone, sys.executable, "-I", "-c", IN_A_NETWORK_OF_ITS_OWN, str(Path(address.__file__).parents[1])]
    done = subprocess.run(argv, input=commands, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["None", "None", "203.0.113.20", "192.0.2.10", "None", "2001:db8::10"]
