"""The generators that come with the program: where each is, and whether it asks the instance metadata alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

if TYPE_CHECKING:
    from earlyboot.generators.contract import Make


class BuiltIn(NamedTuple):
    """`make` is MODULE:FUNCTION below earlyboot.generators. One that `needs_metadata` does not run without it."""

    make: str
    needs_metadata: bool = False

    def load(self) -> Make:
        from importlib import import_module

        module, _, name = self.make.partition(":")
        return cast("Make", getattr(import_module(f"earlyboot.generators.{module}"), name))


BUILT_IN = {
    "hostname": BuiltIn("hostname:hostname"),
    "region": BuiltIn("instance:region", needs_metadata=True),
    "access-keys": BuiltIn("instance:access_keys", needs_metadata=True),
    "node-ip": BuiltIn("network:node_ip"),
    "hostname-override": BuiltIn("instance:hostname_override", needs_metadata=True),
    "update-seed": BuiltIn("small:update_seed"),
    "host-container-sources": BuiltIn("small:host_container_sources"),
    "boot": BuiltIn("bootconfig:boot"),
}
