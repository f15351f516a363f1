"""`apiclient`: settings read and changed through the API's socket."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping

from earlyboot.api.client import Client, RefusedError
from earlyboot.api.report import failures
from earlyboot.cli import documents
from earlyboot.cli.main import run as run_program
from earlyboot.cli.table import aligned
from earlyboot.config.paths import Paths
from earlyboot.model.key import parse_key
from earlyboot.model.tree import ROOT
from hostkit import toml
from hostkit.errors import ApiError, EarlybootError, Fault, HostError, OperatorError, Where, printable

_ROOTS = (ROOT, "services", "configuration-files", "os")
_AGAIN = "run: apiclient raw -m POST -u /tx/apply"


def run() -> None:
    """The program."""
    run_program("apiclient")


def get(arguments: argparse.Namespace, paths: Paths) -> int:
    """Prints what each prefix names, merged: one JSON document, or a table on a terminal."""
    if len(arguments.prefix) > 1 and any(prefix.startswith("/") for prefix in arguments.prefix):
        raise OperatorError(Fault("usage", "a path is not merged with anything", Where(), "give one path alone"))
    answer: dict[str, object] = {}
    with _client(arguments, paths) as client:
        for prefix in arguments.prefix or ("settings.", "os."):
            if prefix.startswith("/"):
                status, body = client.raw("GET", prefix)
                _print_raw(status, body)
                return 0 if status < 400 else ApiError.exit_status
            _merge(answer, _named(client, prefix))
    _show(answer, arguments.format)
    return 0


def _named(client: Client, text: str) -> Mapping[str, object]:
    """What a key or the beginning of one names; without one of the roots it is a setting's."""
    text = text if text.partition(".")[0] in _ROOTS else f"{ROOT}.{text}"
    if _is_key(client, text):
        settings = client.call("get_settings", keys=text)
        return {ROOT: settings} if settings else {}
    found = client.call("get_all", prefix=text)
    assert isinstance(found, dict)
    return found


def _is_key(client: Client, text: str) -> bool:
    """Whether `text` is a whole key below the settings. The server knows: an image has groups of its own."""
    try:
        if parse_key(text)[:1] != (ROOT,) or text == ROOT:
            return False
        client.call("affected_services", keys=text)
    except ValueError:
        return False
    except RefusedError as refused:
        if refused.status != 400:
            raise
        return False
    return True


def _show(tree: Mapping[str, object], form: str | None) -> None:
    if form == "json" or (form is None and not sys.stdout.isatty()):
        # On a terminal nothing that a setting holds may steer it.
        print(json.dumps(tree, indent=2, ensure_ascii=sys.stdout.isatty()))
        return
    rows = [(key, json.dumps(value, ensure_ascii=False)) for key, value in _leaves(tree, ())]
    print("\n".join(aligned(rows, shutil.get_terminal_size().columns)) if rows else "nothing is set")


def _leaves(tree: Mapping[str, object], above: tuple[str, ...]) -> Iterator[tuple[str, object]]:
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, (*above, name))
        else:
            yield toml.dotted((*above, name)), value


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
        return _change(arguments, paths, "patch_settings", settings)
    for number, pair in enumerate(arguments.pair, start=1):
        if "=" not in pair:
            # Not its text: it may be a value that lost its key, and a secret one.
            raise OperatorError(Fault("usage", f"argument {number} is no KEY=VALUE", Where(), "write motd=hello"))
    return _change(arguments, paths, "patch_keypair", {"request_payload": arguments.pair})


def unset(arguments: argparse.Namespace, paths: Paths) -> int:
    """Keys, and all keys below each, go away; a default shows again."""
    with _client(arguments, paths) as client:
        tx = _changed(client, arguments.verb, "delete_settings", None, keys=",".join(arguments.key))
        for key in arguments.key:
            told = client.call("get_origin", keys=key)
            assert isinstance(told, list)
            if not told:
                print(printable(f"{key} is not set"), file=sys.stderr)
            elif not any(row["won"] and row["generation"] for setting in told for row in setting["set_by"]):
                print(printable(f"{key} is a default of the profile: it can be set, not unset"), file=sys.stderr)
        return _commit_and_apply(client, tx, arguments.format)


def _change(arguments: argparse.Namespace, paths: Paths, endpoint: str, body: object) -> int:
    """One change in a transaction of its own."""
    with _client(arguments, paths) as client:
        return _commit_and_apply(client, _changed(client, arguments.verb, endpoint, body), arguments.format)


