"""SELinux labels of files that were just written: restored to what the policy says, where SELinux is on."""

from __future__ import annotations

import os
from collections.abc import Sequence

from hostkit import process

SELINUXFS = "/sys/fs/selinux"
_RESTORECON = "restorecon"
_DEADLINE_S = 30.0


def restore(paths: Sequence[str], selinuxfs: str = SELINUXFS, program: str = _RESTORECON) -> str | None:
    """Restores the labels of absolute paths with one process; what went wrong for people, or `None`.

    A temporary file has its folder's label and keeps it when it is renamed. Where SELinux is off nothing is started.
    """
    if not paths or not os.path.exists(os.path.join(selinuxfs, "enforce")):
        return None
    # The list goes through a file: an argument list is bounded, a set of files is not.
    listed = os.memfd_create("paths", os.MFD_CLOEXEC)
    try:
        _write(listed, b"".join(os.fsencode(path) + b"\0" for path in paths))
        command = process.Command(
            (program, "-0", "-f", "-"), _DEADLINE_S, stdin_fd=listed, environment=process.ENVIRONMENT
        )
        ended = process.run(command)
    except OSError as error:
        return f"{program} cannot be started: {error.strerror}; {len(paths)} files keep the label of their folder"
    finally:
        os.close(listed)
    if ended.status == 0:
        return None
    words = ended.stderr.decode("utf-8", "replace").strip().splitlines()
    return f"{program}: {ended.explain()}" + (f": {words[-1]}" if words else "")


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
