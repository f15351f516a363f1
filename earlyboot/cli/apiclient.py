"""`apiclient`: settings read and changed through the API's socket."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping

from earlyboot.api.client import Client, RefusedError
from earlyboot.cli import documents
from earlyboot.cli.main import run as run_program
from earlyboot.config.paths import Paths
from earlyboot.model.key import parse_key
from earlyboot.model.tree import ROOT
from hostkit.errors import ApiError, Fault, HostError, OperatorError, Where


def run() -> None:
    """The program."""
    run_program("apiclient")


def get(arguments: argparse.Namespace, paths: Paths) -> int:
    """Prints one JSON document: what each prefix names, merged."""
    if len(arguments.prefix) > 1 and any(prefix.startswith("/") for prefix in arguments.prefix):
        raise OperatorError(Fault("usage", "a path is not merged with anything", Where(), "give one path alone"))
    answer: dict[str, object] = {}
    with _client(arguments, paths) as client:
        for prefix in arguments.prefix or ("settings.", "os."):
            if prefix.startswith("/"):
                status, body = client.raw("GET", prefix)
                _print_raw(status, body)
                return 0 if status < 400 else ApiError.exit_status
            found = client.call("get_all", prefix=prefix)
            assert isinstance(found, dict)
            _merge(answer, found)
    # On a terminal nothing that a setting holds may steer it.
    print(json.dumps(answer, indent=2, ensure_ascii=sys.stdout.isatty()))
    return 0


def _merge(into: dict[str, object], other: Mapping[str, object]) -> None:
    for key, value in other.items():
        present = into.get(key)
        if isinstance(present, dict) and isinstance(value, Mapping):
            _merge(present, value)
        else:
            into[key] = value


def set_settings(arguments: argparse.Namespace, paths: Paths) -> int:
    """One transaction of its own, committed and applied."""
    if bool(arguments.pair) == (arguments.json is not None):
        fix = 'apiclient set motd=hello, or apiclient set -j \'{"motd": "hello"}\''
        raise OperatorError(Fault("usage", "give either KEY=VALUE pairs or -j JSON", Where(), fix))
    if arguments.json is not None:
        settings = documents.parse_json(arguments.json, "-j")
        if isinstance(settings, dict) and settings.keys() == {ROOT}:
            settings = settings[ROOT]
    else:
        settings = _from_pairs(arguments.pair)
    tx = f"apiclient-set-{os.urandom(8).hex()}"
    with _client(arguments, paths) as client:
        try:
            client.call("patch_settings", settings, tx=tx)
        except RefusedError as refused:
            client.call("delete_tx", tx=tx)
            # What the model refuses is what the operator typed, as it is for `apply`.
            raise (OperatorError(*refused.faults) if refused.status == 400 else refused) from None
        return _commit_and_apply(client, tx)


def _from_pairs(pairs: list[str]) -> dict[str, object]:
    settings: dict[str, object] = {}
    for number, pair in enumerate(pairs, start=1):
        key, equals, text = pair.partition("=")
        if not equals:
            # Not its text: it may be a value that lost its key, and a secret one.
            raise OperatorError(Fault("usage", f"argument {number} is no KEY=VALUE", Where(), "write motd=hello"))
        try:
            path = parse_key(key)
        except ValueError as error:
            raise OperatorError(Fault("bad-key", str(error), Where(), "write it like ntp.time-servers")) from None
        path = path[1:] if path[0] == ROOT and len(path) > 1 else path
        table = settings
        for segment in path[:-1]:
            inner = table.setdefault(segment, {})
            if not isinstance(inner, dict):
                raise OperatorError(Fault("usage", f"'{key}' lies below a key that has a value", Where(), "give one"))
            table = inner
        if isinstance(table.get(path[-1]), dict):
            raise OperatorError(Fault("usage", f"'{key}' lies above a key that has a value", Where(), "give one"))
        table[path[-1]] = _value(path, text)
    return settings


def _value(path: tuple[str, ...], text: str) -> object:
    """The value as the setting's own type wants it: text stays text, even if it looks like a number."""
    from earlyboot.model.check import check

    candidates: list[object] = [text]
    try:
        candidates.insert(0, json.loads(text))
    except (ValueError, RecursionError):
        pass
    for candidate in reversed(candidates):
        nested: object = candidate
        for segment in reversed(path):
            nested = {segment: nested}
        if not check(nested)[1]:
            return candidate
    return candidates[0]


def apply(arguments: argparse.Namespace, paths: Paths) -> int:
    """Every document is read and checked before the first is committed; a later one wins, key by key."""
    sources = documents.read_all(arguments.uri or ["-"])
    tx = f"apiclient-apply-{os.urandom(8).hex()}"
    faults: list[Fault] = []
    with _client(arguments, paths) as client:
        for source in sources:
            try:
                client.call("patch_settings", source.settings, tx=tx, origin=source.origin)
            except RefusedError as refused:
                if refused.status != 400:
                    raise
                faults += source.place(zip(refused.faults, refused.paths, strict=True))
        if faults:
            client.call("delete_tx", tx=tx)
            raise OperatorError(*faults)
        return _commit_and_apply(client, tx)


def _commit_and_apply(client: Client, tx: str) -> int:
    try:
        client.call("commit_tx", tx=tx)
    except RefusedError as refused:
        if refused.status != 422:
            raise
        return 0
    report = client.call("apply")
    assert isinstance(report, dict)
    failed = [service for service in report["services"] if service["outcome"] == "failed"]
    if failed:
        fix = "the settings are committed; mend the service, then POST /tx/apply"
        raise HostError(
            *(Fault("service", f"{service['name']}: {service['detail']}", Where(), fix) for service in failed)
        )
    return 0


def raw(arguments: argparse.Namespace, paths: Paths) -> int:
    with _client(arguments, paths) as client:
        body = None if arguments.data is None else arguments.data.encode()
        status, answer = client.raw(arguments.method, arguments.uri, body)
    _print_raw(status, answer)
    return 0 if status < 400 else ApiError.exit_status


def _print_raw(status: int, body: bytes) -> None:
    out = sys.stdout if status < 400 else sys.stderr
    out.write(body.decode("utf-8", "replace"))
    if body and not body.endswith(b"\n"):
        out.write("\n")


def _client(arguments: argparse.Namespace, paths: Paths) -> Client:
    return Client(arguments.socket_path or paths.socket)
