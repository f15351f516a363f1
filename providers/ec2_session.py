"""A session with EC2 instance metadata, version 2 (IMDSv2): one token, one connection, tries until the deadline.

There is no way back to version 1.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
"""

from __future__ import annotations

import socket
import time
from enum import Enum
from types import TracebackType
from typing import NamedTuple

from hostkit.deadline import Deadline
from hostkit.errors import Fault, OperatorError, SourceError, Where
from hostkit.http import (
    Connection,
    ConnectionLostError,
    DeadlineReachedError,
    DeniedError,
    GarbageError,
    NoRouteError,
    RefusedError,
    Response,
    TooLargeError,
    TransientError,
    TruncatedError,
    TryTimeoutError,
    parse_url,
)

ORIGIN = "ec2-imds"
ENDPOINT = "http://169.254.169.254"
TOKEN_PATH = "/latest/api/token"  # this path alone: a dated one answers 403

_TOKEN_SECONDS = "300"
_TOKEN_LIMIT_BYTES = 4096
_TRY_TIMEOUT_S = 5.0
_NO_ROUTE_WAIT_S = 0.05
_FIRST_WAIT_S = (0.05, 0.25)
_LONGEST_WAIT_S = 5.0
_LAST_TRY_S = 1.0


class Verdict(Enum):
    DATA = "data"
    ABSENT = "absent"
    RENEW = "renew the token"
    OFF = "switched off"
    RETRY = "retry"
    FINAL = "final"


def classify(status: int) -> Verdict:
    """What an answer to a request for data means. A redirect is final: nobody sends this machine elsewhere."""
    match status:
        case 200:
            return Verdict.DATA
        case 401:
            return Verdict.RENEW
        case 403:
            return Verdict.OFF
        case 404:
            return Verdict.ABSENT
        case 429:
            return Verdict.RETRY
        case _:
            return Verdict.RETRY if 500 <= status <= 599 else Verdict.FINAL


def classify_token(status: int) -> Verdict:
    """The same for the request for a token, which is never absent and has no token to renew."""
    verdict = classify(status)
    return Verdict.FINAL if verdict in (Verdict.ABSENT, Verdict.RENEW) else verdict


def retry_after_s(value: str | None) -> float | None:
    """RFC 9110, 10.2.3, seconds only: a date is worth nothing where the clock is not set yet."""
    if value is None or not value.isascii() or not value.isdigit() or len(value) > 9:
        return None
    return float(value)


def backoff_s(failures: int, jitter: float, asked_s: float | None = None) -> float:
    """How long to wait after so many failures (from 1); `jitter` is from 0 to 1. The service can ask for more."""
    low, high = (bound * 2.0 ** min(failures - 1, 10) for bound in _FIRST_WAIT_S)
    if high > _LONGEST_WAIT_S:
        low, high = low / high * _LONGEST_WAIT_S, _LONGEST_WAIT_S
    return max(low + (high - low) * jitter, asked_s or 0.0)


def pause_s(wanted_s: float, remaining_s: float) -> float | None:
    """How long to wait really: the last second before the deadline is for one last try. `None`: no use in waiting."""
    if wanted_s < remaining_s:
        return wanted_s
    return remaining_s - _LAST_TRY_S if remaining_s > _LAST_TRY_S else None


class _Seen(NamedTuple):
    """Why a try failed, for the report at the deadline."""

    what: str
    fix: str


_AGAIN = "reboot when the service answers again; limit what else asks it on this machine"
_PATH = "see that metadata is enabled for the instance, and that no firewall, route or proxy takes 169.254.169.254"
_NETWORK = "see why the network did not come up: `networkctl status`, and `journalctl -u systemd-networkd`"

_TRANSIENT: dict[type[TransientError], _Seen] = {
    NoRouteError: _Seen("there is no route to it", _NETWORK),
    RefusedError: _Seen("it refused the connection", _PATH),
    ConnectionLostError: _Seen("the connection was lost", _AGAIN),
    TryTimeoutError: _Seen("it did not answer", _PATH),
    TruncatedError: _Seen("its answer ended early", _AGAIN),
    GarbageError: _Seen("its answer was not HTTP", _PATH),
}
_NO_ANSWER = _TRANSIENT[TryTimeoutError]


