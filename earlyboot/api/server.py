"""The server's side of the socket: waitress around the application. It leaves when idle and answers every request it
accepted."""

from __future__ import annotations

import logging
import os
import signal
import socket
import stat
import time
from collections.abc import Callable
from typing import Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import UnixWSGIServer
from waitress.task import ErrorTask, ThreadedTaskDispatcher, WSGITask

from earlyboot.api.access import is_own
from earlyboot.api.application import PEER, REASONS, Application, encoded
from earlyboot.api.arrival import BODY_IN_MEMORY_BYTES, Admission, Arrival, RefusedError
from earlyboot.api.contract import BODY_LIMIT_BYTES, PROBLEM
from earlyboot.api.peer import peer_of
from earlyboot.api.problem import Problem
from earlyboot.api.service import Service
from earlyboot.api.writer import Peer
from hostkit import activation, files
from hostkit.errors import Fault, HostError, Where

# Who reads never waits for a thread that a writer has: an apply takes as long as the services that it restarts.
_READ_THREADS = 2
_WRITE_THREADS = 4
_CONNECTION_LIMIT = 64
# Of a user other than root and the server's own, and of all such users: some places stay for the boot.
_USER_LIMIT = 16
_OTHERS_LIMIT = 48
_HEAD_LIMIT_BYTES = 16 << 10
_HEAD_LIMIT_S = 5
_REQUEST_LIMIT_S = 20
_SILENCE_LIMIT_S = 2
_LEAVE_LIMIT_S = 50  # less than the unit's TimeoutStopSec=


class _Task(WSGITask):  # type: ignore[misc]  # waitress has no types
    def get_environment(self) -> Any:
        environment = super().get_environment()
        environment[PEER] = self.channel.peer
        return environment


class _Dispatcher:
    """Threads for those who read and threads for those who write."""

    def __init__(self) -> None:
        self._readers, self._writers = ThreadedTaskDispatcher(), ThreadedTaskDispatcher()
        self._readers.set_thread_count(_READ_THREADS)
        self._writers.set_thread_count(_WRITE_THREADS)

    def add_task(self, channel: Any) -> None:
        request = channel.requests[0]
        reads = request.error or request.command == "GET"
        (self._readers if reads else self._writers).add_task(channel)

    def admit(self, channel: Any) -> None:
        self._readers.add_task(_Introduction(channel))

    def shutdown(self, cancel_pending: bool = True, timeout: float = 5) -> None:
        self._writers.shutdown(cancel_pending, timeout)
        self._readers.shutdown(cancel_pending, timeout)


class _Introduction:
    """The task of finding out what a new peer may do; until then nothing is read from it."""

    def __init__(self, channel: _Channel) -> None:
        self._channel = channel

    def service(self) -> None:
        try:
            self._channel.admit()
        except Exception:
            self.cancel()
            raise  # a bug: the thread logs it

    def cancel(self) -> None:
        self._channel.will_close = True


class _Refusal(ErrorTask):  # type: ignore[misc]
    """The answer to what is no request, or none that is listened to: too large, not HTTP, not for this peer."""

    def execute(self) -> None:
        error = self.request.error
        if isinstance(error, RefusedError):
            self._answer(error.problem, REASONS.get(error.problem.status, "Error"))
            return
        known = {
            413: ("body-too-large", f"the body is larger than {BODY_LIMIT_BYTES:,} bytes", "send less at once"),
            431: ("head-too-large", f"the headers are not below {_HEAD_LIMIT_BYTES:,} bytes", "send shorter ones"),
        }
        fault = known.get(error.code, ("bad-http", "this is not a request in HTTP/1.1", "see RFC 9112"))
        self._answer(Problem(error.code, Fault(fault[0], fault[1], Where(), fault[2])), error.reason)

    def _answer(self, problem: Problem, reason: str) -> None:
        data = encoded(problem.json())
        self.status = f"{problem.status} {reason}"
        self.response_headers += [("Content-Type", PROBLEM), *problem.headers]
        self.set_close_on_finish()
        self.content_length = len(data)
        self.write(data)


