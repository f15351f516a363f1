"""Huge pages as lines of tmpfiles.d(5), and whether the running kernel has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from earlyboot.render.formats import UnholdableError, text
from earlyboot.render.renderers import Context

_TRANSPARENT = "/sys/kernel/mm/transparent_hugepage"
_UNITS_KB = {"Ki": 1, "Mi": 1 << 10, "Gi": 1 << 20}


class Pool(NamedTuple):
    """A file of sysfs, and how many pages it has to say."""

    path: str
    pages: int


def tmpfiles(settings: Mapping[str, object], context: Context) -> bytes | None:
    """Lines that write to sysfs, at every boot and now. A kernel without such a file gets nothing written."""
    lines = [f"w- {pool.path} - - - - {pool.pages}" for pool in pools(settings)]
    transparent = _table(settings, "transparent")
    lines += [
        f"w- {_TRANSPARENT}/{name} - - - - {text(transparent[name])}"
        for name in ("enabled", "defrag")
        if name in transparent
    ]
    if not lines:
        return None
    head = "# Written by earlyboot from settings.kernel.hugepages; changes here are overwritten."
    return "".join(f"{line}\n" for line in (head, *lines)).encode()


def pools(settings: Mapping[str, object]) -> Iterator[Pool]:
    """What `settings.kernel.hugepages.static` asks for, larger pages first: they need the most memory in one piece."""
    sizes = {
        _size_kb(size): pool["count"] for size, pool in _table(settings, "static").items() if isinstance(pool, Mapping)
    }
    for size_kb in sorted(sizes, reverse=True):
        for part in str(sizes[size_kb]).split(","):
            node, colon, pages = part.rpartition(":")
            folder = f"/sys/devices/system/node/node{_number(node)}/hugepages" if colon else "/sys/kernel/mm/hugepages"
            yield Pool(f"{folder}/hugepages-{size_kb}kB/nr_hugepages", _number(pages))


def _number(digits: str) -> int:
    try:
        return int(digits)
    except ValueError:
        raise UnholdableError("a count of huge pages is no number") from None


def is_essential(settings: Mapping[str, object]) -> bool:
    return _table(settings, "static").get("essential") is True


def _size_kb(size: str) -> int:
    return int(size[:-2]) * _UNITS_KB[size[-2:]]


def _table(settings: Mapping[str, object], name: str) -> Mapping[str, object]:
    value: object = settings
    for key in ("kernel", "hugepages", name):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}