class Session:
    """Requests under one deadline. What may not fail again is tried again; a token that expired is renewed.

    An end that concerns every path, such as a refusal, is remembered: nothing is sent after it. Not for several threads.
    """

    def __init__(self, endpoint: str | None, deadline_s: float, limit_bytes: int, wanted: str = "answer") -> None:
        """`limit_bytes` bounds each body; `wanted` is what the report at the deadline calls what was asked for."""
        host, port = _address(endpoint or ENDPOINT)
        self._deadline_s, self._deadline, self._wanted = deadline_s, Deadline(deadline_s), wanted
        self._connection = Connection(
            host, port, deadline=self._deadline, limit_bytes=limit_bytes, try_timeout_s=_TRY_TIMEOUT_S
        )
        self._path = ""
        self._token: str | None = None
        self._seen: _Seen | None = None
        self._failures = 0
        self._end: SourceError | None = None

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def get(self, path: str) -> bytes | None:
        """What is at a path; `None` where nothing is. `TooLargeError` beyond the limit, else a `SourceError`."""
        if self._end is not None:
            raise SourceError(*self._end.faults)
        self._path, self._failures = path, 0
        renewed = False
        while True:
            self._token = self._token or self._new_token()
            response = self._answer("GET", path, {"X-aws-ec2-metadata-token": self._token})
            match classify(response.status):
                case Verdict.DATA:
                    return response.body
                case Verdict.ABSENT:
                    return None
                case Verdict.RENEW if not renewed:
                    self._token, renewed = None, True
                case Verdict.RENEW:
                    raise self._ended(
                        _broken(
                            "ec2-imds-token-refused",
                            "EC2 instance metadata refused a token that it had just given (401)",
                            path,
                            _AGAIN,
                        )
                    )
                case Verdict.OFF:
                    raise self._ended(_refused(response.status, path))
                case _:
                    raise _refused(response.status, path)

    def _ended(self, error: SourceError) -> SourceError:
        self._end = error
        return error

    def _new_token(self) -> str:
        response = self._answer("PUT", TOKEN_PATH, {"X-aws-ec2-metadata-token-ttl-seconds": _TOKEN_SECONDS})
        if classify_token(response.status) is not Verdict.DATA:
            raise self._ended(_refused(response.status, TOKEN_PATH))
        token = response.body.decode("ascii", "replace")
        if not 0 < len(response.body) <= _TOKEN_LIMIT_BYTES or not token.isascii() or not token.isprintable():
            raise self._ended(_invalid_token())
        return token

    def _answer(self, method: str, path: str, headers: dict[str, str]) -> Response:
        """The first answer that is no reason to try again."""
        while True:
            answer = self._try(method, path, headers)
            if isinstance(answer, NoRouteError):
                # No packet leaves without a route: to ask often costs nothing, and finds the network at once.
                self._seen = _TRANSIENT[NoRouteError]
                self._wait(_NO_ROUTE_WAIT_S)
                continue
            asked_s = None
            if isinstance(answer, TransientError):
                self._seen = _TRANSIENT.get(type(answer), _NO_ANSWER)
            elif classify(answer.status) is Verdict.RETRY:
                self._seen = _Seen(f"it answered {answer.status}", _AGAIN)
                asked_s = retry_after_s(answer.headers.get("retry-after"))
            else:
                return answer
            import random

            self._failures += 1
            self._wait(backoff_s(self._failures, random.random(), asked_s))

    def _try(self, method: str, path: str, headers: dict[str, str]) -> Response | TransientError:
        try:
            return self._connection.request(method, path, headers)
        except TransientError as error:
            return error
        except DeadlineReachedError:
            raise self._too_late() from None
        except TooLargeError as error:
            if error.status == 200 and path != TOKEN_PATH:
                raise
            if error.status == 200:
                raise self._ended(_invalid_token()) from None
            return Response(error.status or 0, {}, b"")  # the page that comes with an error may be of any size
        except DeniedError:
            raise self._ended(
                _broken(
                    "ec2-imds-denied",
                    "the kernel forbids connections to EC2 instance metadata",
                    path,
                    "look for a firewall rule or a prohibit route: `ip route get 169.254.169.254`, `nft list ruleset`",
                )
            ) from None

    def _wait(self, wanted_s: float) -> None:
        pause = pause_s(wanted_s, self._deadline.remaining())
        if pause is None:
            raise self._too_late()
        time.sleep(pause)

    def _too_late(self) -> SourceError:
        seen = self._seen or _NO_ANSWER
        what = f"EC2 instance metadata gave no {self._wanted} within {self._deadline_s:g} s: {seen.what}"
        return self._ended(_broken("ec2-imds-deadline", what, self._path, seen.fix))


def _address(endpoint: str) -> tuple[str, int]:
    """Where the service is. By number only: at boot, to look up a name is one more thing to wait for, and to trust."""
    fix = f"give it as {ENDPOINT} or http://[fd00:ec2::254]"
    try:
        url = parse_url(endpoint)
        if url.tls or url.path != "/":
            raise ValueError("it is not http://ADDRESS[:PORT]")
        socket.inet_pton(socket.AF_INET6 if ":" in url.host else socket.AF_INET, url.host)
    except (ValueError, OSError) as error:
        reason = "it names no IP address" if isinstance(error, OSError) else error
        raise OperatorError(
            Fault("ec2-imds-endpoint", f"the endpoint cannot be used: {reason}", Where(endpoint), fix)
        ) from None
    return url.host, url.port


def _refused(status: int, path: str) -> SourceError:
    if status == 403:
        return _broken(
            "ec2-imds-off",
            "EC2 instance metadata is switched off (403)",
            path,
            "`aws ec2 modify-instance-metadata-options --http-endpoint enabled --instance-id ID`; or switch the"
            " source off: enabled = false under [providers.ec2-imds] in earlyboot.toml",
        )
    if status == 0:
        what = "EC2 instance metadata gave an answer with a head too large to read"
    else:
        what = f"EC2 instance metadata gave an answer that it never gives ({status})"
    return _broken("ec2-imds-unexpected", what, path, _PATH)


def _invalid_token() -> SourceError:
    return _broken(
        "ec2-imds-token-invalid",
        f"what EC2 instance metadata gave as a token is not 1 to {_TOKEN_LIMIT_BYTES} printable characters",
        TOKEN_PATH,
        _PATH,
    )


def _broken(code: str, what: str, path: str, fix: str) -> SourceError:
    return SourceError(Fault(code, what, Where(f"{ORIGIN} {path}"), fix))
