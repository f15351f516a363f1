"""An EC2 instance metadata service (IMDSv2) for one simulated instance: real HTTP on loopback."""

from __future__ import annotations

import gzip
import secrets
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

_GZIP_MAGIC = b"\x1f\x8b"
_TTL = "X-aws-ec2-metadata-token-ttl-seconds"
_TOKEN = "X-aws-ec2-metadata-token"
_METADATA = "/latest/meta-data/"


# Nobody has its other half.
_KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIMhqwC542AWkf3gRIT7vV8a6d07q/gj7BS6rMRuBuyPp"

# What the instance says of itself, by path below /latest/meta-data/.
METADATA = {
    "instance-id": "i-0123456789abcdef0",
    "local-hostname": "ip-192-0-2-10.eu-central-1.compute.internal",
    "placement/region": "eu-central-1",
    "public-keys/": "0=simulated",
    "public-keys/0/openssh-key": f"ssh-ed25519 {_KEY} simulated\n",
}


class Imds:
    """Serves `user_data`, gzipped if it is not yet, and `metadata` to whoever fetched a token first; 404 for the rest."""

    def __init__(self, user_data: bytes | None, metadata: Mapping[str, str] = METADATA) -> None:
        body = user_data
        if user_data is not None and not user_data.startswith(_GZIP_MAGIC):
            body = gzip.compress(user_data, mtime=0)
        self._token = secrets.token_urlsafe(40)
        self.requests: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Head and body are two writes: with Nagle's algorithm the second waits 40 ms for a delayed acknowledgement.
            disable_nagle_algorithm = True

            def do_PUT(self) -> None:
                outer.requests.append(f"PUT {self.path}")
                ttl = self.headers.get(_TTL, "")
                if self.path == "/latest/api/token" and ttl.isdecimal() and 1 <= int(ttl) <= 21600:
                    self._answer(200, outer._token.encode())
                else:
                    self._answer(400 if self.path == "/latest/api/token" else 403, b"")

            def do_GET(self) -> None:
                outer.requests.append(f"GET {self.path}")
                if not secrets.compare_digest(self.headers.get(_TOKEN, ""), outer._token):
                    self._answer(401, b"")
                elif self.path == "/latest/user-data" and body is not None:
                    self._answer(200, body)
                elif self.path.startswith(_METADATA) and (text := metadata.get(self.path.removeprefix(_METADATA))):
                    self._answer(200, text.encode())
                else:
                    self._answer(404, b"")

            def _answer(self, status: int, data: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                """The requests are counted; nobody reads a log of them."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Imds:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
