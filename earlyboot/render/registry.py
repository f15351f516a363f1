"""What `settings.container-registry` says, for everything that pulls images: mirrors and credentials by registry."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from earlyboot.render.formats import UnholdableError
from earlyboot.render.nested import chosen, list_at, text_at

# What images and Docker's own configuration call Docker Hub, and where it answers.
_HUB = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
_HUB_HOST = "registry-1.docker.io"
_SCHEME = re.compile("[A-Za-z][A-Za-z0-9+.-]*://")
_CREDENTIAL = {name: name for name in ("username", "password", "auth", "identitytoken")}


class Endpoint(NamedTuple):
    """A mirror: a URL with its scheme, and what it may be used for."""

    url: str
    capabilities: tuple[str, ...]

    @property
    def path(self) -> str:
        """The path of the registry's API, or nothing where it is the usual one; without a slash at its end."""
        return "".join(self.url.partition("://")[2].partition("/")[1:]).rstrip("/")


def mirrors(settings: Mapping[str, object]) -> dict[str, tuple[Endpoint, ...]]:
    """The mirrors of each registry that has some, in the order in which they are tried, each once; `*` is any registry."""
    found: dict[str, dict[str, Endpoint]] = {}
    for mirror in list_at(settings, "container-registry", "mirrors"):
        assert isinstance(mirror, Mapping)
        capabilities = tuple(map(str, list_at(mirror, "capabilities"))) or ("pull", "resolve")
        for endpoint in list_at(mirror, "endpoint"):
            url = _named(with_scheme(str(endpoint)))
            found.setdefault(_named(str(mirror["registry"])), {}).setdefault(url, Endpoint(url, capabilities))
    return {registry: tuple(endpoints.values()) for registry, endpoints in found.items()}


def credentials(settings: Mapping[str, object]) -> dict[str, dict[str, object]]:
    """What to log in with, by registry as the settings name it; of several for one registry the last."""
    found = {}
    for credential in list_at(settings, "container-registry", "credentials"):
        assert isinstance(credential, Mapping)
        found[_named(str(credential["registry"]))] = chosen(credential, _CREDENTIAL)
    return found


def is_hub(registry: str) -> bool:
    """Whether a registry, as a host or a URL, is Docker Hub."""
    return _host(registry) in _HUB


def host_of_registry(registry: str) -> str:
    """The host that answers for a registry, which is a host or a URL; with its port."""
    return _HUB_HOST if is_hub(registry) else _host(registry)


def _host(registry: str) -> str:
    scheme = _SCHEME.match(registry)
    return registry[scheme.end() if scheme else 0 :].partition("/")[0]


def with_scheme(url: str) -> str:
    """A registry is spoken to by HTTPS unless its URL says otherwise."""
    return url if _SCHEME.match(url) else f"https://{url}"


def _named(name: str) -> str:
    """What names a table. With one of these in it containerd 1.7 would not start."""
    if '"' in name or "\\" in name:
        raise UnholdableError("a registry or mirror has a quote or a backslash in its name")
    return name


def user_and_password(credential: Mapping[str, object]) -> tuple[str, str] | None:
    """Both, where the credential gives them in clear."""
    username, password = text_at(credential, "username"), text_at(credential, "password")
    return None if username is None or password is None else (username, password)