class _Channel(HTTPChannel):  # type: ignore[misc]
    """A connection that knows, from the moment it was accepted, who is at its other end."""

    error_task_class = _Refusal
    task_class = _Task

    def __init__(self, server: Any, sock: socket.socket, adj: Any, peer: Peer, map: Any) -> None:  # noqa: A002
        self.peer = peer
        self.admission: Admission | None = None
        self.accepted_at = time.monotonic()
        self.has_spoken = False
        self.request_began = 0.0
        super().__init__(server, sock, ("", None), adj, map=map)
        if server.gate.admits_at_once(peer):
            self.admission = server.gate.admission(peer)
        else:
            server.task_dispatcher.admit(self)

    def admit(self) -> None:
        """Has the peer listened to from now on; in a thread of its own."""
        admission = self.server.gate.admission(self.peer)
        self.accepted_at = time.monotonic()
        self.admission = admission
        self.server.pull_trigger()

    def parser_class(self, adj: Any) -> Arrival:
        assert self.admission is not None
        return Arrival(adj, self.admission)

    def readable(self) -> bool:
        return self.admission is not None and bool(super().readable())

    def received(self, data: bytes) -> Any:
        self.server.last_busy = now = time.monotonic()
        self.has_spoken = True
        if self.request is None:
            self.request_began = now
        return super().received(data)

    def is_busy(self) -> bool:
        """Whether a request is arriving, an answer is being worked out, or one waits to be sent.

        Who has just connected is about to ask: it was accepted, so no other server will ever see its request.
        """
        awaited = not self.has_spoken and time.monotonic() - self.accepted_at < _SILENCE_LIMIT_S
        return (
            awaited
            or self.admission is None
            or self.request is not None
            or bool(self.requests)
            or self.total_outbufs_len > 0
        )

    def is_late(self) -> bool:
        """Whether a request has been arriving for too long, or never began: bytes now and then keep waitress' own
        time-out away, and silence would hold one of few places."""
        now = time.monotonic()
        if not self.has_spoken:
            return now - self.accepted_at > (_REQUEST_LIMIT_S if self.admission is None else _SILENCE_LIMIT_S)
        request = self.request
        if request is None:
            return False
        # Only a body can take its time: heads are small, and those that never end hold places for nothing.
        return now - self.request_began > (_REQUEST_LIMIT_S if request.headers_finished else _HEAD_LIMIT_S)


class _Server(UnixWSGIServer):  # type: ignore[misc]
    gate: Application  # waitress keeps the application wrapped
    last_busy = 0.0

    def channel_class(self, _: object, sock: socket.socket, __: object, adj: Any, map: Any) -> None:  # noqa: A002
        peer = peer_of(sock)
        if self._has_place_for(peer):
            _Channel(self, sock, adj, peer, map)
        else:
            _turn_away(sock)

    def _has_place_for(self, peer: Peer) -> bool:
        if is_own(peer):
            return True
        uids = [channel.peer.uid for channel in self.active_channels.values() if not is_own(channel.peer)]
        return len(uids) < _OTHERS_LIMIT and uids.count(peer.uid) < _USER_LIMIT

    def busy_channels(self) -> list[_Channel]:
        """The connections with something to do; those whose request is late are closed."""
        for channel in list(self.active_channels.values()):
            if channel.is_late():
                channel.will_close = True
            if channel.will_close and not channel.requests:
                # waitress would wait until it can be written to; who does not read its answer would stay for ever.
                channel.handle_close()
        return [channel for channel in self.active_channels.values() if channel.is_busy()]


def _turn_away(sock: socket.socket) -> None:
    what = "this user has too many connections to the server, or all other users together have"
    data = encoded(Problem(503, Fault("too-many-connections", what, Where(), "close some, or try again")).json())
    head = f"HTTP/1.1 503 Service Unavailable\r\nContent-Type: {PROBLEM}\r\nContent-Length: {len(data)}\r\n"
    with sock:
        try:
            sock.setblocking(False)
            sock.send(f"{head}Connection: close\r\n\r\n".encode() + data)
        except OSError:
            pass  # it is gone already


