"""The two files of the AWS clients, as the operator encoded them."""

from __future__ import annotations

import binascii
from collections.abc import Mapping

from earlyboot.render.renderers import Context


def config_file(settings: Mapping[str, object], context: Context) -> bytes | None:
    return _decoded(settings, "config")


def credentials_file(settings: Mapping[str, object], context: Context) -> bytes | None:
    return _decoded(settings, "credentials")


def _decoded(settings: Mapping[str, object], key: str) -> bytes | None:
    aws = settings.get("aws")
    encoded = aws.get(key) if isinstance(aws, Mapping) else None
    return binascii.a2b_base64(encoded) if isinstance(encoded, str) else None
