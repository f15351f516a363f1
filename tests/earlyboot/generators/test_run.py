"""Generators in rounds: together where they can be, after each other where they must; a failed one fails what needs it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from earlyboot.config.paths import Paths
from earlyboot.config.profile import GeneratorSpec
from earlyboot.generators import built_in
from earlyboot.generators import run as module
from earlyboot.generators.contract import Make, Question
from earlyboot.generators.known import Known
from earlyboot.generators.run import Host, Reporter
from hostkit.errors import Fault, HostError, Where
from providers.ec2_metadata import Metadata
from tests.earlyboot.generators.asking import known, spec
from tests.fakes import imds
from tests.fakes.imds import FakeImds


class Generators:
    """Built-ins of the test's own, and what came of a run of them."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._root = root
        self._made: dict[str, Make] = {}
        self.events: list[str] = []
        self.pushed: dict[str, Mapping[str, object]] = {}
        self.refusals: dict[str, list[Fault]] = {}
        names = dict(built_in.BUILT_IN)
        monkeypatch.setattr(module, "BUILT_IN", names)
        monkeypatch.setattr(built_in.BuiltIn, "load", lambda one: self._made[one.make])
        self._names = names

    def add(
        self,
        make: object,
        name: str = "test",
        key: str = "settings.motd",
        *,
        needs_metadata: bool = False,
        **more: object,
    ) -> GeneratorSpec:
        """A generator that answers with `make`, or calls it."""
        self._made[name] = make if callable(make) else lambda question: make
        self._names[name] = built_in.BuiltIn(name, needs_metadata=needs_metadata)
        return spec(name, key, **more)  # type: ignore[arg-type]

    def run(
        self, *specs: GeneratorSpec, given: Known | None = None, metadata: Metadata | None = None
    ) -> dict[str, str]:
        """The outcome of each."""
        self.outcomes = module.run(
            specs,
            given or known(),
            Host(Paths(str(self._root)), metadata, False, exists=lambda path: True),
            self._push,
            Reporter(
                lambda one: self.events.append(f"{one.name} started"),
                lambda outcome: self.events.append(f"{outcome.spec.name} {outcome.outcome}"),
            ),
        )
        return {outcome.spec.name: outcome.outcome for outcome in self.outcomes}

    def _push(self, one: GeneratorSpec, settings: Mapping[str, object]) -> Sequence[Fault]:
        self.pushed[one.name] = settings
        return self.refusals.get(one.name, [])

    def texts(self) -> list[str]:
        return [fault.text() for outcome in self.outcomes for fault in outcome.faults]