def _changed(client: Client, verb: str, endpoint: str, body: object, **parameters: str | None) -> str:
    """The new transaction that holds a change; none is left where the change is refused."""
    tx = f"apiclient-{verb}-{os.urandom(8).hex()}"
    try:
        client.call(endpoint, body, tx=tx, **parameters)
    except RefusedError as refused:
        client.call("delete_tx", tx=tx)
        # What the model refuses is what the operator typed, as it is for `apply`.
        raise _blamed(refused) from None
    return tx


def apply(arguments: argparse.Namespace, paths: Paths) -> int:
    """Every document is read and checked before the first is committed; a later one wins, key by key."""
    tx = f"apiclient-apply-{os.urandom(8).hex()}"
    errors: list[EarlybootError] = []
    with _client(arguments, paths) as client:
        for document in documents.read_all(arguments.uri or ["-"]):
            if isinstance(document, EarlybootError):
                errors.append(document)
                continue
            try:
                client.call("patch_settings", document.settings, tx=tx, origin=document.origin)
            except RefusedError as refused:
                if refused.status != 400:
                    client.call("delete_tx", tx=tx)
                    raise
                errors.append(OperatorError(*document.place(zip(refused.faults, refused.paths, strict=True))))
            except ApiError as error:
                raise documents.all_of([*errors, error]) from None
        if errors:
            client.call("delete_tx", tx=tx)
            raise documents.all_of(errors)
        return _commit_and_apply(client, tx, arguments.format)


def _commit_and_apply(client: Client, tx: str, form: str | None) -> int:
    try:
        changed = client.call("commit_tx", tx=tx)
    except RefusedError as refused:
        if refused.status == 422:
            return 0
        client.call("delete_tx", tx=tx)
        raise _blamed(refused, "look at the settings, and begin again") from None
    assert isinstance(changed, list)
    return applied(client, changed, form)


def applied(client: Client, changed: list[str], form: str | None) -> int:
    """Applies what was committed. `HostError` with every file and every service that failed."""
    report = client.call("apply")
    assert isinstance(report, dict)
    if form == "json":
        print(json.dumps({"changed": changed, **report}, indent=2))
    elif form == "text" or sys.stdout.isatty():
        written = [file["path"] for file in report["files"] if file["outcome"] in ("written", "removed")]
        for line in (*(f"changed {key}" for key in changed), *(f"wrote {path}" for path in written)):
            print(printable(line))
    failed = failures(report, _AGAIN)
    if failed:
        raise HostError(*failed)
    return 0


def _blamed(refused: RefusedError, after_conflict: str = "") -> EarlybootError:
    """A refusal in the words of the command line, where those of the API speak of requests."""
    match refused.status:
        case 400:
            return OperatorError(*refused.faults)
        case 409 if after_conflict and refused.faults[0].code == "conflict":
            fix = after_conflict
        case 422:
            fix = "see: apiclient tx list; to change settings at once: apiclient set motd=hello"
        case _:
            return refused
    return RefusedError(refused.status, [fault._replace(fix=fix) for fault in refused.faults], refused.paths)


def tx(arguments: argparse.Namespace, paths: Paths) -> int:
    """Pending transactions: list them, show, delete or commit one."""
    with _client(arguments, paths) as client:
        match arguments.action:
            case "list":
                names = client.call("list_tx")
                assert isinstance(names, list)
                lines = [json.dumps(names)] if arguments.format == "json" else [printable(name) for name in names]
                print("\n".join(lines), end="\n" if lines else "")
            case "show":
                pending = client.call("get_tx_v2", tx=arguments.tx)
                assert isinstance(pending, dict)
                _show(pending, arguments.format)
            case "delete":
                client.call("delete_tx", tx=arguments.tx)
            case "commit":
                try:
                    changed = client.call("commit_tx", tx=arguments.tx)
                except RefusedError as refused:
                    begin = (
                        f"look at the settings, then: apiclient tx delete {shlex.quote(arguments.tx)}, and begin again"
                    )
                    raise _blamed(refused, begin) from None
                assert isinstance(changed, list)
                return applied(client, changed, arguments.format)
    return 0


def reboot(arguments: argparse.Namespace, paths: Paths) -> int:
    with _client(arguments, paths) as client:
        client.call("reboot")
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
