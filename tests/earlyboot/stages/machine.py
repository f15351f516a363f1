"""A machine below a folder: the real stages as child processes, the real server, the metadata service of `simulate`."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Self

from earlyboot.api import store
from earlyboot.config.paths import APPLICATION, PROGRAM, Paths
from earlyboot.render.record import Applied
from earlyboot.simulate.activation import Activation
from earlyboot.simulate.imds import Imds
from earlyboot.simulate.root import prepare

APICLIENT = (*PROGRAM[:-1], f"{APPLICATION}/bin/apiclient")
DROP_IN = "etc/earlyboot/earlyboot.toml.d/50-test.toml"
STATE = "var/lib/earlyboot"
DEFAULTS, FILE, OVERRIDES = (f"{STATE}/user-data{suffix}.toml" for suffix in ("-defaults", "", "-overrides"))
PATIENCE_S = 120.0

SETTINGS = b"""\
[settings]
motd = "hello"
[settings.network]
hostname = "node-1"
https-proxy = "http://proxy.example:3128"
[settings.kernel.sysctl]
"vm.swappiness" = "10"
"""


# What generators ask the metadata service for where the user data sets none of it; there is no key pair.
METADATA = ("local-hostname", "placement/region", "public-keys/")
SOURCE_REQUESTS = ("PUT /latest/api/token", "GET /latest/user-data")


class Ended(NamedTuple):
    """A process: its exit status and what it said."""

    status: int
    stdout: str
    stderr: str


class Boot(NamedTuple):
    """What one boot was: both stages, the server's starts, the requests to the metadata service."""

    settings: Ended
    finish: Ended
    servers_started: int
    requests: list[str]


class Known(NamedTuple):
    """What the store holds."""

    live: dict[str, tuple[object, str]]
    phases: dict[str, str]
    generation: int
    pending: int
    applied: Applied | None


NOTHING = Known({}, {}, 0, 0, None)


