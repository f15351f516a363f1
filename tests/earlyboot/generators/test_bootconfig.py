"""/proc/bootconfig, as the kernel writes it and as it never should."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earlyboot.generators.bootconfig import MalformedError, boot, parse
from hostkit import files, machine
from hostkit.errors import OperatorError
from tests.earlyboot.generators.asking import question

AS_PRINTED = """\
kernel.console = "ttyS0,115200", "tty0"
kernel.nvme_core.io_timeout = "4294967295"
kernel.quiet = ""
kernel.dyndbg = 'file "a.c" +p'
init.systemd.log_level = "debug"
init.splash = ""
kernel = ""
ftrace.event.task.enable = ""
# Parameters from bootloader:
# root=/dev/sda1 ro
"""


def test_the_parameters_of_kernel_and_init_are_what_the_model_keeps() -> None:
    assert parse(AS_PRINTED) == {
        "kernel-parameters": {
            "console": ["ttyS0,115200", "tty0"],
            "nvme_core.io_timeout": ["4294967295"],
            "quiet": [],
            "dyndbg": ['file "a.c" +p'],
        },
        "init-parameters": {"systemd.log_level": ["debug"], "splash": []},
    }


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("kernel.a", []),
        ("kernel.a =", []),
        ("kernel.a = # none", []),
        ('kernel.a = ""', []),
        ("kernel.a = ''", []),
        ('kernel.a = "", "x"', ["", "x"]),
        ("kernel.a = x", ["x"]),
        ("kernel.a = x y , z ", ["x y", "z"]),
        ("kernel.a=\"x\",y,'z'", ["x", "y", "z"]),
        ('  kernel.a = "x" # "y"', ["x"]),
        ('kernel.a = "# ; , }"', ["# ; , }"]),
        ("kernel.a = 5=6", ["5=6"]),
    ],
)
def test_the_values_of_a_line(line: str, values: list[str]) -> None:
    assert parse(line) == {"kernel-parameters": {"a": values}}


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", 'kernel = ""\ninit = ""\n', 'other.key = "x"\n', "kernel"])
def test_nothing_of_the_kernel_or_of_init_is_nothing(text: str) -> None:
    assert parse(text) == {}


QUOTE = "a value is missing, or has a quote that is not closed"
COMMA = "two values have no comma between them"


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('kernel.a = "x', QUOTE),
        ("kernel.a = 'x\"", QUOTE),
        ('kernel.a = "x",', QUOTE),
        ("kernel.a = , x", QUOTE),
        ("kernel.a = ;", QUOTE),
        ('kernel.a = "x" "y"', COMMA),
        ("kernel.a = x;y", COMMA),
        ('kernel.a = x"y"', COMMA),
        ("kernel.a = }", QUOTE),
        ('kernel.a "x"', "the key is followed by something other than '='"),
        ("kernel.a: x", "the key is followed by something other than '='"),
        ("kernel..a = x", "the key is followed by something other than '='"),
        ('= "x"', "the line begins with no key of letters, digits, '_', '-' and '.'"),
        ("ä = x", "the line begins with no key of letters, digits, '_', '-' and '.'"),
        ('kernel = "x"', "kernel has a value, and parameters below it have theirs"),
        ('other = "x', QUOTE),
    ],
)
def test_a_malformed_line_is_named(line: str, what: str) -> None:
    with pytest.raises(MalformedError) as caught:
        parse(f"# a comment\n\n{line}\n")
    assert (str(caught.value), caught.value.line) == (what, 3)


NAMES = st.from_regex(r"[A-Za-z0-9_-]{1,5}(\.[A-Za-z0-9_-]{1,5}){0,2}", fullmatch=True)
TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8).filter(
    lambda text: not ('"' in text and "'" in text)
)
VALUES = st.lists(TEXTS, min_size=1, max_size=3)


@given(st.dictionaries(NAMES, VALUES, min_size=1, max_size=4))
def test_what_the_kernel_prints_is_read_back(parameters: dict[str, list[str]]) -> None:
    def quoted(value: str) -> str:
        return f"'{value}'" if '"' in value else f'"{value}"'

    printed = "".join(f"kernel.{name} = {', '.join(map(quoted, values))}\n" for name, values in parameters.items())
    assert parse(printed) == {
        "kernel-parameters": {name: [] if values == [""] else values for name, values in parameters.items()}
    }


@given(st.text(max_size=40))
def test_any_text_is_parameters_or_a_named_line(text: str) -> None:
    line = None
    try:
        parse(text)
    except MalformedError as error:
        line = error.line
    assert line is None or 1 <= line <= text.count("\n") + 1


def put(root: Path, data: bytes) -> None:
    (root / "proc").mkdir()
    (root / "proc/bootconfig").write_bytes(data)


def test_the_file_of_the_root_is_read(tmp_path: Path) -> None:
    assert boot(question(tmp_path)) is None
    put(tmp_path, b'kernel.a = "x"\n')
    assert boot(question(tmp_path)) == {"kernel-parameters": {"a": ["x"]}}


def test_in_a_container_the_file_is_the_host_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "read", lambda path, limit_bytes: b'kernel.a = "x"\n')
    monkeypatch.setattr(machine, "in_container", lambda: False)
    assert boot(question("/")) == {"kernel-parameters": {"a": ["x"]}}
    monkeypatch.setattr(machine, "in_container", lambda: True)
    assert boot(question("/")) is None


def test_a_file_without_parameters_is_no_value(tmp_path: Path) -> None:
    put(tmp_path, b"")
    assert boot(question(tmp_path)) is None


def test_a_malformed_file_is_a_fault_with_its_line_and_none_of_its_text(tmp_path: Path) -> None:
    put(tmp_path, b'kernel.a = "x"\nkernel.secret = "top-secret\n')
    with pytest.raises(OperatorError) as caught:
        boot(question(tmp_path))
    assert str(caught.value) == (
        f"error: {QUOTE}\n"
        "  where: /proc/bootconfig:2\n"
        "  fix:   mend the bootconfig that the boot loader hands over; `bootconfig FILE` checks it"
    )
