"""Bounded TOML: limits hold before the parser runs, and every fault has its line."""

from __future__ import annotations

import pytest
import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

from hostkit.errors import OperatorError
from hostkit.toml import Index, Limits, dotted, parse

DOCUMENT = """\
# a comment with [brackets] and a = sign
[settings]
motd = '''
[not.a.table]
x = 1'''

[settings.network]
hosts = [
  ["10.0.0.1", ["a", "b"]],   # first
  [
    "10.0.0.2",
    ["c"],
  ],
]
"https-proxy" = "http://[::1]:8080"

[settings.kernel.sysctl]
"net.ipv4.ip_forward" = "1"
[[settings.ntp.time-servers]]
address = "a"
[[settings.ntp.time-servers]]
address = "b"
options = {deep = {er = 1.5}, list = [1, 2]}
[settings.ntp.time-servers.sub]
x = 1979-05-27
"""


def text_of(error: pytest.ExceptionInfo[OperatorError]) -> str:
    return str(error.value)


@pytest.mark.parametrize(
    ("path", "line", "column"),
    [
        (("settings",), 2, 2),
        (("settings", "motd"), 3, 1),
        (("settings", "network", "hosts"), 8, 1),
        (("settings", "network", "hosts", 0), 9, 3),
        (("settings", "network", "hosts", 0, 1, 1), 9, 22),
        (("settings", "network", "hosts", 1), 10, 3),
        (("settings", "network", "hosts", 1, 1, 0), 12, 6),
        (("settings", "network", "https-proxy"), 15, 1),
        (("settings", "network", "not-there"), 7, 11),
        (("settings", "kernel", "sysctl", "net.ipv4.ip_forward"), 18, 1),
        (("settings", "ntp", "time-servers", 0, "address"), 20, 1),
        (("settings", "ntp", "time-servers", 1, "address"), 22, 1),
        (("settings", "ntp", "time-servers", 1, "options", "deep", "er"), 23, 20),
        (("settings", "ntp", "time-servers", 1, "options", "list", 1), 23, 42),
        (("settings", "ntp", "time-servers", 1, "sub", "x"), 25, 1),
    ],
)
def test_a_key_is_found_where_it_stands(path: tuple[str | int, ...], line: int, column: int) -> None:
    assert Index(DOCUMENT).locate(path) == (line, column)


def test_a_key_of_an_empty_document_has_no_place() -> None:
    assert Index("# nothing\n").locate(("settings", "motd")) is None


def test_a_syntax_error_has_line_and_column() -> None:
    with pytest.raises(OperatorError) as error:
        parse("[settings]\nmotd = hello\n", "/data/user-data.toml")
    assert text_of(error) == (
        "error: not TOML: invalid value, at column 8\n"
        "  where: /data/user-data.toml:2\n"
        "  fix:   correct the line; strings need quotes, tables look like [settings.ntp]"
    )


def test_all_values_that_no_setting_can_have_are_reported_at_once() -> None:
    with pytest.raises(OperatorError) as error:
        parse("[settings]\na = 1979-05-27\nb = [inf, 1, nan]\nc = 9223372036854775808\n", "f")
    assert text_of(error) == (
        "error: settings.a is a date or time, which no setting is\n"
        "  where: f:2 [settings.a]\n"
        "  fix:   put the value in quotes\n"
        "error: settings.b[0] is not a finite number\n"
        "  where: f:3 [settings.b]\n"
        "  fix:   write a number with digits\n"
        "error: settings.b[2] is not a finite number\n"
        "  where: f:3 [settings.b]\n"
        "  fix:   write a number with digits\n"
        "error: settings.c does not fit 64 bits\n"
        "  where: f:4 [settings.c]\n"
        "  fix:   write a smaller number"
    )


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x = '" + "a" * 2000 + "'", "too-large"),
        ("é" * 1020 + " = 1", "too-large"),
        ("x = " + "[" * 40 + "]" * 40, "too-deep"),
        ("x = " + "{a=" * 40 + "1" + "}" * 40, "too-deep"),
        (".".join("a" * 200) + " = 1", "too-deep"),
        ("[" + ".".join("a" * 40) + "]", "too-deep"),
        ("[a]\n" + ".".join("b" * 33) + "=1", "too-deep"),
        ("[" + ".".join("a" * 20) + "]\n" + ".".join("b" * 20) + "=1", "too-deep"),
        ("\n".join(f"k{i}=1" for i in range(101)), "too-many-keys"),
        ("".join(f"[t{i}]\n" for i in range(101)), "too-many-keys"),
        ("x = " + "1" * 500, "integer-range"),
    ],
)
def test_a_document_over_a_limit_is_refused(text: str, code: str) -> None:
    with pytest.raises(OperatorError) as error:
        parse(text, "f", Limits(size_bytes=2000, keys=100))
    assert [fault.code for fault in error.value.faults] == [code]


def test_an_integer_of_thousands_of_digits_is_a_fault_and_no_bug() -> None:
    with pytest.raises(OperatorError) as error:
        parse("x = " + "1" * 5000, "f")
    assert error.value.faults[0].code == "toml-syntax"


@pytest.mark.parametrize("nested", ["'''" + "x" * (1 << 20), '"' + "\\" * (1 << 19), "a." * (1 << 19), "[" * (1 << 19)])
def test_a_mebibyte_of_garbage_ends_as_a_fault(nested: str) -> None:
    with pytest.raises(OperatorError):
        parse(f"x = {nested}", "f", Limits(size_bytes=2 << 20))


KEYS = st.one_of(st.from_regex(r"[A-Za-z0-9_-]{1,5}", fullmatch=True), st.text(max_size=4, alphabet="a.\"'\\#=[ é"))
VALUES = st.recursive(
    st.one_of(st.booleans(), st.integers(-9, 9), st.just(1.5), st.text(max_size=6, alphabet="a\"'\\#=[]{}\n, ")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def inline(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(key)} = {inline(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[ # open\n" + ",\n".join(inline(item) for item in value) + "]"
    return quoted(value) if isinstance(value, str) else str(value).lower()


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def paths(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    if isinstance(value, dict):
        return [p for key, item in value.items() for p in [(*path, key), *paths(item, (*path, key))]]
    if isinstance(value, list):
        return [p for place, item in enumerate(value) for p in [(*path, place), *paths(item, (*path, place))]]
    return []


@settings(max_examples=150)
@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_every_key_of_any_document_has_a_place_of_its_own(document: dict[str, object]) -> None:
    lists_may_span_lines = {key: value for key, value in document.items() if "\n" not in inline(value)}
    text = "\n".join(f"{quoted(key)} = {inline(value)}" for key, value in lists_may_span_lines.items()) + "\n"
    assert parse(text, "f") == lists_may_span_lines
    index = Index(text)
    for number, (key, value) in enumerate(lists_may_span_lines.items(), start=1):
        assert index.locate((key,)) == (number, 1)
        for path in paths(value, (key,)):
            place = index.locate(path)
            assert place is not None
            assert place[0] == number
            assert place[1] > len(quoted(key))


@settings(max_examples=300)
@given(st.text(max_size=60, alphabet="a1.=[]{},\"'#\n\\ -é"))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        document = parse(text, "f")
    except OperatorError:
        return
    assert document == tomli.loads(text)
    index = Index(text)
    for path in paths(document):
        assert index.locate(path) is not None, dotted(path)
