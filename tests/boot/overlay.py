"""A root file system of a test's own: an overlay whose upper layer is a tmpfs, over read-only lower layers."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence

PREFIX = "earlyboot-boot-"


def call(*argv: str, timeout_s: float = 60) -> str:
    """Runs a command of the host and returns its stdout; a failure raises with what it said."""
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, check=False, text=True, timeout=timeout_s
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: status {done.returncode}\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout


class Overlay:
    """Mounted from construction to `close`. What is written to `root` lands in `upper` and is gone afterwards."""

    def __init__(self, lowers: Sequence[str]) -> None:
        """`lowers`: folders, the uppermost first."""
        # The pid in the name lets a later run tell what a killed one left behind.
        self.folder = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-")
        # A tmpfs can always be an upper layer; the file system of a temporary folder may be an overlay itself.
        call("mount", "-t", "tmpfs", "-o", "mode=0755,size=2g", "tmpfs", self.folder)
        self.root, self.upper, self.scratch = (os.path.join(self.folder, name) for name in ("root", "upper", "scratch"))
        work = os.path.join(self.folder, "work")
        for folder in (self.root, self.upper, self.scratch, work):
            os.mkdir(folder, 0o755)
        options = f"lowerdir={':'.join(lowers)},upperdir={self.upper},workdir={work}"
        call("mount", "-t", "overlay", "-o", options, "overlay", self.root)

    def close(self) -> None:
        _remove(self.folder)


def _remove(folder: str) -> None:
    for mount in (os.path.join(folder, "root"), folder):
        if os.path.ismount(mount):
            # Lazily: a container that was killed a moment ago may still hold a mount inside.
            call("umount", "--lazy", mount)
    shutil.rmtree(folder)


def sweep() -> None:
    """Removes what earlier runs that were killed left behind."""
    parent = tempfile.gettempdir()
    for name in os.listdir(parent):
        if name.startswith(PREFIX) and not os.path.exists(f"/proc/{name.removeprefix(PREFIX).split('-')[0]}"):
            _remove(os.path.join(parent, name))
