"""Questions for generators, and a few specs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from earlyboot.config.paths import Paths
from earlyboot.config.profile import GeneratorSpec
from earlyboot.generators.contract import Question
from earlyboot.generators.known import Known
from hostkit.deadline import Deadline
from providers.ec2_metadata import Metadata


def spec(
    name: str = "test",
    key: str = "settings.motd",
    *,
    command: tuple[str, ...] | None = None,
    needs: tuple[str, ...] = (),
    when: tuple[str, ...] = (),
    depth: int = 0,
    consumer: str | None = None,
    deadline_s: float = 10.0,
) -> GeneratorSpec:
    return GeneratorSpec(
        name, key, command, needs=needs, when=when, depth=depth, consumer=consumer, deadline_s=deadline_s
    )


def known(given: Mapping[str, object] | None = None, defaults: Mapping[str, object] | None = None) -> Known:
    return Known(defaults or {}, [given or {}])


def question(
    root: Path | str,
    asked: GeneratorSpec | None = None,
    *,
    given: Mapping[str, object] | None = None,
    metadata: Metadata | None = None,
    offline: bool = False,
    deadline_s: float = 10.0,
    before: Mapping[tuple[str, ...], object] | None = None,
) -> Question:
    return Question(
        asked or spec(), Paths(str(root)), known(given), Deadline(deadline_s), metadata, offline, before or {}
    )
