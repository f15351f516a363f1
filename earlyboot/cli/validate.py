"""`earlyboot validate FILE…`: the checks of a boot, without one. All files of one call are the sources of one machine."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from earlyboot.config import options, profile
from earlyboot.config.layers import laid_over, reach
from earlyboot.config.paths import Paths
from earlyboot.model.check import KeyFault, check
from earlyboot.model.custom import CustomGroup, gaps
from earlyboot.model.fit import verified_groups
from earlyboot.model.tree import ROOT
from earlyboot.stages.sources import Source, parse_user_data
from hostkit import files, toml
from hostkit.errors import EarlybootError, Fault, HostError, OperatorError, Where
from providers.decode import decode, too_large


class _Checked(NamedTuple):
    """A file without faults of its own; `settings` are in their stable form. `source` is `None` for one without data."""

    name: str
    source: Source | None
    settings: Mapping[str, object]
    warnings: list[Fault]


def validate(arguments: argparse.Namespace, paths: Paths) -> int:
    """Every fault of every file, then those of all files together; the exit status is that of the first error."""
    configured = options.load(paths)
    chosen = profile.load(arguments.profile or profile.name_of(configured), paths)
    custom = verified_groups(chosen, paths)
    good: list[_Checked] = []
    errors: list[EarlybootError] = []
    for name in arguments.file:
        try:
            good.append(_checked(name, configured.limits, chosen, custom))
        except EarlybootError as found:
            errors.append(found)
    if not errors:
        faults = _faults_together(good, chosen, custom)
        errors += [OperatorError(*faults)] if faults else []
    (_print_json if arguments.format == "json" else _print_text)(good, errors)
    return errors[0].exit_status if errors else 0


def _print_json(good: Iterable[_Checked], errors: Iterable[EarlybootError]) -> None:
    """One list of all that was found; what stops nothing has the severity `warning`."""
    found = [{**fault.json(), "severity": "error"} for error in errors for fault in error.faults]
    found += [{**warning.json(), "severity": "warning"} for file in good for warning in file.warnings]
    print(json.dumps(found, indent=1))


def _print_text(good: Iterable[_Checked], errors: list[EarlybootError]) -> None:
    blamed = {fault.where.source for error in errors for fault in error.faults}
    for file in good:
        for warning in file.warnings:
            print(warning.text("warning"), file=sys.stderr)
        if file.name not in blamed:
            print(f"{file.name}: valid")
    for error in errors:
        print(error, file=sys.stderr)


def _checked(name: str, limits: toml.Limits, chosen: profile.Profile, custom: Mapping[str, CustomGroup]) -> _Checked:
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
        nothing = Fault("no-data", "the file is empty, which is no user data", Where(name), "nothing to do")
        return _Checked(name, None, {}, [nothing])
    if "settings" not in (document := toml.parse(text, name, limits)) and isinstance(document.get("version"), int):
        what = "this is a net.toml, which this version cannot check yet"
        raise OperatorError(Fault("net-config", what, Where(name), "give user data, with a [settings] table"))
    settings, warnings = parse_user_data(text, name, limits)
    source = Source(name, name, settings, text)
    stable, faults = check(settings, chosen.groups, custom)
    if faults:
        found = ((Fault(fault.code, fault.what, Where(), fault.fix), fault.path) for fault in faults)
        raise OperatorError(*source.place(found))
    return _Checked(name, source, stable, warnings)


def _faults_together(good: list[_Checked], chosen: profile.Profile, custom: Mapping[str, CustomGroup]) -> list[Fault]:
    """What is wrong between keys, whichever file or default they are from."""
    from earlyboot.model.rules import broken_rules

    settings: Mapping[str, object] = chosen.defaults
    for file in good:
        settings = laid_over(settings, file.settings)
    # In the form and order of a commit's settings.
    stable, _ = check(settings, chosen.groups, custom)
    generated = [generator.key for generator in chosen.generators]
    found = [*broken_rules(stable, generated), *gaps(stable, custom, chosen.defaults)]
    return [_placed(fault, [file.source for file in good if file.source]) for fault in found]


def _placed(fault: KeyFault, sources: list[Source]) -> Fault:
    """A fault at the last place that sets its key, or the nearest table around it; without a place if no file does."""
    found = Fault(fault.code, fault.what, fix=fault.fix)
    _, _, source = max(
        ((reach(source.settings, fault.path), order, source) for order, source in enumerate(sources)),
        key=lambda item: item[:2],
        default=(0, 0, None),
    )
    if source is None or reach(source.settings, fault.path) == 0:
        return found._replace(where=Where(key=toml.dotted((ROOT, *fault.path))))
    return source.place([(found, fault.path)])[0]
