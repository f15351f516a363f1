"""Asks providers, all at the same time: each a process of its own, a sandboxed transient unit where systemd runs.

A local source is opened here, because the sandbox has no right to; where there is no file, no process is started.
"""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from hostkit import process, systemd
from hostkit.errors import BY_EXIT_STATUS, EarlybootError, Fault, HostError, SourceError, Where
from providers.contract import STDOUT_LIMIT_BYTES, Output, decode
from providers.registry import Provider

# What every source may do: compute, and answer on its stdout.
_SANDBOX = {
    "DynamicUser": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectControlGroups": "yes",
    "ProtectClock": "yes",
    "ProtectHostname": "yes",
    "ProtectProc": "invisible",
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "RestrictNamespaces": "yes",
    "RestrictRealtime": "yes",
    "LockPersonality": "yes",
    "MemoryDenyWriteExecute": "yes",
    "SystemCallArchitectures": "native",
    "SystemCallFilter": "@system-service",
    "UMask": "0077",
    "MemoryMax": "128M",
    "TasksMax": "16",
}
_WITH_NETWORK = {"RestrictAddressFamilies": "AF_INET AF_INET6"}
_WITHOUT_NETWORK = {"RestrictAddressFamilies": "none", "PrivateNetwork": "yes"}
# A provider keeps its deadline itself and can say why; who does not is ended from outside a little later.
_GRACE_S = 5.0


class Question(NamedTuple):
    """One source to be asked: `path` for a local one, `endpoint` to override where a network one listens."""

    provider: Provider
    deadline_s: float
    limit_bytes: int
    path: str | None = None
    endpoint: str | None = None


class Answer(NamedTuple):
    """What a source said: an output, `None` for no data, or the error that kept it from answering."""

    name: str
    output: Output
    error: EarlybootError | None
    started_s: float
    duration_s: float


def ask_all(
    questions: Sequence[Question],
    program: Sequence[str],
    *,
    transient: bool,
    on_answer: Callable[[Answer], None],
    meanwhile: Callable[[], None] = lambda: None,
) -> list[Answer]:
    """The answers in the order of the questions; `on_answer` sees each as it comes, `meanwhile` is called once while the
    processes work.

    `program` is the command that `provider NAME` is added to. With `transient` each runs as a systemd unit in its
    sandbox, else as a plain process with this process's rights.
    """
    answers: dict[int, Answer] = {}
    commands: dict[int, process.Command] = {}
    began = time.clock_gettime(time.CLOCK_BOOTTIME)

    def settle(number: int, output: Output, error: EarlybootError | None) -> None:
        name = questions[number].provider.name
        answers[number] = Answer(name, output, error, began, time.clock_gettime(time.CLOCK_BOOTTIME) - began)
        on_answer(answers[number])

    with ExitStack() as opened:
        for number, question in enumerate(questions):
            descriptor = None
            if question.path is not None:
                try:
                    descriptor = _open_source(question.path)
                except SourceError as error:
                    settle(number, None, error)
                    continue
                if descriptor is None:
                    settle(number, None, None)
                    continue
                opened.callback(os.close, descriptor)
            commands[number] = _command(question, program, descriptor, transient=transient)
        order = list(commands)

        def judge(place: int, ended: process.Completed) -> None:
            number = order[place]
            try:
                settle(number, _judge(questions[number].provider.name, ended), None)
            except EarlybootError as error:
                settle(number, None, error)

        try:
            process.run_all([commands[number] for number in order], judge, meanwhile)
        except OSError as error:
            what = f"a provider cannot be started: {error.strerror}"
            raise HostError(Fault("provider-start", what, Where(error.filename), "install the program again")) from None
    return [answers[number] for number in range(len(questions))]


def _open_source(path: str) -> int | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        what = f"the file cannot be opened: {error.strerror}"
        fix = "put a regular file there, not a link, or take it away"
        raise SourceError(Fault("source-unreadable", what, Where(path), fix)) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        fix = "put a regular file there, or take it away"
        raise SourceError(Fault("source-unreadable", "this is not a regular file", Where(path), fix))
    return descriptor


def _command(question: Question, program: Sequence[str], descriptor: int | None, *, transient: bool) -> process.Command:
    provider = question.provider
    argv = [*program, "provider", provider.name, "--format=json", f"--deadline={question.deadline_s:g}"]
    argv.append(f"--limit={question.limit_bytes}")
    if question.path is not None:
        argv += [f"--path={question.path}", "--stdin"]
    if question.endpoint is not None:
        argv.append(f"--endpoint={question.endpoint}")
    if transient:
        # The number keeps a unit that outlives a killed stage from blocking the next one; it ends by itself.
        unit = f"earlyboot-provider-{provider.name}-{os.getpid()}.service"
        argv = systemd.transient_unit(unit, sandbox(provider, question.deadline_s + _GRACE_S), argv)
    return process.Command(
        argv,
        deadline_s=question.deadline_s + 2 * _GRACE_S,
        stdin_fd=descriptor,
        stdout_limit_bytes=STDOUT_LIMIT_BYTES,
    )


def sandbox(provider: Provider, deadline_s: float) -> Mapping[str, str]:
    """The unit properties that a provider runs with: all of the common ones, and what its own need leaves it."""
    reach = _WITH_NETWORK if provider.needs_network else _WITHOUT_NETWORK
    return {
        **_SANDBOX,
        **reach,
        "RuntimeMaxSec": f"{deadline_s:g}",
        "Description": f"earlyboot source {provider.name}",
    }


def _judge(name: str, ended: process.Completed) -> Output:
    if ended.status == 0 and ended.cut_off is None:
        return decode(ended.stdout, name)
    faults = _faults(ended.stderr)
    kind = BY_EXIT_STATUS.get(ended.status)
    if kind is not None and faults and ended.cut_off is None:
        raise kind(*faults)
    words = ended.stderr.decode("utf-8", "replace").strip().splitlines()
    what = f"the source {name} did not answer: {ended.explain()}" + (f": {words[-1][:500]}" if words else "")
    fix = f"run it alone to see more: earlyboot provider {name}"
    raise SourceError(Fault("provider-failed", what, Where(name), fix))


def _faults(stderr: bytes) -> list[Fault]:
    try:
        listed = json.loads(stderr)
        return [Fault.from_json(item) for item in listed]
    except (ValueError, TypeError, RecursionError):
        return []
