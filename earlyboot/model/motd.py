"""`settings.motd`: the message of the day."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from earlyboot.model.types import MultiLineText

Motd = Annotated[MultiLineText, Meta(description="The message of the day, as in /etc/motd.")]
