"""From the bytes of a source to TOML text: gzip or plain, one layer, UTF-8, never larger than the limit."""

from __future__ import annotations

import zlib

from hostkit.errors import Fault, SourceError, Where

_GZIP_MAGIC = b"\x1f\x8b"
_PIECE_BYTES = 64 * 1024
# Small, because zlib copies what follows a member: 50,000 empty members in large pieces would be gigabytes of copies.
_FEED_BYTES = 4 * 1024

_BYTE_ORDER_MARKS = (
    (b"\xff\xfe\x00\x00", "UTF-32"),  # before UTF-16, whose mark it begins with
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)


def decode(raw: bytes, source: str, limit_bytes: int) -> str | None:
    """The text, or `None` where there is nothing but white space; a `SourceError` for everything that is neither.

    `limit_bytes` bounds `raw` and what it unpacks to. gzip is recognised by its first two bytes (RFC 1952, 2.3.1),
    never by a name or a header.
    """
    if len(raw) > limit_bytes:
        raise too_large(source, limit_bytes)
    data = _unpacked(raw, source, limit_bytes) if raw.startswith(_GZIP_MAGIC) else raw
    text = _text(data, source)
    return text if text.strip(" \t\r\n") else None


def too_large(source: str, limit_bytes: int) -> SourceError:
    """For the readers too: they stop at the limit, and cannot tell how much there is."""
    return _broken(
        source,
        "user-data-too-large",
        f"the user data is larger than {limit_bytes} bytes",
        "make it smaller; large files belong into a bootstrap container",
    )


def _unpacked(raw: bytes, source: str, limit_bytes: int) -> bytes:
    data = bytearray()
    at = 0
    member = 0
    while at < len(raw):
        if member and not raw.startswith(_GZIP_MAGIC, at):
            raise _broken(
                source,
                "gzip-trailing-data",
                f"something that is not gzip follows the gzip data, at byte {at}",
                "compress the file again, and append nothing to it",
            )
        member += 1
        at = _member(raw, at, data, source, limit_bytes)
    if data.startswith(_GZIP_MAGIC):
        raise _broken(
            source,
            "gzip-nested",
            "the user data is gzip inside gzip; only one layer is unpacked",
            "compress it once",
        )
    return bytes(data)


def _member(raw: bytes, at: int, data: bytearray, source: str, limit_bytes: int) -> int:
    """Appends one member to `data`; answers where the next begins."""
    unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    pending = b""
    while not unpacker.eof:
        if not pending:
            pending = raw[at : at + _FEED_BYTES]
            at += len(pending)
            if not pending:
                raise _broken(
                    source,
                    "gzip-truncated",
                    "the gzip data ends early",
                    "upload it again; `gzip -t FILE` checks the file",
                )
        try:
            data += unpacker.decompress(pending, min(_PIECE_BYTES, limit_bytes + 1 - len(data)))
        except zlib.error as error:
            raise _corrupt(source, error) from None
        pending = unpacker.unconsumed_tail
        if len(data) > limit_bytes:
            raise _broken(
                source,
                "gzip-too-large",
                f"the gzip data unpacks to more than {limit_bytes} bytes",
                "make it smaller; large files belong into a bootstrap container",
            )
    return at - len(unpacker.unused_data)


def _corrupt(source: str, error: zlib.error) -> SourceError:
    if "incorrect data check" in str(error) or "incorrect length check" in str(error):
        return _broken(
            source,
            "gzip-checksum",
            "the checksum of the gzip data does not match: it was changed on its way",
            "upload it again as binary data; `gzip -t FILE` checks the file",
        )
    return _broken(
        source,
        "gzip-corrupt",
        "the gzip data is damaged",
        "upload it again as binary data; `gzip -t FILE` checks the file",
    )


def _text(data: bytes, source: str) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            raise _broken(
                source,
                "user-data-utf16" if encoding == "UTF-16" else "user-data-utf32",
                f"the user data is {encoding}",
                f"save it as UTF-8, such as with `iconv -f {encoding} -t UTF-8 FILE`",
            )
    if (offset := data.find(b"\0")) >= 0:
        raise _broken(
            source,
            "user-data-nul",
            f"the user data holds a NUL byte, at byte {offset}",
            "TOML is text: make sure that the right file was uploaded, and save it as UTF-8",
            _line(data, offset),
        )
    try:
        # Not utf-8-sig: its errors count from after the mark.
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise _broken(
            source,
            "user-data-not-utf8",
            f"the user data is not UTF-8, at byte {error.start}",
            "save it as UTF-8; binary values belong in base64",
            _line(data, error.start),
        ) from None


def _line(data: bytes, offset: int) -> int:
    return data.count(b"\n", 0, offset) + 1


def _broken(source: str, code: str, what: str, fix: str, line: int | None = None) -> SourceError:
    return SourceError(Fault(code, what, Where(source, line), fix))
