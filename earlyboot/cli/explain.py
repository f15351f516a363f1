"""`earlyboot explain KEY`: the value, every source that set it, in order, and which won."""

from __future__ import annotations

import argparse
import json

from earlyboot.api import store
from earlyboot.config import options, profile
from earlyboot.config.paths import Paths
from earlyboot.model.key import parse_key
from earlyboot.model.secrets import redacted
from earlyboot.model.tree import ROOT, flatten
from hostkit.errors import Fault, OperatorError, Where, printable


def explain(arguments: argparse.Namespace, paths: Paths) -> int:
    try:
        wanted = parse_key(arguments.key)
    except ValueError as error:
        raise OperatorError(Fault("bad-key", str(error), Where(), "write it like settings.ntp.time-servers")) from None
    wanted = wanted if wanted[0] == ROOT else (ROOT, *wanted)
    found = _explanations(paths, wanted)
    if arguments.format == "json":
        print(json.dumps(found, indent=1))
    elif not found:
        print(f"{arguments.key}: not set")
    else:
        print("\n".join(line for explanation in found for line in _lines(explanation)))
    return 0


def _explanations(paths: Paths, wanted: tuple[str, ...]) -> list[dict[str, object]]:
    """One for each key at or below `wanted` that has a value."""
    chosen = profile.load(profile.name_of(options.load(paths)), paths)
    defaults = {key: (f"default of profile {chosen.name}", value) for key, value in flatten(chosen.defaults).items()}
    with store.reading(paths.store) as reader:
        live = reader.live() if reader else {}
        return [
            _explanation(key, defaults.get(key), live.get(key), reader.changes(key) if reader else [])
            for key in sorted(defaults.keys() | live.keys())
            if parse_key(key)[: len(wanted)] == wanted
        ]


def _explanation(
    key: str, default: tuple[str, object] | None, live: store.Entry | None, changes: list[store.Change]
) -> dict[str, object]:
    told = [(0, *default)] if default else []
    told += [(change.generation, change.origin, change.value) for change in changes]
    # The last that set it won: sources are recorded in their order, generations in theirs. A default wins where the key
    # was unset again.
    won = len(told) - 1 if live else 0
    rows = [
        {
            "origin": origin,
            "generation": generation,
            "value": None if value is None else redacted(key, value),
            "won": place == won,
        }
        for place, (generation, origin, value) in enumerate(told)
    ]
    value = live.value if live else told[0][2]
    return {"key": key, "value": redacted(key, value), "origin": rows[won]["origin"], "set_by": rows}


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
