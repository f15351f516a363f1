"""Where everything is, below one root: `/` on a machine, a folder in `simulate` and in the tests."""

from __future__ import annotations

import os
import sys

# The application's own folder, and the program in it as a command: the same interpreter with the same isolation.
APPLICATION = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = (sys.executable, "-I", *(["-S"] if sys.flags.no_site else []), os.path.join(APPLICATION, "bin/earlyboot"))
PROFILES = os.path.join(APPLICATION, "earlyboot/profiles")
PROFILE_NAMES = ("ec2", "vmware", "metal")
TEMPLATES = os.path.join(APPLICATION, "earlyboot/render/templates")


class Paths:
    """Absolute paths below `root`. `state` is durable, `run` is gone with the next boot."""

    def __init__(self, root: str = "/", state: str | None = None) -> None:
        self.root = os.path.abspath(root)
        self.state = state or self.inside("/var/lib/earlyboot")
        self.store = os.path.join(self.state, "settings.db")
        self.run = self.inside("/run/earlyboot")
        self.socket = os.path.join(self.run, "api.sock")
        self.status_folder = os.path.join(self.run, "status.d")
        self.verdict = os.path.join(self.run, "status.json")
        self.timeline = os.path.join(self.run, "timeline.json")
        self.options = self.inside("/etc/earlyboot/earlyboot.toml")
        self.options_folder = self.inside("/etc/earlyboot/earlyboot.toml.d")
        self.profiles_folder = self.inside("/etc/earlyboot/profiles.d")

    @property
    def is_machine(self) -> bool:
        """Whether this is the running machine's own root, whose services may be restarted."""
        return self.root == "/"

    def inside(self, path: str) -> str:
        """The place of an absolute path of the image below the root."""
        return path if self.root == "/" else self.root + path

    def outside(self, path: str) -> str:
        """The inverse of `inside`: how the image itself names a path."""
        return path if self.root == "/" else path.removeprefix(self.root)
