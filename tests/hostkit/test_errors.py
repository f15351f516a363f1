"""The errors: their texts, their JSON, and what hostile input may not do to either."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostkit.errors import (
    BY_EXIT_STATUS,
    ApiError,
    EarlybootError,
    Fault,
    HostError,
    OperatorError,
    SourceError,
    Where,
    merged,
    printable,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
WHERES = st.builds(Where, *[st.none() | st.text(), st.none() | st.integers(), st.none() | st.integers()])


def test_a_fault_says_what_where_and_how_to_fix_it() -> None:
    fault = Fault("both", "eno1 sets both", Where("/x/net.toml", 12, 3, "eno1.route"), "delete one of them")
    assert fault.text() == (
        "error: eno1 sets both\n  where: /x/net.toml:12 [eno1.route]\n  fix:   delete one of them"  # as designed
    )
    assert str(OperatorError(fault, Fault("x", "second"))) == f"{fault.text()}\nerror: second"


@pytest.mark.parametrize(
    ("where", "text"),
    [
        (Where(), ""),
        (Where("file"), "file"),
        (Where("file", 3), "file:3"),
        (Where("file", 3, 7), "file:3"),
        (Where(None, 3), ""),
        (Where("file", None, None, "settings.motd"), "file [settings.motd]"),
        (Where(key="settings.motd"), "settings.motd"),
    ],
)
def test_a_place_is_as_precise_as_what_is_known(where: Where, text: str) -> None:
    assert str(where) == text


def test_control_characters_reach_no_terminal_and_forge_no_line() -> None:
    assert printable("a\x1b[2J\nerror: forged\u2028\x7f\ud800é") == "a\\x1b[2J\\nerror: forged\\u2028\\x7f\\ud800é"
    assert Fault("x", "a\nb", Where("c\rd", key="e\x00"), "f\x1b").text() == (
        "error: a\\nb\n  where: c\\rd [e\\x00]\n  fix:   f\\x1b"
    )


@given(st.text())
def test_whatever_is_printed_stays_on_one_line(text: str) -> None:
    assert printable(text).isprintable()
    assert printable(printable(text)) == printable(text)


@given(st.builds(Fault, st.text(), st.text(), WHERES, st.text()))
def test_a_fault_goes_through_json_unchanged(fault: Fault) -> None:
    assert Fault.from_json(fault.json()) == fault


@given(JSON)
def test_what_another_program_prints_is_a_fault_or_refused(value: object) -> None:
    try:
        fault = Fault.from_json(value)
    except ValueError:
        return
    assert all(isinstance(text, str) for text in (fault.code, fault.what, fault.fix, fault.text()))


def test_a_fault_of_another_program_may_lack_everything() -> None:
    assert Fault.from_json({}) == Fault("unknown", "")
    assert Fault.from_json({"where": {"line": "3", "column": None, "key": 5}}).where == Where(key="5")


def test_every_class_has_the_exit_status_of_the_command_line() -> None:
    expected = {2: OperatorError, 3: SourceError, 4: HostError, 5: ApiError}
    assert expected == BY_EXIT_STATUS


def test_an_error_without_a_fault_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="an error needs at least one fault"):
        EarlybootError()


def test_merged_errors_keep_every_fault_and_the_first_class() -> None:
    first, second, third = (Fault(str(number), "x") for number in range(3))
    error = merged([SourceError(first, second), HostError(third)])
    assert type(error) is SourceError
    assert error.faults == (first, second, third)
