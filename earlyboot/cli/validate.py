"""`earlyboot validate FILE…`: the checks of a boot, without one."""

from __future__ import annotations

import argparse
import json
import sys

from earlyboot.config import options, profile
from earlyboot.config.paths import Paths
from earlyboot.model.check import check
from earlyboot.stages.sources import Source, parse_user_data
from hostkit import files, toml
from hostkit.errors import EarlybootError, Fault, HostError, OperatorError, Where
from providers.decode import decode, too_large


def validate(arguments: argparse.Namespace, paths: Paths) -> int:
    """Every fault of every file; the exit status is that of the first error."""
    configured = options.load(paths)
    groups = profile.load(arguments.profile or profile.name_of(configured), paths).groups
    errors: list[EarlybootError] = []
    for name in arguments.file:
        try:
            warnings = _validate_file(name, configured.limits, groups)
        except EarlybootError as found:
            errors.append(found)
        else:
            if arguments.format == "text":
                for warning in warnings:
                    print(warning.text("warning"), file=sys.stderr)
                print(f"{name}: valid")
    if arguments.format == "json":
        print(json.dumps([fault.json() for error in errors for fault in error.faults], indent=1))
    else:
        for error in errors:
            print(error, file=sys.stderr)
    return errors[0].exit_status if errors else 0


def _validate_file(name: str, limits: toml.Limits, groups: frozenset[str] | None) -> list[Fault]:
    try:
        raw = files.read(name, limits.size_bytes)
    except HostError as error:
        if error.faults[0].code == "too-large":
            raise too_large(name, limits.size_bytes) from None
        raise
    if raw is None:
        raise OperatorError(Fault("no-file", "there is no such file", Where(name), "give the path of a file"))
    text = decode(raw, name, limits.size_bytes)
    if text is None:
        return [Fault("no-data", "the file is empty, which is no user data", Where(name), "nothing to do")]
    if "settings" not in (document := toml.parse(text, name, limits)) and isinstance(document.get("version"), int):
        what = "this is a net.toml, which this version cannot check yet"
        raise OperatorError(Fault("net-config", what, Where(name), "give user data, with a [settings] table"))
    settings, warnings = parse_user_data(text, name, limits)
    _, faults = check(settings, groups)
    if faults:
        found = ((Fault(fault.code, fault.what, Where(), fault.fix), fault.path) for fault in faults)
        raise OperatorError(*Source(name, name, settings, text).place(found))
    return warnings
