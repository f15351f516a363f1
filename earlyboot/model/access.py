"""`settings.access`: who may log in over SSH. The profile names the user, which the image has."""

from __future__ import annotations

import binascii
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from earlyboot.model.table import Table
from earlyboot.model.types import Scalar, SingleLineString

_KEY_TYPES = frozenset(
    {
        "ssh-ed25519",
        "ssh-rsa",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
    }
)


class SshPublicKey(Scalar):
    """A line of authorized_keys (sshd(8)) without options; the key's own data must say the same type (RFC 4253, 6.6)."""

    rule = "an SSH public key on one line: its type, its data in base64 and maybe a comment, with no options in front"
    example = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f admin@example.com"
    how = "write the one line of a file such as ~/.ssh/id_ed25519.pub"

    @classmethod
    def accepts(cls, text: str) -> bool:
        kind, _, rest = text.partition(" ")
        data = rest.partition(" ")[0]
        if kind not in _KEY_TYPES or not SingleLineString.accepts(text):
            return False
        try:
            blob = binascii.a2b_base64(data, strict_mode=True)
        except ValueError:
            return False
        field = len(kind).to_bytes(4, "big") + kind.encode("ascii")
        return blob.startswith(field) and len(blob) > len(field)


class Access(Table, kw_only=True, frozen=True):
    """Who may log in over SSH, as the user that the profile names."""

    authorized_keys: Annotated[
        tuple[SshPublicKey, ...] | UnsetType, Meta(description="The SSH public keys that may log in.")
    ] = UNSET
