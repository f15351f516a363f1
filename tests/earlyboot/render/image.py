"""An image for renderers, in memory, and settings as the store gives them to an apply."""

from __future__ import annotations

from collections.abc import Mapping

from earlyboot.model.check import check
from earlyboot.model.tree import flatten, unflatten
from earlyboot.render.renderers import Context, Rendered, find


def stored(document: object) -> dict[str, object]:
    """Settings in the form that an apply gets."""
    settings, faults = check(document)
    assert faults == ()
    return unflatten(flatten(settings))


def image(files: Mapping[str, str] | None = None) -> Context:
    """A context whose image has these files, and no other."""
    there = {path: text.encode() for path, text in (files or {}).items()}

    def listed(folder: str, suffix: str) -> tuple[str, ...]:
        return tuple(sorted(path for path in there if path.startswith(f"{folder}/") and path.endswith(suffix)))

    return Context(there.get, listed, "root")


def rendered(name: str, document: object, files: Mapping[str, str] | None = None) -> Rendered:
    """What the renderer of that name makes of a document's settings."""
    return find(name)(stored(document), image(files))
