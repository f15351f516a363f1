"""Which generators run, in what order, and what of their values is used: decided from what is set, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from earlyboot.config.profile import GeneratorSpec
from earlyboot.generators.known import Known, Path, grown, key_path, leaves


def wanted(specs: Iterable[GeneratorSpec], known: Known, exists: Callable[[str], bool]) -> list[GeneratorSpec]:
    """Those whose key nobody set, and whose value something would use. `exists` tells whether the image has a path."""
    return [
        spec
        for spec in specs
        if _lacks(spec, known)
        and (not spec.when or any(known.is_given(key_path(key)) for key in spec.when))
        and (spec.consumer is None or exists(spec.consumer))
    ]


def _lacks(spec: GeneratorSpec, known: Known) -> bool:
    path = key_path(spec.key)
    # Which values below a name are lacking only the generator can tell: `used` leaves out those that are not.
    return bool(known.members(path, spec.depth)) if spec.depth else not known.is_set(path)


def ready(pending: Sequence[GeneratorSpec]) -> list[GeneratorSpec]:
    """Those that wait for none of the others; empty only where they wait for each other."""
    return [spec for spec in pending if not needed(spec, (other for other in pending if other is not spec))]


def needed(spec: GeneratorSpec, others: Iterable[GeneratorSpec]) -> list[GeneratorSpec]:
    """Those of `others` that make a key which a generator needs."""
    needs = [key_path(key) for key in spec.needs]
    return [other for other in others if any(_touch(need, key_path(other.key)) for need in needs)]


def _touch(one: Path, other: Path) -> bool:
    """Whether one of two paths lies at or below the other."""
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def used(spec: GeneratorSpec, value: object, known: Known) -> dict[str, object]:
    """The settings table of what a generator made, without what is set already; empty where nothing is left.

    `ValueError` where a value that has to be a table is none.
    """
    path = key_path(spec.key)
    if not spec.depth:
        return grown({path: value} if not isinstance(value, Mapping) else leaves(path, value))
    if not isinstance(value, Mapping):
        raise ValueError("must be a table")
    members: Collection[Path] = known.members(path, spec.depth)
    depth = len(path) + spec.depth
    return grown(
        {
            leaf: found
            for leaf, found in leaves(path, value).items()
            if len(leaf) > depth and leaf[:depth] in members and not known.is_set(leaf)
        }
    )
