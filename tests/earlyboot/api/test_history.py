"""Generations: what each one was, what differs between two, what is forgotten, and the way back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earlyboot.api import pending as pendings
from earlyboot.api import writer
from earlyboot.api.store import Difference, Generation, UnknownGenerationError, open_for_reading
from earlyboot.api.writer import Store
from tests.earlyboot.api.serving import Server, fault, problem
from tests.earlyboot.api.stores import PEER, commit, end, values_at, values_of


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(str(tmp_path / "settings.db"))
    yield opened
    opened.close()


# ---- the store


def test_every_generation_can_be_put_together_again(store: Store) -> None:
    commit(store, {"settings.a": 1, "settings.b": "x"})
    commit(store, {"settings.a": 2, "settings.c": [1]})
    store.unset("tx", ["settings.b"], "origin")
    end(store)
    states = [values_at(store, generation) for generation in range(4)]
    assert states == [
        {},
        {"settings.a": 1, "settings.b": "x"},
        {"settings.a": 2, "settings.b": "x", "settings.c": [1]},
        {"settings.a": 2, "settings.c": [1]},
    ]
    assert store.texts(3) == store.texts()
    assert store.texts(2)[1] == ("settings.b", '"x"', "origin", 1)


def test_a_generation_says_how_many_keys_it_changed(store: Store) -> None:
    commit(store, {"settings.a": 1, "settings.b": 1}, tx="first")
    store.unset("second", ["settings.b"], "origin")
    store.patch("second", {"settings.a": 1, "settings.c": 1}, "origin")
    end(store, "second")
    assert [(one.id, one.tx, one.uid, one.gid, one.pid, one.changed) for one in store.generations()] == [
        (2, "second", 1, 2, 3, 2),
        (1, "first", 1, 2, 3, 2),
    ]
    assert [one.id for one in store.generations(1)] == [2]


def test_the_difference_of_two_generations_goes_both_ways(store: Store) -> None:
    commit(store, {"settings.a": 1, "settings.b": 1, "settings.same": True})
    commit(store, {"settings.a": 2, "settings.c": 1}, replace=True)
    commit(store, {"settings.same": True})
    assert store.diff(1, 2) == [
        Difference("settings.a", 1, 2),
        Difference("settings.b", 1, None),
        Difference("settings.c", None, 1),
        Difference("settings.same", True, None),
    ]
    assert store.diff(2, 1) == [Difference(key, after, before) for key, before, after in store.diff(1, 2)]
    assert store.diff(1) == store.diff(1, 3)
    assert store.diff(3, 3) == []
    assert store.diff(0, 1) == [Difference(key, None, value) for key, value in values_at(store, 1).items()]


@pytest.mark.parametrize("generation", [2, 99, -1])
def test_a_generation_that_is_none_is_unknown(store: Store, generation: int) -> None:
    commit(store, {"settings.a": 1})
    for look in (store.texts, store.diff, lambda number: store.diff(0, number)):
        with pytest.raises(UnknownGenerationError):
            look(generation)
    with pytest.raises(UnknownGenerationError):
        pendings.proposed_rollback(store, generation)


def test_going_back_is_a_new_generation_with_the_old_values_and_their_origins(store: Store) -> None:
    commit(store, {"settings.a": 1, "settings.b": [1, 2]})
    before = store.live()
    store.patch("tx", {"settings.a": 2, "settings.c": 3}, "other")
    store.unset("tx", ["settings.b"], "other")
    end(store)
    store.patch("rollback to 1", {"settings.a": 5}, "somebody's own")
    assert store.commit(pendings.proposed_rollback(store, 1), PEER) == ["settings.a", "settings.b", "settings.c"]
    assert {key: entry[:2] for key, entry in store.live().items()} == {key: entry[:2] for key, entry in before.items()}
    assert store.generations(1)[0]._replace(committed_at=0) == Generation(3, 0, "rollback to 1", 1, 2, 3, 3)
    assert store.diff(1, 3) == []
    assert pendings.names(store) == ["rollback to 1"]
    assert store.commit(pendings.proposed_rollback(store, 1), PEER) == []
    assert store.generation() == 3
    assert store.commit(pendings.proposed_rollback(store, 0), PEER) == ["settings.a", "settings.b"]
    assert store.live() == {}


def test_the_oldest_generations_above_the_limit_are_forgotten_and_the_others_stay_whole(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "settings.db"), remembered=3)
    try:
        commit(store, {"settings.old": "never touched again", "settings.gone": 1, "settings.a": 0})
        store.unset("tx", ["settings.gone"], "origin")
        end(store)
        for number in range(1, 6):
            commit(store, {"settings.a": number})
        assert [one.id for one in store.generations()] == [7, 6, 5]
        old = {"settings.old": "never touched again"}
        assert [values_at(store, number) for number in (5, 6, 7)] == [{**old, "settings.a": n} for n in (3, 4, 5)]
        for forgotten in (1, 2, 3, 4):
            with pytest.raises(UnknownGenerationError):
                store.texts(forgotten)
        assert [change.generation for change in store.changes("settings.a")] == [5, 6, 7]
        assert [change.generation for change in store.changes("settings.old")] == [1]
        assert store.changes("settings.gone") == []
        assert store.diff(0, 5) == [
            Difference("settings.a", None, 3),
            Difference("settings.old", None, old.popitem()[1]),
        ]
    finally:
        store.close()


@pytest.mark.parametrize("limit", [1_000, 10_000])
def test_the_history_has_a_size(store: Store, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    monkeypatch.setattr(writer, "HISTORY_LIMIT_BYTES", limit)
    for number in range(30):
        commit(store, {"settings.a": f"{number:03}" + "x" * 777})
    # 10 bytes of key, 782 of value, 6 of origin.
    assert len(store.generations()) == limit // 798
    assert store.rows("SELECT count(*) FROM change") == [(limit // 798,)]
    commit(store, {"settings.a": "x" * 20_000})
    assert [one.id for one in store.generations()] == [31]
    assert values_at(store, 31) == values_of(store)


KEYS = [f"settings.{name}" for name in ("a", "a.b", "c", 'd."e.f"')]
COMMITS = st.lists(
    st.lists(st.tuples(st.sampled_from(KEYS), st.none() | st.integers(0, 2)), min_size=1, max_size=4), max_size=12
)


@given(COMMITS, st.integers(1, 5))
def test_whatever_is_committed_each_remembered_generation_is_what_it_was(
    tmp_path_factory: pytest.TempPathFactory, commits: list[list[tuple[str, int | None]]], remembered: int
) -> None:
    store = Store(str(tmp_path_factory.mktemp("store") / "settings.db"), remembered)
    store.rows("PRAGMA synchronous = OFF")
    states: dict[int, dict[str, object]] = {}
    changes: dict[int, int] = {}
    try:
        for lines in commits:
            for key, value in lines:
                if value is None:
                    store.unset("tx", [key], "origin")
                else:
                    store.patch("tx", {key: value}, "origin")
            changed = end(store)
            states.setdefault(store.generation(), values_of(store))
            if changed:
                changes[store.generation()] = len(changed)
        known = [one.id for one in store.generations()]
        assert known == [number for number in sorted(states, reverse=True) if number][:remembered]
        assert {number: values_at(store, number) for number in known} == {number: states[number] for number in known}
        assert {one.id: one.changed for one in store.generations()} == {number: changes[number] for number in known}
        oldest = known[-1] if known else 0
        lines_kept = store.rows("SELECT count(*) FROM change WHERE generation < ?", oldest)
        assert lines_kept[0][0] <= len(KEYS)  # type: ignore[operator]
    finally:
        store.close()


# ---- the endpoints


def commit_all(server: Server, *documents: dict[str, object]) -> None:
    for document in documents:
        server.call("patch_settings", document, tx="mine", origin="a test")
        server.call("commit_tx", tx="mine", replace="true")


def test_the_generations_are_listed_newest_first_with_who_made_them(server: Server) -> None:
    commit_all(server, {"motd": "a"}, {"motd": "b", "network": {"hostname": "x"}})
    found = server.call("list_generations")
    assert isinstance(found, list)
    who = {"uid": os.getuid(), "gid": os.getgid(), "pid": os.getpid(), "tx": "mine"}
    times = [one.pop("committed_at") for one in found]
    assert found == [{"id": 2, "changed": 2, **who}, {"id": 1, "changed": 1, **who}]
    assert times[0] >= times[1] > 1_600_000_000
    limited = server.call("list_generations", limit="1")
    assert isinstance(limited, list)
    assert [one["id"] for one in limited] == [2]


def test_what_differs_between_generations_is_listed_by_key(server: Server) -> None:
    commit_all(server, {"motd": "a"}, {"network": {"hostname": "x"}}, {"motd": "c"})
    between = [
        {"key": "settings.motd", "before": "a", "after": None},
        {"key": "settings.network.hostname", "before": None, "after": "x"},
    ]
    assert server.call("diff_generations", **{"from": "1", "to": "2"}) == between
    assert server.call("diff_generations", **{"from": "1"}) == [{"key": "settings.motd", "before": "a", "after": "c"}]


def test_going_back_commits_and_leaves_applying_to_the_caller(server: Server) -> None:
    commit_all(server, {"motd": "a"}, {"network": {"hostname": "x"}})
    assert server.call("rollback", generation="1") == ["settings.motd", "settings.network.hostname"]
    assert server.call("get_settings", keys="settings.motd,settings.network") == {"motd": "a"}
    assert server.call("rollback", generation="3") == []
    assert not os.path.exists(server.paths.inside("/etc/motd"))
    server.call("apply")
    assert Path(server.paths.inside("/etc/motd")).read_text() == "a\n"
    newest = server.call("list_generations", limit="1")
    assert isinstance(newest, list)
    assert newest[0]["tx"] == "rollback to 1"


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/generations/diff?from=99"),
        ("GET", "/generations/diff?from=0&to=99"),
        ("POST", "/generations/rollback?generation=99"),
    ],
)
def test_a_generation_that_is_not_remembered_is_not_found(shared_server: Server, method: str, target: str) -> None:
    what = "there is no such generation, or it is forgotten"
    expected = fault("no-generation", what, "GET /generations lists those that are remembered")
    answer = shared_server.ask(method, target)
    assert (answer.status, answer.json()) == (404, problem(404, "Not found", expected))


@pytest.mark.parametrize("text", ["-1", "1.5", "x", "1e3", "٣", "99999999999999999", "+1"])
def test_a_generation_is_a_whole_number(shared_server: Server, text: str) -> None:
    answer = shared_server.ask("POST", f"/generations/rollback?generation={quote(text)}")
    what = "generation is not a whole number from 0 to 9,007,199,254,740,991"
    assert answer.json() == problem(400, "Bad request", fault("bad-parameter", what, "write it like generation=2"))


def test_the_option_says_how_many_are_remembered(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "etc/earlyboot").mkdir(parents=True)
    (root / "etc/earlyboot/earlyboot.toml").write_text("[history]\ngenerations = 2\n")
    with Server(root) as server:
        commit_all(server, {"motd": "a"}, {"motd": "b"}, {"motd": "c"})
    reader = open_for_reading(server.paths.store)
    assert reader is not None
    assert [one.id for one in reader.generations()] == [3, 2]
    reader.close()


def test_a_group_whose_drop_in_is_gone_says_how_to_go_back_all_the_same(server: Server) -> None:
    commit_all(server, {"motd": "a"})
    server.call("list_tx")
    old = Store(server.paths.store)
    # As if a drop-in had brought the group.
    commit(old, {"settings.own.x": 1, "settings.motd": "own"})
    commit(old, {"settings.motd": "c"}, replace=True)
    old.close()
    answer = server.ask("POST", "/generations/rollback?generation=2")
    refusal = answer.json()
    assert isinstance(refusal, dict)
    assert [(found["code"], found["path"], found["fix"]) for found in refusal["faults"]] == [
        ("unknown-group", ["own"], "install the drop-in again, or set the other keys by hand")
    ]
    assert answer.status == 400
    assert server.call("rollback", generation="1") == ["settings.motd"]


def test_settings_that_the_model_does_not_take_any_more_are_not_gone_back_to(server: Server) -> None:
    commit_all(server, {"motd": "a"}, {"motd": "b"})
    server.call("list_tx")
    old = Store(server.paths.store)
    # As if an older program had let it in.
    old.rows("""UPDATE change SET value = '7' WHERE generation = 1""")
    old.close()
    expected = fault(
        "wrong-type",
        "settings.motd must be text, not a number",
        'write it in quotes, such as "Welcome!"',
        "settings.motd",
        path=["motd"],
    )
    answer = server.ask("POST", "/generations/rollback?generation=1")
    assert (answer.status, answer.json()) == (400, problem(400, "Bad request", expected))
    assert server.call("get_settings", keys="settings.motd") == {"motd": "b"}
