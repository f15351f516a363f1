"""Drop-ins of the image builder, /etc/earlyboot/profiles.d/*.toml: what stands in them, in which form, and on which line.

Whether what they name fits together is judged in `earlyboot.config.layers`, once they are merged.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from earlyboot.config.paths import PROFILE_NAMES, Paths
from hostkit import files, toml
from hostkit.errors import Fault, HostError, OperatorError, Where

FILE_LIMIT_BYTES = 256 << 10
_LIMITS = toml.LIMITS._replace(size_bytes=FILE_LIMIT_BYTES)
FORMATS = ("text", "free", "toml", "ini", "json", "shell", "systemd")
# What `format_key` of the model writes: a segment stands in quotes where, and only where, it holds a dot.
_SEGMENT = r'(?:[A-Za-z0-9_/-]+|"[A-Za-z0-9_/-]*\.[A-Za-z0-9_./-]*")'
_SETTINGS_KEY = re.compile(rf"(?!settings\Z)(?:settings\.)?{_SEGMENT}(?:\.{_SEGMENT})*")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
# A file below the folder of the drop-ins, so that a change of any of them is seen by looking at that folder.
_BESIDE = r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]*/)*[A-Za-z0-9_][A-Za-z0-9_.-]*"


class DropIn(NamedTuple):
    """One file: how the image names it, its text, and its content without what has a fault of form."""

    source: str
    text: str
    document: Mapping[str, Any]

    def concerns(self, profile: str) -> bool:
        return profile in self.document.get("profiles", PROFILE_NAMES)


class _Key(NamedTuple):
    """`rule` completes the sentence "must be …"."""

    accepts: Callable[[object], bool]
    rule: str


def segments(key: str) -> tuple[str, ...]:
    """The segments of a settings key below `settings`."""
    return tuple(part.strip('"') for part in re.findall(_SEGMENT, key.removeprefix("settings")))


def is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None


def _matches(pattern: re.Pattern[str]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and len(value) <= 255 and pattern.fullmatch(value) is not None


def _list_of(accepts: Callable[[object], bool], least: int = 0) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and len(value) >= least and all(map(accepts, value))


def _absolute(value: object) -> bool:
    return isinstance(value, str) and len(value) > 1 and value.startswith("/") and _is_plain(value)


def _is_plain(path: str) -> bool:
    return path == os.path.normpath(path) and not path.startswith("//") and path.isprintable() and len(path) < 1024


def _file_path(value: object) -> bool:
    return _absolute(value) and isinstance(value, str) and value.count("*") <= 1


def _words(value: object) -> bool:
    return _list_of(lambda word: isinstance(word, str) and "\0" not in word, least=1)(value)


def _program(value: object) -> bool:
    return isinstance(value, list) and _words(value) and _absolute(value[0])


def _command(value: object) -> bool:
    return isinstance(value, list) and _words(value) and value[0] != ""


def _deadline(value: object) -> bool:
    return type(value) in (int, float) and isinstance(value, int | float) and 0 < value <= 600


def _is_key(value: object) -> bool:
    return isinstance(value, str) and _SETTINGS_KEY.fullmatch(value) is not None and len(_with_root(value)) <= 255


def _with_root(key: str) -> str:
    """A settings key in its long form; templates and people leave `settings.` out."""
    return key if key.startswith("settings.") else f"settings.{key}"


_is_boolean = _Key(lambda value: isinstance(value, bool), "true or false")
_ONE_KEY = _Key(_is_key, "a settings key such as settings.ntp.options")
_KEYS = _Key(_list_of(_is_key), "a list of settings keys such as settings.ntp.options")
_SOME_KEYS = _Key(_list_of(_is_key, least=1), _KEYS.rule)
_NAMES = _Key(_list_of(_matches(_NAME)), "a list of names of lower-case letters, digits and '-'")
_CONSUMER = _Key(_absolute, "an absolute path")


def _file_beside(suffix: str) -> _Key:
    pattern = re.compile(_BESIDE + re.escape(suffix))
    return _Key(_matches(pattern), f"the name of a {suffix} file in the folder of the drop-ins")


_TOP = {
    "profiles": _Key(
        _list_of(lambda name: name in PROFILE_NAMES, least=1), f"a list of some of {', '.join(PROFILE_NAMES)}"
    ),
    "providers": _Key(_list_of(_matches(_NAME), least=1), "a list of names of sources"),
    "remove-groups": _NAMES,
    "access-user": _Key(_matches(re.compile("[a-z_][a-z0-9_-]{0,31}")), "the name of a user"),
}
_SECTIONS = {
    "groups": {"schema": _file_beside(".json")},
    "files": {
        "path": _Key(_file_path, "an absolute path with at most one '*'"),
        "keys": _SOME_KEYS,
        "also": _KEYS,
        "template": _file_beside(".j2"),
        "format": _Key(lambda value: value in FORMATS, f"one of {', '.join(FORMATS)}"),
        "mode": _Key(_matches(re.compile("0?[0-7]{3}")), 'permission bits as text, such as "0600"'),
        "consumer": _CONSUMER,
        "owned": _is_boolean,
        "each": _ONE_KEY,
        "enabled": _is_boolean,
    },
    "services": {
        "files": _NAMES,
        "commands": _Key(_list_of(_command), "a list of commands, each a list of words"),
        "consumer": _CONSUMER,
        "enabled": _is_boolean,
    },
    "generators": {
        "key": _ONE_KEY,
        "command": _Key(_program, "a list of words that begins with the absolute path of a program"),
        "strength": _Key(lambda value: value in ("strong", "weak"), '"strong" or "weak"'),
        "needs": _KEYS,
        "when": _KEYS,
        "consumer": _CONSUMER,
        "depth": _Key(lambda value: type(value) is int and 0 <= value <= 8, "a whole number from 0 to 8"),
        "deadline": _Key(_deadline, "seconds, more than 0 and at most 600"),
        "enabled": _is_boolean,
    },
}
# All that can stand in a drop-in, as its documentation names it.
KEYS = (*_TOP, *(f"{section}.NAME.{key}" for section, keys in _SECTIONS.items() for key in keys), "defaults.GROUP.…")


class Found(NamedTuple):
    """All drop-ins in the order of their names, and every fault of form.

    `complete` is whether each could be parsed; `refused_groups` are groups that were named and have such a fault.
    """

    drop_ins: tuple[DropIn, ...] = ()
    faults: tuple[Fault, ...] = ()
    complete: bool = True
    refused_groups: frozenset[str] = frozenset()


def read_all(paths: Paths) -> Found:
    """Reads the drop-ins. Nothing is raised: the faults of form and those of what is left belong into one report."""
    try:
        names = sorted(os.listdir(paths.profiles_folder))
    except (FileNotFoundError, NotADirectoryError):
        return Found()
    drop_ins: list[DropIn] = []
    faults: list[Fault] = []
    refused: set[str] = set()
    complete = True
    for name in names:
        if not name.endswith(".toml"):
            continue
        try:
            drop_in = _read(os.path.join(paths.profiles_folder, name), paths)
        except (OperatorError, HostError) as error:
            faults += error.faults
            complete = False
            continue
        if drop_in is not None:
            wrong = list(_form_faults(drop_in.document))
            index = toml.Index(drop_in.text) if wrong else None
            faults += [fault._replace(where=index.where(drop_in.source, path)) for path, fault in wrong if index]
            refused |= {str(path[1]) for path, _ in wrong if path[0] == "groups" and len(path) > 1}
            good = _without(drop_in.document, [path for path, _ in wrong])
            drop_ins.append(drop_in._replace(document=_with_long_keys(good)))
    return Found(tuple(drop_ins), tuple(faults), complete, frozenset(refused))


def _with_long_keys(document: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        section: {name: dict(_long_keys(section, entry)) for name, entry in entries.items()}
        if section in _SECTIONS
        else entries
        for section, entries in document.items()
    }


def _long_keys(section: str, entry: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in entry.items():
        rule = _SECTIONS[section][name]
        if rule is _ONE_KEY:
            yield name, _with_root(value)
        elif rule in (_KEYS, _SOME_KEYS):
            yield name, [_with_root(key) for key in value]
        else:
            yield name, value


def _without(table: Mapping[str, Any], paths: list[toml.Path]) -> Mapping[str, Any]:
    """A copy of a table without what lies at `paths`."""
    gone = {path[0] for path in paths if len(path) == 1}
    left: dict[str, Any] = {}
    for name, member in table.items():
        below = [path[1:] for path in paths if path[0] == name]
        if name not in gone:
            left[name] = _without(member, below) if below else member
    return left


def _read(path: str, paths: Paths) -> DropIn | None:
    source = paths.outside(path)
    try:
        data = files.read(path, FILE_LIMIT_BYTES)
    except HostError as error:
        # As the image names it.
        faults = [fault._replace(what=fault.what.replace(path, source), where=Where(source)) for fault in error.faults]
        raise HostError(*faults) from None
    if data is None:
        return None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        fault = Fault("not-utf-8", "the file is not UTF-8", Where(source), "save it as UTF-8")
        raise OperatorError(fault) from None
    return DropIn(source, text, toml.parse(text, source, _LIMITS))


def _form_faults(document: Mapping[str, Any]) -> Iterator[tuple[toml.Path, Fault]]:
    for name, value in document.items():
        if name in _SECTIONS:
            yield from _section_faults(name, value)
        elif name == "defaults":
            yield from _defaults_faults((name,), value)
        elif name in _TOP:
            yield from _value_faults((name,), value, _TOP[name])
        else:
            fix = f"the keys of a drop-in are {', '.join((*_TOP, *_SECTIONS, 'defaults'))}"
            yield (name,), Fault("unknown-key", f"{toml.dotted((name,))} is not a key of a drop-in", fix=fix)


def _section_faults(section: str, entries: object) -> Iterator[tuple[toml.Path, Fault]]:
    fix = f"write [{section}.NAME], with a name of your own"
    if not isinstance(entries, Mapping):
        yield (section,), Fault("wrong-type", f"{section} must be a table of tables", fix=fix)
        return
    for name, entry in entries.items():
        path = (section, name)
        if not is_name(name):
            what = f"{toml.dotted(path)} has a name that is not 1 to 63 lower-case letters, digits and '-'"
            yield path, Fault("bad-value", what, fix="rename it, for example to my-name")
        if not isinstance(entry, Mapping):
            yield path, Fault("wrong-type", f"{toml.dotted(path)} must be a table", fix=fix)
            continue
        for key, value in entry.items():
            rule = _SECTIONS[section].get(key)
            if rule is None:
                fix = f"the keys here are {', '.join(_SECTIONS[section])}"
                yield (*path, key), Fault("unknown-key", f"{toml.dotted((*path, key))} is not a known key", fix=fix)
            else:
                yield from _value_faults((*path, key), value, rule)


def _value_faults(path: toml.Path, value: object, rule: _Key) -> Iterator[tuple[toml.Path, Fault]]:
    if not rule.accepts(value):
        yield path, Fault("bad-value", f"{toml.dotted(path)} must be {rule.rule}", fix="correct it, or delete the line")


def _defaults_faults(path: tuple[str, ...], value: object) -> Iterator[tuple[toml.Path, Fault]]:
    """Whether each is one that a settings key can name. What it must be is for the model to say."""
    if not isinstance(value, Mapping):
        if len(path) == 1:
            fix = "write [defaults.GROUP]"
            yield path, Fault("wrong-type", "defaults must be a table of groups", fix=fix)
        return
    for name, member in value.items():
        if not re.fullmatch("[A-Za-z0-9_./-]{1,200}", name):
            what = f"{toml.dotted((*path, name))} has a name that no settings key can have"
            yield (*path, name), Fault("bad-value", what, fix="use letters, digits, '-', '_', '/' and '.'")
        yield from _defaults_faults((*path, name), member)
