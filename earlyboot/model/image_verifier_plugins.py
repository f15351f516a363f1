"""`settings.image-verifier-plugins`: what containerd asks before it pulls an image, each plugin with its policy."""

from __future__ import annotations

import binascii
import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Self

from msgspec import UNSET, Meta, UnsetType

from earlyboot.model.table import Compound, Table, with_own_names
from earlyboot.model.types import IdentifierName, ValidBase64


class TrustPolicy(ValidBase64):
    rule = "JSON as base64: the standard alphabet, padded, without spaces or line breaks"
    example = "e30="
    how = "write the output of: base64 -w0 FILE, where FILE holds the policy in JSON"

    @classmethod
    def accepts(cls, text: str) -> bool:
        if not super().accepts(text):
            return False
        try:
            json.loads(binascii.a2b_base64(text).decode())
        except (ValueError, RecursionError):
            return False
        return True


class VerifierPlugin(Table, kw_only=True, frozen=True):
    aliases: ClassVar[Mapping[str, str]] = {"trust-policy": "trustpolicy"}

    trustpolicy: Annotated[TrustPolicy | UnsetType, Meta(description="Which images the plugin lets in.")] = UNSET


class VerifierSetting(Compound):
    """The names of plugins are anybody's, so that the one key that is no plugin has its place among them."""

    rule = "true or false for enabled, and the table of a plugin for any other name"
    example = '{ trustpolicy = "e30=" }'
    forms = (VerifierPlugin, bool)

    @classmethod
    def form(cls, value: object) -> object:
        plugin, switch = cls.forms
        return plugin if isinstance(value, Mapping) else switch

    @classmethod
    def from_plain(cls, value: object, dec_hook: Callable[[type, Any], Any]) -> Self:
        return super().from_plain(with_own_names(VerifierPlugin, value), dec_hook)


ImageVerifierPlugins = Annotated[
    dict[IdentifierName, VerifierSetting],
    Meta(
        description="Whether images are verified, and by name the plugins that do it: notation, digestion or another."
    ),
]
