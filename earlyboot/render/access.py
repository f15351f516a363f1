"""The SSH keys that may log in: one file of sshd(8), named after the user that the profile lets in."""

from __future__ import annotations

from collections.abc import Mapping

from earlyboot.render.formats import text
from earlyboot.render.renderers import Context


def authorized_keys(settings: Mapping[str, object], context: Context) -> dict[str, bytes]:
    access = settings.get("access")
    keys = access.get("authorized-keys") if isinstance(access, Mapping) else None
    if not isinstance(keys, list) or not keys:
        return {}
    lines = ["# Written by earlyboot from settings.access; changes here are overwritten.", *map(text, keys)]
    return {context.access_user: "".join(f"{line}\n" for line in lines).encode()}
