"""Every format over hostile values: what it writes, a real reader of that format gives back, or it was refused."""

from __future__ import annotations

import configparser
import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import tomli
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from earlyboot.render import formats
from earlyboot.render.formats import QUOTES, argument, ini, json_value, shell, systemd, toml
from tests.earlyboot.render.hostile import HOSTILE, SCALARS, VALUES
from tests.earlyboot.render.readers import environment_file

FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
GENERATOR = "/usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator"


def accepted(quote: Callable[[object], str], value: object) -> str | None:
    """What the format makes of the value, `None` where it refuses; never another error."""
    try:
        return quote(value)
    except ValueError:
        return None


def is_text(value: object) -> bool:
    return not re.search("[\0\ud800-\udfff]", json.dumps(value, ensure_ascii=False).replace("\\u0000", "\0"))


@given(VALUES)
def test_a_reader_of_toml_gives_every_value_back(value: object) -> None:
    made = accepted(toml, value)
    assert (made is not None) is is_text(value)
    if made is not None:
        assert len(made.splitlines()) <= 1
        assert tomli.loads(f"before = 1\nx = {made}\nafter = 2\n") == {"before": 1, "x": value, "after": 2}


@given(HOSTILE)
def test_a_name_is_a_key_of_toml_too(name: str) -> None:
    made = accepted(toml, name)
    if made is not None:
        assert tomli.loads(f"[a.{made}]\n{made} = 1\n") == {"a": {name: {name: 1}}}


@given(VALUES)
def test_a_reader_of_json_gives_every_value_back_and_a_reader_of_yaml_finds_no_strange_character(value: object) -> None:
    made = accepted(json_value, value)
    assert made is not None or not is_text(value)
    if made is not None:
        assert json.loads(f'{{"before": 1, "x": {made}, "after": 2}}') == {"before": 1, "x": value, "after": 2}
        # YAML 1.2, 5.1: printable characters.
        assert re.fullmatch("[\x20-\x7e\xa0-\u2027\u202a-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]*", made)


@given(SCALARS)
def test_a_reader_of_ini_files_gives_every_value_back(value: object) -> None:
    made = accepted(ini, value)
    if made is None:
        return
    parser = configparser.ConfigParser(interpolation=None, inline_comment_prefixes=("#", ";"))
    parser.read_string(f"[s]\nbefore = 1\nx = {made}\nafter = 2\n[t]\n")
    assert {name: dict(parser[name]) for name in parser.sections()} == {
        "s": {"before": "1", "x": made, "after": "2"},
        "t": {},
    }
    assert not isinstance(value, str) or made == value


@FEW
@given(st.lists(HOSTILE, min_size=1, max_size=30))
def test_a_shell_gives_every_value_back_and_executes_nothing(values: list[str]) -> None:
    accepted_values = [(value, made) for value in values if (made := accepted(shell, value)) is not None]
    script = "".join(f"A={made}; printf '%s\\n' \"$A\"\n" for _, made in accepted_values)
    ended = subprocess.run(["/bin/sh", "-eu"], input=script.encode(), check=True, capture_output=True, cwd="/")
    assert ended.stdout.decode().split("\n")[:-1] == [value for value, _ in accepted_values]
    assert ended.stderr == b""


@given(HOSTILE)
def test_an_environment_file_gives_every_value_back(value: str) -> None:
    made = accepted(shell, value)
    if made is not None:
        assert environment_file(f"# first\nA={made}\nB={made}\n") == {"A": value, "B": value}


@FEW
@given(values=st.lists(HOSTILE, min_size=1, max_size=30))
def test_systemds_own_reader_of_environment_files_gives_every_value_back(tmp_path: Path, values: list[str]) -> None:
    """environment.d(5) has the same reader; it puts variables in, and escapes a tab when it prints: so none here."""
    if not os.path.exists(GENERATOR):
        pytest.skip("needs systemd's generator for environment.d")
    made = {
        f"V{number}": (value, quoted)
        for number, value in enumerate(values)
        if value and not set("$\t") & set(value) and (quoted := accepted(shell, value)) is not None
    }
    folder = tmp_path / "environment.d"
    folder.mkdir(exist_ok=True)
    (folder / "50-x.conf").write_text("".join(f"{name}={quoted}\n" for name, (_, quoted) in made.items()))
    ended = subprocess.run([GENERATOR], env={"XDG_CONFIG_HOME": str(tmp_path)}, check=True, capture_output=True)
    found = environment_file(ended.stdout.decode())
    assert {name: found.get(name) for name in made} == {name: value for name, (value, _) in made.items()}


