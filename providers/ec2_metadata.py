"""EC2 instance metadata beside the user data: short texts, read in one session that several threads may share."""

from __future__ import annotations

import threading

from hostkit.errors import Fault, SourceError, Where
from hostkit.http import TooLargeError
from providers.ec2_session import ORIGIN, Session

_LIMIT_BYTES = 16 << 10
_ROOT = "/latest/meta-data/"


class Metadata:
    """Nothing is sent before the first question; `deadline_s` counts from then, and is for all of them together."""

    def __init__(self, endpoint: str | None, deadline_s: float) -> None:
        self._endpoint, self._deadline_s = endpoint, deadline_s
        self._session: Session | None = None
        # Whoever has it gives it back by the session's deadline.
        self._lock = threading.Lock()

    def text(self, path: str) -> str | None:
        """What is at a path below `/latest/meta-data/`, without white space around it; `None` where that is nothing."""
        with self._lock:
            self._session = self._session or Session(self._endpoint, self._deadline_s, _LIMIT_BYTES)
            try:
                raw = self._session.get(_ROOT + path)
            except TooLargeError:
                raise unusable(path, f"what EC2 instance metadata gave is larger than {_LIMIT_BYTES} bytes") from None
        if raw is None:
            return None
        try:
            text = raw.decode("utf-8").replace("\r\n", "\n").strip()
        except UnicodeDecodeError:
            raise unusable(path, "what EC2 instance metadata gave is not UTF-8") from None
        if not all(line.isprintable() for line in text.split("\n")):
            raise unusable(path, "what EC2 instance metadata gave holds control characters")
        return text or None

    def close(self) -> None:
        if self._session is not None:
            self._session.close()


def unusable(path: str, what: str) -> SourceError:
    """The service answered for a path below `/latest/meta-data/`, and not with what it has there."""
    fix = "see that no proxy or other program answers for 169.254.169.254"
    return SourceError(Fault("ec2-metadata-unusable", what, Where(f"{ORIGIN} {_ROOT}{path}"), fix))
