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
from earlyboot.render.templates import MissingSettingError, Renderer
from hostkit.errors import HostError

HOSTILE = "a\" 'b' $c %d"


def render(folder: Path, template: str, quoted_for: Format = "text", **names: object) -> str | None:
    (folder / "x.j2").write_text(template)
    return Renderer({"a": HOSTILE, "b": {"c.d": 1}}).render(str(folder / "x.j2"), quoted_for, ("settings",), **names)


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


@pytest.mark.parametrize("quoted_for", ["text", "free", "ini", "toml", "json", "shell", "systemd"])
@pytest.mark.parametrize(
    "expression",
    [
        "setting('b.missing')",
        "[setting('b.missing')]",
        "{'x': [1, {'y': setting('b.missing')}]}",
        "setting('b.missing') | join(' ')",
        "setting('b.missing') ~ 'x'",
        "setting('b.missing') | verbatim",
        "setting('b').missing",
        "setting('b')['missing'] | lower",
    ],
)
def test_a_setting_that_is_not_set_leaves_no_gap_and_no_null(
    tmp_path: Path, expression: str, quoted_for: Format
) -> None:
    with pytest.raises(MissingSettingError) as caught:
        render(tmp_path, "\nx = {{ " + expression + " }}", quoted_for)
    assert caught.value.key == "settings.b.missing"
    assert str(caught.value).replace(str(tmp_path), "FOLDER") == (
        "error: the template x cannot be rendered: settings.b.missing is not set\n"
        "  where: FOLDER/x.j2:2 [settings.b.missing]\n"
        "  fix:   set it, or have the template ask whether it is set"
    )


@pytest.mark.parametrize("quoted_for", ["toml", "json"])
def test_none_has_no_text(tmp_path: Path, quoted_for: Format) -> None:
    with pytest.raises(HostError) as caught:
        render(tmp_path, "{{ setting('b.missing') or none }}", quoted_for)
    assert "none has no text" in str(caught.value)


@pytest.mark.parametrize(
    ("template", "made"),
    [
        ("{% if setting('no') %}x{% endif %}", ""),
        ("{{ (setting('no') or []) | join }}", ""),
        ("{{ setting('no') | default('d') }}", "d"),
        ("{{ setting('no') is none }} {{ setting('no') is not none }} {{ none is none }}", "true false true"),
        ("{{ setting('no') == none }} {{ setting('no') != none }} {{ setting('no') == 'x' }}", "true false false"),
        ("{{ setting('no') == setting('nope') }} {{ setting('no') is defined }}", "true false"),
        ("{{ setting('b').no is defined }} {{ setting('b').no | default(3) }}", "false 3"),
        ("{{ time_sources(['a.example'], setting('no')) | join }}", "pool a.example iburst"),
    ],
)
def test_a_template_may_ask_whether_a_setting_is_there(tmp_path: Path, template: str, made: str) -> None:
    assert render(tmp_path, template) == made


@pytest.mark.parametrize("key", ["b", "a", 'b."c"', "c"])
def test_a_template_shows_only_what_its_file_is_made_of(tmp_path: Path, key: str) -> None:
    template = tmp_path / "x.j2"
    (tmp_path / "part.j2").write_text("\n{{ setting('" + key + "') }}")
    template.write_text("{% include 'part.j2' %}")
    with pytest.raises(HostError) as caught:
        Renderer({"a": "x", "b": {"c.d": 1}}).render(str(template), "text", ('settings.b."c.d"', "settings.d"))
    name = "settings." + key.replace('"', "")
    assert str(caught.value).replace(str(tmp_path), "FOLDER") == (
        f"error: the template x cannot be rendered: it shows {name}, which is not among the keys of its file\n"
        f"  where: FOLDER/part.j2:2 [{name}]\n"
        "  fix:   name the key in keys or also of the file, and give a file with a secret the mode 0600"
    )
    (tmp_path / "part.j2").write_text("{{ setting('b.\"c.d\"') }}")
    assert Renderer({"b": {"c.d": 1}}).render(str(template), "text", ('settings.b."c.d"',)) == "1"


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


