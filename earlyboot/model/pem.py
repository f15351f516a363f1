"""Bundles of X.509 certificates in PEM (RFC 7468): every block must be a certificate that parses."""

from __future__ import annotations

import binascii

_BEGIN = "-----BEGIN CERTIFICATE-----"
_END = "-----END CERTIFICATE-----"


def is_bundle(data: bytes) -> bool:
    """Whether `data` holds at least one certificate and no block that is anything else. Text between blocks is fine."""
    try:
        certificates = _blocks(data.decode("latin-1"))  # comments may be in any encoding
    except ValueError:
        return False
    return bool(certificates) and _all_parse(certificates)


def _blocks(text: str) -> list[bytes]:
    """The content of each block; `ValueError` for one that is cut short, nested or no certificate."""
    blocks: list[bytes] = []
    body: list[str] | None = None
    for line in map(str.strip, text.splitlines()):
        if line.startswith("-----BEGIN "):
            if body is not None or line != _BEGIN:
                raise ValueError("a block that is no certificate, or inside another")
            body = []
        elif line.startswith("-----END "):
            if body is None or line != _END:
                raise ValueError("an end without its beginning")
            blocks.append(binascii.a2b_base64("".join(body), strict_mode=True))
            body = None
        elif body is not None:
            body.append(line)
    if body is not None:
        raise ValueError("the last block has no end")
    return blocks


def _all_parse(certificates: list[bytes]) -> bool:
    """Parsed by OpenSSL, as what will use them does. Nothing is trusted or verified here: expired ones pass."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        for der in certificates:
            if not _is_one_element(der):
                return False
            context.load_verify_locations(cadata=der)
    except (ssl.SSLError, ValueError):
        return False
    return True


def _is_one_element(der: bytes) -> bool:
    """Whether the outer SEQUENCE fills `der` exactly: OpenSSL's loader overlooks some of what may follow it."""
    if len(der) < 2 or der[0] != 0x30:
        return False
    if der[1] < 0x80:
        return len(der) == 2 + der[1]
    width = der[1] & 0x7F
    return 1 <= width <= 4 and len(der) == 2 + width + int.from_bytes(der[2 : 2 + width], "big")
