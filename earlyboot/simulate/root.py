"""A throwaway root that stands for a freshly booted image: what the stages expect to find, and nothing more."""

from __future__ import annotations

import os
import secrets
import shutil

from earlyboot.config.paths import Paths
from earlyboot.config.profile import load
from hostkit import files


def prepare(paths: Paths, platform: str, endpoint: str | None, *, configured: bool) -> None:
    """Makes what is missing and keeps what is there, so that a second run is the same machine's second boot.

    `configured` is whether the root has been through a first boot already.
    """
    files.make_folder(paths.root)
    _write_once(paths.inside("/etc/machine-id"), secrets.token_hex(16) + "\n")
    _write_once(paths.inside("/etc/os-release"), 'ID=simulated\nPRETTY_NAME="a simulated image"\n')
    _write_once(paths.inside("/etc/hostname"), "localhost\n")
    for spec in load(platform, paths).files:
        if spec.consumer is not None:
            files.make_folder(paths.inside(spec.consumer))
    # The peer's port is another with every run, which only matters to a boot that will ask it.
    if not configured:
        _write_options(paths, platform, endpoint)
    # /run is empty after a boot.
    shutil.rmtree(paths.run, ignore_errors=True)
    files.make_folder(paths.run)


def _write_options(paths: Paths, platform: str, endpoint: str | None) -> None:
    lines = [f'platform = "{platform}"']
    if endpoint is not None:
        lines += ["[providers.ec2-imds]", f'endpoint = "{endpoint}"', "deadline = 10"]
    files.write(paths.options, ("\n".join(lines) + "\n").encode(), 0o644)


def _write_once(path: str, text: str) -> None:
    if not os.path.exists(path):
        files.write(path, text.encode(), 0o644)