@FEW
@given(values=st.lists(HOSTILE, min_size=1, max_size=30))
def test_systemds_own_reader_of_units_gives_every_value_back(tmp_path: Path, values: list[str]) -> None:
    accepted_values = [value for value in values if accepted(systemd, value) is not None]
    environment = "".join(f"Environment={systemd(f'V{n}={value}')}\n" for n, value in enumerate(accepted_values))
    # The dump escapes a tab and a leading ~ in no way that a shell reads.
    words = [f"w{value}".replace("\t", " ") for value in accepted_values]
    arguments = " ".join(map(argument, words))
    unit = tmp_path / "x.service"
    unit.write_text(f"[Service]\nType=oneshot\n{environment}ExecStart=/bin/true {arguments}\n")
    found, command_line = dumped_unit(unit)
    assert found == {f"V{n}={value}" for n, value in enumerate(accepted_values)}
    # The dump quotes arguments for a shell, and shows them before variables are put in: there `$$` stands for `$`.
    script = f"printf '%s\\0' {command_line}"
    ended = subprocess.run(["/bin/sh", "-euf"], input=script.encode(), check=True, capture_output=True)
    assert ended.stdout.decode().split("\0")[:-1] == ["/bin/true", *(word.replace("$", "$$") for word in words)]


def dumped_unit(unit: Path) -> tuple[set[str], str]:
    """What systemd itself read from a unit: its Environment= and its command line."""
    ended = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        env={"SYSTEMD_LOG_LEVEL": "debug", "SYSTEMD_LOG_TARGET": "console", "PATH": os.environ["PATH"]},
        capture_output=True,
        check=False,
    )
    _, _, dump = ended.stdout.decode().partition(f"-> Unit {unit.name}:\n")
    dump = dump.partition("-> Unit ")[0]
    return (
        {line.removeprefix("\t\tEnvironment: ") for line in dump.split("\n") if line.startswith("\t\tEnvironment: ")},
        re.findall("^\t+Command Line: (.*)$", dump, re.MULTILINE)[0],
    )


@pytest.mark.parametrize("name", ["text", "ini", "shell", "systemd"])
@given(HOSTILE)
def test_a_value_of_several_lines_is_refused_where_a_line_is_all_there_is(name: str, value: str) -> None:
    made = accepted(QUOTES[name], value)
    assert made is None or len(f"{made}x".splitlines()) == 1
    for broken in (f"{value}\nx", f"{value}\u2028", f"\r{value}", f"\0{value}", f"{value}\x85"):
        assert accepted(QUOTES[name], broken) is None


@given(HOSTILE)
def test_text_is_what_it_is(value: str) -> None:
    assert accepted(formats.text, value) in (value, None)
    assert accepted(formats.free, value) == (value if is_text(value) else None)


@pytest.mark.parametrize("name", list(QUOTES))
@pytest.mark.parametrize(
    ("value", "text"), [(True, "true"), (False, "false"), (0, "0"), (-(2**63), "-9223372036854775808"), (1.5, "1.5")]
)
def test_what_is_no_text_is_written_in_one_way(name: str, value: object, text: str) -> None:
    assert QUOTES[name](value) == (f'"{text}"' if name in ("shell", "systemd") else text)


@pytest.mark.parametrize(
    ("quote", "value", "made"),
    [
        (toml, [1, ["a"], {}], '[1, ["a"], {}]'),
        (toml, {"a-b": 1, "a.b": {"c": True}}, '{ a-b = 1, "a.b" = { c = true } }'),
        (toml, 'a"\\\n', '"a\\"\\\\\\u000A"'),
        (json_value, {"a": [None, "é\u2028"]}, '{"a": [null, "é\\u2028"]}'),
        (shell, 'a"$b`c\\', '"a\\"\\$b\\`c\\\\"'),
        (systemd, '50% "$a"', '"50%% \\"$a\\""'),
        (argument, '50% "$a"', '"50%% \\"$$a\\""'),
        (ini, "a#b [c]", "a#b [c]"),
    ],
)
def test_a_value_is_written_exactly_so(quote: Callable[[object], str], value: object, made: str) -> None:
    assert quote(value) == made


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("text", "a\nb", "a value has a line break or another control character"),
        ("text", None, "a value that it needs is not set"),
        ("text", ["a"], "a value is of the type list, which this format cannot hold"),
        ("free", "a\0", "a value has a NUL character"),
        ("free", "\ud800", "a value is no Unicode text"),
        ("shell", {}, "a value is of the type dict, which this format cannot hold"),
        ("shell", "\ufdd0", "a value is no Unicode text"),
        ("toml", None, "a value that it needs is not set"),
        ("toml", [None], "a value that it needs is not set"),
        ("toml", 2**63, "a number is out of range"),
        ("toml", float("nan"), "a number is out of range"),
        ("json", float("inf"), "a number is out of range"),
        ("json", b"x", "a value is of the type bytes, which this format cannot hold"),
        ("ini", "a # b", "in an INI file a value must not begin a section or a comment"),
        ("ini", "[a]", "in an INI file a value must not begin a section or a comment"),
        ("ini", "a ", "an INI file loses quotes and spaces at the ends of a value"),
        ("ini", '"a"', "an INI file loses quotes and spaces at the ends of a value"),
        ("ini", "a\\", "in an INI file a value must not end with a backslash"),
    ],
)
def test_what_a_format_cannot_hold_is_refused_without_showing_it(name: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}") as caught:
        QUOTES[name](value)
    assert "b" not in str(value) or str(value) not in str(caught.value)
