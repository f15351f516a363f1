"""`requests` over a Unix socket: a session whose every connection goes to one path."""

from __future__ import annotations

import socket
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection

BASE_URL = "http://earlyboot"


class _Connection(HTTPConnection):
    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("earlyboot")
        self._path = path
        self._timeout_s = timeout_s

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self._timeout_s)
        self.sock.connect(self._path)


class _Pool(HTTPConnectionPool):
    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("earlyboot")
        self._path = path
        self._timeout_s = timeout_s

    def _new_conn(self) -> _Connection:
        return _Connection(self._path, self._timeout_s)


class _Adapter(HTTPAdapter):
    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__()
        self._pool = _Pool(path, timeout_s)

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> HTTPConnectionPool:
        return self._pool

    def close(self) -> None:
        self._pool.close()
        super().close()


def session(path: str, timeout_s: float = 60.0) -> requests.Session:
    made = requests.Session()
    made.trust_env = False
    made.mount("http://", _Adapter(path, timeout_s))
    return made
