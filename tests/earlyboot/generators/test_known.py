"""What is set: by segments, never by the beginning of a text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from earlyboot.generators.known import Known, grown, key_path, leaves, nested

DEFAULTS = {"kubernetes": {"cluster-domain": "cluster.local"}, "motd": "default"}
FIRST = {"bootstrap-containers": {"x": {"mode": "once"}}, "kernel": {"sysctl": {"a.b": "1"}}, "motd": "first"}
SECOND = {"network": {"no-proxy": []}, "ntp": {}, "host-containers": {"b": {"enabled": True}, "a": {}, "c": {"x": 1}}}
KNOWN = Known(DEFAULTS, [FIRST, SECOND])


def test_a_key_is_set_where_something_at_or_below_it_has_a_value() -> None:
    for key in (
        "settings.motd",
        "settings.kernel",
        "settings.kernel.sysctl",
        'settings.kernel.sysctl."a.b"',
        "settings.network.no-proxy",
        "settings.bootstrap-containers.x",
        "settings.kubernetes",
    ):
        assert KNOWN.is_set(key_path(key)), key


def test_a_key_whose_text_only_begins_so_is_not_it() -> None:
    for key in (
        "settings.boot",
        "settings.bootstrap",
        "settings.kernel.sysctl.a",
        "settings.kernel.sys",
        "settings.mot",
        "settings.motd.x",
        "settings.ntp",
        "settings.host-containers.a",
        "settings.host-containers.b.source",
    ):
        assert not KNOWN.is_set(key_path(key)), key


def test_defaults_set_a_key_and_are_given_by_nobody() -> None:
    assert not KNOWN.is_given(("kubernetes",))
    assert KNOWN.is_given(("motd",))
    later = Known(DEFAULTS, [FIRST])
    later.add({"kubernetes": {"node-ip": "192.0.2.1"}})
    assert later.is_given(("kubernetes",))


def test_the_later_value_wins_and_a_table_is_none() -> None:
    assert KNOWN.value(("motd",)) == "first"
    assert KNOWN.value(("kernel", "sysctl")) is None
    assert KNOWN.value(("network", "no-proxy")) == []
    assert KNOWN.value(("motd", "x")) is None


def test_members_are_the_names_with_values_of_all_layers() -> None:
    assert KNOWN.members(("host-containers",), 1) == [("host-containers", "b"), ("host-containers", "c")]
    assert KNOWN.members(("host-containers",), 2) == [
        ("host-containers", "b", "enabled"),
        ("host-containers", "c", "x"),
    ]
    assert KNOWN.members(("host-containers",), 0) == [("host-containers",)]
    assert KNOWN.members(("ntp",), 1) == []
    assert KNOWN.members(("motd",), 1) == []


def test_a_table_is_merged_from_all_layers() -> None:
    layered = Known({"a": {"x": 1, "t": {"u": 1}}}, [{"a": {"y": 2}}, {"a": {"x": 3, "t": {"v": 2}}}])
    assert layered.table(("a",)) == {"x": 3, "y": 2, "t": {"u": 1, "v": 2}}
    assert layered.table(("a", "x")) == {}


def test_one_path_as_a_table() -> None:
    assert nested(("a", "b.c"), [1]) == {"a": {"b.c": [1]}}


TREES = st.recursive(
    st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(st.text(min_size=1, max_size=3), inner, min_size=1, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(min_size=1, max_size=3), TREES, max_size=3))
def test_a_tree_is_the_same_after_it_was_taken_apart(tree: dict[str, object]) -> None:
    assert grown(leaves((), tree)) == tree
