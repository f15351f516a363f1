"""The command lines of both programs: what their verbs take, and which module carries each out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn, TypeAlias

from earlyboot.config.paths import PROFILE_NAMES, Paths
from hostkit.errors import EarlybootError, Fault, OperatorError, Where

VERSION = "0.1.0"
_BY_TERMINAL = "for people or for programs; by whether the output is a terminal, if not given"
_Verbs: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
_RAW_OPTIONS = ("-u", "--uri", "-m", "-X", "--method", "-d", "--data")


def run(program: str, argv: Sequence[str]) -> int:
    """Parses a command line and carries its verb out; with `--format json` errors are a JSON list on stdout."""
    parser = apiclient_parser() if program == "apiclient" else earlyboot_parser()
    arguments = parser.parse_args(with_verb(argv) if program == "apiclient" else argv)
    module, _, function = arguments.handler.partition(":")
    from importlib import import_module

    handler = getattr(import_module(f"earlyboot.cli.{module}"), function)
    try:
        status: int = handler(arguments, Paths(arguments.root, getattr(arguments, "state", None)))
    except EarlybootError as error:
        if getattr(arguments, "format", "text") != "json":
            raise
        import json

        # A provider's stdout is for its data alone, a stage's for its events.
        out = sys.stderr if module in ("provider", "stage") else sys.stdout
        print(json.dumps([fault.json() for fault in error.faults], indent=1), file=out)
        return error.exit_status
    return status


class _Parser(argparse.ArgumentParser):
    """Faults of a command line in the form of all others."""

    def error(self, message: str) -> NoReturn:
        raise OperatorError(Fault("usage", message, Where(), f"see: {self.prog} --help"))


def earlyboot_parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = _Parser(
        prog="earlyboot",
        description="Turns a freshly booted image into the machine that its operator described.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"earlyboot {VERSION}")
    parser.add_argument("--root", metavar="DIR", default="/", help="work on the system below DIR instead of /")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    _verbs_of_the_boot(verbs)
    _verbs_of_documents(verbs)
    _verbs_of_generations(verbs)
    _verb_simulate(verbs)
    return parser


def _verbs_of_the_boot(verbs: _Verbs) -> None:
    stage = _verb(verbs, "stage", "stage:stage", "run one stage of the boot; what the units call")
    stage.add_argument("stage", choices=("settings", "finish"))
    _format(stage, "progress as one JSON object a line")

    provider = _verb(verbs, "provider", "provider:provider", "ask one source of user data alone")
    provider.add_argument("name", metavar="NAME")
    place = provider.add_mutually_exclusive_group()
    place.add_argument("--endpoint", metavar="URL", help="where the metadata service listens")
    place.add_argument("--path", metavar="PATH", help="the file that a local source reads")
    provider.add_argument("--deadline", metavar="S", type=_seconds, help="give up after S seconds")
    provider.add_argument("--limit", metavar="BYTES", type=int, default=1 << 20, help="the most data to take")
    provider.add_argument("--stdin", action="store_true", help="the file named by --path is open as standard input")
    _format(provider, "errors as JSON")

    serve = _verb(verbs, "serve", "serve:serve", "serve the settings API")
    serve.add_argument("--socket", metavar="PATH", help="listen here, where systemd handed over no socket")
    serve.add_argument("--state", metavar="DIR", help="where the settings store is")
    serve.add_argument("--profile", choices=PROFILE_NAMES, help="use this profile instead of the configured one")
    serve.add_argument("--idle-timeout", metavar="S", type=_seconds, help="leave after S seconds without a request")

    status = _verb(verbs, "status", "status:status", "say how the boot ended")
    status.add_argument("--wait", action="store_true", help="wait until the boot has ended")
    status.add_argument("--timeout", metavar="S", type=_seconds, default=600.0, help="wait at most S seconds (600)")
    status.add_argument("--strict", action="store_true", help="exit with 11 where the boot is degraded")
    _format(status)


def _verbs_of_documents(verbs: _Verbs) -> None:
    validate = _verb(verbs, "validate", "validate:validate", "check user data as a boot would")
    validate.add_argument("file", metavar="FILE", nargs="+")
    validate.add_argument("--profile", choices=PROFILE_NAMES, help="check for this profile (the configured one)")
    _format(validate)

    schema = _verb(verbs, "schema", "schema:schema", "say which settings there are: a JSON Schema, or a page to read")
    schema.add_argument("--profile", choices=PROFILE_NAMES, help="only those of this profile (all)")
    schema.add_argument("--format", choices=("json", "markdown"), default="json", help="for programs, or to read")

    explain = _verb(verbs, "explain", "explain:explain", "say where a setting's value comes from")
    explain.add_argument("key", metavar="KEY")
    _format(explain)


def _verbs_of_generations(verbs: _Verbs) -> None:
    history = _verb(verbs, "history", "history:history", "list the commits: when, by whom, how many keys they changed")
    history.add_argument("--limit", metavar="N", type=_count, default=100, help="at most N, the newest (100)")
    _format(history)

    diff = _verb(verbs, "diff", "history:diff", "say what changed between two generations")
    diff.add_argument("generation", metavar="GENERATION", type=_generation, help="from here; 0 is before the first")
    diff.add_argument("other", metavar="GENERATION", type=_generation, nargs="?", help="to here; now if not given")
    _format(diff)

    rollback = _verb(verbs, "rollback", "history:rollback", "commit and apply an older generation's settings again")
    rollback.add_argument("generation", metavar="GENERATION", type=_generation)
    _format(rollback)


def _verb_simulate(verbs: _Verbs) -> None:
    simulate = _verb(verbs, "simulate", "simulate:simulate", "run a whole first boot in a throwaway root")
    simulate.add_argument("--user-data", metavar="FILE", required=True)
    simulate.add_argument("--platform", choices=("ec2", "metal"), default="ec2")
    simulate.add_argument("--root", metavar="DIR", dest="simulated_root", help="use and keep this root")
    _format(simulate)


def apiclient_parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = _Parser(
        prog="apiclient", description="Reads and changes the settings of this machine.", allow_abbrev=False
    )
    parser.add_argument("-s", "--socket-path", metavar="SOCKET", help="the API's socket")
    parser.set_defaults(root="/")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)

    get = _verb(verbs, "get", "apiclient:get", "print settings and what else the API knows")
    get.add_argument("prefix", metavar="PREFIX", nargs="*", help="settings.ntp, os, or a path such as /settings")
    _format(get, _BY_TERMINAL, default=None)

    set_ = _verb(verbs, "set", "apiclient:set_settings", "change settings, commit and apply them")
    set_.add_argument("pair", metavar="KEY=VALUE", nargs="*")
    set_.add_argument("-j", "--json", metavar="JSON", help="a JSON object of settings instead of pairs")

    unset = _verb(verbs, "unset", "apiclient:unset", "take settings away, commit and apply")
    unset.add_argument("key", metavar="KEY", nargs="+", help="a key; all keys below it go too")

    apply = _verb(verbs, "apply", "apiclient:apply", "apply settings documents, in order, in one transaction")
    apply.add_argument("uri", metavar="URI", nargs="*", help="a file, file://, http:// or https://; - is stdin")

    tx = _verb(verbs, "tx", "apiclient:tx", "list, show, delete or commit pending transactions")
    actions = tx.add_subparsers(title="actions", metavar="ACTION", required=True, dest="action")
    listed = actions.add_parser("list", help="the names of all", allow_abbrev=False)
    shown = actions.add_parser("show", help="what one sets and unsets", allow_abbrev=False)
    deleted = actions.add_parser("delete", help="drop one", allow_abbrev=False)
    committed = actions.add_parser("commit", help="commit one and apply it", allow_abbrev=False)
    for action in (shown, deleted, committed):
        action.add_argument("tx", metavar="TX")
    for verb in (set_, unset, apply, listed, shown, committed):
        _format(verb, _BY_TERMINAL, default=None)

    raw = _verb(
        verbs, "raw", "apiclient:raw", "send one request and print the answer's body; the verb if none is given"
    )
    raw.add_argument("-m", "-X", "--method", default="GET")
    raw.add_argument("-u", "--uri", required=True)
    raw.add_argument("-d", "--data")

    _verb(verbs, "reboot", "apiclient:reboot", "reboot the machine, unless something inhibits it")
    return parser


def with_verb(argv: Sequence[str]) -> list[str]:
    """The words of a command line of `apiclient`; without a verb they are those of `raw`."""
    words = list(argv)
    place = 0
    while place < len(words) and words[place] in ("-s", "--socket-path"):
        place += 2
    if place < len(words) and words[place].startswith(_RAW_OPTIONS):
        words.insert(place, "raw")
    return words


def _verb(verbs: _Verbs, name: str, handler: str, meaning: str) -> argparse.ArgumentParser:
    verb = verbs.add_parser(name, help=meaning, description=f"{meaning[0].upper()}{meaning[1:]}.", allow_abbrev=False)
    verb.set_defaults(handler=handler, verb=name)
    return verb


def _format(
    verb: argparse.ArgumentParser, meaning: str = "for people or for programs", default: str | None = "text"
) -> None:
    verb.add_argument("--format", choices=("text", "json"), default=default, help=meaning)


def _generation(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise argparse.ArgumentTypeError("a generation is a whole number, from 0; see: earlyboot history")
    return int(text)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text[:9]) <= 10_000 and len(text) <= 5):
        raise argparse.ArgumentTypeError("a number from 1 to 10000")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 86400:
        raise argparse.ArgumentTypeError("seconds are a number, more than 0 and at most 86400")
    return value
