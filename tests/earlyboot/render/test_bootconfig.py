"""bootconfig.data: what the kernel's format says comes back, and what the kernel would not take is refused."""

from __future__ import annotations

import re
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earlyboot.model.boot import BootConfigKey, BootConfigValue
from earlyboot.render.bootconfig import bootconfig
from earlyboot.render.renderers import Context
from tests.earlyboot.render import readers

CONTEXT = Context(lambda path: None, lambda folder, suffix: (), "root")
PARAMETERS = st.dictionaries(
    st.from_regex(BootConfigKey.pattern, fullmatch=True).filter(lambda key: len(key) < 100 and key.count(".") < 13),
    st.lists(st.from_regex(BootConfigValue.pattern, fullmatch=True), max_size=4),
    max_size=5,
)


def made(kernel: object = None, init: object = None) -> bytes:
    boot = {"kernel-parameters": kernel, "init-parameters": init}
    data = bootconfig({"boot": {name: value for name, value in boot.items() if value is not None}}, CONTEXT)
    assert data is not None
    return data


@given(PARAMETERS, PARAMETERS)
def test_every_parameter_comes_back_in_its_place(kernel: dict[str, list[str]], init: dict[str, list[str]]) -> None:
    expected = {f"kernel.{key}": kernel[key] for key in sorted(kernel)}
    expected |= {f"init.{key}": init[key] for key in sorted(init)}
    assert list(readers.bootconfig(made(kernel, init)).items()) == list(expected.items())


def words(parameters: int) -> dict[str, list[str]]:
    """So many parameters of 13 words each, which are so many nodes of the kernel's tree."""
    return {f"{number}.a.b.c.d.e.f.g.h.i.j.k.l": [] for number in range(parameters)}


def test_the_bytes_are_the_kernels() -> None:
    text = b'kernel.a = "b"\n' + b"\0"
    # One by one: the sum of the bytes of `kernel.a = "b"` and a line break.
    checksum = 107 + 101 + 114 + 110 + 101 + 108 + 46 + 97 + 32 + 61 + 32 + 34 + 98 + 34 + 10
    assert made({"a": ["b"]}) == text + struct.pack("<II", 16, checksum) + b"#BOOTCONFIG\n"


@pytest.mark.parametrize(("value", "padding"), [("", 1), ("b", 0), ("bb", 3), ("bbb", 2)])
def test_the_text_is_filled_up_to_four_bytes_and_no_further(value: str, padding: int) -> None:
    data = made({"aa": [value]})
    text = f'kernel.aa = "{value}"\n'.encode()
    assert data[: len(data) - 20] == text + b"\0" * padding


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        ({"a": ["""'"'"""]}, "a boot parameter holds both kinds of quotes"),
        ({"a" * 249: []}, "the kernel takes keys of at most 255 characters and 15 words"),
        ({".".join("a" * 15): []}, "the kernel takes keys of at most 255 characters and 15 words"),
        ({"a": ["b" * 32_751]}, "the kernel takes boot parameters of at most 32,764 bytes and 8,192 words"),
        (words(631), "the kernel takes boot parameters of at most 32,764 bytes and 8,192 words"),
    ],
)
def test_what_the_kernel_would_not_take_is_refused(kernel: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        made(kernel)


@pytest.mark.parametrize("kernel", [{"a" * 248: []}, {".".join("a" * 14): []}, {"a": ["b" * 32_750]}, words(630)])
def test_the_largest_that_the_kernel_takes_is_taken(kernel: dict[str, Any]) -> None:
    assert readers.bootconfig(made(kernel)) == {f"kernel.{key}": values for key, values in kernel.items()}
