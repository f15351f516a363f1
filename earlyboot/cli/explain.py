"""`earlyboot explain KEY`: the value, every source that set it, in order, and which won."""

from __future__ import annotations

import argparse
import json

from earlyboot.api import provenance, store
from earlyboot.config import options, profile
from earlyboot.config.paths import Paths
from earlyboot.model.custom import custom_groups
from earlyboot.model.key import parse_key
from earlyboot.model.known import own_path, unknown_key
from earlyboot.model.secrets import redacted
from earlyboot.model.tree import ROOT
from hostkit.errors import Fault, OperatorError, Where, printable


def explain(arguments: argparse.Namespace, paths: Paths) -> int:
    try:
        wanted = parse_key(arguments.key)
    except ValueError as error:
        raise OperatorError(Fault("bad-key", str(error), Where(), "write it like settings.ntp.time-servers")) from None
    found = _explanations(paths, wanted[1:] if wanted[0] == ROOT else wanted)
    if arguments.format == "json":
        print(json.dumps(found, indent=1))
    elif not found:
        print(f"{arguments.key}: not set")
    else:
        print("\n".join(line for explanation in found for line in _lines(explanation)))
    return 0


def _explanations(paths: Paths, wanted: tuple[str, ...]) -> list[dict[str, object]]:
    """One for each key at or below `wanted` that has a value; secrets are not shown. `OperatorError` where none can have
    one."""
    chosen = profile.load(profile.name_of(options.load(paths)), paths)
    custom = custom_groups(chosen.custom)
    own = own_path(wanted)
    with store.reading(paths.store) as reader:
        told = provenance.read(reader, chosen, [(ROOT, *own)])
    # What an older program set may be none of today's keys.
    if not told.keys and (fault := unknown_key(own, chosen.groups, custom)):
        raise OperatorError(Fault(fault.code, fault.what, Where(), fault.fix))
    return provenance.explanations(told, lambda key, value: redacted(key, value, custom))


def _lines(explanation: dict[str, object]) -> list[str]:
    lines = [f"{explanation['key']} = {_text(explanation['value'])}"]
    rows = explanation["set_by"]
    assert isinstance(rows, list)
    for row in rows:
        what = "unset" if row["value"] is None else _text(row["value"])
        won = "  <- won" if row["won"] else ""
        lines.append(f"  generation {row['generation']}  {printable(str(row['origin']))}: {what}{won}")
    return lines


def _text(value: object) -> str:
    return printable(json.dumps(value, ensure_ascii=False))
