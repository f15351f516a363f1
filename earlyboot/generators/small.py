"""Generators that ask nobody: the seed of update waves, the images of the host containers."""

from __future__ import annotations

import os

from earlyboot.config.paths import PROFILES
from earlyboot.generators.contract import Question

_SEEDS = 2048


def update_seed(question: Question) -> int:
    """Which part of a wave of updates this machine belongs to: any, and always the same."""
    return int.from_bytes(os.urandom(4), "big") % _SEEDS


def host_container_sources(question: Question) -> dict[str, object]:
    """The images of this version of the program, by the names of the containers."""
    import tomli

    with open(os.path.join(PROFILES, "host-containers.toml"), "rb") as file:
        images: dict[str, str] = tomli.load(file)["images"]
    return {name: {"source": image} for name, image in images.items()}
