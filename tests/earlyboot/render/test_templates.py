"""Everything rendered: golden files for each template, and readers of each format over hostile values."""

from __future__ import annotations

import os
import re
import subprocess
from ipaddress import ip_address
from pathlib import Path

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from earlyboot.config.paths import TEMPLATES
from earlyboot.model.check import check
from earlyboot.model.time_server import host_of
from earlyboot.model.tree import flatten, unflatten
from earlyboot.model.types import TimeServerAddress
from earlyboot.render.chrony import time_sources
from earlyboot.render.hosts import hosts_lines
from earlyboot.render.templates import Renderer, environment_value, lookup
from hostkit.errors import HostError
from tests.earlyboot.model.documents import complete, mutated

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(GOLDEN.glob("*/*.toml"))
NAMES = sorted(name.removesuffix(".j2") for name in os.listdir(TEMPLATES))
ONE_LINE = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], include_characters="\t"))


def stored(document: object) -> dict[str, object]:
    """Settings as the store gives them to an apply."""
    settings, faults = check(document)
    assert faults == ()
    return unflatten(flatten(settings))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.stem}")
def test_a_file_is_rendered_exactly_so(case: Path) -> None:
    rendered = Renderer(stored(tomli.loads(case.read_text()))).render(case.parent.name)
    assert rendered == case.with_suffix(".txt").read_bytes()


def test_every_template_has_golden_files_and_every_golden_file_its_settings() -> None:
    assert sorted({case.parent.name for case in CASES}) == NAMES
    assert {path.with_suffix("") for path in GOLDEN.glob("*/*.txt")} == {case.with_suffix("") for case in CASES}


@given(mutated())
def test_whatever_the_model_accepts_is_rendered_as_text_that_ends_with_a_line_break(
    document: dict[str, object],
) -> None:
    settings, _ = check(document)
    renderer = Renderer(settings or complete())
    for name in NAMES:
        key = {"motd": "motd", "hostname": "network.hostname"}.get(name)
        if key and lookup(settings or complete(), key) is None:
            continue  # these two are rendered only where they are set
        text = renderer.render(name).decode()
        assert text.endswith("\n")
        assert "Undefined" not in text
        assert name == "motd" or "\n\n" not in text


# ---- readers of the formats


LINE = re.compile(
    r"""[#;][^\n]*\n|(?P<key>[^=\s]+)=(?P<value>(?:"(?:[^"\\]|\\.)*"|'[^']*'|\\.|[^"'\\\n])*)\n""", re.DOTALL
)
PIECE = re.compile(
    r"""\s*"(?P<double>(?:[^"\\]|\\.)*)"\s*|'(?P<single>[^']*)'|\\(?P<escaped>.)|(?P<plain>[^"'\\]+)""", re.DOTALL
)


def environment_file(text: str) -> dict[str, str]:
    """What systemd reads from an EnvironmentFile=, systemd.exec(5); in double quotes only \\" \\\\ \\` \\$ are escapes."""
    found = {}
    end = 0
    for line in LINE.finditer(text):
        assert line.start() == end, "this reader knows only what earlyboot writes"
        end = line.end()
        if line["key"]:
            found[line["key"]] = "".join(map(unquoted, PIECE.finditer(line["value"])))
    assert end == len(text)
    return found


def unquoted(piece: re.Match[str]) -> str:
    if piece["double"] is not None:
        return re.sub(r'\\(["\\`$])', r"\1", piece["double"])
    return piece["single"] or piece["escaped"] or piece["plain"] or ""


def test_the_reader_here_knows_the_documented_format() -> None:
    text = '# a=b\n;c=d\nA=b\\cd\nB="x\\"y\\$\\`\\\\\\n"\nC=\nD=\'a\\b\'\n'
    assert environment_file(text) == {"A": "bcd", "B": 'x"y$`\\\\n', "C": "", "D": "a\\b"}


@given(ONE_LINE)
def test_systemd_reads_every_value_back_as_it_was(value: str) -> None:
    text = f"# first\nA={environment_value(value)}\nB={environment_value(value)}\n"
    assert environment_file(text) == {"A": value, "B": value}


