"""What an EC2 instance says of itself: its region, its names, and the public keys that it was launched with."""

from __future__ import annotations

import re

from earlyboot.generators.contract import Question
from providers.ec2_metadata import unusable

_REGION = re.compile("[a-z0-9]+(?:-[a-z0-9]+)+")
_REGION_CHARS = 64
_INSTANCE_ID = re.compile("i-[0-9a-f]{1,32}")
_KEYS_LIMIT = 32
# A line of the list is NUMBER=NAME, and the number is what the key is asked for by.
_LISTED = re.compile("([0-9]{1,4})(?:=.*)?")


def region(question: Question) -> str | None:
    assert question.metadata is not None
    path = "placement/region"
    text = question.metadata.text(path)
    if text is not None and (len(text) > _REGION_CHARS or _REGION.fullmatch(text) is None):
        raise unusable(path, "what EC2 instance metadata gave as the region is not one")
    return text


def hostname_override(question: Question) -> str | None:
    """The name of the Kubernetes node, as `hostname-override-source` asks for it."""
    assert question.metadata is not None
    if question.known.value(("kubernetes", "hostname-override-source")) == "instance-id":
        path = "instance-id"
        text = question.metadata.text(path)
        if text is not None and _INSTANCE_ID.fullmatch(text) is None:
            raise unusable(path, "what EC2 instance metadata gave as the instance's ID is not one")
        return text
    text = question.metadata.text("local-hostname")
    # With several domains in the DHCP options of a VPC the name comes with each of them.
    return text.split()[0].lower().rstrip(".") if text is not None else None


def access_keys(question: Question) -> list[str] | None:
    """The keys in the order of the list, each once."""
    assert question.metadata is not None
    path = "public-keys/"
    listed = question.metadata.text(path)
    lines = listed.split("\n") if listed else []
    if len(lines) > _KEYS_LIMIT:
        raise unusable(path, f"EC2 instance metadata lists more than {_KEYS_LIMIT} public keys")
    keys: list[str] = []
    for line in lines:
        number = _LISTED.fullmatch(line.strip())
        if number is None:
            raise unusable(path, "what EC2 instance metadata gave as the list of public keys is not one")
        text = question.metadata.text(f"{path}{number[1]}/openssh-key")
        keys += [key.strip() for key in text.split("\n") if key.strip()] if text else []
    return list(dict.fromkeys(keys)) or None
