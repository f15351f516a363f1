"""`settings.container-registry`: mirrors of registries, and what to log in with.

The credentials are stored as `credentials`; `creds` is read too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from msgspec import UNSET, Meta, UnsetType

from earlyboot.model.table import Compound, Table
from earlyboot.model.types import (
    Scalar,
    SecretScalar,
    SingleLineString,
    Url,
    ValidBase64,
    names,
)


class RegistryHost(Scalar):
    """A registry as it stands in the name of an image. It becomes the name of a folder, so it never begins with a dot."""

    rule = "a container registry: a host with an optional port, or '*' for all"
    example = "docker.io"
    pattern = r"\*|(?:[0-9A-Za-z_][0-9A-Za-z._-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?"


class RegistryServer(Scalar):
    """What credentials are filed under; a Docker configuration has whole URLs there."""

    rule = "a container registry: a host with an optional port, or a URL, of printable ASCII without spaces"
    example = "registry.example.com"
    pattern = "[!-~]+"


RegistryName = Annotated[str, names(RegistryHost)]


class RegistryAuth(ValidBase64):
    rule = "the text 'user:password' as base64: the standard alphabet, padded, without spaces or line breaks"
    example = "dXNlcjpwYXNzd29yZA=="
    how = "write the output of: printf %s USER:PASSWORD | base64 -w0"


class SecretLine(SecretScalar):
    plain = SingleLineString


class SecretAuth(SecretScalar):
    plain = RegistryAuth


class Mirror(Table, kw_only=True, frozen=True):
    registry: Annotated[RegistryHost, Meta(description="The registry that is mirrored, such as docker.io.")]
    endpoint: Annotated[tuple[Url, ...], Meta(description="The mirrors' URLs, in the order in which they are tried.")]
    capabilities: Annotated[
        tuple[Literal["pull", "resolve", "push"], ...] | UnsetType,
        Meta(description="What the mirrors may be used for; pull and resolve if not given."),
    ] = UNSET


class Mirrors(Compound):
    """A list of tables, or a map from registry to URLs, which becomes such a list in the order of the registries."""

    rule = "a list of tables with a registry and its endpoint, or a map from registry to a list of URLs"
    example = '[{ registry = "docker.io", endpoint = ["https://mirror.example.com"] }]'
    forms = (tuple[Mirror, ...], dict[RegistryName, tuple[Url, ...]])

    @classmethod
    def form(cls, value: object) -> object:
        tables, named = cls.forms
        return named if isinstance(value, Mapping) else tables

    @classmethod
    def settled(cls, converted: Any) -> object:
        if not isinstance(converted, dict):
            return converted
        return tuple(
            Mirror(registry=RegistryHost(registry), endpoint=endpoint)
            for registry, endpoint in sorted(converted.items())
        )


class RegistryCredential(Table, kw_only=True, frozen=True):
    registry: Annotated[RegistryServer, Meta(description="The registry to log in to, such as registry.example.com.")]
    username: Annotated[SingleLineString | UnsetType, Meta(description="The user.")] = UNSET
    password: Annotated[SecretLine | UnsetType, Meta(description="The user's password.")] = UNSET
    auth: Annotated[
        SecretAuth | UnsetType, Meta(description="The text 'user:password' as base64, in place of the two.")
    ] = UNSET
    identitytoken: Annotated[
        SecretLine | UnsetType, Meta(description="A token that the registry gave, in place of a password.")
    ] = UNSET


class ContainerRegistry(Table, kw_only=True, frozen=True):
    """Mirrors of container registries, and what to log in with."""

    aliases: ClassVar[Mapping[str, str]] = {"creds": "credentials"}

    mirrors: Annotated[Mirrors | UnsetType, Meta(description="Where images of a registry are pulled from instead.")] = (
        UNSET
    )
    credentials: Annotated[
        tuple[RegistryCredential, ...] | UnsetType, Meta(description="What to log in to registries with.")
    ] = UNSET
