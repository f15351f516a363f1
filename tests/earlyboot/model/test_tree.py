"""Nested and flat settings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earlyboot.model.tree import flatten, unflatten

NAME = st.text("abz09_-/.", min_size=1, max_size=12)
LEAF = st.booleans() | st.integers() | st.text() | st.lists(st.text() | st.dictionaries(NAME, st.text()))
TREE = st.recursive(LEAF, lambda inner: st.dictionaries(NAME, inner, min_size=1, max_size=4), max_leaves=20)
SETTINGS = st.dictionaries(NAME, TREE, max_size=5)


def test_tables_become_dotted_keys_in_the_order_of_the_document() -> None:
    nested = {
        "ntp": {"time-servers": ["a", "b"]},
        "motd": "hello",
        "kernel": {"sysctl": {"net.core.rmem_max": "1", "net/x": "2"}, "modules": {}},
        "bootstrap-commands": {"x": {"commands": [["apiclient"]]}},
    }
    flat = {
        "settings.ntp.time-servers": ["a", "b"],
        "settings.motd": "hello",
        'settings.kernel.sysctl."net.core.rmem_max"': "1",
        "settings.kernel.sysctl.net/x": "2",
        "settings.bootstrap-commands.x.commands": [["apiclient"]],
    }
    assert list(flatten(nested).items()) == list(flat.items())
    del nested["kernel"]["modules"]  # type: ignore[attr-defined]
    assert unflatten(flat) == nested


@given(SETTINGS)
def test_unflatten_is_the_inverse_of_flatten(settings: dict[str, object]) -> None:
    flat = flatten(settings)
    assert unflatten(flat) == settings
    assert list(flatten(unflatten(flat))) == list(flat)


@pytest.mark.parametrize("name", ["", "a b", 'a"b', "é", "a" * 250])
def test_a_name_that_no_key_can_hold_is_refused(name: str) -> None:
    with pytest.raises(ValueError):
        flatten({"kernel": {name: "1"}})


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (["settings"], "the key 'settings' is not below 'settings'"),
        (["os.arch"], "the key 'os.arch' is not below 'settings'"),
        (["settings.a", "settings.a.b"], "the key 'settings.a.b' lies below a key that has a value"),
        (
            ["settings.a.b", "settings.a"],
            "the key 'settings.a' is there twice, as a value and as a table or in two spellings",
        ),
        (
            ["settings.a", 'settings."a"'],
            "the key 'settings.\"a\"' is there twice, as a value and as a table or in two spellings",
        ),
        (["settings..a"], "the key 'settings..a' has an empty segment"),
    ],
)
def test_keys_that_make_no_tree_are_refused(keys: list[str], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        unflatten(dict.fromkeys(keys, "1"))
    assert str(caught.value) == message
