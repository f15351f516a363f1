"""What a commit would do, decided from what is live and the lines of a transaction."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earlyboot.api.proposal import Line, Proposal, after, ancestors, layered, propose, propose_rollback
from earlyboot.model.key import format_key, parse_key


def proposal(live: dict[str, str], *lines: tuple[str, str | None], replace: bool = False) -> Proposal:
    return propose("tx", 7, live, [Line(key, text, "origin") for key, text in lines], replace=replace)


def result(live: dict[str, str], made: Proposal) -> dict[str, str]:
    sets = {key: line.text or "" for key, line in made.sets.items()}
    return {**{key: text for key, text in live.items() if key not in made.unsets}, **sets}


def test_of_two_lines_for_a_key_the_later_one_wins_and_both_are_recorded() -> None:
    made = proposal({}, ("settings.a", "1"), ("settings.a", "2"))
    assert made.record == (Line("settings.a", "1", "origin"), Line("settings.a", "2", "origin"))
    assert (dict(made.sets), made.unsets) == ({"settings.a": Line("settings.a", "2", "origin")}, frozenset())
    assert (made.tx, made.generation, made.changed, made.closes) == ("tx", 7, ("settings.a",), "tx")


def test_a_value_that_is_live_already_is_no_change() -> None:
    made = proposal({"settings.a": "1", "settings.b": "1"}, ("settings.a", "1"), ("settings.b", "2"))
    assert made.changed == ("settings.b",)


LIVE = {
    "settings.a": "1",
    "settings.a-b": "1",
    'settings.a."x.y"': "1",
    "settings.a.b": "1",
    "settings.a.b.c": "1",
    "settings.a/b": "1",
    "settings.ab": "1",
}


@pytest.mark.parametrize(
    ("key", "gone"),
    [
        ("settings.a", {"settings.a", 'settings.a."x.y"', "settings.a.b", "settings.a.b.c"}),
        ("settings.a.b", {"settings.a.b", "settings.a.b.c"}),
        ('settings.a."x.y"', {'settings.a."x.y"'}),
        ("settings.a.x", set()),
        ("settings.none", set()),
        ("settings", set(LIVE)),
    ],
)
def test_unsetting_takes_a_key_and_all_below_it_by_segments(key: str, gone: set[str]) -> None:
    made = proposal(LIVE, (key, None))
    assert (made.unsets, made.changed) == (frozenset(gone), tuple(sorted(gone)))
    assert {line.key for line in made.record} == gone


def test_the_order_of_setting_and_unsetting_is_the_order_of_the_lines() -> None:
    live = {"settings.a.x": "1", "settings.a.y": "2"}
    first = proposal(live, ("settings.a", None), ("settings.a.x", "3"), ("settings.a.z", "4"))
    assert result(live, first) == {"settings.a.x": "3", "settings.a.z": "4"}
    assert first.changed == ("settings.a.x", "settings.a.y", "settings.a.z")
    last = proposal(live, ("settings.a.x", "3"), ("settings.a.z", "4"), ("settings.a", None))
    assert result(live, last) == {}
    assert last.changed == ("settings.a.x", "settings.a.y")
    assert [line for line in last.record if line.key == "settings.a.z"] == [
        Line("settings.a.z", "4", "origin"),
        Line("settings.a.z", None, "origin"),
    ]


def test_unsetting_twice_is_recorded_once() -> None:
    made = proposal({"settings.a.b": "1"}, ("settings.a", None), ("settings.a.b", None))
    assert made.record == (Line("settings.a.b", None, "origin"),)


def test_what_replaces_takes_away_all_that_it_does_not_set() -> None:
    live = {"settings.a": "1", "settings.b": "2", "settings.c": "3"}
    made = proposal(live, ("settings.b", "2"), ("settings.c", None), replace=True)
    assert result(live, made) == {"settings.b": "2"}
    assert made.record[1:] == (Line("settings.c", None, "origin"), Line("settings.a", None, "replaced"))
    assert proposal(live, replace=True).unsets == frozenset()


def test_a_value_takes_the_place_of_a_table_and_a_table_that_of_a_value() -> None:
    live = {"settings.a.b": "1", "settings.c": "1"}
    made = proposal(live, ("settings.a", "2"), ("settings.c.d.e", "3"))
    assert result(live, made) == {"settings.a": "2", "settings.c.d.e": "3"}
    assert made.changed == ("settings.a", "settings.a.b", "settings.c", "settings.c.d.e")
    assert result({}, proposal({}, ("settings.a", "1"), ("settings.a.b", "2"))) == {"settings.a.b": "2"}
    assert result({}, proposal({}, ("settings.a.b", "2"), ("settings.a", "1"))) == {"settings.a": "1"}


def test_going_back_records_only_what_differs_and_keeps_the_origins() -> None:
    live = {"settings.a": "1", "settings.b": "2", "settings.c": "3"}
    then = [Line("settings.a", "1", "imds"), Line("settings.b", "9", "file"), Line("settings.d", "4", "file")]
    made = propose_rollback(3, 7, live, then)
    assert made.record == (
        Line("settings.c", None, "rollback to 3"),
        Line("settings.b", "9", "file"),
        Line("settings.d", "4", "file"),
    )
    assert (made.tx, made.closes) == ("rollback to 3", None)
    assert made.changed == ("settings.b", "settings.c", "settings.d")
    assert result(live, made) == {line.key: line.text for line in then}


# ---- against a model that is as simple as can be


SEGMENTS = st.sampled_from(["a", "b", "a.b", "a/b", "a-"])
KEYS = st.lists(SEGMENTS, min_size=1, max_size=3).map(lambda path: format_key(("settings", *path)))
TEXTS = st.sampled_from(["1", "2"])


def _unrelated(keys: dict[str, str]) -> dict[str, str]:
    """Without the keys that lie below others."""
    return {key: text for key, text in keys.items() if not any(above in keys for above in ancestors(key))}


def _relation(one: str, other: str) -> bool:
    first, second = parse_key(one), parse_key(other)
    return first != second and first[: len(second)] == second


@given(
    st.dictionaries(KEYS, TEXTS, max_size=8).map(_unrelated),
    st.lists(st.tuples(KEYS, st.none() | TEXTS), max_size=8),
    st.booleans(),
)
def test_a_commit_leaves_what_the_lines_say_one_after_the_other(
    live: dict[str, str], lines: list[tuple[str, str | None]], replace: bool
) -> None:
    expected = dict(live)
    told = set()
    for key, text in lines:
        for other in list(expected):
            # Setting displaces tables above and values below; unsetting takes the key and what is below.
            if _relation(other, key) or (text is not None and _relation(key, other)) or other == key:
                del expected[other]
                told.discard(other)
        if text is not None:
            expected[key] = text
            told.add(key)
    if replace and lines:
        expected = {key: text for key, text in expected.items() if key in told}
    made = proposal(live, *lines, replace=replace)
    assert result(live, made) == expected
    assert set(made.changed) == {key for key in live.keys() | expected.keys() if live.get(key) != expected.get(key)}
    # The record alone leads from one state to the other: the history is put together from it.
    replayed: dict[str, str | None] = dict(live)
    replayed.update({line.key: line.text for line in made.record})
    assert {key: text for key, text in replayed.items() if text is not None} == expected


def test_live_settings_lie_over_the_defaults() -> None:
    defaults: dict[str, object] = {"settings.a": 1, "settings.b.c": 2, "settings.d": 3, "settings.e": 4}
    live: dict[str, object] = {"settings.a": 9, "settings.b": 9, "settings.d.x": 9}
    assert layered(defaults, live) == {"settings.e": 4, "settings.a": 9, "settings.b": 9, "settings.d.x": 9}
    made = proposal(
        {"settings.a": "9", "settings.b": "9", "settings.d.x": "9"}, ("settings.b", None), ("settings.a", "7")
    )
    assert layered(defaults, after(made, live)) == {
        "settings.a": 7,
        "settings.b.c": 2,
        "settings.e": 4,
        "settings.d.x": 9,
    }


@pytest.mark.parametrize(
    ("key", "above"),
    [
        ("settings.a", []),
        ("settings.a.b", ["settings.a"]),
        ("settings.a.b.c", ["settings.a", "settings.a.b"]),
        ('settings.a."b.c".d', ["settings.a", 'settings.a."b.c"']),
        ('settings."a.b"', []),
    ],
)
def test_the_keys_above_a_key(key: str, above: list[str]) -> None:
    assert ancestors(key) == above
