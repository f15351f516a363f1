"""Refusals of the API, with their HTTP status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hostkit.errors import EarlybootError, Fault, OperatorError, SourceError, Where

_TITLES = {
    400: "Bad request",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    412: "Precondition failed",
    413: "Body too large",
    422: "Nothing to do",
    431: "Headers too large",
    500: "The host refused",
}


class Problem(Exception):  # noqa: N818 - RFC 9457 calls it so
    """A request that is refused: the status, and every fault with the settings path it concerns."""

    def __init__(
        self,
        status: int,
        *faults: Fault,
        paths: tuple[tuple[str | int, ...], ...] = (),
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__("\n".join(fault.text() for fault in faults))
        self.status = status
        self.faults = faults
        self.paths = paths
        self.headers = list(headers)

    def json(self) -> Mapping[str, object]:
        """The body: the faults in the form of the command line, with `path` where one lies inside a settings document."""
        faults = [fault.json() for fault in self.faults]
        for fault, path in zip(faults, self.paths, strict=False):
            fault["path"] = list(path)
        return {
            "type": "about:blank",
            "title": _TITLES.get(self.status, "Refused"),
            "status": self.status,
            "detail": self.faults[0].what,
            "faults": faults,
        }


def bad_request(code: str, what: str, fix: str, key: str | None = None) -> Problem:
    return Problem(400, Fault(code, what, Where(key=key), fix))


def from_error(error: EarlybootError) -> Problem:
    """What one of our errors means to a client: its own input, or this host."""
    return Problem(400 if isinstance(error, OperatorError | SourceError) else 500, *error.faults)
