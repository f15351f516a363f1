"""Who may do what: root and a group everything, another group only look, without secrets."""

from __future__ import annotations

import os

from earlyboot.api.contract import Endpoint
from earlyboot.api.problem import Problem
from earlyboot.api.writer import Peer
from earlyboot.config.options import Options
from hostkit.errors import Fault, Where

WRITE_GROUP = "api.write-group"
READ_GROUP = "api.read-group"


def permit(endpoint: Endpoint, peer: Peer, options: Options) -> bool:
    """Whether the peer is shown secrets. `Problem` with status 403 where it may not ask at all."""
    # Nobody but the others has to wait for a look-up of names, which may ask a directory somewhere.
    if peer.uid in (0, os.geteuid()) or _is_member(peer, options.text(WRITE_GROUP)):
        return True
    if endpoint.reads and _is_member(peer, options.text(READ_GROUP)):
        return False
    raise _forbidden(endpoint, peer, options)


def _is_member(peer: Peer, group: str | None) -> bool:
    """A group that does not exist has no members."""
    import grp

    if group is None:
        return False
    try:
        number = grp.getgrnam(group).gr_gid
    except KeyError:
        return False
    return number == peer.gid or number in peer.groups


def _forbidden(endpoint: Endpoint, peer: Peer, options: Options) -> Problem:
    write, read = options.text(WRITE_GROUP), options.text(READ_GROUP)
    fix = f"be root, or a member of the group {write}"
    if endpoint.reads:
        fix += f" or {read}" if read is not None else f"; {READ_GROUP} in earlyboot.toml can name one that may read"
    what = f"the user with uid {peer.uid} may not {endpoint.method} {endpoint.path}"
    return Problem(403, Fault("forbidden", what, Where(), fix))
