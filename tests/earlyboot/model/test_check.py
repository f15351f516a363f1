"""Checking whole documents."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import tomli
from hypothesis import assume, given
from hypothesis import strategies as st

from earlyboot.model.check import KeyFault, check
from earlyboot.model.settings import GROUPS
from earlyboot.model.tree import flatten, unflatten
from tests.earlyboot.model.documents import ARBITRARY, complete, mutated
from tests.earlyboot.model.strategies import settings as good_settings

INVALID = sorted((Path(__file__).parent / "invalid").glob("*.toml"))


def test_a_document_in_its_stable_form_comes_out_as_it_went_in() -> None:
    document = complete()
    settings, faults = check(document)
    assert faults == ()
    assert settings == document
    assert list(flatten(settings)) == list(flatten(document))
    assert document == complete()


def test_the_groups_are_those_of_the_document_that_uses_every_key() -> None:
    assert tuple(complete()) == GROUPS


@given(mutated())
def test_checking_twice_changes_nothing(document: dict[str, object]) -> None:
    settings, faults = check(document)
    assert bool(settings) or bool(faults) or not flatten(settings)
    assert check(settings) == (settings, ())
    assert unflatten(flatten(settings)) == settings


@given(good_settings())
def test_good_settings_come_back_from_their_flat_form_unchanged(document: dict[str, object]) -> None:
    settings, faults = check(document)
    assume(not any("characters; at most 255" in fault.what for fault in faults))
    assert faults == ()
    flat = flatten(settings)
    assert unflatten(flat) == settings
    assert check(unflatten(flat)) == (settings, ())
    assert list(flatten(check(settings)[0])) == list(flat)


@given(ARBITRARY | mutated())
def test_whatever_comes_is_accepted_or_explained(document: object) -> None:
    before = copy.deepcopy(document)
    settings, faults = check(document)
    assert repr(document) == repr(before)
    for fault in faults:
        assert fault.fix
        assert fault.what.startswith("settings")
        assert "cannot be used" not in fault.what  # msgspec found a fault that the walk did not
        assert settings == {}


@given(mutated(), st.sampled_from(GROUPS))
def test_a_fault_in_one_group_says_nothing_about_another(document: dict[str, object], group: str) -> None:
    _, all_faults = check(document)
    _, faults = check({group: document[group]} if group in document else {})
    assert faults == tuple(fault for fault in all_faults if fault.path[:1] == (group,))


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_every_fault_of_a_document_is_reported_at_once(path: Path) -> None:
    settings, faults = check(tomli.loads(path.read_text())["settings"])
    assert settings == {}
    assert transcript(faults) == path.with_suffix(".txt").read_text()


def transcript(faults: tuple[KeyFault, ...]) -> str:
    return "".join(f"{fault.code}: {fault.what}\n  fix: {fault.fix}\n" for fault in faults)


def test_an_empty_document_and_empty_tables_hold_no_settings() -> None:
    assert check({}) == ({}, ())
    assert check({"aws": {}, "kernel": {"sysctl": {}}, "host-containers": {"admin": {}}}) == ({}, ())


def test_named_time_servers_become_a_list_in_their_order() -> None:
    named = {"z": {"address": "a.example"}, "a": {"address": "b.example", "directive": "pool"}}
    settings, faults = check({"ntp": {"time-servers": named}})
    assert faults == ()
    assert settings == {
        "ntp": {"time-servers": [{"address": "a.example"}, {"address": "b.example", "directive": "pool"}]}
    }


def test_time_servers_may_be_plain_addresses() -> None:
    document = {"ntp": {"time-servers": ["169.254.169.123", "2.amazon.pool.ntp.org"]}}
    assert check(document) == (document, ())


def test_an_ipv6_address_is_stored_in_its_canonical_form() -> None:
    settings, faults = check({"network": {"hosts": [["2001:DB8:0::1", ["a"]]]}})
    assert faults == ()
    assert settings == {"network": {"hosts": [["2001:db8::1", ["a"]]]}}


def test_the_result_holds_builtin_types_only() -> None:
    def kinds(value: object) -> set[type]:
        members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return {type(value)}.union(*map(kinds, members))

    settings, _ = check(complete())
    assert kinds(settings) == {dict, list, str, bool, int, float}


def test_a_group_that_the_profile_leaves_out_is_refused() -> None:
    assert check({"aws": {"region": "x"}, "motd": "x"}, groups=["motd", "dns", "no-such"]) == (
        {},
        (
            KeyFault(
                ("aws",), "unknown-group", "settings.aws is not a group of settings here", "the groups are: motd, dns"
            ),
        ),
    )
    assert check({"motd": "x"}, groups=("motd",)) == ({"motd": "x"}, ())
    assert check({"motd": "x"}, groups=())[1][0].fix == "the groups are: none"


@pytest.mark.parametrize(
    ("document", "path", "code", "what", "fix"),
    [
        ({"motd": None}, ("motd",), "wrong-type", "settings.motd must be text, not null", "leave it out instead"),
        (
            {"aws": {3: "x"}},
            ("aws",),
            "wrong-type",
            "settings.aws has a key that is not text",
            "write every key as text",
        ),
        (
            {"kernel": {"sysctl": {b"x": "1"}}},
            ("kernel", "sysctl"),
            "wrong-type",
            "settings.kernel.sysctl has a key that is not text",
            "write every key as text",
        ),
        (
            {"updates": {"seed": 10**5000}},
            ("updates", "seed"),
            "bad-value",
            "settings.updates.seed must be a whole number from 0 to 4294967295",
            "write a number within that range",
        ),
        (
            {"updates": {"seed": float("nan")}},
            ("updates", "seed"),
            "wrong-type",
            "settings.updates.seed must be a whole number from 0 to 4294967295, not a number with a decimal point",
            "write a whole number, without quotes",
        ),
        (
            {"kubernetes": {"memory-throttling-factor": "0.9"}},
            ("kubernetes", "memory-throttling-factor"),
            "wrong-type",
            "settings.kubernetes.memory-throttling-factor must be a number, not text",
            "write a number, without quotes",
        ),
        (
            {"kubernetes": {"memory-throttling-factor": float("nan")}},
            ("kubernetes", "memory-throttling-factor"),
            "bad-value",
            "settings.kubernetes.memory-throttling-factor must be a number greater than 0, at most 1",
            "write it such as 0.9",
        ),
        (
            {"motd": b"bytes"},
            ("motd",),
            "wrong-type",
            "settings.motd must be text, not a value of another kind",
            'write text in quotes, such as "Welcome!"',
        ),
        (
            {"motd": "\ud800"},
            ("motd",),
            "bad-value",
            "settings.motd must be text without NUL characters",
            'write for example "Welcome!"',
        ),
        (
            {"aws": {"\ud800\n": "x"}},
            ("aws", "\ud800\n"),
            "unknown-key",
            'settings.aws."\\ud800\\n" is not a known key',
            "the keys here are: region, profile, config, credentials",
        ),
        (
            {"kernel": {"lockdown": "\ud800"}},
            ("kernel", "lockdown"),
            "bad-value",
            'settings.kernel.lockdown must be "confidentiality", "integrity" or "none"',
            "write one of these, in quotes",
        ),
        (
            {"aws": {"x" * 1000: "y"}},
            ("aws", "x" * 1000),
            "unknown-key",
            f'settings.aws."{"x" * 80}…" is not a known key',
            "the keys here are: region, profile, config, credentials",
        ),
    ],
)
def test_hostile_input_is_explained_like_any_other(
    document: object, path: tuple[str | int, ...], code: str, what: str, fix: str
) -> None:
    assert check(document) == ({}, (KeyFault(path, code, what, fix),))


@pytest.mark.parametrize(("document", "word"), [([], "a list"), ("x", "text"), (None, "null"), (5, "a number")])
def test_settings_that_are_no_table_are_refused(document: object, word: str) -> None:
    settings, faults = check(document)
    assert settings == {}
    assert [(fault.path, fault.what) for fault in faults] == [((), f"settings must be a table, not {word}")]


def test_a_hundred_faults_are_shown_and_the_rest_counted() -> None:
    _, faults = check({"aws": {f"key-{n}": "x" for n in range(20_000)}})
    assert len(faults) == 101
    assert faults[99].path == ("aws", "key-99")
    assert faults[100] == KeyFault((), "too-many", "19900 more faults are not shown", "mend these and check again")


def test_a_setting_whose_key_would_be_too_long_to_store_is_refused() -> None:
    name = f"{'p' * 253}/role"
    longest = "n" * (255 - len("settings.kubernetes.node-labels.") - len("/role")) + "/role"
    assert check({"kubernetes": {"node-labels": {longest: "x"}}})[1] == ()
    assert check({"kubernetes": {"node-labels": {"a": "", name: "x"}}}) == (
        {},
        (
            KeyFault(
                ("kubernetes", "node-labels", name),
                "bad-value",
                f'settings.kubernetes.node-labels."{"p" * 80}…" has a key of 290 characters; at most 255 are allowed',
                "use a shorter name",
            ),
        ),
    )


def test_a_name_that_no_key_can_have_is_reported_where_it_stands() -> None:
    from earlyboot.model.faults import find_key_faults

    assert find_key_faults({"own": {"a b": {"c": 1}, "ok": 2, "x": {"": 3}}}) == tuple(
        KeyFault(
            path,
            "bad-value",
            f"{place} has a name that no settings key can have",
            "use letters, digits, '-', '_', '/' and '.'",
        )
        for path, place in ((("own", "a b"), 'settings.own."a b"'), (("own", "x", ""), 'settings.own.x.""'))
    )


@given(mutated())
def test_no_value_appears_in_any_text(document: dict[str, object]) -> None:
    def hide(value: object) -> object:
        if isinstance(value, dict):
            return {name if isinstance(name, str) else "n": hide(member) for name, member in value.items()}
        return [hide(item) for item in value] if isinstance(value, list) else "s3cr3t value\n"

    _, faults = check(hide(document))
    assert "s3cr3t" not in repr([(fault.what, fault.fix) for fault in faults])


def test_what_only_msgspec_found_is_reported_without_the_value() -> None:
    from earlyboot.model.faults import find_faults

    assert find_faults({}, GROUPS, {}, "Invalid enum value 'hid'den' - at `$.x`") == (
        KeyFault(
            (),
            "bad-value",
            "settings cannot be used: Invalid enum value … - at `$.x`",
            "compare them with the settings reference",
        ),
    )
