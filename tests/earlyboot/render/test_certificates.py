"""The bundle of trusted certificates: the image's as Debian composes it, and what the settings add and take away."""

from __future__ import annotations

import base64
import subprocess
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tests.earlyboot.render.rendering import rendered

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
HEAD = "# Written by earlyboot from settings.pki; changes here are overwritten.\n"


@cache
def certificate(common_name: str, organization: str | None = None) -> bytes:
    """A self-signed certificate in PEM; without a common name where it is empty."""
    parts = [(NameOID.ORGANIZATION_NAME, organization), (NameOID.COMMON_NAME, common_name)]
    name = x509.Name([x509.NameAttribute(oid, text) for oid, text in parts if text])
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(datetime(2020, 1, 1, tzinfo=UTC)).not_valid_after(
        datetime(2040, 1, 1, tzinfo=UTC)
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An image with two certificates of Debian's, one that is deselected, and one of its builder's."""
    shared = tmp_path / "usr/share/ca-certificates/mozilla"
    local = tmp_path / "usr/local/share/ca-certificates/builder"
    for folder in (shared, local, tmp_path / "etc"):
        folder.mkdir(parents=True)
    for name in ("one", "two", "off"):
        (shared / f"{name}.crt").write_bytes(certificate(name))
    (local / "mine.crt").write_bytes(certificate("mine").rstrip())
    (local / "README").write_bytes(certificate("no"))
    listed = "# a comment\n\nmozilla/one.crt\n!mozilla/off.crt\nmozilla/missing.crt\nmozilla/two.crt\n"
    (tmp_path / "etc/ca-certificates.conf").write_text(listed)
    return tmp_path


def pki(**bundles: tuple[bytes, bool | None]) -> dict[str, object]:
    settings: dict[str, object] = {}
    for name, (data, trusted) in bundles.items():
        settings[f"settings.pki.{name}.data"] = base64.b64encode(data).decode()
        if trusted is not None:
            settings[f"settings.pki.{name}.trusted"] = trusted
    return settings


def bundle(root: Path, settings: dict[str, object]) -> str:
    return rendered("certificates", settings, str(root))[BUNDLE].decode()


def names(text: str) -> list[str]:
    """The names in the comments, each of which must be that of the certificate below it."""
    found = []
    for block in text.removeprefix(HEAD).split("\n\n"):
        comment, _, pem = block.strip("\n").partition("\n")
        subject = x509.load_pem_x509_certificate(pem.encode()).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        assert comment == f"# {subject[0].value!s}"
        found.append(str(subject[0].value))
    return found


def test_trusted_ones_are_added_behind_the_images_own_in_the_order_of_names(root: Path) -> None:
    settings = pki(z=(certificate("z"), True), a=(certificate("a2") + certificate("a1"), True))
    assert names(bundle(root, settings)) == ["one", "two", "mine", "a2", "a1", "z"]


def test_the_bundle_reads_exactly_so(root: Path) -> None:
    expected = [f"\n# {name}\n{certificate(name).decode()}" for name in ("one", "two", "mine", "a")]
    assert bundle(root, pki(a=(certificate("a"), True))) == HEAD + "".join(expected)


@pytest.mark.parametrize("trusted", [False, None])
def test_one_that_is_not_said_to_be_trusted_is_taken_away_wherever_it_comes_from(
    root: Path, trusted: bool | None
) -> None:
    settings = pki(
        no=(b"a comment\n" + certificate("two") + certificate("mine") + certificate("unknown"), trusted),
        yes=(certificate("mine") + certificate("new"), True),
    )
    assert names(bundle(root, settings)) == ["one", "new"]


def test_a_certificate_is_compared_by_what_it_is_and_not_by_its_name(root: Path) -> None:
    other = certificate("two", "another organization with the same common name")
    assert names(bundle(root, pki(no=(other, False)))) == ["one", "two", "mine"]


def test_one_that_is_there_already_is_there_once(root: Path) -> None:
    settings = pki(a=(certificate("two"), True), b=(certificate("b"), True), c=(certificate("b"), True))
    assert names(bundle(root, settings)) == ["one", "two", "mine", "b"]


def test_what_is_damaged_in_the_image_is_left_out_and_stops_nothing(root: Path) -> None:
    folder = root / "usr/local/share/ca-certificates"
    (folder / "a.crt").write_text("-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n")
    (folder / "b.crt").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    (folder / "c.crt").write_text("nothing")
    (folder / "d.crt").write_bytes(b"\xff" + certificate("d") + b"-----BEGIN CERTIFICATE-----\n")
    assert names(bundle(root, pki(x=(certificate("x"), True)))) == ["one", "two", "mine", "d", "x"]


def test_an_old_root_with_a_negative_serial_number_stays_trusted(root: Path) -> None:
    der = bytearray(x509.load_pem_x509_certificate(certificate("old")).public_bytes(Encoding.DER))
    version = b"\xa0\x03\x02\x01\x02"
    der[der.index(version) + len(version) + 2] |= 0x80
    pem = f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(der).decode()}\n-----END CERTIFICATE-----\n"
    (root / "usr/local/share/ca-certificates/old.crt").write_text(pem)
    assert "\n# old\n-----BEGIN" in bundle(root, pki(a=(certificate("a"), True)))


@pytest.mark.parametrize(
    ("common_name", "comment"),
    [
        ("a\nUser=root\r# b", "# a?User=root?# b"),
        ("Zertifizierungsstelle für é", "# Zertifizierungsstelle f?r ?"),
        ("-----BEGIN CERTIFICATE-----", "# -----BEGIN CERTIFICATE-----"),
    ],
)
def test_a_hostile_name_is_one_line_of_ascii(tmp_path: Path, common_name: str, comment: str) -> None:
    text = bundle(tmp_path, pki(a=(certificate(common_name), True)))
    assert text == f"{HEAD}\n{comment}\n{certificate(common_name).decode()}"


def test_a_certificate_without_a_common_name_has_all_of_its_name(tmp_path: Path) -> None:
    data = certificate("", "An Organization")
    assert bundle(tmp_path, pki(a=(data, True))) == f"{HEAD}\n# O=An Organization\n{data.decode()}"


def test_without_settings_it_is_what_update_ca_certificates_makes(root: Path) -> None:
    expected = [certificate(name).decode() for name in ("one", "two", "mine")]
    assert bundle(root, {}) == "".join(expected)


def test_openssl_reads_every_certificate_of_the_bundle(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "bundle.crt"
    path.write_text(bundle(root, pki(a=(certificate("a"), True))))
    for name in ("one", "two", "mine", "a"):
        (tmp_path / "leaf.crt").write_bytes(certificate(name))
        argv = ["openssl", "verify", "-no-CApath", "-CAfile", str(path), str(tmp_path / "leaf.crt")]
        assert subprocess.run(argv, capture_output=True, check=False).returncode == 0
    (tmp_path / "leaf.crt").write_bytes(certificate("off"))
    assert subprocess.run(argv, capture_output=True, check=False).returncode != 0


def test_an_image_with_p11_kit_gets_a_file_for_each_bundle() -> None:
    settings = pki(
        a=(certificate("a2") + certificate("a1"), True), b=(certificate("b"), False), c=(b"", True), d=(b"", None)
    )
    folder = "/etc/pki/ca-trust/source"
    assert rendered("certificate-anchors", settings) == {
        f"{folder}/anchors/earlyboot-a.pem": HEAD.encode()
        + b"\n# a2\n"
        + certificate("a2")
        + b"\n# a1\n"
        + certificate("a1")
    }
    assert rendered("certificate-blocklist", settings) == {
        f"{folder}/blocklist/earlyboot-b.pem": HEAD.encode() + b"\n# b\n" + certificate("b")
    }
