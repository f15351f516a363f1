"""`settings.oci-hooks`: hooks that run when a container starts."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from earlyboot.model.table import Table


class OciHooks(Table, kw_only=True, frozen=True):
    """Hooks that run when a container starts."""

    log4j_hotpatch_enabled: Annotated[
        bool | UnsetType, Meta(description="Accepted, and without effect: the hook does not exist any more.")
    ] = UNSET
