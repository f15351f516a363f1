"""What this machine says of itself: its identity across boots, whether it is a container, its os-release."""

from __future__ import annotations

import os

from hostkit import files
from hostkit.errors import HostError

_LIMIT_BYTES = 1 << 20
_HEX = frozenset("0123456789abcdef")

# What firmware holds where nobody wrote a UUID: one value on thousands of machines.
_JUNK_UUIDS = frozenset(
    {
        "00000000000000000000000000000000",
        "ffffffffffffffffffffffffffffffff",
        "00020003000400050006000700080009",
        "03000200040005000006000700080009",
        "03000200040005000600070008000900",
        "12345678123456789012345678901234",
        "12345678123456781234567812345678",
        "123456781234567890abcddeefaabbcc",
        "11111111111111111111111111111111",
        "88888888888888888888888888888888",
        "fefefefefefefefefefefefefefefefe",
    }
)


def identity(root: str = "/") -> str | None:
    """What tells this machine from another one with a copy of its disk: `dmi:…` or `machine-id:…`; `None` if nothing does.

    In a container, and in a root that is not this machine's, DMI is another's and is not asked.
    """
    if root == "/" and not in_container():
        uuid = dmi_uuid(_read("/sys/class/dmi/id/product_uuid"))
        if uuid:
            return f"dmi:{uuid}"
    machine_id = _machine_id(root)
    return f"machine-id:{machine_id}" if machine_id else None


def dmi_uuid(text: str) -> str | None:
    """The product UUID as 32 hex digits; `None` for junk.

    SMBIOS before 2.6 left the byte order of the first three fields open, and firmware updates have changed it: both
    orders of one UUID give the same answer here.
    """
    digits = text.strip().replace("-", "").lower()
    if len(digits) != 32 or not _HEX.issuperset(digits):
        return None
    pairs = [digits[place : place + 2] for place in range(0, 32, 2)]
    swapped = "".join(pairs[3::-1] + pairs[5:3:-1] + pairs[7:5:-1] + pairs[8:])
    if {digits, swapped} & _JUNK_UUIDS:
        return None
    return min(digits, swapped)


def _machine_id(root: str) -> str | None:
    path = os.path.join(root, "etc/machine-id")
    text = _read(path).strip()
    # machine-id(5): "uninitialized" before the first boot; all zeros is no id.
    if len(text) != 32 or not _HEX.issuperset(text) or text == "0" * 32:
        return None
    # Where it cannot write one down yet, systemd mounts a transient id over the file.
    return None if _is_mount_point(os.path.realpath(path)) else text


def _is_mount_point(path: str) -> bool:
    # Not from device numbers: on an overlay a file and its folder may have different ones.
    return f" {path} " in _read("/proc/self/mountinfo")


def in_container() -> bool:
    """Whether systemd, which asks the container's manager, says that this is a container."""
    return os.path.exists("/run/systemd/container")


def os_release(root: str = "/") -> dict[str, str]:
    """The fields of os-release(5), unquoted; empty where there is no file."""
    for path in ("etc/os-release", "usr/lib/os-release"):
        text = _read(os.path.join(root, path))
        if text:
            break
    fields = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith("#"):
            fields[name] = _unquoted(value)
    return fields


def _unquoted(value: str) -> str:
    """A value of os-release(5), whose quoting is the shell's."""
    quote = value[:1]
    if quote not in ("'", '"') or len(value) < 2 or value[-1] != quote:
        return value
    inner = value[1:-1]
    if quote == '"':
        # The backslash last of all, by way of a character that no line holds.
        inner = inner.replace("\\\\", "\n")
        for char in '"$`':
            inner = inner.replace(f"\\{char}", char)
        inner = inner.replace("\n", "\\")
    return inner


def _read(path: str) -> str:
    try:
        return (files.read(path, _LIMIT_BYTES) or b"").decode("utf-8", "replace")
    except HostError:
        return ""
