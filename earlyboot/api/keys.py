"""The keys that a request names: each in its one spelling, those that can be none refused."""

from __future__ import annotations

from collections.abc import Mapping

from earlyboot.api import query
from earlyboot.api.approval import refusal
from earlyboot.api.core import Core
from earlyboot.model.key import format_key, parse_key

Path = tuple[str, ...]


def named_paths(core: Core, parameters: Mapping[str, str]) -> list[Path]:
    """The segments of each of `keys`. `Problem` with every one that no setting of this machine can have.

    What is live nevertheless, because an older program or drop-in knew it, can be looked at and unset.
    """
    from earlyboot.model.known import unknown_key

    paths = query.paths(parameters)
    unknown = {path: unknown_key(path[1:], core.profile.groups, core.custom) for path in paths}
    faults = [fault for path, fault in unknown.items() if fault is not None and not _is_live(core, path)]
    if faults:
        raise refusal(faults)
    return paths


def named_keys(core: Core, parameters: Mapping[str, str]) -> list[str]:
    """The same as text."""
    return [format_key(path) for path in named_paths(core, parameters)]


def _is_live(core: Core, path: Path) -> bool:
    return any(parse_key(key)[: len(path)] == path for key in core.snapshot().live)
