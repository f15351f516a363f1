"""A name for this machine: EC2's, else what DNS calls its primary address, else that address."""

from __future__ import annotations

import os

from earlyboot.generators.contract import Question
from earlyboot.generators.network import primary_address
from hostkit import files, process

_NO_NAMES = ("", "localhost", "(none)")
# sethostname(2); a longer name is used without its domain.
_NAME_LIMIT = 64
_LOOK_UP_S = 5.0


def hostname(question: Question) -> str | None:
    """EC2's name wins over the image's own: an image made of an instance would give its name to all others.

    Beyond EC2 an image that has a name keeps it, and the network is not waited for: a DHCP server that gives names gives
    them to networkd itself.
    """
    given = question.metadata.text("local-hostname") if question.metadata is not None else None
    if given is not None:
        # With several domains in the DHCP options of a VPC the name comes with each of them.
        return _fitting(given.split()[0])
    if _image_has_a_name(question):
        return None
    address = primary_address(question.paths)
    if address is None:
        return None
    name = None if question.offline else _reverse_dns(address, question)
    return name or address.replace(":", "-").replace(".", "-").strip("-")


def _fitting(name: str) -> str:
    name = name.lower().rstrip(".")
    return name if len(name) <= _NAME_LIMIT else name.partition(".")[0]


def _image_has_a_name(question: Question) -> bool:
    data = files.read(question.paths.inside("/etc/hostname"), 64 << 10) or b""
    lines = (line.strip() for line in data.decode("utf-8", "replace").splitlines())
    # hostname(5): lines that begin with a # are comments.
    name = next((line for line in lines if not line.startswith("#")), "")
    # What this generator made for the machine that the disk was copied from is in the file too.
    return name not in _NO_NAMES and name not in question.before.values()


def _reverse_dns(address: str, question: Question) -> str | None:
    """What `getent` finds, in a process of its own because nothing else can end a resolver; `None` where it does not.

    A resolver that knows no better answers with the name that the machine has now.
    """
    argv = ["getent", "hosts", address]
    try:
        ended = process.run(process.Command(argv, question.deadline.bounded(_LOOK_UP_S)))
    except OSError:
        return None
    words = ended.stdout.decode("ascii", "replace").split("\n")[0].split()
    if ended.status != 0 or len(words) < 2:
        return None
    name = _fitting(words[1])
    own = os.uname().nodename.lower()
    return None if name.startswith("localhost") or name in (own, own.partition(".")[0]) else name
