"""The boot parameters as a bootconfig behind an empty initrd: what the boot loader hands to the kernel.

The format is the kernel's, admin-guide/bootconfig: text, NUL characters up to a multiple of four bytes, the size of both
and the sum of their bytes as little-endian 32-bit numbers, and the magic.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

from earlyboot.render.formats import UnholdableError
from earlyboot.render.renderers import Context

_MAGIC = b"#BOOTCONFIG\n"
_PREFIXES = (("kernel-parameters", "kernel"), ("init-parameters", "init"))
# What the kernel takes at most (lib/bootconfig.c): a larger file it ignores as a whole, a longer key it cannot show.
_SIZE_LIMIT_BYTES = 32764
_NODE_LIMIT = 8192
_KEY_LIMIT_CHARS = 255
_WORDS_LIMIT = 15


def bootconfig(settings: Mapping[str, object], context: Context) -> bytes | None:
    """The file for `settings.boot`, sorted by key; `UnholdableError` for more than the kernel takes."""
    parameters = dict(_parameters(settings))
    text = "".join(_line(key, values) for key, values in parameters.items()).encode("ascii")
    # A node of the kernel's tree is a word of a key in its place, or a value.
    words = {key[:length] for key in parameters for length in range(1, len(key) + 1)}
    nodes = len(words) + sum(map(len, parameters.values()))
    if len(text) > _SIZE_LIMIT_BYTES or nodes > _NODE_LIMIT:
        limits = f"{_SIZE_LIMIT_BYTES:,} bytes and {_NODE_LIMIT:,} words"
        raise UnholdableError(f"the kernel takes boot parameters of at most {limits}")
    padded = text + b"\0" * (-len(text) % 4)
    return padded + struct.pack("<II", len(padded), sum(padded)) + _MAGIC


def _parameters(settings: Mapping[str, object]) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    boot = settings.get("boot")
    for group, prefix in _PREFIXES:
        parameters = boot.get(group, {}) if isinstance(boot, Mapping) else {}
        for name in sorted(parameters):
            yield (prefix, *name.split(".")), parameters[name]


def _line(words: tuple[str, ...], values: list[str]) -> str:
    key = ".".join(words)
    if len(key) > _KEY_LIMIT_CHARS or len(words) > _WORDS_LIMIT:
        raise UnholdableError(
            f"the kernel takes keys of at most {_KEY_LIMIT_CHARS} characters and {_WORDS_LIMIT} words"
        )
    return f"{key} = {', '.join(map(_quoted, values))}\n" if values else f"{key}\n"


def _quoted(value: str) -> str:
    if '"' not in value:
        return f'"{value}"'
    if "'" not in value:
        return f"'{value}'"
    raise UnholdableError("a boot parameter holds both kinds of quotes")
