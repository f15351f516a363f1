"""Prints the cost of the settings phase and of a later boot, beside a bare interpreter start and against the budgets."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence

from earlyboot.config.paths import PROGRAM, Paths
from earlyboot.simulate.activation import Activation
from earlyboot.simulate.imds import Imds
from earlyboot.simulate.root import prepare
from tests.bench.installed import REPOSITORY
from tests.bench.processes import Cost, measure, peaks_mib

_RUNS = 9
_BARE = [sys.executable, "-I", "-c", "pass"]
_USER_DATA = (REPOSITORY / "examples/ec2-user-data.toml").read_bytes()


def run(argv: Sequence[str]) -> None:
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def stage(paths: Paths, name: str) -> None:
    run([*PROGRAM, "--root", paths.root, "stage", name])


def stages(paths: Paths, names: Sequence[str]) -> None:
    for name in names:
        stage(paths, name)


def first_and_later_boot(folder: str) -> tuple[Cost, Cost, int]:
    """One root's first boot (sources to rendered files) and its second boot (both stages), and the requests made."""
    paths = Paths(folder)
    with Imds(_USER_DATA) as imds:
        prepare(paths, "ec2", imds.endpoint, configured=False)
        activation = Activation(paths)
        activation.__enter__()
        first = measure(lambda: stage(paths, "settings"), lambda: activation.__exit__(None, None, None))
        requests = len(imds.requests)
        with Activation(paths):
            stage(paths, "finish")
        with Activation(paths) as idle:
            later = measure(lambda: stages(paths, ("settings", "finish")))
            assert idle.started == 0, "a later boot must not start the server"
        assert len(imds.requests) == requests, "a later boot must make no request"
    return first, later, requests


def first_boot(folder: str) -> None:
    first_and_later_boot(folder)


def median(costs: Sequence[Cost], field: str) -> float:
    values: list[float] = [getattr(cost, field) for cost in costs]
    return statistics.median(values)


def main() -> None:
    bare, local, imds, firsts, laters, requests = [], [], [], [], [], 0
    with Imds(_USER_DATA) as peer:
        for _ in range(_RUNS):
            bare.append(measure(lambda: run(_BARE)))
            local.append(measure(lambda: run([*PROGRAM, "provider", "local-file", "--path", "/nonexistent"])))
            imds.append(measure(lambda: run([*PROGRAM, "provider", "ec2-imds", "--endpoint", peer.endpoint])))
            with tempfile.TemporaryDirectory(prefix="earlyboot-bench-") as folder:
                first, later, requests = first_and_later_boot(folder)
            firsts.append(first)
            laters.append(later)
        with tempfile.TemporaryDirectory(prefix="earlyboot-bench-") as folder:
            peaks = peaks_mib(lambda: first_boot(folder))
    one = median(bare, "wall_s")
    one_cpu = median(bare, "cpu_s")

    def row(name: str, costs: Sequence[Cost], budget: str) -> None:
        wall, cpu = median(costs, "wall_s"), median(costs, "cpu_s")
        print(f"{name:<34}{wall * 1000:8.0f} {wall / one:7.1f}x {cpu * 1000:8.0f} {cpu / one_cpu:7.1f}x   {budget}")

    print(f"median of {_RUNS} runs; x is beside a bare interpreter start\n")
    print(f"{'':<34}{'wall ms':>8} {'':>8} {'CPU ms':>8} {'':>8}   budget")
    row("bare interpreter start", bare, "")
    row("provider local-file, no data", local, "<= 4x")
    row("provider ec2-imds", imds, "")
    row("settings phase, IMDS to files", firsts, "<= 300 ms wall")
    row("later boot, both stages", laters, "<= 150 ms CPU, goal 50 ms")
    print(f"\na first boot: {len(peaks)} processes, {requests} requests; peak memory (budget <= 40 MiB each):")
    for name, peak in sorted(peaks.items()):
        print(f"  {name:<32}{peak:6.1f} MiB")


main()
