"""Files, read with a bound and written whole: temporary file, fsync, rename, fsync of the folder."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from typing import NamedTuple

from hostkit.errors import Fault, HostError, Where


class NewFile(NamedTuple):
    """A file to be written: an absolute path, its bytes, its permission bits."""

    path: str
    data: bytes
    mode: int


def read(path: str, limit_bytes: int) -> bytes | None:
    """All bytes of a regular file, or `None` where there is none; `HostError` if it cannot be read or is too large."""
    try:
        # O_NONBLOCK, so that a FIFO in the place of the file holds nobody.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise refused("cannot be opened", path, error) from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise HostError(Fault("not-a-file", f"{path} is not a regular file", Where(path), "put a file there"))
        return read_descriptor(descriptor, path, limit_bytes)
    finally:
        os.close(descriptor)


def read_descriptor(descriptor: int, path: str, limit_bytes: int) -> bytes:
    """What is left to read, at most `limit_bytes`; `path` is what errors name."""
    parts: list[bytes] = []
    size = 0
    while True:
        try:
            part = os.read(descriptor, min(1 << 16, limit_bytes + 1 - size))
        except OSError as error:
            raise refused("cannot be read", path, error) from None
        if not part:
            return b"".join(parts)
        parts.append(part)
        size += len(part)
        if size > limit_bytes:
            what = f"{path} is larger than {limit_bytes:,} bytes"
            raise HostError(Fault("too-large", what, Where(path), "make the file smaller"))


def write(path: str, data: bytes, mode: int) -> None:
    """Writes one file whole and durably, born with `mode`."""
    write_all([NewFile(path, data, mode)])


def write_all(new: Iterable[NewFile]) -> None:
    """Writes several files, each whole: after a power cut every one is the old or the new, and none is half.

    All are on disk under temporary names before the first is renamed, so a full disk changes nothing. `HostError` names
    the file that failed.
    """
    new = list(new)
    prepared: list[tuple[str, str]] = []
    try:
        for file in new:
            prepared.append((_write_temporary(file), file.path))
        while prepared:
            temporary, path = prepared[0]
            _rename(temporary, path)
            prepared.pop(0)
    finally:
        for temporary, _ in prepared:
            _discard(temporary)
    for folder in sorted({os.path.dirname(file.path) for file in new}):
        sync_folder(folder)


def _rename(temporary: str, path: str) -> None:
    try:
        os.rename(temporary, path)
    except OSError as error:
        raise refused("cannot be replaced", path, error) from None


def write_volatile(path: str, data: bytes, mode: int = 0o644) -> None:
    """Replaces a file in /run at once for readers; nothing there outlives a power cut, so nothing is synced."""
    temporary = _write_temporary(NewFile(path, data, mode), durable=False)
    try:
        _rename(temporary, path)
    except HostError:
        _discard(temporary)
        raise


def _write_temporary(file: NewFile, *, durable: bool = True) -> str:
    folder, name = os.path.split(file.path)
    # One fixed name a file: what a kill leaves behind is replaced by the next try and never piles up.
    temporary = os.path.join(folder, f".{name}.earlyboot-new")
    try:
        make_folder(folder)
        if os.path.lexists(temporary):
            os.unlink(temporary)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            view = memoryview(file.data)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fchmod(descriptor, file.mode)
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        _discard(temporary)
        raise refused("cannot be written", file.path, error) from None
    return temporary


def _discard(temporary: str) -> None:
    """Takes a temporary file away after a failure, which is the one to be reported whatever happens here."""
    try:
        os.unlink(temporary)
    except OSError:
        pass


def make_folder(path: str, mode: int = 0o755) -> None:
    """The folder and its missing parents, with `mode` whatever the umask; a folder that is there stays as it is."""
    if not path or os.path.isdir(path):
        return
    make_folder(os.path.dirname(path.rstrip("/")))
    try:
        os.mkdir(path, mode)
        os.chmod(path, mode)
    except FileExistsError:
        pass
    except OSError as error:
        raise refused("cannot be made", path, error) from None


def remove(path: str) -> bool:
    """Removes a file; `False` where there was none."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise refused("cannot be removed", path, error) from None
    return True


def sync_folder(path: str) -> None:
    """Makes the renames in a folder durable."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise refused("cannot be synced", path, error) from None


_FIXES = {
    errno.EROFS: "mount the file system writable before earlyboot runs, or give the path to a writable one",
    errno.ENOSPC: "free space on this file system",
    errno.EACCES: "run as root",
    errno.EPERM: "run as root",
    errno.EBUSY: "something is mounted on this path; unmount it, or leave the settings that feed the file unset",
}


def refused(what: str, path: str, error: OSError) -> HostError:
    """The machine's refusal of a file operation, as one of our errors."""
    fix = _FIXES.get(error.errno or 0, "look at the path and at the file system below it")
    return HostError(Fault("file", f"{path} {what}: {error.strerror or error}", Where(path), fix))
