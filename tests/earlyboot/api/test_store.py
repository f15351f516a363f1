"""The settings store: what is patched, committed, remembered and read back."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from earlyboot.api import pending as pendings
from earlyboot.api.pending import NothingPendingError
from earlyboot.api.store import Change, Entry
from earlyboot.api.writer import PENDING_LIMIT, PendingLimitError, Store
from earlyboot.model.check import check
from earlyboot.model.tree import flatten, unflatten
from earlyboot.render.record import Applied, AppliedFile
from tests.earlyboot.api.stores import commit, end, pending, values_at, values_of
from tests.earlyboot.model import strategies
from tests.earlyboot.model.documents import complete, mutated


def test_what_was_patched_is_pending_and_nothing_is_live(store: Store) -> None:
    store.patch("one", {"settings.motd": "x"}, "origin")
    assert pending(store, "one") == {"settings.motd": "x"}
    assert pending(store, "two") == {}
    assert (store.live(), store.generation(), pendings.names(store)) == ({}, 0, ["one"])


def test_a_commit_makes_everything_live_with_its_origin_and_generation(store: Store) -> None:
    store.patch("tx", {"settings.b": [1, True, None], "settings.a": "x"}, "first")
    store.patch("tx", {"settings.b": "won"}, "second")
    assert end(store, "tx") == ["settings.a", "settings.b"]
    assert store.live() == {"settings.a": Entry("x", "first", 1), "settings.b": Entry("won", "second", 1)}
    assert (pending(store, "tx"), pendings.names(store), store.generation()) == ({}, [], 1)


def test_a_commit_returns_only_the_keys_whose_values_changed(store: Store) -> None:
    commit(store, {"settings.a": 1, "settings.b": 2})
    assert commit(store, {"settings.b": 3, "settings.a": 1, "settings.c": 4}) == ["settings.b", "settings.c"]


def test_a_commit_that_changes_nothing_makes_no_generation(store: Store) -> None:
    commit(store, {"settings.a": 1})
    assert commit(store, {"settings.a": 1}) == []
    assert store.generation() == 1
    assert store.live() == {"settings.a": Entry(1, "origin", 1)}
    assert pendings.names(store) == []


def test_one_and_true_are_two_values(store: Store) -> None:
    commit(store, {"settings.a": 1})
    assert commit(store, {"settings.a": True}) == ["settings.a"]
    assert store.live()["settings.a"].value is True


def test_transactions_know_nothing_of_each_other(store: Store) -> None:
    store.patch("one", {"settings.a": 1}, "origin")
    store.patch("two", {"settings.a": 2}, "origin")
    assert pendings.names(store) == ["one", "two"]
    assert end(store, "one") == ["settings.a"]
    assert pending(store, "two") == {"settings.a": 2}


@pytest.mark.parametrize("other_is_pending", [False, True])
def test_an_empty_transaction_cannot_be_committed(store: Store, other_is_pending: bool) -> None:
    if other_is_pending:
        store.patch("other", {"settings.a": 1}, "origin")
    with pytest.raises(NothingPendingError):
        end(store, "tx")
    store.patch("tx", {}, "origin")
    with pytest.raises(NothingPendingError):
        end(store, "tx", replace=True)
    assert store.generation() == 0


def test_a_discarded_transaction_returns_its_keys_and_is_gone(store: Store) -> None:
    store.patch("tx", {"settings.b": 1, "settings.a": 1}, "origin")
    store.patch("tx", {"settings.b": 2}, "origin")
    assert store.discard("tx") == ["settings.a", "settings.b"]
    assert store.discard("tx") == []
    with pytest.raises(NothingPendingError):
        end(store, "tx")


def test_the_record_of_a_key_keeps_the_losers_in_order(store: Store) -> None:
    for number, origin in enumerate(("defaults", "imds", "overrides")):
        store.patch("tx", {"settings.a": number, "settings.b": 0}, origin)
    end(store, "tx")
    commit(store, {"settings.a": 9})
    commit(store, {"settings.c": 9}, replace=True)
    assert store.changes("settings.a") == [
        Change(1, "settings.a", 0, "defaults"),
        Change(1, "settings.a", 1, "imds"),
        Change(1, "settings.a", 2, "overrides"),
        Change(2, "settings.a", 9, "origin"),
        Change(3, "settings.a", None, "replaced"),
    ]
    assert store.changes("settings.none") == []


def test_a_generation_records_who_made_it_and_in_which_transaction(store: Store, path: str) -> None:
    commit(store, {"settings.a": 1}, tx="named")
    with sqlite3.connect(path) as database:
        rows = database.execute("SELECT id, tx, uid, gid, pid FROM generation").fetchall()
    database.close()
    assert rows == [(1, "named", 1, 2, 3)]


def test_generations_are_numbered_upwards_for_ever(store: Store) -> None:
    for number in range(5):
        commit(store, {"settings.a": number})
    assert store.generation() == 5


def test_replacing_takes_away_what_the_transaction_does_not_name(store: Store) -> None:
    commit(store, {"settings.a": 1, "settings.b": 2, "settings.c": 3})
    changed = commit(store, {"settings.b": 2, "settings.d": 4}, replace=True)
    assert changed == ["settings.a", "settings.c", "settings.d"]
    assert values_of(store) == {"settings.b": 2, "settings.d": 4}


def test_an_empty_transaction_replaces_nothing(store: Store) -> None:
    commit(store, {"settings.a": 1})
    assert end(store, "empty", identity="m", replace=True, may_be_empty=True) == []
    assert values_of(store) == {"settings.a": 1}
    assert store.phases() == {"m": "committed"}


def test_a_first_boot_is_committed_also_without_any_setting(store: Store) -> None:
    with pytest.raises(NothingPendingError):
        end(store, "tx", identity="m")
    assert (store.phases(), store.generation()) == ({}, 0)
    assert end(store, "tx", identity="m", may_be_empty=True) == []
    assert (store.phases(), store.generation()) == ({"m": "committed"}, 1)


def test_a_phase_moves_only_forward(store: Store) -> None:
    assert not store.reach_phase("m", "applied")
    assert store.phases() == {}
    end(store, "tx", identity="m", may_be_empty=True)
    reached = []
    for phase in ("committed", "bootstrapped", "applied", "configured", "committed", "bootstrapped"):
        assert store.reach_phase("m", phase)
        reached.append(store.phases()["m"])
    assert reached == ["committed", "bootstrapped", "bootstrapped", "configured", "configured", "configured"]


def test_a_second_commit_of_the_same_machine_does_not_move_its_phase_back(store: Store) -> None:
    commit(store, {"settings.a": 1}, identity="m")
    store.reach_phase("m", "configured")
    commit(store, {"settings.a": 2}, identity="m")
    assert store.phases() == {"m": "configured"}


def test_every_machine_has_a_phase_of_its_own(store: Store) -> None:
    commit(store, {"settings.a": 1}, identity="one")
    store.reach_phase("one", "configured")
    commit(store, {"settings.a": 2}, identity="two")
    assert store.phases() == {"one": "configured", "two": "committed"}


FILES = tuple(AppliedFile(f"/etc/{name}", name, "0f" * 32, 1, 2**62, 3, 0o644) for name in ("a", "b"))


@pytest.mark.parametrize("files", [(), FILES[:1], FILES])
def test_the_last_apply_is_remembered_whole(store: Store, files: tuple[AppliedFile, ...]) -> None:
    assert store.applied() is None
    store.record_applied(Applied(1, "old", {"x": ["y"]}, FILES))
    store.record_applied(Applied(2, "new", {"unused_keys": []}, files))
    assert store.applied() == Applied(2, "new", {"unused_keys": []}, files)


def test_an_apply_moves_the_machines_that_waited_for_it(store: Store) -> None:
    for identity in ("waits", "is-further"):
        end(store, "tx", identity=identity, may_be_empty=True)
    store.reach_phase("is-further", "bootstrapped")
    store.record_applied(Applied(1, "digest", {}, ()))
    assert store.phases() == {"waits": "applied", "is-further": "bootstrapped"}


def test_too_many_transactions_are_refused_and_the_open_ones_go_on(store: Store) -> None:
    for number in range(PENDING_LIMIT):
        store.patch(f"tx-{number}", {"settings.a": 1}, "origin")
    with pytest.raises(PendingLimitError):
        store.patch("one more", {"settings.a": 1}, "origin")
    store.patch("tx-0", {"settings.b": 1}, "origin")
    assert len(pendings.names(store)) == PENDING_LIMIT
    store.discard("tx-1")
    store.patch("one more", {"settings.a": 1}, "origin")


@given(mutated())
def test_settings_come_out_of_the_store_as_they_went_in(
    tmp_path_factory: pytest.TempPathFactory, document: dict[str, object]
) -> None:
    settings, _ = check(document)
    flat = flatten(settings or complete())
    store = Store(str(tmp_path_factory.mktemp("store") / "settings.db"))
    try:
        store.patch("tx", flat, "origin")
        assert pending(store, "tx") == flat
        assert end(store, "tx") == sorted(flat)
        assert values_of(store) == flat
        assert unflatten(values_of(store)) == unflatten(flat)
        assert {line.value for key in flat for line in store.changes(key) if isinstance(line.value, str)} == {
            value for value in flat.values() if isinstance(value, str)
        }
    finally:
        store.close()


@given(strategies.settings())
def test_good_settings_in_any_form_come_out_in_their_stable_one(
    tmp_path_factory: pytest.TempPathFactory, document: dict[str, object]
) -> None:
    stable, faults = check(document)
    assume(not faults)  # names that are each good can make a key that is too long
    store = Store(str(tmp_path_factory.mktemp("store") / "settings.db"))
    try:
        store.patch("tx", flatten(stable), "origin")
        end(store, may_be_empty=True)
        assert unflatten(values_of(store)) == stable
        assert check(unflatten(values_of(store))) == (stable, ())
        assert unflatten(values_at(store, store.generation())) == stable
    finally:
        store.close()


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_survives(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    store = Store(str(tmp_path_factory.mktemp("store") / "settings.db"))
    try:
        store.patch("tx", {"settings.a": text}, text)
        end(store, "tx")
        assert store.live() == {"settings.a": Entry(text, text, 1)}
    finally:
        store.close()


def test_everything_is_there_after_opening_again(path: str) -> None:
    first = Store(path)
    commit(first, {"settings.a": 1}, identity="m")
    first.patch("open", {"settings.b": 2}, "origin")
    first.record_applied(Applied(1, "digest", {}, FILES))
    first.close()
    second = Store(path)
    try:
        assert second.live() == {"settings.a": Entry(1, "origin", 1)}
        assert pending(second, "open") == {"settings.b": 2}
        assert second.phases() == {"m": "applied"}
        assert second.applied() == Applied(1, "digest", {}, FILES)
    finally:
        second.close()
