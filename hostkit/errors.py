"""Every error that earlyboot reports: what is wrong, where, and how to fix it.

EarlybootError            one or more faults, reported together
├── OperatorError         2  what the operator wrote is wrong
├── SourceError           3  a source is there but cannot be read or decoded
├── HostError             4  the host refused: a command, a file, a device
└── ApiError              5  the API refused, or is not there

Absent is never an error: it is `None`. Anything raised that is not an `EarlybootError` is a bug and keeps its
traceback (status 1).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Where(NamedTuple):
    """The place of a fault. `line` and `column` count from 1; `key` is dotted, such as `settings.motd`."""

    source: str | None = None
    line: int | None = None
    column: int | None = None
    key: str | None = None

    def __str__(self) -> str:
        place = self.source or ""
        if place and self.line is not None:
            place = f"{place}:{self.line}"
        if self.key:
            place = f"{place} [{self.key}]" if place else self.key
        return place


class Fault(NamedTuple):
    """One thing that is wrong. `code` is stable, for programs; the texts are for people and hold no secret."""

    code: str
    what: str
    where: Where = Where()
    fix: str = ""

    def text(self, kind: str = "error") -> str:
        """For people: what, where, fix. A fault that stops nothing is of the kind `warning`."""
        lines = [f"{kind}: {printable(self.what)}"]
        if place := str(self.where):
            lines.append(f"  where: {printable(place)}")
        if self.fix:
            lines.append(f"  fix:   {printable(self.fix)}")
        return "\n".join(lines)

    def json(self) -> dict[str, object]:
        return {
            "code": self.code,
            "what": self.what,
            "where": self.where._asdict(),
            "fix": self.fix,
        }

    @classmethod
    def from_json(cls, value: object) -> Fault:
        """The inverse of `json`; a `ValueError` for anything else, since it may come from another program."""
        if not isinstance(value, Mapping) or not isinstance(value.get("where", {}), Mapping):
            raise ValueError("not a fault")
        where = value.get("where", {})
        line, column = where.get("line"), where.get("column")
        return cls(
            code=str(value.get("code", "unknown")),
            what=str(value.get("what", "")),
            where=Where(
                source=_optional_text(where.get("source")),
                line=line if isinstance(line, int) else None,
                column=column if isinstance(column, int) else None,
                key=_optional_text(where.get("key")),
            ),
            fix=str(value.get("fix", "")),
        )


def printable(text: str) -> str:
    """`text` on one line, control characters escaped: hostile input drives no terminal and forges no log line."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _optional_text(value: object) -> str | None:
    return None if value is None else str(value)


class EarlybootError(Exception):
    """The base: carries at least one fault. The class says which exit status it means."""

    exit_status = 4

    def __init__(self, *faults: Fault) -> None:
        if not faults:
            raise ValueError("an error needs at least one fault")
        super().__init__("\n".join(fault.text() for fault in faults))
        self.faults = faults


class OperatorError(EarlybootError):
    """What the operator wrote, or typed, is wrong."""

    exit_status = 2


class SourceError(EarlybootError):
    """A source of user data is there but cannot be read or decoded. Never the same as absent."""

    exit_status = 3


class HostError(EarlybootError):
    """The host refused: a command failed, a file could not be written, a device did not answer."""

    exit_status = 4


class ApiError(EarlybootError):
    """The API refused the request, or nobody listens on its socket."""

    exit_status = 5


BY_EXIT_STATUS: dict[int, type[EarlybootError]] = {
    error.exit_status: error for error in (OperatorError, SourceError, HostError, ApiError)
}


def merged(errors: Iterable[EarlybootError]) -> EarlybootError:
    """All faults of `errors` in one error of the first one's class."""
    found = list(errors)
    return type(found[0])(*(fault for error in found for fault in error.faults))
