"""The root file systems that the tests boot: Debian with networkd, and on top of it the installed product.

Both are built once and kept in the user's cache folder, named by a digest of everything that they are made of.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import inspect
import json
import os
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.boot.overlay import Overlay, call

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LOCK_TIMEOUT_S = 900.0
BUILD_TIMEOUT_S = 600.0
UNUSED_S = 86400.0


@dataclass(frozen=True, slots=True)
class Suite:
    """A release of Debian and the versions in it that matter here."""

    name: str
    systemd: int
    python: str


SUITES = (Suite("bookworm", 252, "3.11"), Suite("trixie", 257, "3.13"))

PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "udev", "python3", "iproute2", "chrony"),
    *("ca-certificates", "openssh-client", "openssh-server"),
)

# What an image's builder would put in: its own uplink, platform, names and message.
FILES = {
    "etc/earlyboot/earlyboot.toml": 'platform = "ec2"\n',
    "etc/hostname": "image\n",
    "etc/hosts": "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n",
    "etc/motd": "This is the image's own message.\n",
    "etc/resolv.conf": "# No resolver: nothing here asks for a name.\n",
    "etc/systemd/network/10-uplink.network": "[Match]\nName=host0\n\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=ipv6\n",
    # What such a machine is for; it must never run on one that is not what its operator described.
    "etc/systemd/system/workload.service": """[Unit]
Requires=earlyboot-configured.target
After=earlyboot-configured.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/touch /run/workload

[Install]
WantedBy=multi-user.target
""",
    # On its first boot systemd applies the presets: only what is named stays enabled.
    "etc/systemd/system-preset/10-image.preset": """enable systemd-networkd.service
