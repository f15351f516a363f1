"""Several clients at the same time: who waits for whom, and what they can make together."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from earlyboot.api import transactions
from earlyboot.api.client import Client, RefusedError
from earlyboot.api.server import _WRITE_THREADS
from earlyboot.api.store import open_for_reading
from earlyboot.render import apply as applying
from tests.earlyboot.api.in_process import InProcess, together
from tests.earlyboot.api.serving import PATIENCE_S, Server


def until_committed(client: Client, tx: str, settings: Mapping[str, object]) -> None:
    """As a client has to that wants what others want too: it looks and begins again."""
    while True:
        client.call("patch_settings", settings, tx=tx)
        try:
            client.call("commit_tx", tx=tx)
        except RefusedError as refused:
            if refused.status != 409:
                raise
            client.call("delete_tx", tx=tx)
        else:
            return


def test_writers_at_the_same_time_do_not_mix_their_transactions(server: Server) -> None:
    def write(number: int) -> None:
        with server.client() as client:
            for turn in range(10):
                settings = {"motd": f"{number}-{turn}", "network": {"hostname": f"{number}-{turn}"}}
                until_committed(client, str(number), settings)

    def look() -> None:
        with server.client() as client:
            for _ in range(50):
                settings = client.call("get_settings")
                assert isinstance(settings, dict)
                assert settings.get("network", {}).get("hostname") == settings.get("motd")

    together(*(lambda number=number: write(number) for number in range(8)), look, look)
    reader = open_for_reading(server.paths.store)
    assert reader is not None
    assert reader.generation() == 80
    reader.close()


def test_applies_at_the_same_time_end_on_the_newest_generation(server: Server) -> None:
    generations: list[int] = []

    def commit_and_apply(number: int) -> None:
        with server.client() as client:
            for turn in range(5):
                until_committed(client, str(number), {"motd": f"{number}-{turn}"})
                report = client.call("apply")
                assert isinstance(report, dict)
                generations.append(report["generation"])

    together(*(lambda number=number: commit_and_apply(number) for number in range(6)))
    settings = server.call("get_settings")
    assert isinstance(settings, dict)
    assert Path(server.paths.inside("/etc/motd")).read_text() == f"{settings['motd']}\n"
    reader = open_for_reading(server.paths.store)
    assert reader is not None
    applied, newest = reader.applied(), reader.generation()
    reader.close()
    assert applied is not None
    assert (applied.generation, newest, max(generations)) == (30, 30, 30)


class HeldUp:
    """Stands in the place of a function: says that it was called, and calls it when it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> None:
        self._real = getattr(owner, name)
        self._called, self._released = threading.Event(), threading.Event()
        monkeypatch.setattr(owner, name, self)

    def __call__(self, *arguments: object, **options: object) -> object:
        self._called.set()
        assert self._released.wait(PATIENCE_S)
        return self._real(*arguments, **options)

    def wait(self) -> None:
        assert self._called.wait(PATIENCE_S)

    def release(self) -> None:
        self._released.set()


def test_who_reads_does_not_wait_for_applies_however_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = HeldUp(monkeypatch, applying, "apply")
    reports: list[object] = []

    def apply(path: str) -> None:
        with Client(path) as client:
            reports.append(client.call("apply"))

    with InProcess(tmp_path) as path, Client(path) as client:
        client.call("patch_settings", {"motd": "x"})
        client.call("commit_tx")
        threads = [threading.Thread(target=apply, args=(path,)) for _ in range(_WRITE_THREADS + 2)]
        for thread in threads:
            thread.start()
        held.wait()
        assert client.call("get_settings", keys="settings.motd") == {"motd": "x"}
        assert client.call("list_tx") == []
        assert reports == []
        held.release()
        for thread in threads:
            thread.join()
    assert len(reports) == len(threads)


def test_who_reads_does_not_wait_for_a_commit_that_is_being_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = HeldUp(monkeypatch, transactions, "approve")

    def commit(path: str) -> None:
        with Client(path) as client:
            client.call("commit_tx")

    with InProcess(tmp_path) as path, Client(path) as client:
        client.call("patch_settings", {"motd": "x"})
        thread = threading.Thread(target=commit, args=(path,))
        thread.start()
        held.wait()
        assert client.call("get_settings", keys="settings.motd") == {}
        assert client.call("get_tx") == {"motd": "x"}
        assert client.call("list_generations") == []
        held.release()
        thread.join()
        assert client.call("get_settings", keys="settings.motd") == {"motd": "x"}


def test_two_commits_at_the_same_time_make_nothing_broken_together(server: Server) -> None:
    for turn in range(10):
        name = f"b{turn}"
        with server.client() as client:
            client.call("patch_settings", {"bootstrap-containers": {name: {"source": "x", "mode": "off"}}})
            client.call("commit_tx")
            client.call("patch_settings", {"bootstrap-containers": {name: {"mode": "once"}}}, tx="run")
            client.call("delete_settings", keys=f"bootstrap-containers.{name}.source", tx="take")
        refused: list[int] = []

        def commit(tx: str, refused: list[int] = refused) -> None:
            with server.client() as client:
                try:
                    client.call("commit_tx", tx=tx)
                except RefusedError as error:
                    refused.append(error.status)
                    client.call("delete_tx", tx=tx)

        together(lambda: commit("run"), lambda: commit("take"))
        assert refused == [400]
    live = server.live()
    assert isinstance(live["bootstrap-containers"], dict)
    assert len(live["bootstrap-containers"]) == 10


def test_what_was_rendered_to_judge_a_commit_is_written_by_the_apply_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed: list[bool] = []
    real = applying.apply

    def apply(*arguments: object, rendered: object = None, **options: object) -> object:
        handed.append(rendered is not None)
        return real(*arguments, rendered=rendered, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(applying, "apply", apply)
    with InProcess(tmp_path) as path, Client(path) as client:
        client.call("patch_settings", {"motd": "x"})
        client.call("commit_and_apply")
        client.call("apply")  # nothing was committed since: files of the image may have changed
        client.call("patch_settings", {"motd": "y"})
        client.call("commit_tx")
        client.call("patch_settings", {"motd": "y"})
        client.call("commit_and_apply")  # changes nothing
    assert handed == [True, False, False]
    assert (tmp_path / "root/etc/motd").read_text() == "y\n"
