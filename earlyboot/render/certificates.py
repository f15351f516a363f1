"""What this machine trusts: the certificates of the image and of `settings.pki`, without those it distrusts."""

from __future__ import annotations

import binascii
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from earlyboot.render.renderers import Context

if TYPE_CHECKING:
    from cryptography import x509

_BLOCK = re.compile(
    rb"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----(.*?)-----END [A-Z0-9 ]*CERTIFICATE-----", re.DOTALL
)
# Where update-ca-certificates(8) of Debian takes the bundle's content from. Its output is what we replace.
_DEBIAN_LIST = "/etc/ca-certificates.conf"
_DEBIAN_FOLDER = "/usr/share/ca-certificates"
_LOCAL_FOLDER = "/usr/local/share/ca-certificates"
_HEAD = b"# Written by earlyboot from settings.pki; changes here are overwritten.\n"


def certificates(settings: Mapping[str, object], context: Context) -> bytes:
    """The whole bundle. Without `settings.pki` it is what update-ca-certificates makes."""
    files = list(_image_files(context))
    pki = _pki(settings)
    if not pki:
        return b"".join(data if data.endswith(b"\n") else data + b"\n" for data in files)
    trusted, distrusted = _of_settings(pki, trusted=True), set(_of_settings(pki, trusted=False))
    wanted = dict.fromkeys(der for der in (*_ders(files), *trusted) if der not in distrusted)
    return _HEAD + b"".join(filter(None, map(_headed, wanted)))


def anchors(settings: Mapping[str, object], context: Context) -> dict[str, bytes]:
    """For p11-kit's update-ca-trust(8): a file for each trusted bundle."""
    return _files(settings, trusted=True)


def blocklist(settings: Mapping[str, object], context: Context) -> dict[str, bytes]:
    """As `anchors`, for each distrusted bundle."""
    return _files(settings, trusted=False)


def _files(settings: Mapping[str, object], *, trusted: bool) -> dict[str, bytes]:
    made = {
        name: b"".join(filter(None, map(_headed, _of_settings({name: entry}, trusted=trusted))))
        for name, entry in _pki(settings).items()
    }
    return {name: _HEAD + data for name, data in made.items() if data}


def _pki(settings: Mapping[str, object]) -> Mapping[str, Mapping[str, object]]:
    pki = settings.get("pki", {})
    assert isinstance(pki, Mapping)
    return pki


def _of_settings(pki: Mapping[str, Mapping[str, object]], *, trusted: bool) -> list[bytes]:
    """The certificates as DER, in the order of the bundles' names. One that does not say so is not trusted."""
    return [
        der
        for name in sorted(pki)
        if (pki[name].get("trusted") is True) is trusted
        for der in _ders([binascii.a2b_base64(str(pki[name].get("data", "")))])
    ]


def _image_files(context: Context) -> Iterator[bytes]:
    listed = context.read(_DEBIAN_LIST) or b""
    lines = listed.decode("utf-8", "replace").splitlines()
    names = [f"{_DEBIAN_FOLDER}/{line}" for line in lines if line and not line.startswith(("#", "!"))]
    for path in (*names, *context.list(_LOCAL_FOLDER, ".crt")):
        data = context.read(path)
        if data is not None:
            yield data


def _ders(files: Iterable[bytes]) -> Iterator[bytes]:
    for data in files:
        for block in _BLOCK.finditer(data):
            try:
                yield binascii.a2b_base64(b"".join(block[1].split()), strict_mode=True)
            except binascii.Error:
                continue  # a damaged one of the image is nobody's to trust


def _headed(der: bytes) -> bytes:
    """A certificate in PEM below its subject; nothing for one that is none, as an image may have."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    with warnings.catch_warnings():
        # Old roots break rules of today, such as a positive serial number; they are the image's to trust all the same.
        warnings.simplefilter("ignore")
        try:
            certificate = x509.load_der_x509_certificate(der)
            name = _subject(certificate.subject)
            pem = certificate.public_bytes(Encoding.PEM)
        except ValueError:
            return b""
    return f"\n# {name}\n".encode("ascii") + pem


def _subject(name: x509.Name) -> str:
    """The common name, or all of a name that has none, as one line of ASCII: a certificate can say anything there."""
    from cryptography.x509.oid import NameOID

    common = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    text = str(common[0].value) if common else name.rfc4514_string()
    return "".join(character if " " <= character <= "~" else "?" for character in text[:200])
