"""A request while it arrives: judged when its head is there, before a byte of its body is kept, and small in memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

from waitress.buffers import OverflowableBuffer, TempfileBasedBuffer
from waitress.parser import HTTPRequestParser
from waitress.utilities import BadRequest

from earlyboot.api.problem import Problem
from hostkit.errors import Fault, Where

# Of a body, what is more than that goes to a file.
BODY_IN_MEMORY_BYTES = 32 << 10
# Of a body in chunks, what lies between the chunks.
_CHUNK_LINE_LIMIT_BYTES = 4 << 10


class Admission(NamedTuple):
    """What is settled about a peer before it is listened to: `refusal` says why it may not send a method to a path, or
    `None`; its larger bodies are kept in `folder` while they arrive."""

    folder: str
    refusal: Callable[[str, str], Problem | None]


class RefusedError(NamedTuple):
    """Stands where waitress has the error of a request."""

    problem: Problem


class Arrival(HTTPRequestParser):  # type: ignore[misc]  # waitress has no types
    def __init__(self, adj: Any, admission: Admission) -> None:
        super().__init__(adj)
        self._admission = admission
        self._is_judged = False

    def received(self, data: bytes) -> int:
        try:
            consumed: int = super().received(data)
        except OSError as error:
            what = f"the body cannot be kept while it arrives: {os.strerror(error.errno or 0)}"
            self._end(
                RefusedError(Problem(500, Fault("body-file", what, Where(self._admission.folder), "make room there")))
            )
            return len(data)
        if self.body_rcv is not None and not self.completed:
            if not self._is_judged:
                self._is_judged = True
                problem = self._admission.refusal(self.command, self.path or "/")
                if problem is not None:
                    self._end(RefusedError(problem))
                    return len(data)
                self.body_rcv.buf = _Body(BODY_IN_MEMORY_BYTES, self._admission.folder)
            if self.chunked and len(self.body_rcv.control_line) + len(self.body_rcv.trailer) > _CHUNK_LINE_LIMIT_BYTES:
                self._end(BadRequest("a line between chunks is too long"))
        return consumed

    def _end(self, error: object) -> None:
        # Nothing of it is kept, and what follows it is no request.
        self.close()
        self.error = error
        self.expect_continue = False
        self.connection_close = True
        self.completed = True


class _Body(OverflowableBuffer):  # type: ignore[misc]
    buf: Any

    def __init__(self, overflow: int, folder: str) -> None:
        super().__init__(overflow)
        self._folder = folder

    def _set_large_buffer(self) -> None:
        before, self.buf = self.buf, _BodyFile(self._folder, self.buf)
        if before is not None:
            before.close()
        self.overflowed = True


class _BodyFile(TempfileBasedBuffer):  # type: ignore[misc]
    """A file without a name, of mode 0600: a body may hold secrets. Beside the store, because /tmp may be memory."""

    def __init__(self, folder: str, before: Any) -> None:
        self._folder = folder
        super().__init__(before)

    def newfile(self) -> Any:
        from tempfile import TemporaryFile

        return TemporaryFile("w+b", dir=self._folder)
