"""Readers of formats for which Python has none, written after the formats' documentation, for the tests."""

from __future__ import annotations

import re

_LINE = re.compile(
    r"""[#;][^\n]*\n|(?P<key>[^=\s]+)=(?P<value>(?:"(?:[^"\\]|\\.)*"|'[^']*'|\\.|[^"'\\\n])*)\n""", re.DOTALL
)
_PIECE = re.compile(
    r"""\s*"(?P<double>(?:[^"\\]|\\.)*)"\s*|'(?P<single>[^']*)'|\\(?P<escaped>.)|(?P<plain>[^"'\\]+)""", re.DOTALL
)


def environment_file(text: str) -> dict[str, str]:
    """What systemd reads from an EnvironmentFile=, systemd.exec(5); in double quotes only \\" \\\\ \\` \\$ are escapes."""
    found = {}
    end = 0
    for line in _LINE.finditer(text):
        assert line.start() == end, "this reader knows only what earlyboot writes"
        end = line.end()
        if line["key"]:
            found[line["key"]] = "".join(map(_unquoted, _PIECE.finditer(line["value"])))
    assert end == len(text)
    return found


def _unquoted(piece: re.Match[str]) -> str:
    if piece["double"] is not None:
        return re.sub(r'\\(["\\`$])', r"\1", piece["double"])
    return piece["single"] or piece["escaped"] or piece["plain"] or ""


def bootconfig(data: bytes) -> dict[str, list[str]]:
    """The parameters behind an initrd, after the kernel's admin-guide/bootconfig; only the flat form, one key a line."""
    magic = b"#BOOTCONFIG\n"
    assert len(data) % 4 == 0
    assert data.endswith(magic)
    end = len(data) - len(magic)
    size, checksum = (int.from_bytes(data[end - start : end - start + 4], "little") for start in (8, 4))
    text = data[end - 8 - size : end - 8]
    assert sum(text) % (1 << 32) == checksum
    assert end - 8 - size == 0, "there is no initrd in front of it"
    found: dict[str, list[str]] = {}
    rest = text.rstrip(b"\0").decode("ascii")
    line = re.compile(r"""([A-Za-z0-9_.-]+)(?: = ((?:"[^"]*"|'[^']*')(?:, (?:"[^"]*"|'[^']*'))*))?\n""")
    while rest:
        match = line.match(rest)
        assert match is not None, rest
        assert match[1] not in found
        found[match[1]] = [value[1:-1] for value in re.findall(r""""[^"]*"|'[^']*'""", match[2] or "")]
        rest = rest[match.end() :]
    return found