class Server:
    """The loop around one listening socket."""

    def __init__(self, application: Application, listener: socket.socket, idle_timeout_s: float | None) -> None:
        self._map: dict[int, Any] = {}
        self._idle_timeout_s = idle_timeout_s
        self._dispatcher = _Dispatcher()
        self._stopping = False
        self._server = _Server(
            application,
            map=self._map,
            _sock=listener,
            dispatcher=self._dispatcher,
            adj=Adjustments(
                sockets=[listener],
                threads=_READ_THREADS + _WRITE_THREADS,
                connection_limit=_CONNECTION_LIMIT,
                max_request_body_size=BODY_LIMIT_BYTES + 1,  # the first size that is refused
                inbuf_overflow=BODY_IN_MEMORY_BYTES,
                outbuf_overflow=256 << 10,
                max_request_header_size=_HEAD_LIMIT_BYTES,
                channel_timeout=_REQUEST_LIMIT_S,
                cleanup_interval=5,
                ident=None,
                expose_tracebacks=False,
                log_socket_errors=False,
            ),
            sockinfo=(listener.family, listener.type, listener.proto, listener.getsockname()),
            bind_socket=False,
        )
        self._server.gate = application

    def stop(self) -> None:
        """Asks the loop to end; safe in a signal handler and from another thread."""
        # Once: after the loop's end its descriptors are closed, and their numbers may be somebody else's.
        if not self._stopping:
            self._stopping = True
            self._server.pull_trigger()

    def run(self) -> None:
        """Serves until stopped or idle, then answers what was accepted and returns."""
        self._server.last_busy = time.monotonic()
        while not self._stopping:
            wasyncore.poll2(self._pause_s(), self._map)
            if self._server.busy_channels():
                self._server.last_busy = time.monotonic()
            elif self._idle_for(self._idle_timeout_s):
                break
        self._stopping = True
        self._leave()

    def _pause_s(self) -> float:
        """How long to wait for an event: connections are looked after every second, and the idle time-out is kept."""
        if self._idle_timeout_s is None:
            return 1.0
        return min(1.0, max(0.0, self._server.last_busy + self._idle_timeout_s - time.monotonic()))

    def _idle_for(self, limit_s: float | None) -> bool:
        return limit_s is not None and time.monotonic() - self._server.last_busy >= limit_s

    def _leave(self) -> None:
        # Who connects from now on waits in the socket's queue, for the next server.
        self._server.accepting = False
        end = time.monotonic() + _LEAVE_LIMIT_S
        while time.monotonic() < end:
            # A request may lie unread in an accepted connection: one pass takes it, and only then nothing is left.
            wasyncore.poll2(0.05, self._map)
            if not self._server.busy_channels():
                break
        self._dispatcher.shutdown(cancel_pending=True, timeout=1)
        wasyncore.close_all(self._map)


def serve(open_service: Callable[[], Service], path: str, idle_timeout_s: float | None) -> None:
    """Serves on the socket that systemd handed over, else on one of its own at `path`, until idle or SIGTERM."""
    handed = activation.listen_sockets()
    listener = handed[0] if handed else listen(path)
    application = Application(open_service)
    server = Server(application, listener, idle_timeout_s)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stop())
    # Requests that wait for one of the threads are no news.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    activation.notify("READY=1")
    server.run()
    activation.notify("STOPPING=1")
    application.close()
    if not handed:
        files.remove(path)


def listen(path: str) -> socket.socket:
    """A listening Unix socket at `path`, 0660 from birth. `HostError` where another server already listens there."""
    path = os.path.abspath(path)
    files.make_folder(os.path.dirname(path))
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    # A socket's address holds 107 bytes; through the folder's descriptor every path fits.
    address = f"/proc/self/fd/{folder}/{os.path.basename(path)}"
    before = os.umask(0o117)
    try:
        if _is_socket(path) and not _somebody_listens(address):
            files.remove(path)
        listener.bind(address)
    except OSError as error:
        listener.close()
        what = f"cannot listen: {error.strerror or error}"
        fix = "stop the other earlyboot server, or choose another --socket"
        raise HostError(Fault("socket", what, Where(path), fix)) from None
    finally:
        os.umask(before)
        os.close(folder)
    listener.listen(128)
    return listener


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.lstat(path).st_mode)
    except FileNotFoundError:
        return False


def _somebody_listens(address: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(address)
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True
    return True
