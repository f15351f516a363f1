"""Certificate bundles."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from earlyboot.model.types import PemCertificate

CERTIFICATE = (Path(__file__).parent / "certificate.pem").read_text()
FIRST, *MIDDLE, LAST = CERTIFICATE.splitlines(keepends=True)
DER = base64.b64decode("".join(MIDDLE))


def block(der: bytes, label: str = "CERTIFICATE") -> str:
    return f"-----BEGIN {label}-----\n{base64.b64encode(der).decode()}\n-----END {label}-----\n"


@pytest.mark.parametrize(
    "text",
    [
        CERTIFICATE,
        CERTIFICATE * 3,
        CERTIFICATE.rstrip("\n"),
        CERTIFICATE.replace("\n", "\r\n"),
        f"# a comment: é\n{CERTIFICATE}\n\nmore text\n{CERTIFICATE}",
        block(DER),
    ],
)
def test_a_bundle_of_certificates_is_accepted(text: str) -> None:
    encoded = base64.b64encode(text.encode()).decode()
    assert PemCertificate(encoded) == encoded


@pytest.mark.parametrize(
    "text",
    [
        " ",
        "no certificate at all",
        FIRST + "".join(MIDDLE),
        FIRST + LAST,
        FIRST + "".join(MIDDLE[:-2]) + LAST,
        FIRST + "".join(MIDDLE[1:]) + LAST,
        CERTIFICATE + FIRST + MIDDLE[0],
        CERTIFICATE + FIRST + LAST,
        FIRST + CERTIFICATE,
        LAST + CERTIFICATE,
        CERTIFICATE.replace("M", "!"),
        block(DER + b"\0"),
        block(DER + DER),
        block(DER[:-1]),
        block(b"\x30\x03\x02\x01\x01"),
        block(b"\x30\x80\x00\x00"),
        block(b""),
        CERTIFICATE + block(DER, "PRIVATE KEY"),
        block(DER, "TRUSTED CERTIFICATE"),
    ],
)
def test_a_block_that_is_no_whole_certificate_refuses_the_bundle(text: str) -> None:
    assert not PemCertificate.accepts(base64.b64encode(text.encode()).decode())