@given(st.lists(ONE_LINE, min_size=1, max_size=20))
def test_a_shell_reads_every_value_back_as_it_was(values: list[str]) -> None:
    script = "".join(f"A={environment_value(value)}; printf '%s\\n' \"$A\"; " for value in values)
    ended = subprocess.run(["/bin/sh", "-c", script], check=True, capture_output=True)
    assert ended.stdout.decode().split("\n")[:-1] == values


def test_a_real_shell_executes_nothing_of_a_hostile_value() -> None:
    hostile = """$(touch /tmp/no) `id` "; id; " \\ \\\\ ' ${HOME} $HOME ! # \\" \\$"""
    script = f'A={environment_value(hostile)}; printf %s "$A"'
    ended = subprocess.run(["/bin/sh", "-c", script], check=True, capture_output=True, text=True)
    assert ended.stdout == hostile


@pytest.mark.parametrize("text", ["a\nB=c", "a\rb", "\n"])
def test_a_value_of_several_lines_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not one line"):
        environment_value(text)


def test_the_golden_proxies_come_out_of_the_readers_as_they_went_in() -> None:
    for case in GOLDEN.glob("proxy-environment/*.toml"):
        network = tomli.loads(case.read_text())["network"]
        variables = environment_file(case.with_suffix(".txt").read_text())
        proxy = network.get("https-proxy")
        assert variables.get("HTTPS_PROXY") == variables.get("https_proxy") == proxy
        without = ",".join(dict.fromkeys(["localhost", "127.0.0.1", *network["no-proxy"]]))
        assert variables["NO_PROXY"] == variables["no_proxy"] == without


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


def failure(folder: Path, template: str, settings: dict[str, object] | None = None) -> str:
    (folder / "x.j2").write_text(template)
    with pytest.raises(HostError) as caught:
        Renderer(settings or {}, str(folder)).render("x")
    return str(caught.value)


def test_a_setting_that_no_file_can_hold_is_named_as_the_settings_fault() -> None:
    with pytest.raises(HostError) as caught:
        Renderer({"ntp": {"time-servers": ["file:///x"]}}).render("chrony-sources")
    assert str(caught.value) == (
        "error: chrony-sources cannot be rendered: a time server's URL names no host\n"
        "  fix:   correct the settings that feed this file"
    )


def test_a_template_with_a_name_that_does_not_exist_fails_instead_of_leaving_a_gap(tmp_path: Path) -> None:
    assert failure(tmp_path, "a\n{{ missing }}") == (
        "error: the template x cannot be rendered: 'missing' is undefined\n  where: x.j2\n  fix:   mend the template"
    )


def test_a_template_with_broken_syntax_is_named_with_its_line(tmp_path: Path) -> None:
    assert failure(tmp_path, "a\n{% for %}") == (
        "error: the template x cannot be rendered: Expected an expression, got 'end of statement block'\n"
        "  where: x.j2:2\n"
        "  fix:   mend the template"
    )


def test_a_template_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(HostError, match=r"the template y cannot be rendered: 'y\.j2' not found"):
        Renderer({}, str(tmp_path)).render("y")


@pytest.mark.parametrize(
    "template",
    [
        "{{ ().__class__.__bases__[0].__subclasses__() }}",
        "{{ setting.__globals__ }}",
        "{{ setting('a').append(1) }}",
        "{{ cycler.__init__.__globals__ }}",
    ],
)
def test_a_template_reaches_nothing_outside_its_sandbox(tmp_path: Path, template: str) -> None:
    message = failure(tmp_path, template, {"a": []})
    assert "is unsafe" in message or "is not safely callable" in message


def test_a_key_that_is_not_set_is_nothing() -> None:
    settings = {"a": {"b-c": {"d": 0}}, "e": "text"}
    assert lookup(settings, "a.b-c.d") == 0
    assert lookup(settings, "a.b-c") == {"d": 0}
    assert [lookup(settings, key) for key in ("x", "a.x", "a.b-c.d.x", "e.x", "e.0")] == [None] * 5
