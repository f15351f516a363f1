"""`settings.pki.NAME`: certificates that this machine trusts, or does not."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from earlyboot.model.table import Table
from earlyboot.model.types import IdentifierName, PemCertificate


class CertificateBundle(Table, kw_only=True, frozen=True):
    data: Annotated[PemCertificate | UnsetType, Meta(description="The certificates: PEM, as base64.")] = UNSET
    trusted: Annotated[
        bool | UnsetType,
        Meta(description="Whether they are added to the trusted ones, or removed; removed if not given."),
    ] = UNSET


Pki = Annotated[
    dict[IdentifierName, CertificateBundle],
    Meta(description="Certificates that this machine trusts, or does not, by name."),
]
