"""`earlyboot schema`: what settings there are, for editors and other programs, or as a page to read."""

from __future__ import annotations

import argparse
import json

from earlyboot.config import profile
from earlyboot.config.paths import PROFILE_NAMES, Paths
from earlyboot.model.fit import verified_groups


def schema(arguments: argparse.Namespace, paths: Paths) -> int:
    """The settings of one profile, or of all of them together, with the groups of the drop-ins."""
    names = (arguments.profile,) if arguments.profile else PROFILE_NAMES
    profiles = [profile.load(name, paths) for name in names]
    custom = {name: group for one in profiles for name, group in verified_groups(one, paths).items()}
    if arguments.format == "markdown":
        from earlyboot.model.reference import reference

        print(reference(profiles, custom), end="")
        return 0
    from earlyboot.model.json_schema import document_schema

    groups = {group for one in profiles for group in one.groups or ()}
    print(json.dumps(document_schema(groups, custom), indent=1, ensure_ascii=False))
    return 0
