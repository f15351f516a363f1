"""The boot parameters that the kernel was given in a bootconfig, as it reports them in /proc/bootconfig.

Lines of `KEY = VALUE, VALUE…`; the kernel puts each value in quotes (Documentation/admin-guide/bootconfig.rst).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from earlyboot.generators.contract import Question
from hostkit import files, machine
from hostkit.errors import Fault, OperatorError, Where

PATH = "/proc/bootconfig"
# The kernel takes 32 KiB; as it prints them, short keys and values become longer.
_LIMIT_BYTES = 1 << 20
_PARENTS = {"kernel": "kernel-parameters", "init": "init-parameters"}
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)[ \t]*")
_VALUE = re.compile(r"""[ \t]*(?:"([^"]*)"|'([^']*)'|([^\s"',;#}][^"',;#}]*))[ \t]*""")


class MalformedError(ValueError):
    """The text says what is wrong, and no value; `line` counts from 1."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line = line


def boot(question: Question) -> dict[str, object] | None:
    if question.paths.is_machine and machine.in_container():
        # What a container sees there is its host's.
        return None
    data = files.read(question.paths.inside(PATH), _LIMIT_BYTES)
    if data is None:
        return None
    try:
        return dict(parse(data.decode("utf-8", "replace"))) or None
    except MalformedError as error:
        fix = "mend the bootconfig that the boot loader hands over; `bootconfig FILE` checks it"
        raise OperatorError(Fault("bootconfig", str(error), Where(PATH, error.line), fix)) from None


def parse(text: str) -> dict[str, dict[str, list[str]]]:
    """The parameters of the kernel and of init as `settings.boot` has them. Other keys are others' affair.

    A parameter without a value, which the kernel reports as an empty one, is an empty list. `MalformedError`.
    """
    found: dict[str, dict[str, list[str]]] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        key = _KEY.match(line)
        if key is None:
            raise MalformedError(number, "the line begins with no key of letters, digits, '_', '-' and '.'")
        values = list(_values(line, key.end(), number))
        parent, _, name = key[1].partition(".")
        if parent not in _PARENTS:
            continue
        if name:
            found.setdefault(_PARENTS[parent], {})[name] = [] if values == [""] else values
        elif values not in ([], [""]):
            raise MalformedError(number, f"{parent} has a value, and parameters below it have theirs")
    return found


def _values(line: str, at: int, number: int) -> Iterator[str]:
    """The values that follow a key."""
    if _is_end(line, at):
        return
    if line[at] != "=":
        raise MalformedError(number, "the key is followed by something other than '='")
    at += 1
    if _is_end(line, at):
        return
    while True:
        value = _VALUE.match(line, at)
        if value is None:
            raise MalformedError(number, "a value is missing, or has a quote that is not closed")
        double, single, bare = value.groups()
        yield bare.rstrip() if bare is not None else single if double is None else double
        at = value.end()
        if _is_end(line, at):
            return
        if line[at] != ",":
            raise MalformedError(number, "two values have no comma between them")
        at += 1


def _is_end(line: str, at: int) -> bool:
    rest = line[at:].strip()
    return not rest or rest.startswith("#")
