"""Prints what the API costs: reading, committing, starting, and the memory that the server takes."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from earlyboot.api.client import Client
from earlyboot.config.paths import Paths
from earlyboot.simulate.activation import Activation
from earlyboot.simulate.root import prepare
from tests.bench.processes import measure

_READS = 1000
_COMMITS = 40
_WRITERS = (1, 8)
_SIZES = (100, 1000, 10_000)
_STARTS = 9
_WRITER = f"""
import sys
sys.path[:0] = {sys.path!r}
from earlyboot.api.client import Client
socket, name = sys.argv[1:]
with Client(socket) as client:
    sys.stdin.readline()
    for number in range({_COMMITS}):
        client.call("patch_settings", {{"kernel": {{"sysctl": {{f"vm.{{name}}": str(number)}}}}}}, tx=name)
        client.call("commit_tx", tx=name)
"""


@contextmanager
def server() -> Iterator[Paths]:
    """A server of its own, started by the first to connect."""
    with tempfile.TemporaryDirectory(prefix="earlyboot-bench-") as folder:
        paths = Paths(folder)
        prepare(paths, "metal", None, configured=False)
        with Activation(paths):
            yield paths


def bare_start() -> None:
    subprocess.run([sys.executable, "-I", "-c", "pass"], check=True)


def start_s() -> float:
    """From the first connection, which starts the server, to its first answer."""
    with server() as paths, Client(paths.socket) as client:
        began = time.perf_counter()
        client.call("get_settings")
        return time.perf_counter() - began


def reads_s(paths: Paths) -> list[float]:
    """Sorted, each with a connection of its own."""
    taken = []
    with Client(paths.socket) as client:
        for _ in range(_READS):
            began = time.perf_counter()
            client.call("get_settings")
            taken.append(time.perf_counter() - began)
    return sorted(taken)


def commits_per_s(paths: Paths, writers: int) -> float:
    """PATCH and commit, each writer with keys and transactions of its own."""
    children = [
        subprocess.Popen([sys.executable, "-I", "-S", "-c", _WRITER, paths.socket, f"w{number}"], stdin=subprocess.PIPE)
        for number in range(writers)
    ]
    time.sleep(0.5 * writers)  # all of them have imported what they need
    began = time.perf_counter()
    for child in children:
        assert child.stdin is not None
        child.stdin.write(b"\n")
        child.stdin.close()
    statuses = {child.wait() for child in children}
    if statuses != {0}:
        raise SystemExit("a writer failed")
    return writers * _COMMITS / (time.perf_counter() - began)


def large_commit_s(paths: Paths, keys: int) -> tuple[float, float]:
    """PATCH of so many keys, and their commit."""
    settings = {"kernel": {"sysctl": {f"vm.key-{number}": str(time.time_ns()) for number in range(keys)}}}
    with Client(paths.socket) as client:
        began = time.perf_counter()
        client.call("patch_settings", settings)
        patched = time.perf_counter()
        client.call("commit_tx")
        return patched - began, time.perf_counter() - patched


def peak_mib(paths: Paths) -> float:
    """VmHWM of the server of this root."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().decode("utf-8", "replace").split("\0")
            if "serve" in words and paths.root in words:
                with open(f"/proc/{pid}/status") as status:
                    return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) / 1024
        except OSError:
            continue
    raise SystemExit("the server is gone")


def main() -> None:
    bare = statistics.median(measure(bare_start).wall_s for _ in range(_STARTS))
    starts = statistics.median(start_s() for _ in range(_STARTS))
    print("\nthe API; x is beside a bare interpreter start\n")
    print(f"{'activation to first answer':<34}{starts * 1000:8.0f} ms {starts / bare:6.1f}x   <= 200 ms")
    with server() as paths:
        with Client(paths.socket) as client:
            with open(os.path.join(os.path.dirname(__file__), "settings.json")) as file:
                client.call("patch_settings", json.load(file))
            client.call("commit_tx")
        reads = reads_s(paths)
        p50, p99 = reads[len(reads) // 2], reads[len(reads) * 99 // 100]
        print(f"{'GET /settings, p50':<34}{p50 * 1000:8.2f} ms {p50 / bare:6.2f}x")
        print(f"{'GET /settings, p99':<34}{p99 * 1000:8.2f} ms {p99 / bare:6.2f}x")
        for writers in _WRITERS:
            rate = commits_per_s(paths, writers)
            print(f"{f'commits with {writers} writers':<34}{rate:8.0f} a second; {rate * bare:.1f} in a bare start")
    for keys in _SIZES:
        with server() as paths:
            patch, commit = large_commit_s(paths, keys)
            budget = "   <= 500 ms in all" if keys == max(_SIZES) else ""
            cost = f"{(patch + commit) * 1000:8.0f} ms {(patch + commit) / bare:6.1f}x"
            print(f"{f'{keys:,} keys: PATCH and commit':<34}{cost}{budget} ({commit * 1000:.0f} ms the commit)")
            peak = peak_mib(paths)
    print(f"{'server, peak after 10,000 keys':<34}{peak:8.1f} MiB           <= 45 MB")


main()