@pytest.mark.parametrize(
    ("template", "place"), [("a\n{{ missing }}", "x.j2:2"), ("{% include 'part.j2' %}", "part.j2:1")]
)
def test_a_template_with_a_name_that_does_not_exist_fails_instead_of_leaving_a_gap(
    tmp_path: Path, template: str, place: str
) -> None:
    (tmp_path / "part.j2").write_text("{{ missing }}")
    assert failure(tmp_path, template) == (
        "error: the template x cannot be rendered: 'missing' is undefined\n"
        f"  where: FOLDER/{place}\n"
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
        ("{{ 1 + 'a' }}", "TypeError"),
        ("{{ 1 // 0 }}", "ZeroDivisionError"),
        ("{{ 'a'.index('b') }}", "ValueError"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "RecursionError"),
        ("{{ ().__class__.__bases__[0].__subclasses__() }}", "SecurityError"),
        ("{{ names.append(1) }}", "SecurityError"),
        ("{{ {}['a'] }}", "UndefinedError"),
    ],
)
def test_an_expression_that_makes_no_sense_is_the_templates_fault(tmp_path: Path, template: str, what: str) -> None:
    assert failure(tmp_path, f"\n{template}") == (
        f"error: the template x cannot be rendered: an expression cannot be evaluated ({what}; values are not shown, "
        "as some are secret)\n"
        "  where: FOLDER/x.j2:2\n"
        "  fix:   mend the template"
    )


@pytest.mark.parametrize("secret", ["TOPSECRET9", "TOP SECRET9", "TOPSECRET9.x", '"TOPSECRET9', "__TOPSECRET9__"])
@pytest.mark.parametrize(
    ("template", "what"),
    [
        ("{% set m = {'a': '1'} %}{{ m[setting('s')] }}", "an expression cannot be evaluated (UndefinedError; "),
        ("{{ setting('t')[setting('s')] }}", ""),
        ("{{ setting('t.' ~ setting('s')) }}", ""),
        ("{{ setting(setting('s')) }}", ""),
        ("{{ {}[setting('s')].x }}", "an expression cannot be evaluated (UndefinedError; "),
        ("{{ 1 + setting('s') }}", "an expression cannot be evaluated (TypeError; "),
        ("{{ [1] | map(setting('s')) | list }}", "an expression cannot be evaluated (TemplateRuntimeError; "),
        ("{{ ('{' ~ setting('s') ~ '!r}').format() }}", "an expression cannot be evaluated ("),
        ("{{ ('%(' ~ setting('s') ~ ')s') % {} }}", "an expression cannot be evaluated (KeyError; "),
        ("{{ ()[setting('s')] }}", "an expression cannot be evaluated ("),
        ("{{ setting('s') | int(setting('s')) // 0 }}", "an expression cannot be evaluated ("),
        ("{% include setting('s') %}", "a template that it includes is not there"),
        ("{% include [setting('s'), 'none.j2'] %}", "a template that it includes is not there"),
    ],
)
def test_what_a_template_does_wrong_is_told_without_the_value_of_a_secret(
    tmp_path: Path, template: str, what: str, secret: str
) -> None:
    (tmp_path / "x.j2").write_text(template)
    settings = {"s": secret, "t": {"other": 1}}
    with pytest.raises(HostError) as caught:
        Renderer(settings).render(str(tmp_path / "x.j2"), "text", ("settings.s", "settings.t"))
    told = f"{caught.value} {[fault.json() for fault in caught.value.faults]}"
    assert "SECRET9" not in told
    assert f"error: the template x cannot be rendered: {what}" in told


@pytest.mark.parametrize(
    ("template", "what"),
    [
        ("{{ setting('t.' ~ setting('s')) }}", "it needs a setting that is not set, and makes its key of values"),
        ("{{ setting('t')[setting('s')] }}", "it needs a setting that is not set, and makes its key of values"),
        ("{{ setting('t.' ~ 'gone') }}", "settings.t.gone is not set"),
        ("{{ setting(setting('s')) }}", "it shows a setting, which is not among the keys of its file"),
        ("{{ setting('u') }}", "it shows settings.u, which is not among the keys of its file"),
        ("{{ setting('u..x') }}", "setting() is given what is no key of settings"),
    ],
)
def test_a_setting_is_named_where_its_key_is_no_value_of_another(tmp_path: Path, template: str, what: str) -> None:
    (tmp_path / "x.j2").write_text(template)
    with pytest.raises(HostError) as caught:
        Renderer({"s": "TOPSECRET9", "t": {}}).render(str(tmp_path / "x.j2"), "text", ("settings.s", "settings.t"))
    assert caught.value.faults[0].what == f"the template x cannot be rendered: {what}"


def test_a_broken_template_that_is_included_is_the_one_that_is_named(tmp_path: Path) -> None:
    (tmp_path / "part.j2").write_text("\n\n{% for %}")
    assert "  where: FOLDER/part.j2:3\n" in failure(tmp_path, "{% include 'part.j2' %}")


def test_a_template_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(HostError, match=r"the template y cannot be rendered: 'y\.j2' is not there"):
        Renderer({}).render(str(tmp_path / "y.j2"), "text", ())


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
    assert "an expression cannot be evaluated (SecurityError; " in message
