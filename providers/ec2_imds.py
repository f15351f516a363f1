"""EC2 user data, through version 2 of the instance metadata service (IMDSv2)."""

from __future__ import annotations

from hostkit.http import TooLargeError
from providers.contract import Document, Request
from providers.decode import decode, too_large
from providers.ec2_session import ORIGIN, Session

DATA_PATH = "/latest/user-data"


def read(request: Request) -> Document | None:
    """The instance's user data; `None` when it has none. It never says a word of the data or of the token."""
    with Session(request.endpoint, request.deadline_s, request.limit_bytes, "user data") as session:
        try:
            raw = session.get(DATA_PATH)
        except TooLargeError:
            raise too_large(ORIGIN, request.limit_bytes) from None
    text = None if raw is None else decode(raw, ORIGIN, request.limit_bytes)
    return None if text is None else Document(ORIGIN, text)
