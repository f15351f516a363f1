"""One file of a shipped profile, rendered from a document, for the tests."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from earlyboot.config import profile as profiles
from earlyboot.config.paths import Paths
from earlyboot.config.profile import FileSpec, Profile
from earlyboot.model.check import check
from earlyboot.model.tree import flatten
from earlyboot.render.fileset import context_of, render_files

NOWHERE = "/nonexistent"


@cache
def shipped() -> Profile:
    """All that is shipped, without an image builder's drop-ins."""
    return profiles.load("ec2", Paths(NOWHERE))


def spec(name: str) -> FileSpec:
    (found,) = [spec for spec in shipped().files if spec.name == name]
    return found


def stored(document: object) -> dict[str, object]:
    """A document's settings as the store gives them to an apply."""
    settings, faults = check(document)
    assert faults == ()
    return flatten(settings)


def rendered(name: str, settings: Mapping[str, object], root: str = NOWHERE, user: str = "root") -> dict[str, bytes]:
    """The contents of the file, or of the set of files, of that name, by path; from flat settings."""
    profile = shipped()._replace(access_user=user)
    context = context_of(profile, Paths(root))
    return {file.path: file.data for file in render_files(settings, [spec(name)], profile, context).files}
