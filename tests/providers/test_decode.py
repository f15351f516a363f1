"""Bytes of a source to text: each way to be broken has a code and a text of its own."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostkit.errors import SourceError
from providers.decode import decode

LIMIT = 10_000
TEXT = 'settings.motd = "hällo"\n'


def fault(raw: bytes, limit_bytes: int = LIMIT) -> tuple[str, str]:
    with pytest.raises(SourceError) as caught:
        decode(raw, "the-source", limit_bytes)
    return caught.value.faults[0].code, str(caught.value)


def text(what: str, fix: str, line: int | None = None) -> str:
    where = "the-source" if line is None else f"the-source:{line}"
    return f"error: {what}\n  where: {where}\n  fix:   {fix}"


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(TEXT.encode(), id="plain"),
        pytest.param(b"\xef\xbb\xbf" + TEXT.encode(), id="byte order mark"),
        pytest.param(gzip.compress(TEXT.encode()), id="gzip"),
        pytest.param(gzip.compress(b"\xef\xbb\xbf" + TEXT.encode()), id="byte order mark in gzip"),
        pytest.param(gzip.compress(TEXT.encode()[:7]) + gzip.compress(TEXT.encode()[7:]), id="two members"),
        pytest.param(gzip.compress(b"") * 50 + gzip.compress(TEXT.encode()), id="empty members before"),
        pytest.param(gzip.compress(TEXT.encode(), 0), id="stored, not compressed"),
    ],
)
def test_text_comes_out(raw: bytes) -> None:
    assert decode(raw, "the-source", LIMIT) == TEXT


@pytest.mark.parametrize("content", [b"", b" ", b"\n", b"\r\n\t \n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
def test_nothing_but_white_space_is_absent(content: bytes) -> None:
    assert decode(content, "the-source", LIMIT) is None
    assert decode(gzip.compress(content), "the-source", LIMIT) is None


def test_a_comment_is_not_absent() -> None:
    assert decode(b"# nothing yet\n", "the-source", LIMIT) == "# nothing yet\n"


AGAIN = "upload it again; `gzip -t FILE` checks the file"
AGAIN_BINARY = "upload it again as binary data; `gzip -t FILE` checks the file"
SMALLER = "make it smaller; large files belong into a bootstrap container"
PACKED = gzip.compress(TEXT.encode() * 20)


def changed(at: int) -> bytes:
    return PACKED[:at] + bytes([PACKED[at] ^ 0xFF]) + PACKED[at + 1 :] if at >= 0 else changed(len(PACKED) + at)


UTF8 = "save it as UTF-8; binary values belong in base64"
NUL = "TOML is text: make sure that the right file was uploaded, and save it as UTF-8"
UTF16 = "save it as UTF-8, such as with `iconv -f UTF-16 -t UTF-8 FILE`"
UTF32 = "save it as UTF-8, such as with `iconv -f UTF-32 -t UTF-8 FILE`"
CHECKSUM = "the checksum of the gzip data does not match: it was changed on its way"
TRAILING = "something that is not gzip follows the gzip data, at byte {}"
TRAILING_FIX = "compress the file again, and append nothing to it"


@pytest.mark.parametrize(
    ("raw", "code", "report"),
    [
        pytest.param(
            b"#" * (LIMIT + 1),
            "user-data-too-large",
            text(f"the user data is larger than {LIMIT} bytes", SMALLER),
            id="too large, plain",
        ),
        pytest.param(
            gzip.compress(b"#" * (LIMIT + 1)),
            "gzip-too-large",
            text(f"the gzip data unpacks to more than {LIMIT} bytes", SMALLER),
            id="too large, unpacked",
        ),
        pytest.param(
            gzip.compress(b"#" * LIMIT) + gzip.compress(b"#"),
            "gzip-too-large",
            text(f"the gzip data unpacks to more than {LIMIT} bytes", SMALLER),
            id="too large, in the second member",
        ),
        pytest.param(b"\x1f\x8b", "gzip-truncated", text("the gzip data ends early", AGAIN), id="magic alone"),
        pytest.param(PACKED[:-1], "gzip-truncated", text("the gzip data ends early", AGAIN), id="a byte missing"),
        pytest.param(
            PACKED + PACKED[:15],
            "gzip-truncated",
            text("the gzip data ends early", AGAIN),
            id="second member cut",
        ),
        pytest.param(changed(-8), "gzip-checksum", text(CHECKSUM, AGAIN_BINARY), id="CRC"),
        pytest.param(changed(-4), "gzip-checksum", text(CHECKSUM, AGAIN_BINARY), id="length"),
        pytest.param(changed(2), "gzip-corrupt", text("the gzip data is damaged", AGAIN_BINARY), id="method"),
        pytest.param(changed(10), "gzip-corrupt", text("the gzip data is damaged", AGAIN_BINARY), id="first block"),
        pytest.param(
            PACKED + b"\0",
            "gzip-trailing-data",
            text(TRAILING.format(len(PACKED)), TRAILING_FIX),
            id="a NUL appended",
        ),
        pytest.param(
            PACKED + PACKED + b"\x1f",
            "gzip-trailing-data",
            text(TRAILING.format(2 * len(PACKED)), TRAILING_FIX),
            id="half a magic appended",
        ),
        pytest.param(
            gzip.compress(PACKED),
            "gzip-nested",
            text("the user data is gzip inside gzip; only one layer is unpacked", "compress it once"),
            id="gzip in gzip",
        ),
        pytest.param(
            b"a = 1\nb = '\xe9'\n",
            "user-data-not-utf8",
            text("the user data is not UTF-8, at byte 11", UTF8, 2),
            id="Latin-1",
        ),
        pytest.param(
            b"\xef\xbb\xbf\n\xff",
            "user-data-not-utf8",
            text("the user data is not UTF-8, at byte 4", UTF8, 2),
            id="not UTF-8 after a mark",
        ),
        pytest.param(
            gzip.compress(b"a = '\xed\xa0\x80'"),
            "user-data-not-utf8",
            text("the user data is not UTF-8, at byte 5", UTF8, 1),
            id="surrogate in gzip",
        ),
        pytest.param(
            b"a = 1\n\n\0",
            "user-data-nul",
            text("the user data holds a NUL byte, at byte 7", NUL, 3),
            id="NUL",
        ),
        pytest.param(
            "a = 1".encode("utf-16-le"),
            "user-data-nul",
            text("the user data holds a NUL byte, at byte 1", NUL, 1),
            id="UTF-16 without a mark",
        ),
        pytest.param(
            b"\xff\xfe" + "a".encode("utf-16-le"),
            "user-data-utf16",
            text("the user data is UTF-16", UTF16),
            id="UTF-16, little endian",
        ),
        pytest.param(
            b"\xfe\xff" + "a".encode("utf-16-be"),
            "user-data-utf16",
            text("the user data is UTF-16", UTF16),
            id="UTF-16, big endian",
        ),
        pytest.param(
            gzip.compress("a".encode("utf-16")),
            "user-data-utf16",
            text("the user data is UTF-16", UTF16),
            id="UTF-16 in gzip",
        ),
        pytest.param(
            "a".encode("utf-32"),
            "user-data-utf32",
            text("the user data is UTF-32", UTF32),
            id="UTF-32, little endian",
        ),
        pytest.param(
            b"\x00\x00\xfe\xff" + "a".encode("utf-32-be"),
            "user-data-utf32",
            text("the user data is UTF-32", UTF32),
            id="UTF-32, big endian",
        ),
    ],
)
def test_broken_data_says_what_is_broken(raw: bytes, code: str, report: str) -> None:
    assert fault(raw) == (code, report)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_data_of_exactly_the_limit_is_whole(pack: type[bytes]) -> None:
    assert decode(pack(b"#" * LIMIT), "the-source", LIMIT) == "#" * LIMIT


def test_a_bomb_allocates_no_more_than_the_limit_and_a_piece() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(512)) + packer.flush()
    assert len(bomb) < 1 << 20
    tracemalloc.start()
    try:
        code, _ = fault(bomb, 1 << 20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert code == "gzip-too-large"
    assert peak < 2 * (1 << 20)


def test_many_empty_members_cost_time_in_proportion() -> None:
    members = gzip.compress(b"") * 50_000  # quadratic copying of what follows would be 25 gigabytes
    assert decode(members, "the-source", len(members)) is None


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200))
def test_whatever_text_goes_in_comes_out(content: str) -> None:
    raw = content.encode()
    expected = content.removeprefix("\ufeff")
    wanted = expected if expected.strip(" \t\r\n") else None
    assert decode(raw, "the-source", LIMIT) == wanted
    assert decode(gzip.compress(raw), "the-source", LIMIT) == wanted


@given(st.binary(max_size=300), st.sampled_from([b"", b"\x1f\x8b", b"\x1f\x8b\x08\x00", PACKED, PACKED[:40]]))
def test_whatever_bytes_go_in_it_is_text_or_nothing_or_a_fault(rest: bytes, start: bytes) -> None:
    try:
        result = decode(start + rest, "the-source", 1000)
    except SourceError:
        return
    assert result is None or len(result.encode()) <= 1000


@given(st.binary(max_size=2000), st.integers(0, 60))
def test_gzip_cut_anywhere_is_never_absent(content: bytes, cut: int) -> None:
    packed = gzip.compress(content)
    cut = min(cut, len(packed) - 3)
    with pytest.raises(SourceError) as caught:
        decode(packed[: len(packed) - 1 - cut], "the-source", LIMIT)
    assert caught.value.faults[0].code == "gzip-truncated"