class Machine:
    """Closed at the end, because of the metadata service; the folder stays.

    `metadata` is what that says of the instance beside the user data; without it the generators have nothing to say.
    `copy_of` is a machine whose disk it begins with, and whose metadata service it asks until it is given its own.
    """

    def __init__(
        self,
        root: Path,
        user_data: bytes | None = SETTINGS,
        platform: str = "ec2",
        copy_of: Machine | None = None,
        metadata: Mapping[str, str] = {},
    ) -> None:
        self.root = root
        self.paths = Paths(str(root))
        self.log = ""
        self._platform = platform
        self._metadata = metadata
        self._imds: Imds | None = None
        self._shared = copy_of._imds if copy_of else None
        if copy_of:
            shutil.copytree(copy_of.root, root, ignore=shutil.ignore_patterns("run"))
        else:
            self.give(user_data)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._imds is not None:
            self._imds.__exit__(None, None, None)
            self._imds = None

    def give(self, user_data: bytes | None) -> None:
        """Other user data from the metadata service, `None` for none at all."""
        self.__exit__()
        self._shared = None
        if self._platform == "ec2":
            self._imds = Imds(user_data, self._metadata).__enter__()
        with self._run_kept():
            prepare(self.paths, self._platform, self._imds.endpoint if self._imds else None, configured=False)

    @contextmanager
    def _run_kept(self) -> Iterator[None]:
        """For a machine that is on."""
        aside = self.root.with_name(f"{self.root.name}-run")
        if os.path.isdir(self.paths.run):
            os.rename(self.paths.run, aside)
        yield
        if aside.exists():
            os.rmdir(self.paths.run)
            os.rename(aside, self.paths.run)

    def put(self, path: str, data: bytes, mode: int = 0o600) -> Path:
        """A file of the image."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        file.chmod(mode)
        return file

    def become_another(self) -> None:
        """What a copy of the disk is in another machine."""
        self.put("etc/machine-id", secrets.token_hex(16).encode() + b"\n", 0o644)

    @property
    def identity(self) -> str:
        return f"machine-id:{(self.root / 'etc/machine-id').read_text().strip()}"

    @property
    def requests(self) -> list[str]:
        imds = self._imds or self._shared
        return imds.requests if imds else []

    @contextmanager
    def powered_on(self, idle_timeout_s: float = 30) -> Iterator[Activation]:
        """From an empty /run to the end of the API's server, whose log is kept."""
        shutil.rmtree(self.paths.run, ignore_errors=True)
        Path(self.paths.run).mkdir(parents=True)
        with tempfile.TemporaryFile() as log:
            with Activation(self.paths, idle_timeout_s=idle_timeout_s, log=log.fileno()) as activation:
                yield activation
            log.seek(0)
            self.log = log.read().decode()

    def boot(self) -> Boot:
        before = len(self.requests)
        with self.powered_on() as activation:
            settings, finish = self.stage("settings"), self.stage("finish")
        return Boot(settings, finish, activation.started, self.requests[before:])

    def stage(self, name: str, *, form: str = "json") -> Ended:
        """In the JSON form progress is on stdout, so that stderr holds nothing but errors."""
        return self.earlyboot("stage", name, "--format", form)

    @contextmanager
    def stuck(self, name: str) -> Iterator[subprocess.Popen[bytes]]:
        """A stage that cannot get rid of its first event, until it is killed at the end at the latest."""
        read, write = os.pipe()
        os.set_blocking(write, False)
        while True:
            try:
                os.write(write, b"x" * 4096)
            except BlockingIOError:
                break
        os.set_blocking(write, True)
        argv = [*PROGRAM, "--root", str(self.root), "stage", name, "--format", "json"]
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=write, stderr=subprocess.DEVNULL) as child:
            try:
                yield child
            finally:
                child.kill()
                os.close(write)
                os.close(read)

    def earlyboot(self, *arguments: str) -> Ended:
        return run([*PROGRAM, "--root", str(self.root), *arguments])

    def apiclient(self, *arguments: str, stdin: bytes = b"") -> Ended:
        return run([*APICLIENT, "-s", self.paths.socket, *arguments], stdin)

    def without_root(self, text: str) -> str:
        return text.replace(str(self.root), "")

    def known(self) -> Known:
        reader = store.open_for_reading(self.paths.store)
        if reader is None:
            return NOTHING
        try:
            return Known(
                live={key: (entry.value, entry.origin) for key, entry in reader.live().items()},
                phases=reader.phases(),
                generation=reader.generation(),
                pending=len(reader.rows("SELECT * FROM pending")),
                applied=reader.applied(),
            )
        finally:
            reader.close()

    def status(self, stage: str = "settings") -> dict[str, object]:
        return read_json(Path(self.paths.status_folder, f"{stage}.json"))

    def verdict(self) -> dict[str, object]:
        return read_json(Path(self.paths.verdict))

    def files(self) -> dict[str, tuple[int, bytes]]:
        """Mode and bytes of every file below /etc, but for the options, whose endpoint is another with every peer."""
        return {
            path: found
            for path, found in self.every_file().items()
            if path.startswith("etc/") and path not in ("etc/earlyboot/earlyboot.toml", "etc/machine-id")
        }

    def every_file(self) -> dict[str, tuple[int, bytes]]:
        return {
            str(path.relative_to(self.root)): (stat.S_IMODE(path.stat().st_mode), path.read_bytes())
            for path in sorted(self.root.rglob("*"))
            if path.is_file()
        }


def run(argv: Sequence[str], stdin: bytes = b"", environment: Mapping[str, str] | None = None) -> Ended:
    ended = subprocess.run(argv, input=stdin, capture_output=True, timeout=PATIENCE_S, env=environment, check=False)
    return Ended(ended.returncode, ended.stdout.decode(), ended.stderr.decode())


def read_json(path: Path) -> dict[str, object]:
    value = json.loads(path.read_text())
    assert isinstance(value, dict)
    return value


def first_boot(machine: Machine) -> Boot:
    """A boot that must succeed."""
    boot = machine.boot()
    assert (boot.settings.status, boot.settings.stderr) == (0, ""), f"{boot.settings}\n{machine.log[-4000:]}"
    assert (boot.finish.status, boot.finish.stderr) == (0, f"finish: {machine.verdict()['verdict']}\n")
    return boot


def requests_of_a_first_boot(*metadata: str) -> list[str]:
    """Sorted: one session of the source, and one that the generators share and ask in any order."""
    asked = [f"GET /latest/meta-data/{path}" for path in metadata]
    return sorted([*SOURCE_REQUESTS, *(["PUT /latest/api/token", *asked] if asked else [])])


def server_pids(root: Path) -> list[int]:
    """The API servers of a root, whoever started them."""
    return _pids(lambda words: words[-2:-1] == ["serve"] and str(root) in words)


def provider_pids(root: Path) -> list[int]:
    return _pids(lambda words: "provider" in words and any(str(root) in word for word in words))


def _pids(wanted: Callable[[list[str]], bool]) -> list[int]:
    found = []
    for name in os.listdir("/proc"):
        if name.isdecimal() and int(name) != os.getpid():
            try:
                words = Path(f"/proc/{name}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")[:-1]
            except OSError:
                continue
            if words and words[0] == sys.executable and wanted(words):
                found.append(int(name))
    return found
