"""User data in a file of this machine: what an image builder or a provisioning system put there."""

from __future__ import annotations

import errno
import os
import stat

from hostkit.errors import Fault, SourceError, Where
from providers.contract import Document, Request
from providers.decode import decode, too_large

_PIECE_BYTES = 64 * 1024


def read(request: Request) -> Document | None:
    """The file as text; `None` where there is no file, or nothing in it.

    The origin is the path, also for a descriptor that the caller opened; that descriptor stays open.
    """
    if request.path is None:
        raise ValueError("a local source needs a path")
    if request.stdin_fd is not None:
        raw = _content(request.stdin_fd, request.path, request.limit_bytes)
    else:
        try:
            # O_NONBLOCK: a FIFO in its place would hold the boot until someone writes to it.
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
            descriptor = os.open(request.path, flags)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _not_opened(request.path, error) from None
        try:
            raw = _content(descriptor, request.path, request.limit_bytes)
        finally:
            os.close(descriptor)
    text = decode(raw, request.path, request.limit_bytes)
    return None if text is None else Document(request.path, text)


def _content(descriptor: int, path: str, limit_bytes: int) -> bytes:
    try:
        _check(os.fstat(descriptor), path)
        data = bytearray()
        while len(data) <= limit_bytes:
            piece = os.read(descriptor, min(_PIECE_BYTES, limit_bytes + 1 - len(data)))
            if not piece:
                return bytes(data)
            data += piece
    except OSError as error:
        raise _broken(
            path, "local-unreadable", f"reading the file failed: {error.strerror}", "see the kernel's log: `dmesg`"
        ) from None
    raise too_large(path, limit_bytes)


def _check(status: os.stat_result, path: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _not_a_file(path)
    if status.st_uid not in (0, os.geteuid()):
        what, fix = f"the file belongs to user {status.st_uid}: others could have written it", "chown root:root"
    elif status.st_mode & stat.S_IWOTH:
        what, fix = "every user may write to the file: others could have written it", "chmod o-w"
    elif status.st_mode & stat.S_IWGRP and status.st_gid not in (0, os.getegid()):
        what, fix = f"group {status.st_gid} may write to the file: others could have written it", "chmod g-w"
    else:
        return
    raise _broken(path, "local-untrusted", what, f"look at what it holds, then `{fix} {path}`")


def _not_opened(path: str, error: OSError) -> SourceError:
    if error.errno == errno.ELOOP:
        return _broken(
            path,
            "local-symlink",
            "the file is a symbolic link, and links are not followed",
            "put the file itself there",
        )
    if error.errno == errno.ENXIO:  # open(2) of a socket
        return _not_a_file(path)
    return _broken(
        path,
        "local-unreadable",
        f"the file cannot be opened: {error.strerror}",
        f"see who may read it, and its folders: `namei -l {path}`",
    )


def _not_a_file(path: str) -> SourceError:
    return _broken(path, "local-not-a-file", "this is not a regular file", "put a regular file there, or nothing")


def _broken(path: str, code: str, what: str, fix: str) -> SourceError:
    return SourceError(Fault(code, what, Where(path), fix))
