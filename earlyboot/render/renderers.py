"""The renderers: files that no template makes, because they are binary, or structured, or a set of files.

Each is a pure function of the settings and of what the `Context` lets it read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import NamedTuple

# What a renderer returns: a file, a set of files by the text that stands for the `*` in its path, or no file at all.
Rendered = bytes | Mapping[str, bytes] | None


class Context(NamedTuple):
    """What may flow into a file beside the settings."""

    # The content of a file of the image, at most 4 MiB; `None` if it is not there. `HostError` if it cannot be read.
    read: Callable[[str], bytes | None]
    # The paths of the image's regular files below a folder whose names end so, sorted.
    list: Callable[[str, str], tuple[str, ...]]
    access_user: str


# A name that a profile's file has as `renderer`, and where the function is: MODULE:NAME below earlyboot.render.
_RENDERERS: dict[str, str] = {}


def find(name: str) -> Callable[[Mapping[str, object], Context], Rendered]:
    """The renderer of that name, given the settings as nested tables with the defaults layered in.

    It raises `ValueError` for settings that this file cannot hold.
    """
    module, _, function = _RENDERERS[name].partition(":")
    renderer: Callable[[Mapping[str, object], Context], Rendered] = getattr(
        import_module(f"earlyboot.render.{module}"), function
    )
    return renderer