@pytest.fixture
def generators(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generators:
    return Generators(tmp_path, monkeypatch)


def broken(question: Question) -> object:
    raise HostError(Fault("gone", "the thing is gone", Where("/dev/thing"), "put it back"))


def test_a_value_is_pushed_as_the_settings_of_its_key(generators: Generators) -> None:
    one = generators.add(["a"], key='settings.kernel.sysctl."a.b"')
    assert generators.run(one) == {"test": "made"}
    assert generators.pushed == {"test": {"kernel": {"sysctl": {"a.b": ["a"]}}}}
    assert generators.events == ["test started", "test made"]


@pytest.mark.parametrize("value", [None, {}, {"a": {}}])
def test_no_value_pushes_nothing(generators: Generators, value: object) -> None:
    assert generators.run(generators.add(value)) == {"test": "absent"}
    assert generators.pushed == {}
    assert generators.texts() == []


@pytest.mark.parametrize("value", [False, 0, "", []])
def test_a_value_that_is_empty_is_one(generators: Generators, value: object) -> None:
    assert generators.run(generators.add(value)) == {"test": "made"}
    assert generators.pushed == {"test": {"motd": value}}


def test_what_is_set_is_not_asked_for_and_not_told(generators: Generators) -> None:
    assert generators.run(generators.add(broken), given=known({"motd": "x"})) == {}
    assert generators.events == []


def test_a_fault_says_the_generator_and_its_key_beside_its_own_place(generators: Generators) -> None:
    assert generators.run(generators.add(broken)) == {"test": "failed"}
    assert generators.texts() == [
        "error: the generator test failed: the thing is gone\n  where: /dev/thing [settings.motd]\n  fix:   put it back"
    ]


def test_a_value_that_the_model_refuses_is_a_failure_of_its_generator(generators: Generators) -> None:
    one = generators.add(5, key="settings.network.hostname")
    generators.refusals["test"] = [
        Fault("wrong-type", "it must be text", Where(key="settings.network.hostname"), "quote it")
    ]
    assert generators.run(one) == {"test": "failed"}
    assert generators.texts() == [
        (
            "error: what the generator test made is refused: it must be text\n"
            "  where: generator test [settings.network.hostname]\n"
            "  fix:   quote it"
        )
    ]


def test_a_map_that_is_none_is_a_failure(generators: Generators) -> None:
    one = generators.add("text", key="settings.host-containers", depth=1)
    assert generators.run(one, given=known({"host-containers": {"a": {"enabled": True}}})) == {"test": "failed"}
    assert generators.texts() == [
        (
            "error: what the generator test made is refused: the value must be a table\n"
            "  where: generator test [settings.host-containers]\n"
            "  fix:   correct the generator"
        )
    ]


def test_independent_ones_run_at_the_same_time(generators: Generators) -> None:
    together = threading.Barrier(3)

    def make(question: Question) -> str:
        together.wait(30)
        return "x"

    specs = [generators.add(make, f"g{number}", f"settings.a.k{number}") for number in range(3)]
    assert generators.run(*specs) == {"g0": "made", "g1": "made", "g2": "made"}
    assert generators.events[:3] == ["g0 started", "g1 started", "g2 started"]


def test_one_that_needs_another_runs_after_it_and_sees_its_value(generators: Generators) -> None:
    def make(question: Question) -> object:
        return f"in {question.known.value(('aws', 'region'))}"

    last = generators.add(lambda question: question.known.value(("motd",)), "c", "settings.c", needs=("settings.motd",))
    middle = generators.add(make, "b", "settings.motd", needs=("settings.aws.region",))
    first = generators.add("here", "a", "settings.aws.region")
    assert generators.run(last, middle, first) == {"a": "made", "b": "made", "c": "made"}
    assert generators.events == ["a started", "a made", "b started", "b made", "c started", "c made"]
    assert generators.pushed["c"] == {"c": "in here"}


def test_a_need_that_somebody_sets_or_that_has_no_value_stops_nobody(generators: Generators) -> None:
    first = generators.add(None, "a", "settings.aws.region")
    second = generators.add("x", "b", "settings.motd", needs=("settings.aws.region", "settings.aws.profile"))
    assert generators.run(first, second) == {"a": "absent", "b": "made"}
    assert generators.run(first, second, given=known({"aws": {"region": "x"}})) == {"b": "made"}


def test_a_failed_one_fails_what_needs_it_and_nothing_else(generators: Generators) -> None:
    first = generators.add(broken, "a", "settings.aws.region")
    second = generators.add("x", "b", "settings.b", needs=("settings.aws.region",))
    third = generators.add("x", "c", "settings.c", needs=("settings.b",))
    other = generators.add("x", "d", "settings.d")
    assert generators.run(first, second, third, other) == {"a": "failed", "d": "made", "b": "failed", "c": "failed"}
    assert generators.texts()[1:] == [
        (
            "error: the generator b did not run: it needs what failed, a\n"
            "  where: settings.b\n"
            "  fix:   see above why that failed, or set settings.b"
        ),
        (
            "error: the generator c did not run: it needs what failed, b\n"
            "  where: settings.c\n"
            "  fix:   see above why that failed, or set settings.c"
        ),
    ]
    assert generators.pushed.keys() == {"d"}


def test_those_that_need_each_other_say_so(generators: Generators) -> None:
    one = generators.add("x", "a", "settings.a", needs=("settings.b",))
    other = generators.add("x", "b", "settings.b", needs=("settings.a",))
    free = generators.add("x", "c", "settings.c")
    assert generators.run(one, other, free) == {"c": "made", "a": "failed", "b": "failed"}
    assert generators.texts()[0] == (
        "error: the generator a did not run: it and others need each other's keys\n"
        "  where: settings.a\n"
        "  fix:   take a key out of the `needs` of one of them"
    )
    assert generators.run(one, other, given=known({"b": "set"})) == {"a": "failed"}


def test_one_that_does_not_end_is_left_behind_at_its_deadline(
    generators: Generators, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_GRACE_S", 0.1)
    let_go = threading.Event()
    stuck = generators.add(lambda question: let_go.wait(60) and "late", deadline_s=0.1)
    other = generators.add("x", "other", "settings.other")
    assert generators.run(stuck, other) == {"test": "failed", "other": "made"}
    assert generators.texts() == [
        (
            "error: the generator test failed: no end within 0.1 s\n"
            "  where: settings.motd\n"
            "  fix:   set settings.motd to do without it, or reboot to try again"
        )
    ]
    let_go.set()
    time.sleep(0.05)
    assert generators.pushed.keys() == {"other"}


def test_a_bug_is_a_failure_and_keeps_its_traceback(generators: Generators, capfd: pytest.CaptureFixture[str]) -> None:
    def make(question: Question) -> object:
        return dict[str, str]()["absent"]

    assert generators.run(generators.add(make)) == {"test": "failed"}
    assert generators.texts() == [
        (
            "error: the generator test failed: a bug: KeyError\n"
            "  where: settings.motd\n"
            "  fix:   report it with the log: journalctl -b -u earlyboot-settings"
        )
    ]
    assert "KeyError: 'absent'" in capfd.readouterr().err


def test_those_that_need_the_instance_metadata_do_not_run_without_it(generators: Generators) -> None:
    one = generators.add("x", needs_metadata=True)
    assert generators.run(one) == {}
    assert generators.run(one, metadata=Metadata(None, 1)) == {"test": "made"}


def test_all_that_ask_the_instance_metadata_share_a_session_and_each_says_why_it_failed(generators: Generators) -> None:
    def make(question: Question) -> object:
        assert question.metadata is not None
        return question.metadata.text(question.spec.name)

    specs = [generators.add(make, name, f"settings.{name}", needs_metadata=True) for name in "abc"]
    with FakeImds(metadata={"a": "1", "c": "3"}) as fake:
        metadata = Metadata(fake.endpoint, 10)
        assert generators.run(*specs, metadata=metadata) == {"a": "made", "b": "absent", "c": "made"}
        metadata.close()
        assert (len(fake.requests), fake.connections) == (4, 1)
    with FakeImds(tokens_by=(imds.status(403),)) as fake:
        metadata = Metadata(fake.endpoint, 10)
        assert generators.run(*specs, metadata=metadata) == {"a": "failed", "b": "failed", "c": "failed"}
        metadata.close()
        assert len(fake.requests) == 1
    assert [text.splitlines()[0] for text in generators.texts()] == [
        f"error: the generator {name} failed: EC2 instance metadata is switched off (403)" for name in "abc"
    ]


def test_a_command_is_run_instead_of_a_built_in_of_that_name(generators: Generators, tmp_path: Path) -> None:
    program = tmp_path / "make"
    program.write_text("#!/bin/sh\necho '\"of the image\"'\n")
    program.chmod(0o755)
    assert generators.run(spec("hostname", "settings.network.hostname", command=("/make",))) == {"hostname": "made"}
    assert generators.pushed["hostname"] == {"network": {"hostname": "of the image"}}
