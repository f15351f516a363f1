"""Whole documents, read back by real parsers."""

from __future__ import annotations

import json
import subprocess
import tomllib
from typing import Any

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from earlyboot.render.documents import environment, json_document, toml_document, words
from earlyboot.render.nested import at, chosen, list_at, table_at, text_at

NAME = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
SCALAR = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | NAME
VALUE: st.SearchStrategy[Any] = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAME, inner, max_size=4), max_leaves=12
)
DOCUMENT = st.dictionaries(NAME, VALUE, max_size=5)
ONE_LINE = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]))


@given(DOCUMENT, st.booleans())
def test_any_document_is_read_back_from_toml(document: dict[str, Any], for_old_readers: bool) -> None:
    text = toml_document(document, for_old_readers=for_old_readers).decode()
    assert tomllib.loads(text) == tomli.loads(text) == document


@given(DOCUMENT)
def test_any_document_is_read_back_from_json(document: dict[str, Any]) -> None:
    assert json.loads(json_document(document)) == document


def test_a_document_of_toml_is_laid_out_for_people() -> None:
    document = {
        "b": 1,
        "table": {"x y": {"deep": [1, 2]}, "empty": {}, "z": "last"},
        "list": [{"a": 1, "inner": {"b": 2}}, {}],
        "a": ["mixed", {"a": 1}],
    }
    assert toml_document(document).decode() == (
        "# Made by earlyboot from the settings. What is changed here is lost.\n"
        "b = 1\n"
        'a = ["mixed", { a = 1 }]\n'
        '\n[table]\nz = "last"\n'
        '\n[table."x y"]\ndeep = [1, 2]\n'
        "\n[table.empty]\n"
        "\n[[list]]\na = 1\n"
        "\n[list.inner]\nb = 2\n"
        "\n[[list]]\n"
    )


def test_for_old_readers_no_header_has_a_bracket_within() -> None:
    document = {"a": {"[::1]:80": {"b": {"c": 1}}, "d": {"[": {}}, "e": {"f": 1}}}
    assert toml_document(document, for_old_readers=True).decode() == (
        "# Made by earlyboot from the settings. What is changed here is lost.\n"
        '\n[a]\n"[::1]:80" = { b = { c = 1 } }\n'
        '\n[a.d]\n"[" = {}\n'
        "\n[a.e]\nf = 1\n"
    )


def test_empty_tables_and_lists_of_json_stay_on_their_line() -> None:
    assert json_document({"a": {}, "b": [], "c": [{}]}) == b'{\n  "a": {},\n  "b": [],\n  "c": [\n    {}\n  ]\n}\n'


@given(st.lists(ONE_LINE, min_size=1, max_size=5))
def test_a_shell_reads_every_variable_back(values: list[str]) -> None:
    text = environment({f"V{number}": value for number, value in enumerate(values)}).decode()
    script = text + "".join(f"printf '%s\\n' \"$V{number}\"\n" for number in range(len(values)))
    ended = subprocess.run(["/bin/sh", "-c", script], check=True, capture_output=True)
    assert ended.stdout.decode().split("\n")[:-1] == values


@pytest.mark.parametrize("value", ["a b", "a\tb", "a\nb", 'a"b', "a'b", "a\\b", "ä", "", "a$b;#%{}"])
def test_a_flag_stays_one_word_or_is_refused(value: str) -> None:
    if value in ("", "a$b;#%{}"):
        assert words([f"--first={value}", "--second"]) == f"--first={value} --second"
    else:
        expected = "^the value of --first has a space, a quote, a backslash or a character beyond ASCII$"
        with pytest.raises(ValueError, match=expected):
            words([f"--first={value}", "--second"])


def test_what_is_not_set_reads_as_nothing() -> None:
    settings: dict[str, object] = {"a": {"b": {"c": [1]}, "t": "text", "f": False}, "s": "scalar"}
    assert at(settings, "a", "b", "c") == [1]
    assert [at(settings, *path) for path in (("x",), ("a", "x"), ("s", "x"), ("a", "b", "c", "x"))] == [None] * 4
    assert (table_at(settings, "a", "b"), table_at(settings, "s"), table_at(settings, "x")) == ({"c": [1]}, {}, {})
    assert (list_at(settings, "a", "b", "c"), list_at(settings, "a", "t")) == ([1], ())
    assert (text_at(settings, "a", "t"), text_at(settings, "a", "f")) == ("text", None)
    assert chosen(table_at(settings, "a"), {"f": "first", "x": "none", "t": "then"}) == {"first": False, "then": "text"}
