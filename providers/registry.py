"""Every source of user data that comes with earlyboot. A profile says which of them are asked, and in what order."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

if TYPE_CHECKING:
    from providers.contract import Read


class Provider(NamedTuple):
    """`default_path` is for local ones; a provider that `needs_network` is not asked on a machine that is offline."""

    name: str
    module: str
    needs_network: bool = False
    default_path: str | None = None
    default_deadline_s: float = 10.0

    def load(self) -> Read:
        """Its `read`. The import happens here: a process asks one source, and pays for no other."""
        from importlib import import_module

        return cast("Read", import_module(self.module).read)


_STATE = "/var/lib/earlyboot"

PROVIDERS = (
    Provider("local-defaults", "providers.local", default_path=f"{_STATE}/user-data-defaults.toml"),
    Provider("local-file", "providers.local", default_path=f"{_STATE}/user-data.toml"),
    Provider("ec2-imds", "providers.ec2_imds", needs_network=True, default_deadline_s=60.0),
    Provider("local-overrides", "providers.local", default_path=f"{_STATE}/user-data-overrides.toml"),
)


def find(name: str) -> Provider | None:
    return next((provider for provider in PROVIDERS if provider.name == name), None)
