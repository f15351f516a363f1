"""A real server process on a real socket below a throwaway root, and raw requests to it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from earlyboot.api.client import Client
from earlyboot.api.store import reading
from earlyboot.config.paths import PROGRAM, Paths
from earlyboot.model.tree import unflatten

PATIENCE_S = 60.0


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> object:
        return json.loads(self.body)


def parse(data: bytes) -> Answer:
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return Answer(int(first.split()[1]), headers, body)


def connect(path: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(PATIENCE_S)
    connection.connect(path)
    return connection


def read_all(connection: socket.socket) -> bytes:
    data = b""
    try:
        while piece := connection.recv(1 << 16):
            data += piece
    except ConnectionResetError:
        # It closed without having read everything, after its answer.
        assert data
    return data


class Server:
    """`earlyboot serve`, started and ready. At the end it must leave with status 0, its log being `expected_log`."""

    def __init__(self, root: Path, *arguments: str, umask: int = 0o022) -> None:
        self.paths = Paths(str(root))
        self.socket = self.paths.socket
        root.mkdir(exist_ok=True)
        self.expected_log: str | None = ""
        self._told = False
        self._log = open(root.with_name(f"{root.name}.log"), "w+b")  # noqa: SIM115 - closed with the server
        # systemd's own way to hear that a service is ready.
        notices = f"earlyboot-test-{os.getpid()}-{id(self)}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(f"\0{notices}")
            manager.settimeout(PATIENCE_S)
            self.process = subprocess.Popen(
                [*PROGRAM, "--root", str(root), "serve", *arguments],
                stdin=subprocess.DEVNULL,
                stderr=self._log,
                env={**os.environ, "NOTIFY_SOCKET": f"@{notices}"},
                umask=umask,
            )
            assert manager.recv(100) == b"READY=1"

    def __enter__(self) -> Server:
        return self

    def leave(self) -> None:
        """Tells it to leave, once: at the very end of a process a signal finds no handler any more."""
        if not self._told:
            self._told = True
            self.process.send_signal(signal.SIGTERM)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.leave()
        status = self.process.wait(PATIENCE_S)
        log = self.log()
        self._log.close()
        if error is None:
            # This module's assertions are not explained by pytest.
            assert (status, log) == (0, log if self.expected_log is None else self.expected_log), f"{status}: {log}"

    def log(self) -> str:
        self._log.seek(0)
        return self._log.read().decode()

    def live(self) -> dict[str, object]:
        """What is live, without the profile's defaults."""
        with reading(self.paths.store) as reader:
            return unflatten({key: entry.value for key, entry in reader.live().items()}) if reader else {}

    def client(self) -> Client:
        return Client(self.socket)

    def call(self, name: str, body: object = None, **parameters: str | None) -> object:
        with self.client() as client:
            return client.call(name, body, **parameters)

    def send(self, data: bytes) -> bytes:
        """All that comes back for `data`, up to the end of the connection, which the server has to close."""
        with connect(self.socket) as connection:
            try:
                connection.sendall(data)
            except BrokenPipeError:
                pass  # it refused before it had read everything
            return read_all(connection)

    def ask(self, method: str, path: str, body: bytes | None = None, headers: Sequence[str] = ()) -> Answer:
        length = [] if body is None else [f"Content-Length: {len(body)}"]
        lines = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", *length, *headers, "", ""]
        return parse(self.send("\r\n".join(lines).encode() + (body or b"")))


def problem(status: int, title: str, *faults: dict[str, object]) -> dict[str, object]:
    """The exact body of a refusal."""
    detail = faults[0]["what"]
    return {"type": "about:blank", "title": title, "status": status, "detail": detail, "faults": list(faults)}


def fault(code: str, what: str, fix: str, key: str | None = None, **more: object) -> dict[str, object]:
    where = {"source": None, "line": None, "column": None, "key": key}
    return {"code": code, "what": what, "where": where, "fix": fix, **more}
