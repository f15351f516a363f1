"""What a generator is asked with, and what it may answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from earlyboot.config.paths import Paths
    from earlyboot.config.profile import GeneratorSpec
    from earlyboot.generators.known import Known
    from hostkit.deadline import Deadline
    from hostkit.errors import Fault
    from providers.ec2_metadata import Metadata


class Question(NamedTuple):
    """One generator, and what it may look at. It ends by its deadline.

    `known` are the settings of the sources, the defaults, and what earlier generators made. `before` is what this one
    made for another machine or an older version, by path. `metadata` is `None` where this is no EC2 instance, and on a
    machine that is offline.
    """

    spec: GeneratorSpec
    paths: Paths
    known: Known
    deadline: Deadline
    metadata: Metadata | None
    offline: bool
    before: Mapping[tuple[str, ...], object] = {}


# A value for the generator's key, or `None`: there is none, which is no fault. An `EarlybootError` where it is broken.
Make: TypeAlias = Callable[[Question], object]

MADE, ABSENT, FAILED = "made", "absent", "failed"


class Outcome(NamedTuple):
    """How a generator ended: `MADE`, `ABSENT` (there is no value) or `FAILED`, and then why. It holds no value."""

    spec: GeneratorSpec
    outcome: str
    faults: tuple[Fault, ...]
    started_s: float
    duration_s: float
