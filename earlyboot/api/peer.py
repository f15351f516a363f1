"""The other end of a Unix socket, as the kernel knew it when it connected (unix(7), SO_PEERCRED and SO_PEERGROUPS)."""

from __future__ import annotations

import array
import errno
import socket
import struct

from earlyboot.api.writer import Peer

_SO_PEERGROUPS = 59  # asm-generic/socket.h; Python has no name for it
# More than the 1,024 bytes that socket.getsockopt can take.
_GROUPS_LIMIT = 65536  # NGROUPS_MAX


def peer_of(connection: socket.socket) -> Peer:
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    # Numbers above 2^31 are ids too.
    pid, uid, gid = struct.unpack("iII", credentials)
    return Peer(uid, gid, pid, frozenset(_groups(connection)))


def _groups(connection: socket.socket) -> array.array[int]:
    groups = array.array("I")
    try:
        groups.frombytes(connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, 1024))
    except OSError as error:
        if error.errno != errno.ERANGE:
            raise
        groups.frombytes(_many_groups(connection))
    return groups


def _many_groups(connection: socket.socket) -> bytes:
    import ctypes

    data = ctypes.create_string_buffer(4 * _GROUPS_LIMIT)
    size = ctypes.c_uint32(len(data))
    library = ctypes.CDLL(None, use_errno=True)
    if library.getsockopt(connection.fileno(), socket.SOL_SOCKET, _SO_PEERGROUPS, data, ctypes.byref(size)) != 0:
        raise OSError(ctypes.get_errno(), "SO_PEERGROUPS")
    return data.raw[: size.value]
