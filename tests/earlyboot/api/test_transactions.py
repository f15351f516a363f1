"""Transactions over a real socket: unsetting, conflicts, what stands in a commit's way, abandoned ones."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from earlyboot.api import pending as pendings
from earlyboot.api import writer
from earlyboot.api.pending import Conflict
from earlyboot.api.store import open_for_reading
from earlyboot.api.writer import ABANDONED_S, PENDING_LIMIT, PendingLimitError, Store
from tests.earlyboot.api.serving import Server, fault, problem
from tests.earlyboot.api.stores import commit, end, values_of

HOSTNAME = "settings.network.hostname"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(str(tmp_path / "settings.db"))
    yield opened
    opened.close()


def live(server: Server) -> dict[str, object]:
    reader = open_for_reading(server.paths.store)
    assert reader is not None
    try:
        return values_of(reader)
    finally:
        reader.close()


def commit_all(server: Server, *documents: dict[str, object]) -> None:
    for document in documents:
        server.call("patch_settings", document, tx="other")
        server.call("commit_tx", tx="other")


# ---- unsetting


def test_an_unset_key_goes_with_all_below_it_when_the_transaction_is_committed(server: Server) -> None:
    sysctl = {"a.b": "1", "a.c": "2"}
    commit_all(server, {"motd": "x", "kernel": {"sysctl": sysctl, "modules": {"m": {"allowed": True}}}})
    below = ['settings.kernel.sysctl."a.b"', 'settings.kernel.sysctl."a.c"']
    assert server.call("delete_settings", keys="settings.kernel.sysctl") == below
    assert live(server).keys() >= set(below)
    assert server.call("commit_tx") == below
    assert live(server) == {"settings.motd": "x", "settings.kernel.modules.m.allowed": True}


def test_keys_are_unset_by_segments_and_the_root_may_be_left_out(server: Server) -> None:
    commit_all(server, {"network": {"hostname": "a", "https-proxy": "http://p"}, "motd": "x"})
    assert server.call("delete_settings", keys="kernel,settings.network.hosts") == []
    assert server.call("delete_settings", keys="motd,network.hostname") == ["settings.motd", HOSTNAME]
    assert server.call("commit_tx") == ["settings.motd", HOSTNAME]
    assert live(server) == {"settings.network.https-proxy": "http://p"}


def test_what_is_set_after_it_was_unset_is_set(server: Server) -> None:
    commit_all(server, {"network": {"hostname": "a"}, "motd": "x"})
    server.call("patch_settings", {"motd": "pending"})
    assert server.call("delete_settings", keys="settings") == ["settings.motd", HOSTNAME]
    server.call("patch_settings", {"motd": "y"})
    pending = {"generation": 1, "settings": {"motd": "y"}, "unset": [HOSTNAME]}
    assert server.call("get_tx_v2") == pending
    assert server.call("get_tx") == {"motd": "y"}
    assert server.call("commit_tx") == ["settings.motd", HOSTNAME]
    assert live(server) == {"settings.motd": "y"}


def test_unsetting_what_only_has_a_default_changes_nothing_and_is_no_error(server: Server) -> None:
    commit_all(server, {"motd": "x"})
    before = server.call("get_settings")
    assert isinstance(before, dict)
    assert "oci-defaults" in before
    assert server.call("delete_settings", keys="oci-defaults,settings.dns") == []
    assert server.call("commit_tx") == []
    assert server.call("get_settings") == before


def test_a_default_shows_again_where_the_value_over_it_is_unset(server: Server) -> None:
    key = "settings.oci-defaults.capabilities.kill"
    default = {"oci-defaults": {"capabilities": {"kill": True}}}
    assert server.call("get_settings", keys=key) == default
    commit_all(server, {"oci-defaults": {"capabilities": {"kill": False}}})
    assert server.call("get_settings", keys=key) == {"oci-defaults": {"capabilities": {"kill": False}}}
    server.call("delete_settings", keys=key)
    server.call("commit_tx")
    assert server.call("get_settings", keys=key) == default


def test_a_transaction_that_never_began_is_empty(server: Server) -> None:
    assert server.call("get_tx_v2", tx="none") == {"generation": None, "settings": {}, "unset": []}


def test_who_unset_a_key_is_in_its_record(server: Server) -> None:
    commit_all(server, {"motd": "x"})
    server.call("delete_settings", keys="motd", origin="a person")
    server.call("commit_tx")
    reader = open_for_reading(server.paths.store)
    assert reader is not None
    assert reader.changes("settings.motd")[-1][1:] == ("settings.motd", None, "a person")
    reader.close()


# ---- conflicts


def conflict(key: str, generation: int, tx: str = "mine") -> dict[str, object]:
    what = f"{key} was changed in generation {generation}, after the transaction began"
    return fault("conflict", what, f"GET /settings, then DELETE /tx?tx={tx} and begin again", key)


def test_of_two_transactions_that_change_the_same_key_the_second_is_refused_and_stays(server: Server) -> None:
    commit_all(server, {"motd": "old"})
    server.call("patch_settings", {"motd": "mine", "network": {"hostname": "mine"}}, tx="mine")
    commit_all(server, {"motd": "other"})
    for path in ("/tx/commit?tx=mine", "/tx/commit_and_apply?tx=mine", "/tx/commit?tx=mine&replace=true"):
        answer = server.ask("POST", path)
        assert (answer.status, answer.json()) == (409, problem(409, "Conflict", conflict("settings.motd", 2)))
    assert server.call("list_tx") == ["mine"]
    assert live(server) == {"settings.motd": "other"}
    server.call("delete_tx", tx="mine")
    server.call("patch_settings", {"motd": "mine"}, tx="mine")
    assert server.call("commit_tx", tx="mine") == ["settings.motd"]


def test_every_key_in_conflict_is_named_with_the_generation_that_changed_it_last(server: Server) -> None:
    commit_all(server, {"motd": "old", "network": {"hostname": "old"}})
    server.call("delete_settings", keys="network", tx="mine")
    server.call("patch_settings", {"motd": "mine", "kernel": {"lockdown": "none"}}, tx="mine")
    commit_all(server, {"motd": "other"}, {"network": {"hostname": "other", "no-proxy": ["x"]}}, {"motd": "again"})
    answer = server.ask("POST", "/tx/commit?tx=mine")
    expected = [
        conflict("settings.motd", 4),
        conflict(HOSTNAME, 3),
        # What came below a key that is to go would be lost unseen.
        conflict("settings.network.no-proxy", 3),
    ]
    assert answer.json() == problem(409, "Conflict", *expected)


def test_many_conflicts_are_cut_at_a_hundred(server: Server) -> None:
    names = [f"a{number:03}" for number in range(150)]
    server.call("patch_settings", {"kernel": {"sysctl": dict.fromkeys(names, "1")}}, tx="mine")
    commit_all(server, {"kernel": {"sysctl": dict.fromkeys(names, "2")}})
    refusal = server.ask("POST", "/tx/commit?tx=mine").json()
    assert isinstance(refusal, dict)
    faults = refusal["faults"]
    assert [found["code"] for found in faults] == ["conflict"] * 100 + ["too-many"]
    assert faults[-1]["what"] == "50 more keys were changed after the transaction began"


def test_what_both_want_alike_and_what_was_changed_back_is_no_conflict(server: Server) -> None:
    commit_all(server, {"motd": "old", "network": {"hostname": "old"}})
    server.call("patch_settings", {"motd": "same", "network": {"hostname": "mine"}}, tx="mine")
    commit_all(server, {"motd": "same", "network": {"hostname": "other"}}, {"network": {"hostname": "old"}})
    assert server.call("commit_tx", tx="mine") == [HOSTNAME]


def test_a_change_of_other_keys_is_no_conflict(server: Server) -> None:
    server.call("patch_settings", {"motd": "mine"}, tx="mine")
    commit_all(server, {"network": {"hostname": "other"}})
    assert server.call("commit_tx", tx="mine") == ["settings.motd"]


def test_a_first_boot_is_not_refused_for_a_conflict(server: Server) -> None:
    server.call("patch_settings", {"motd": "mine"}, tx="mine")
    commit_all(server, {"motd": "other"})
    assert server.call("commit_tx", tx="mine", identity="m") == ["settings.motd"]


def remembering(tmp_path: Path, generations: int) -> Server:
    root = tmp_path / "root"
    (root / "etc/earlyboot").mkdir(parents=True)
    (root / "etc/earlyboot/earlyboot.toml").write_text(f"[history]\ngenerations = {generations}\n")
    return Server(root)


def test_the_generation_in_which_an_open_transaction_began_is_not_forgotten(tmp_path: Path) -> None:
    with remembering(tmp_path, 1) as server:
        commit_all(server, {"motd": "0"})
        server.call("patch_settings", {"ntp": {"time-servers": ["new.example"]}}, tx="slow")
        commit_all(server, {"motd": "1"}, {"motd": "2"})
        assert numbers(server) == [3, 2, 1]
        assert server.call("commit_tx", tx="slow") == ["settings.ntp.time-servers"]
        assert numbers(server) == [4]


def numbers(server: Server) -> list[int]:
    found = server.call("list_generations")
    assert isinstance(found, list)
    return [one["id"] for one in found]


def test_a_conflict_that_cannot_be_told_any_more_says_why(tmp_path: Path) -> None:
    with remembering(tmp_path, 1) as server:
        commit_all(server, {"motd": "0", "network": {"hostname": "a"}})
        server.call("patch_settings", {"motd": "mine", "ntp": {"time-servers": ["new.example"]}}, tx="slow")
        with sqlite3.connect(server.paths.store) as database:
            database.execute("UPDATE tx SET touched_at = 0")
        database.close()
        commit_all(server, {"motd": "1"}, {"network": {"hostname": "b"}})
        assert numbers(server) == [3]
        expected = fault(
            "conflict",
            "settings.motd may have been changed: generation 1, in which the transaction began, is forgotten",
            "GET /settings, then DELETE /tx?tx=slow and begin again",
            "settings.motd",
        )
        answer = server.ask("POST", "/tx/commit?tx=slow")
        assert (answer.status, answer.json()) == (409, problem(409, "Conflict", expected))


@pytest.mark.parametrize("why", ["abandoned", "too large"])
def test_where_the_beginning_is_forgotten_only_what_is_known_to_be_older_is_no_conflict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    store = Store(str(tmp_path / "settings.db"), remembered=2)
    try:
        commit(store, {"settings.untouched": 1, "settings.touched": 1, "settings.once": 1, "settings.gone": 1})
        for key in ("untouched", "touched", "new", "same", "once", "gone", "lately"):
            store.patch("mine", {f"settings.{key}": 9}, "origin")
        if why == "abandoned":
            age(store, "mine", ABANDONED_S + 10)
        else:
            # The last two generations have 41 bytes, each one of the loop 43.
            monkeypatch.setattr(writer, "HISTORY_LIMIT_BYTES", 60)
        commit(store, {"settings.once": 2})
        for number in range(5):
            commit(store, {"settings.touched": 2 + number, "settings.same": 9})
        store.unset("tx", ["settings.gone"], "origin")
        end(store)
        commit(store, {"settings.lately": 1})
        assert [one.id for one in store.generations()][-1] > 2
        assert pendings.began(store, "mine") == 1
        assert pendings.conflicts(store, pendings.proposed(store, "mine")) == [
            # It is as it was in the oldest generation that is known; what it was before nobody can say.
            Conflict("settings.gone", None),
            Conflict("settings.lately", 9),
            Conflict("settings.once", None),
            Conflict("settings.touched", None),
        ]
    finally:
        store.close()


# ---- abandoned transactions


def age(store: Store, tx: str, seconds: float) -> None:
    store.rows("UPDATE tx SET touched_at = touched_at - ? WHERE name = ?", seconds, tx)


def test_the_transaction_longest_abandoned_makes_room_for_a_new_one(store: Store) -> None:
    for number in range(PENDING_LIMIT):
        store.patch(f"tx-{number}", {"settings.a": 1}, "origin")
    age(store, "tx-5", ABANDONED_S + 10)
    age(store, "tx-7", ABANDONED_S + 20)
    store.patch("more", {"settings.a": 1}, "origin")
    assert {f"tx-{number}" for number in range(PENDING_LIMIT)} - set(pendings.names(store)) == {"tx-7"}
    assert pendings.lines(store, "tx-7") == []
    # Whoever adds to a transaction has not abandoned it.
    store.patch("tx-5", {"settings.b": 1}, "origin")
    with pytest.raises(PendingLimitError):
        store.patch("even more", {"settings.a": 1}, "origin")
    assert len(pendings.names(store)) == PENDING_LIMIT


def test_an_abandoned_transaction_stays_as_long_as_there_is_room(store: Store) -> None:
    store.patch("old", {"settings.a": 1}, "origin")
    age(store, "old", 400 * ABANDONED_S)
    store.patch("new", {"settings.b": 1}, "origin")
    assert end(store, "old") == ["settings.a"]


def test_unsetting_counts_for_the_size_of_a_transaction(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "SIZE_LIMIT_BYTES", 100)
    store.unset("tx", ["settings." + "a" * 80], "o")
    with pytest.raises(writer.SizeLimitError):
        store.unset("tx", ["settings.b"], "o")
    assert [line.key for line in pendings.lines(store, "tx")] == ["settings." + "a" * 80]


# ---- what stands in a commit's way


def test_settings_that_break_a_rule_together_are_not_committed(server: Server) -> None:
    commit_all(server, {"bootstrap-containers": {"b": {"source": "x", "mode": "off"}}, "motd": "x"})
    server.call("patch_settings", {"bootstrap-containers": {"b": {"mode": "once"}}}, tx="run")
    server.call("delete_settings", keys="bootstrap-containers.b.source", tx="run")
    broken = fault(
        "broken-rule",
        "settings.bootstrap-containers.b.source is missing, and the container is to run",
        'add it, or set mode = "off"',
        "settings.bootstrap-containers.b.source",
        path=["bootstrap-containers", "b", "source"],
    )
    answer = server.ask("POST", "/tx/commit?tx=run")
    assert (answer.status, answer.json()) == (400, problem(400, "Bad request", broken))
    assert server.call("list_tx") == ["run"]
    # Two halves, each of them good.
    server.call("delete_tx", tx="run")
    server.call("patch_settings", {"bootstrap-containers": {"b": {"mode": "once"}}}, tx="one")
    server.call("delete_settings", keys="bootstrap-containers.b.source", tx="two")
    assert server.call("commit_tx", tx="one") == ["settings.bootstrap-containers.b.mode"]
    assert server.ask("POST", "/tx/commit?tx=two").json() == problem(400, "Bad request", broken)


def break_live(server: Server) -> None:
    """As if an older program, which did not know today's rules, had let it in."""
    server.call("list_tx")
    store = Store(server.paths.store)
    commit(store, {"settings.bootstrap-containers.old.mode": "once", "settings.motd": 5})
    store.close()


