"""One simulated boot: the peers, the stages as the units run them, and what came of it."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from earlyboot.api import store
from earlyboot.config import options, profile
from earlyboot.config.paths import PROGRAM, Paths
from earlyboot.model.custom import CustomGroup, custom_groups
from earlyboot.model.secrets import redact
from earlyboot.simulate.activation import Activation
from earlyboot.simulate.imds import Imds
from earlyboot.simulate.root import claim, image_options, prepare, prepare_image
from earlyboot.stages import status as statuses
from earlyboot.stages.run import STAGES
from earlyboot.stages.state import read_phase
from earlyboot.stages.timeline import Event
from hostkit import files
from hostkit.errors import EarlybootError, Fault, OperatorError, Where

LOCAL_USER_DATA = "/var/lib/earlyboot/user-data.toml"


class Setting(NamedTuple):
    key: str
    value: object
    origin: str


class Boot(NamedTuple):
    """What a boot left behind. `settings` are redacted; `exit_statuses` are the stages'; `log` is their stderr
    and the server's."""

    verdict: statuses.Status
    stages: dict[str, statuses.Status]
    steps: list[Event]
    settings: list[Setting]
    exit_statuses: dict[str, int]
    requests: list[str]
    servers_started: int
    log: str


@contextmanager
def throwaway_root(path: str | None) -> Iterator[Paths]:
    """The root at `path`, which is kept, or one that is gone afterwards. `OperatorError` for this machine's own."""
    if path is not None:
        if os.path.realpath(path) == "/":
            what = "a simulated boot would change this machine itself"
            raise OperatorError(Fault("not-throwaway", what, Where(path), "give --root a folder of its own"))
        yield Paths(path)
        return
    with tempfile.TemporaryDirectory(prefix="earlyboot-") as made:
        yield Paths(made)


def boot(paths: Paths, platform: str, user_data: bytes, on_event: Callable[[Event], None]) -> Boot:
    """Boots the root once; `on_event` sees each step as it happens."""
    with ExitStack() as peers:
        imds = peers.enter_context(Imds(user_data)) if platform == "ec2" else None
        configured = read_phase(paths)[1] is not None
        endpoint = imds.endpoint if imds else None
        if claim(paths):
            prepare(paths, platform, endpoint, configured=configured)
        else:
            peers.enter_context(image_options(paths, platform, endpoint))
            prepare_image(paths)
        if imds is None and not configured:
            files.write(paths.inside(LOCAL_USER_DATA), user_data, 0o600)
        log = peers.enter_context(tempfile.TemporaryFile())
        activation = peers.enter_context(Activation(paths, log=log.fileno()))
        steps: list[Event] = []
        exit_statuses = {}
        for stage in STAGES:
            exit_statuses[stage] = _run_stage(paths, stage, log.fileno(), lambda event: _take(event, steps, on_event))
        log.seek(0)
        return Boot(
            verdict=statuses.read_verdict(paths) or {},
            stages={stage: found for stage in STAGES if (found := statuses.read_stage(paths, stage))},
            steps=steps,
            settings=_settings(paths),
            exit_statuses=exit_statuses,
            requests=imds.requests if imds else [],
            servers_started=activation.started,
            log=log.read().decode("utf-8", "replace"),
        )


def _take(event: Event, steps: list[Event], on_event: Callable[[Event], None]) -> None:
    if event["event"] != "started":
        steps.append(event)
    on_event(event)


def _run_stage(paths: Paths, stage: str, log: int, on_event: Callable[[Event], None]) -> int:
    argv = [*PROGRAM, "--root", paths.root, "stage", stage, "--format", "json"]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log) as child:
        assert child.stdout is not None
        for line in child.stdout:
            on_event(json.loads(line))
    return child.returncode


def _settings(paths: Paths) -> list[Setting]:
    with store.reading(paths.store) as reader:
        live = reader.live() if reader else {}
    shown = redact({key: entry.value for key, entry in live.items()}, _own_groups(paths) if live else {})
    return [Setting(key, shown[key], entry.origin) for key, entry in live.items()]


def _own_groups(paths: Paths) -> dict[str, CustomGroup]:
    """Those of the image builder; none where the drop-ins are at fault, so that all of their settings count as secrets."""
    try:
        return custom_groups(profile.load(profile.name_of(options.load(paths)), paths).custom)
    except EarlybootError:
        return {}
