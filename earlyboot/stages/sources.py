"""From the profile's providers to the settings documents of this machine, with every fault of every source."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from earlyboot.config.options import Options
from earlyboot.config.paths import PROGRAM, Paths
from earlyboot.config.profile import Profile
from earlyboot.model.tree import ROOT
from earlyboot.stages.timeline import Timeline
from hostkit import systemd, toml
from hostkit.errors import EarlybootError, Fault, OperatorError, Where
from providers.contract import Document, Generated
from providers.registry import Provider, find
from providers.runner import Answer, Question, ask_all


class Source(NamedTuple):
    """One source that had data: the content of its settings table, and the text that places its faults, if it has one."""

    name: str
    origin: str
    settings: Mapping[str, object]
    text: str | None

    def place(self, found: Iterable[tuple[Fault, tuple[str | int, ...] | None]]) -> list[Fault]:
        """Faults of the settings with the source and, where there is a text, the line that each one's path stands on.

        All of them together, because the index of the lines is as large as the text.
        """
        index = toml.Index(self.text) if self.text is not None else None
        return [
            fault._replace(
                where=fault.where._replace(source=self.origin)
                if index is None or path is None
                else index.where(self.origin, (ROOT, *path))
            )
            for fault, path in found
        ]


class Gathered(NamedTuple):
    """The sources with data, in the profile's order; a row for the status of each that was asked; what went wrong."""

    sources: tuple[Source, ...]
    rows: tuple[Mapping[str, object], ...]
    errors: tuple[EarlybootError, ...]
    warnings: tuple[Fault, ...]


def questions(profile: Profile, options: Options, paths: Paths) -> list[Question]:
    """Whom to ask, and how: a pure function of the profile and the image builder's choices."""
    asked = []
    for name in profile.providers:
        provider = find(name)
        assert provider is not None, f"profile {profile.name} names the unknown provider {name}"
        if options.provider(name, "enabled") is False or (provider.needs_network and options.flag("offline")):
            continue
        asked.append(_question(provider, options, paths))
    return asked


def _question(provider: Provider, options: Options, paths: Paths) -> Question:
    deadline = options.provider(provider.name, "deadline")
    path = options.provider(provider.name, "path") or provider.default_path
    endpoint = options.provider(provider.name, "endpoint")
    return Question(
        provider=provider,
        deadline_s=float(deadline) if isinstance(deadline, int | float) else provider.default_deadline_s,
        limit_bytes=options.limits.size_bytes,
        path=paths.inside(path) if isinstance(path, str) else None,
        endpoint=endpoint if isinstance(endpoint, str) else None,
    )


def gather(
    asked: Sequence[Question],
    options: Options,
    timeline: Timeline,
    *,
    meanwhile: Callable[[], None],
    transient: bool | None = None,
) -> Gathered:
    """Asks all, then parses what they said. Nothing is raised for a bad source: all of them have their say first.

    `meanwhile` is called once, while they work. `transient` is whether they run as systemd units; `None` finds out.
    """
    if transient is None:
        transient = systemd.has_system_bus()
    rows: list[Mapping[str, object]] = []
    sources: list[Source] = []
    errors: list[EarlybootError] = []
    warnings: list[Fault] = []

    def record(answer: Answer) -> None:
        outcome = "failed" if answer.error else "finished"
        timeline.add(f"source {answer.name}", outcome, answer.started_s, answer.duration_s, _detail(answer))

    for question in asked:
        timeline.announce(f"source {question.provider.name}")
    for answer in ask_all(asked, PROGRAM, transient=transient, on_answer=record, meanwhile=meanwhile):
        error = answer.error
        source = None
        if error is None and answer.output is not None:
            try:
                source, ignored = _parse(answer.name, answer.output, options)
                warnings += ignored
            except OperatorError as found:
                error = found
        if error is not None:
            errors.append(error)
        if source is not None:
            sources.append(source)
        rows.append(
            {
                "name": answer.name,
                "outcome": "failed" if error else "read" if source else "absent",
                "origin": answer.output.origin if answer.output else None,
            }
        )
    return Gathered(tuple(sources), tuple(rows), tuple(errors), tuple(warnings))


def _detail(answer: Answer) -> str:
    if answer.error is not None:
        return answer.error.faults[0].what
    if answer.output is None:
        return "no data"
    if isinstance(answer.output, Document):
        return f"{len(answer.output.document.encode('utf-8', 'replace')):,} bytes"
    return f"{len(answer.output.settings)} groups"


def _parse(name: str, output: Document | Generated, options: Options) -> tuple[Source, list[Fault]]:
    if isinstance(output, Generated):
        return Source(name, output.origin, output.settings, None), []
    settings, ignored = parse_user_data(output.document, output.origin, options.limits)
    return Source(name, output.origin, settings, output.document), ignored


def parse_user_data(text: str, origin: str, limits: toml.Limits) -> tuple[Mapping[str, object], list[Fault]]:
    """The `[settings]` table, which user data must have, and a warning for every table that stands beside it."""
    document = toml.parse(text, origin, limits)
    return _settings_table(document, text, origin), _ignored(document, text, origin)


def _settings_table(document: Mapping[str, object], text: str, origin: str) -> Mapping[str, object]:
    """The `[settings]` of user data, which it must have."""
    settings = document.get(ROOT)
    if isinstance(settings, dict):
        return settings
    if settings is None:
        what = "the document has no [settings] table"
        fix = "put the settings below [settings], such as [settings.network]"
        raise OperatorError(Fault("no-settings", what, Where(origin), fix))
    where = toml.Index(text).where(origin, (ROOT,))
    raise OperatorError(Fault("no-settings", "settings is not a table", where, "write [settings]"))


def _ignored(document: Mapping[str, object], text: str, origin: str) -> list[Fault]:
    names = [name for name in document if name != ROOT]
    if not names:
        return []
    index = toml.Index(text)
    fix = "put it below [settings], or delete it"
    return [
        Fault("ignored-table", f"'{name}' is beside [settings] and means nothing", index.where(origin, (name,)), fix)
        for name in names[:10]
    ]
