"""The engine of the templates: quoting by default, what a template may do, how it fails; and what templates call."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from earlyboot.config.profile import Format
from earlyboot.model.time_server import host_of
from earlyboot.model.types import TimeServerAddress
from earlyboot.render.chrony import time_sources
from earlyboot.render.hosts import hosts_lines
from earlyboot.render.templates import Renderer, lookup
from hostkit.errors import HostError

HOSTILE = "a\" 'b' $c %d"


def render(folder: Path, template: str, quoted_for: Format = "text", **names: object) -> str | None:
    (folder / "x.j2").write_text(template)
    return Renderer({"a": HOSTILE, "b": {"c.d": 1}}).render(str(folder / "x.j2"), quoted_for, **names)


# ---- quoting


@pytest.mark.parametrize(
    ("quoted_for", "made"),
    [
        ("text", HOSTILE),
        ("free", HOSTILE),
        ("ini", HOSTILE),
        ("toml", '"a\\" \'b\' $c %d"'),
        ("json", '"a\\" \'b\' $c %d"'),
        ("shell", '"a\\" \'b\' \\$c %d"'),
        ("systemd", '"a\\" \'b\' $c %%d"'),
    ],
)
def test_an_expression_is_quoted_for_the_format_and_the_template_itself_is_not(
    tmp_path: Path, quoted_for: Format, made: str
) -> None:
    assert render(tmp_path, '"%${{ setting("a") }}"\n', quoted_for) == f'"%${made}"\n'


def test_only_what_the_template_marks_is_verbatim(tmp_path: Path) -> None:
    template = "{{ 'a' }} {{ 'a' | verbatim }} {{ 'a' | verbatim ~ 'b' }} {{ ['a', 'b'] | join(' ') }} {{ 1 }}"
    assert render(tmp_path, template, "toml") == '"a" a "ab" "a b" 1'


def test_a_macro_quotes_within_and_its_text_is_quoted_again_unless_it_is_marked(tmp_path: Path) -> None:
    template = "{% macro pair(x) %}x = {{ x }}{% endmacro %}{{ pair('1') | verbatim }}; {{ pair('1') }}"
    assert render(tmp_path, template, "toml") == 'x = "1"; "x = \\"1\\""'


def test_a_filter_for_a_command_line_of_a_unit_is_not_quoted_twice(tmp_path: Path) -> None:
    assert render(tmp_path, "ExecStart=/x {{ '$a' | argument }}", "systemd") == 'ExecStart=/x "$$a"'


def test_an_included_template_is_quoted_too_wherever_it_lies(tmp_path: Path) -> None:
    (tmp_path / "part.j2").write_text("y = {{ setting('a') }}\n")
    template = "x = {{ name }}\n{% include 'part.j2' %}{% include 'ssh-daemon.j2' %}"
    made = render(tmp_path, template, "toml", name='"')
    assert made is not None
    assert made.splitlines()[:2] == ['x = "\\""', 'y = "a\\" \'b\' $c %d"']
    assert tomli.loads("\n".join(made.splitlines()[:3])) == {"x": '"', "y": HOSTILE}


def test_a_template_of_the_image_builder_wins_over_ours_of_the_same_name(tmp_path: Path) -> None:
    (tmp_path / "ssh-daemon.j2").write_text("mine")
    assert render(tmp_path, "{% include 'ssh-daemon.j2' %}") == "mine"


def test_a_key_may_hold_a_segment_in_quotes(tmp_path: Path) -> None:
    assert render(tmp_path, """{{ setting('b."c.d"') }}""") == "1"


def test_a_template_can_ask_for_no_file(tmp_path: Path) -> None:
    assert render(tmp_path, "a\n{% if name == 'x' %}{{ no_file() }}{% endif %}b", name="x") is None
    assert render(tmp_path, "a\n{% if name == 'x' %}{{ no_file() }}{% endif %}b", name="y") == "a\nb"


def test_a_setting_that_is_not_set_leaves_no_gap(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^a value that it needs is not set$"):
        render(tmp_path, "x = {{ setting('missing') }}")


# ---- hosts

NAMES_OF_HOSTS = st.lists(st.sampled_from(["a", "b", "c.example", "localhost"]), max_size=3)
ADDRESSES = st.sampled_from(["10.0.0.1", "::1", "0:0::1", "127.0.0.1", "127.0.1.1", "2001:db8::1", "2001:DB8:0::1"])


@given(st.none() | st.sampled_from(["node", "node.example"]), st.lists(st.tuples(ADDRESSES, NAMES_OF_HOSTS)))
def test_every_address_has_one_line_and_every_name_is_on_it_once(
    hostname: str | None, hosts: list[tuple[str, list[str]]]
) -> None:
    lines = hosts_lines(hostname, hosts)
    addresses = [ip_address(address) for address, _ in lines]
    assert len(set(addresses)) == len(addresses)
    by_address = dict(zip(addresses, (names for _, names in lines), strict=True))
    assert all(names and len(set(names)) == len(names) for names in by_address.values())
    for address, names in hosts:
        assert set(names) <= set(by_address.get(ip_address(address), ()))
    if hostname:
        assert hostname in by_address[ip_address("127.0.1.1")]


# ---- time sources


@given(st.lists(st.from_regex(TimeServerAddress.pattern, fullmatch=True).filter(TimeServerAddress.accepts), max_size=3))
def test_a_time_server_is_one_word_of_one_line_or_refused(servers: list[str]) -> None:
    for server in servers:
        try:
            (line,) = time_sources([server], ["iburst"])
        except ValueError as error:
            message = str(error)
        else:
            directive, host, option = line.split(" ")
            assert (directive in ("pool", "server"), option) == (True, "iburst")
            assert host
            assert host[0] not in "#!%;"
            continue
        assert message == "a time server's URL names no host"


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("a.example", "a.example"),
        ("a.example:123", "a.example"),
        (" a.example ", "a.example"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("192.0.2.1:123", "192.0.2.1"),
        ("http://a.example", "a.example"),
        ("HTTP://a.example/", "a.example"),
        ("https:a.example", "a.example"),
        ("https:////a.example", "a.example"),
        ("http:\\\\a.example\\b", "a.example"),
        ("ntp://u:p@[::1]:123/x", "::1"),
        ("http://a.example/?b=http://c.example", "a.example"),
        ("http://a.example/@c.example", "a.example"),
        ("a.example?x", "a.example"),
    ],
)
def test_the_host_of_a_url_is_the_one_a_browser_would_ask(url: str, host: str) -> None:
    assert host_of(url) == host


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ntp://", "http://", "x:///y", "!a.example", "a%20b"])
def test_a_url_without_a_host_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="a time server's URL names no host"):
        host_of(url)


# ---- what a template may do, and how it fails


def failure(folder: Path, template: str) -> str:
    with pytest.raises(HostError) as caught:
        render(folder, template, names=[])
    return str(caught.value).replace(str(folder), "FOLDER")


@pytest.mark.parametrize("template", ["a\n{{ missing }}", "{% include 'part.j2' %}"])
def test_a_template_with_a_name_that_does_not_exist_fails_instead_of_leaving_a_gap(
    tmp_path: Path, template: str
) -> None:
    (tmp_path / "part.j2").write_text("{{ missing }}")
    assert failure(tmp_path, template) == (
        "error: the template x cannot be rendered: 'missing' is undefined\n"
        "  where: FOLDER/x.j2\n"
        "  fix:   mend the template"
    )


def test_a_template_with_broken_syntax_is_named_with_its_line(tmp_path: Path) -> None:
    assert failure(tmp_path, "a\n{% for %}") == (
        "error: the template x cannot be rendered: Expected an expression, got 'end of statement block'\n"
        "  where: FOLDER/x.j2:2\n"
        "  fix:   mend the template"
    )


@pytest.mark.parametrize(
    ("template", "what"),
    [
        ("{{ 1 + 'a' }}", "unsupported operand type(s) for +: 'int' and 'str'"),
        ("{{ 1 // 0 }}", "integer division or modulo by zero"),
        ("{{ setting('missing') | join(' ') }}", "'NoneType' object is not iterable"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "maximum recursion depth exceeded"),
    ],
)
def test_an_expression_that_makes_no_sense_is_the_templates_fault(tmp_path: Path, template: str, what: str) -> None:
    message = failure(tmp_path, template)
    assert message.startswith(f"error: the template x cannot be rendered: {what}")
    assert message.endswith("\n  where: FOLDER/x.j2\n  fix:   mend the template")


def test_a_broken_template_that_is_included_is_the_one_that_is_named(tmp_path: Path) -> None:
    (tmp_path / "part.j2").write_text("\n\n{% for %}")
    assert "  where: FOLDER/part.j2:3\n" in failure(tmp_path, "{% include 'part.j2' %}")


def test_a_template_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(HostError, match=r"the template y cannot be rendered: 'y\.j2' not found"):
        Renderer({}).render(str(tmp_path / "y.j2"), "text")


@pytest.mark.parametrize(
    "template",
    [
        "{{ ().__class__.__bases__[0].__subclasses__() }}",
        "{{ setting.__globals__ }}",
        "{{ names.append(1) }}",
        "{{ cycler.__init__.__globals__ }}",
    ],
)
def test_a_template_reaches_nothing_outside_its_sandbox(tmp_path: Path, template: str) -> None:
    message = failure(tmp_path, template)
    assert "is unsafe" in message or "is not safely callable" in message


def test_a_key_that_is_not_set_is_nothing() -> None:
    settings = {"a": {"b-c": {"d": 0}}, "e": "text"}
    assert lookup(settings, "a.b-c.d") == 0
    assert lookup(settings, "a.b-c") == {"d": 0}
    assert [lookup(settings, key) for key in ("x", "a.x", "a.b-c.d.x", "e.x", "e.0")] == [None] * 5
