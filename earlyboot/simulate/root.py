"""The root of a simulated boot: a throwaway one that stands for a freshly booted image, or the files of a real image."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from earlyboot.config.paths import Paths
from earlyboot.config.profile import load
from hostkit import files

# In the root itself: who wipes the state, to have another first boot, still has a throwaway root.
_MARKER = "/.earlyboot-simulated"
# After whatever the image has.
_IMAGE_OPTIONS = "zz-simulated.toml"


def claim(paths: Paths) -> bool:
    """Whether the root is a throwaway one: new or empty, and marked from now on. What is in any other is an image's."""
    marker = paths.inside(_MARKER)
    if os.path.exists(marker):
        return True
    if os.path.isdir(paths.root) and os.listdir(paths.root):
        return False
    files.make_folder(paths.root)
    files.write(marker, b"`earlyboot simulate` made this folder, and may write in it what it likes.\n", 0o644)
    return True


@contextmanager
def image_options(paths: Paths, platform: str, endpoint: str | None) -> Iterator[None]:
    """The options of one simulated boot, laid over those of an image and gone afterwards."""
    path = os.path.join(paths.options_folder, _IMAGE_OPTIONS)
    existed = os.path.isdir(paths.options_folder)
    files.make_folder(paths.options_folder)
    _write_options(path, platform, endpoint)
    try:
        yield
    finally:
        os.unlink(path)
        if not existed:
            os.rmdir(paths.options_folder)


def prepare_image(paths: Paths) -> None:
    """What an image need not have and a machine has. No consumer is made: what the image has decides."""
    _write_once(paths.inside("/etc/machine-id"), secrets.token_hex(16) + "\n")
    _empty_run(paths)


def prepare(paths: Paths, platform: str, endpoint: str | None, *, configured: bool) -> None:
    """Makes what is missing and keeps what is there, so that a second run is the same machine's second boot.

    Every consumer of the profile is there. `configured` is whether the root has been through a first boot already.
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
        _write_options(paths.options, platform, endpoint)
    _empty_run(paths)


def _empty_run(paths: Paths) -> None:
    """/run is empty after a boot."""
    shutil.rmtree(paths.run, ignore_errors=True)
    files.make_folder(paths.run)


def _write_options(path: str, platform: str, endpoint: str | None) -> None:
    lines = [f'platform = "{platform}"']
    if endpoint is not None:
        lines += ["[providers.ec2-imds]", f'endpoint = "{endpoint}"', "deadline = 10"]
    files.write(path, ("\n".join(lines) + "\n").encode(), 0o644)


def _write_once(path: str, text: str) -> None:
    if not os.path.exists(path):
        files.write(path, text.encode(), 0o644)
