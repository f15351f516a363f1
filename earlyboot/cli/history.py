"""`earlyboot history`, `diff` and `rollback`: what was committed, what it changed, and the way back."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from earlyboot.api import store
from earlyboot.cli.apiclient import applied
from earlyboot.cli.table import aligned
from earlyboot.config import options, profile
from earlyboot.config.paths import Paths
from earlyboot.model.custom import custom_groups
from earlyboot.model.secrets import redacted
from hostkit.errors import Fault, OperatorError, Where, printable

_WIDTH = 120


def history(arguments: argparse.Namespace, paths: Paths) -> int:
    """Every generation that is remembered, newest first. Looking needs no server."""
    with store.reading(paths.store) as reader:
        found = reader.generations(arguments.limit) if reader else []
    if arguments.format == "json":
        print(json.dumps([generation._asdict() for generation in found], indent=1))
    else:
        rows = [
            (
                str(one.id),
                _when(one.committed_at),
                _who(one.uid),
                one.tx,
                _changes(one.changed),
            )
            for one in found
        ]
        print("\n".join(aligned(rows, _WIDTH)) if rows else "nothing was committed yet")
    return 0


def diff(arguments: argparse.Namespace, paths: Paths) -> int:
    """What changed between two generations, or between one and now; secrets are not shown."""
    chosen = profile.load(profile.name_of(options.load(paths)), paths)
    custom = custom_groups(chosen.custom)
    with store.reading(paths.store) as reader:
        try:
            found = reader.diff(arguments.generation, arguments.other) if reader else []
        except store.UnknownGenerationError:
            raise _unknown() from None
    shown = [
        {
            "key": one.key,
            "before": None if one.before is None else redacted(one.key, one.before, custom),
            "after": None if one.after is None else redacted(one.key, one.after, custom),
        }
        for one in found
    ]
    if arguments.format == "json":
        print(json.dumps(shown, indent=1))
    else:
        print("\n".join(line for row in shown for line in _changed(row)) if shown else "no difference")
    return 0


def rollback(arguments: argparse.Namespace, paths: Paths) -> int:
    """Commits the settings of an older generation as a new one, and applies them."""
    from earlyboot.api.client import Client, RefusedError

    with Client(paths.socket) as client:
        try:
            changed = client.call("rollback", generation=str(arguments.generation))
        except RefusedError as refused:
            if refused.status == 404:
                raise _unknown() from None
            # Today's model may refuse what an older program took.
            raise (OperatorError(*refused.faults) if refused.status == 400 else refused) from None
        assert isinstance(changed, list)
        if not changed:
            print(f"the settings are those of generation {arguments.generation} already", file=sys.stderr)
        return applied(client, changed, arguments.format)


def _unknown() -> OperatorError:
    what = "there is no such generation, or it is forgotten"
    return OperatorError(Fault("no-generation", what, Where(), "see: earlyboot history"))


def _changed(row: dict[str, object]) -> Sequence[str]:
    key = row["key"]
    return [
        *([] if row["before"] is None else [f"- {key} = {_text(row['before'])}"]),
        *([] if row["after"] is None else [f"+ {key} = {_text(row['after'])}"]),
    ]


def _text(value: object) -> str:
    return printable(json.dumps(value, ensure_ascii=False))


def _changes(number: int) -> str:
    return f"{number} {'key' if number == 1 else 'keys'} changed"


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _who(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
