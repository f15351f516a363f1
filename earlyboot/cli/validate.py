"""`earlyboot validate FILE…`: the checks of a boot, without one. All files of one call are the sources of one machine."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from earlyboot.config import options, profile
from earlyboot.config.layers import laid_over, reach
from earlyboot.config.paths import Paths
from earlyboot.model.check import KeyFault, check
from earlyboot.model.custom import CustomGroup, gaps
from earlyboot.model.fit import verified_groups
from earlyboot.model.key import parse_key
from earlyboot.model.tree import ROOT
from earlyboot.stages.sources import Source, parse_user_data
from hostkit import files, toml
from hostkit.errors import EarlybootError, Fault, HostError, OperatorError, Where
from providers.decode import decode, too_large

_STDIN = "standard input"


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
            good.append(_checked(_STDIN if name == "-" else name, configured.limits, chosen, custom))
        except EarlybootError as found:
            errors.append(found)
    faults = [*_template_faults(chosen, paths)]
    if not errors:
        faults += _faults_together(good, chosen, custom)
    errors += [OperatorError(*dict.fromkeys(faults))] if faults else []
    if arguments.format == "json":
        _print_json(good, errors)
    else:
        _print_text(good, errors, chosen.name)
    return errors[0].exit_status if errors else 0


def _print_json(good: Iterable[_Checked], errors: Iterable[EarlybootError]) -> None:
    """One list of all that was found; what stops nothing has the severity `warning`."""
    found = [{**fault.json(), "severity": "error"} for error in errors for fault in error.faults]
    found += [{**warning.json(), "severity": "warning"} for file in good for warning in file.warnings]
    print(json.dumps(found, indent=1))


def _print_text(good: Iterable[_Checked], errors: list[EarlybootError], profile_name: str) -> None:
    blamed = {fault.where.source for error in errors for fault in error.faults}
    for file in good:
        for warning in file.warnings:
            print(warning.text("warning"), file=sys.stderr)
        if file.name not in blamed:
            print(f"{file.name}: valid for the profile {profile_name}")
    for error in errors:
        print(error, file=sys.stderr)


def _checked(name: str, limits: toml.Limits, chosen: profile.Profile, custom: Mapping[str, CustomGroup]) -> _Checked:
    try:
        raw = (
            files.read_descriptor(sys.stdin.fileno(), name, limits.size_bytes)
            if name == _STDIN
            else files.read(name, limits.size_bytes)
        )
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
        found = ((Fault(fault.code, fault.what, Where(), _fix(fault, chosen)), fault.path) for fault in faults)
        raise OperatorError(*source.place(found))
    return _Checked(name, source, stable, warnings)


def _fix(fault: KeyFault, chosen: profile.Profile) -> str:
    """On a workstation the usual mistake is not the group but the profile."""
    if fault.code == "unknown-group":
        others = profile.profiles_with(str(fault.path[0]))
        if others and chosen.name not in others:
            return f"it is in the profile {others[0]}: add --profile {others[0]}"
    return fault.fix


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
    sources = [file.source for file in good if file.source]
    if found:
        return [_placed(fault, sources) for fault in found]
    return [_placed_by_key(fault, sources) for fault in _render_faults(stable, chosen)]


def _template_faults(chosen: profile.Profile, paths: Paths) -> Iterator[Fault]:
    """What is wrong with the image builder's templates whatever the settings are."""
    for spec in chosen.files:
        if spec.template is None or not spec.template.startswith(f"{paths.profiles_folder}/"):
            continue
        from earlyboot.render.templates import verify

        try:
            verify(spec.template, spec.format)
        except HostError as error:
            yield from error.faults


def _render_faults(settings: Mapping[str, object], chosen: profile.Profile) -> list[Fault]:
    """Why a file cannot be made of settings on an image with every consumer, whatever else this machine has."""
    from earlyboot.model.tree import flatten
    from earlyboot.render.fileset import render_files
    from earlyboot.render.plan import make_plan
    from earlyboot.render.renderers import Context

    flat = flatten(settings)
    nothing = Context(read=lambda path: None, list=lambda folder, suffix: (), access_user=chosen.access_user)
    faults: list[Fault] = []
    for spec in make_plan(flat, chosen, lambda path: True, ()).wanted:
        # One at a time: of two that go to the same path, an image has the consumer of one.
        try:
            render_files(flat, (spec,), chosen, nothing)
        except HostError as error:
            faults += error.faults
    return faults


def _placed_by_key(fault: Fault, sources: list[Source]) -> Fault:
    """A fault of a template stays where the template has it."""
    if fault.where.key is None or fault.where.source is not None:
        return fault
    return _placed(KeyFault(parse_key(fault.where.key)[1:], fault.code, fault.what, fault.fix), sources)


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
