"""A fake IMDSv2, run as a program inside a test's network namespace.

The user data is the content of a file, read at every request, and absent while the file is; metadata are files in a
folder, `%2F` in their names for each slash. Every request is one line of the log, written before the answer is sent.
"""

from __future__ import annotations

import argparse
import http.server
import os
import secrets
import urllib.parse

TOKEN_PATH = "/latest/api/token"
METADATA_PATH = "/latest/meta-data/"
TOKEN_HEADER = "X-aws-ec2-metadata-token"
TTL_HEADER = "X-aws-ec2-metadata-token-ttl-seconds"


class ImdsHandler(http.server.BaseHTTPRequestHandler):
    """One request; the class attributes are set before the server starts."""

    protocol_version = "HTTP/1.1"
    timeout = 30.0
    user_data = ""
    metadata = ""
    log_file = -1
    token = secrets.token_urlsafe(32)

    def do_PUT(self) -> None:
        self._record()
        ttl = self.headers.get(TTL_HEADER, "")
        if self.path != TOKEN_PATH:
            self._answer(403, b"")
        elif not (ttl.isdecimal() and 1 <= int(ttl) <= 21600):
            self._answer(400, b"")
        else:
            self._answer(200, self.token.encode(), {TTL_HEADER: ttl})

    def do_GET(self) -> None:
        self._record()
        if self.headers.get(TOKEN_HEADER) != self.token:
            self._answer(401, b"")
            return
        name = urllib.parse.quote(self.path.removeprefix(METADATA_PATH), safe="")
        try:
            with open(
                self.user_data if self.path == "/latest/user-data" else os.path.join(self.metadata, name), "rb"
            ) as file:
                content = file.read()
        except FileNotFoundError:
            self._answer(404, b"")
        else:
            self._answer(200, content)

    def _record(self) -> None:
        os.write(self.log_file, f"{self.command} {self.path}\n".encode())

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing on stderr: the log tells."""


def main() -> None:
    parser = argparse.ArgumentParser(description="a fake IMDSv2")
    parser.add_argument("--address", default="169.254.169.254")
    parser.add_argument("--port", type=int, default=80)
    parser.add_argument("--user-data", required=True, metavar="FILE")
    parser.add_argument("--metadata", required=True, metavar="FOLDER")
    parser.add_argument("--log", required=True, metavar="FILE")
    options = parser.parse_args()
    ImdsHandler.user_data = options.user_data
    ImdsHandler.metadata = options.metadata
    ImdsHandler.log_file = os.open(options.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    with http.server.ThreadingHTTPServer((options.address, options.port), ImdsHandler) as server:
        # Whoever waits for this program waits for the line.
        os.write(1, b"ready\n")
        server.serve_forever()


if __name__ == "__main__":
    main()
