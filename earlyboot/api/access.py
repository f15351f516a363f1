"""Who may do what: root and a group everything, another group only look, without secrets."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Literal

from earlyboot.api.contract import Endpoint
from earlyboot.api.problem import Problem
from earlyboot.api.writer import Peer
from earlyboot.config.options import Options
from hostkit.errors import Fault, Where

WRITE_GROUP = "api.write-group"
READ_GROUP = "api.read-group"


# What a peer may ask: all of it, only what reads, nothing.
Standing = Literal["everything", "reading", "nothing"]


def standing(peer: Peer, options: Options) -> Standing:
    # Nobody but the others has to wait for a look-up of names, which may ask a directory somewhere.
    if is_own(peer) or _is_member(peer, options.text(WRITE_GROUP)):
        return "everything"
    return "reading" if _is_member(peer, options.text(READ_GROUP)) else "nothing"


def permit(endpoint: Endpoint, peer: Peer, options: Options, known: Standing | None = None) -> bool:
    """Whether the peer is shown secrets. `Problem` with status 403 where it may not ask at all. `known` spares looking
    its standing up again."""
    found = known or standing(peer, options)
    if found == "nothing" or (found == "reading" and not endpoint.reads):
        raise _forbidden(endpoint, peer, options)
    return found == "everything"


def is_own(peer: Peer) -> bool:
    """Whether the peer is root or the server's own user, and needs no group."""
    return peer.uid in (0, os.geteuid())


def permit_parameters(endpoint: Endpoint, given: Iterable[str], peer: Peer) -> None:
    """`Problem` with status 403 where a parameter of the boot's own comes from another peer: with them a commit passes
    over conflicts, and a machine counts as configured."""
    own = [parameter.name for parameter in endpoint.parameters if parameter.own and parameter.name in given]
    if own and not is_own(peer):
        what = f"the user with uid {peer.uid} may not send '{own[0]}' to {endpoint.path}"
        raise Problem(403, Fault("forbidden", what, Where(), "leave it out; it belongs to the boot itself"))


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