def test_an_old_fault_stands_in_the_way_only_of_who_touches_it(server: Server) -> None:
    break_live(server)
    commit_all(server, {"network": {"hostname": "a"}})
    server.call("patch_settings", {"bootstrap-containers": {"new": {"mode": "once"}}}, tx="new")
    refusal = server.ask("POST", "/tx/commit?tx=new").json()
    assert isinstance(refusal, dict)
    assert [found["path"] for found in refusal["faults"]] == [["bootstrap-containers", "new", "source"]]
    # Each may be mended alone.
    commit_all(server, {"motd": "mended"}, {"bootstrap-containers": {"old": {"mode": "off"}}})
    assert server.ask("POST", "/tx/commit?tx=new").status == 400


def test_a_rollback_that_would_break_a_rule_again_is_refused(server: Server) -> None:
    break_live(server)
    commit_all(server, {"motd": "mended", "bootstrap-containers": {"old": {"mode": "off"}}})
    refusal = server.ask("POST", "/generations/rollback?generation=1").json()
    assert isinstance(refusal, dict)
    assert [found["path"] for found in refusal["faults"]] == [["motd"], ["bootstrap-containers", "old", "source"]]


def test_a_commit_that_changes_nothing_is_not_judged(server: Server) -> None:
    break_live(server)
    with sqlite3.connect(server.paths.store) as database:
        database.execute("INSERT INTO tx VALUES ('again', 1, 0)")
        database.execute("INSERT INTO pending VALUES ('again', 1, 'settings.motd', '5', 'x')")
    database.close()
    assert server.call("commit_tx", tx="again") == []