enable chrony.service
enable workload.service
""",
    "etc/systemd/system-preset/99-image.preset": "disable *\n",
    # The machine has no identity before its first boot.
    "etc/machine-id": "uninitialized\n",
}
# The one asks questions on a console, and there is none; the other waits for a clock that a container must not set.
MASKED = ("systemd-firstboot.service", "chrony-wait.service")
# Journals that outlive the container are what a failed test is explained with.
FOLDERS = ("var/log/journal",)


def image_file(path: str) -> bytes | None:
    """What the image itself has at an absolute path, of the files that these tests look at."""
    text = FILES.get(path.removeprefix("/"))
    return None if text is None else text.encode()


def cache_folder() -> str:
    parent = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(parent, "earlyboot")


def base_root(suite: Suite) -> str:
    """The folder of the base root: built when the cache has none of this recipe (20 to 60 s)."""
    recipe = json.dumps([suite.name, PACKAGES, FILES, MASKED, FOLDERS, _code_digest(_build_base)], sort_keys=True)
    return _cached(f"{suite.name}-base", recipe.encode(), lambda target: _build_base(suite, target))


@functools.cache
def installed_root(suite: Suite) -> tuple[str, ...]:
    """The lower layers of a root with the product installed by `make install`, the uppermost first.

    Looked at once in a run: all of its tests boot the same tree, even when somebody is editing it.
    """
    base = base_root(suite)
    recipe = "\n".join((os.path.basename(base), _code_digest(_build_installed), _tree_digest()))
    layer = _cached(f"{suite.name}-installed", recipe.encode(), lambda target: _build_installed(base, target))
    return layer, base


def _build_base(suite: Suite, target: str) -> None:
    packages = ",".join(PACKAGES)
    command = ["mmdebstrap", "--variant=minbase", "--mode=root", f"--include={packages}", "--format=directory"]
    command += [suite.name, target]
    if mirror := _mirror():
        command.append(mirror)
    call(*command, timeout_s=BUILD_TIMEOUT_S)
    for name, text in FILES.items():
        path = os.path.join(target, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        # Some are mmdebstrap's copies of this machine's own; a new file does not inherit their modes.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        os.chmod(path, 0o644)
    for folder in FOLDERS:
        os.makedirs(os.path.join(target, folder), exist_ok=True)
    for unit in MASKED:
        os.symlink("/dev/null", os.path.join(target, "etc/systemd/system", unit))
    call("systemctl", f"--root={target}", "--quiet", "preset-all")


def _build_installed(base: str, target: str) -> None:
    overlay = Overlay((base,))
    try:
        # The image says what its Python is; nothing of this machine's environment may name another.
        environment = {name: value for name, value in os.environ.items() if name not in ("PYTHON_VERSION", "PLATFORM")}
        done = subprocess.run(
            ("make", "--directory", REPOSITORY, "install", f"DESTDIR={overlay.root}"),
            env=environment,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=BUILD_TIMEOUT_S,
        )
        if done.returncode != 0:
            raise RuntimeError(f"make install: status {done.returncode}\n{done.stdout}".rstrip())
        call("cp", "--archive", overlay.upper, target)
    finally:
        overlay.close()


def _mirror() -> str | None:
    """The mirror that this machine itself uses for Debian; None leaves the choice to mmdebstrap."""
    arguments = ("--format", "$(REPO_URI)", "Created-By: Packages", "Origin: Debian", "Label: Debian")
    try:
        lines = call("apt-get", "indextargets", *arguments).splitlines()
    except (OSError, RuntimeError):
        return None
    return lines[0] if lines else None


def _cached(name: str, recipe: bytes, build: Callable[[str], None]) -> str:
    """The cached folder `name` of this recipe; when it must be built, those that nobody used lately make room."""
    cache = cache_folder()
    os.makedirs(cache, mode=0o700, exist_ok=True)
    path = os.path.join(cache, f"{name}-{hashlib.sha256(recipe).hexdigest()[:16]}")
    with _locked(os.path.join(cache, f"{name}.lock")):
        if os.path.isdir(path):
            os.utime(path)
            return path
        for old in os.scandir(cache):
            # Without a day's grace, a run of another tree would lose the root under its machines.
            unused = old.name.startswith(f"{name}-") and time.time() - old.stat().st_mtime > UNUSED_S
            if unused or old.name.startswith(f".{name}-"):
                shutil.rmtree(old.path)
        parent = tempfile.mkdtemp(prefix=f".{name}-", dir=cache)
        # mkdtemp's own folder is 0700, which a root's `/` must not be.
        target = os.path.join(parent, "root")
        build(target)
        os.chmod(target, 0o755)
        os.rename(target, path)
        os.rmdir(parent)
        return path


@contextlib.contextmanager
def _locked(path: str) -> Iterator[None]:
    """Holds the lock file: two runs at once build one root, and the second uses it."""
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    with open(path, "w", encoding="ascii") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{path}: held by another run for {LOCK_TIMEOUT_S:.0f} s") from None
                time.sleep(0.2)
        yield


def _tree_digest() -> str:
    """Of everything that `make install` may read."""
    digest = hashlib.sha256()
    for top in ("Makefile", "bin", "earlyboot", "hostkit", "providers", "requirements", "tools", "units"):
        for path in sorted(_files_under(os.path.join(REPOSITORY, top))):
            with open(path, "rb") as file:
                content = file.read()
            mode = stat.S_IMODE(os.stat(path).st_mode)
            digest.update(f"{os.path.relpath(path, REPOSITORY)} {mode:o} {len(content)}\n".encode())
            digest.update(content)
    return digest.hexdigest()


def _files_under(top: str) -> Iterator[str]:
    if os.path.isfile(top):
        yield top
    for folder, folders, files in os.walk(top):
        folders[:] = [name for name in folders if name != "__pycache__"]
        yield from (os.path.join(folder, name) for name in files)


def _code_digest(function: Callable[..., None]) -> str:
    """A change of how a root is built makes a new root."""
    return hashlib.sha256(inspect.getsource(function).encode()).hexdigest()
