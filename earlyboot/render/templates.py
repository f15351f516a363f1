"""Templates in, the text of configuration files out; pure. Jinja2 in its sandbox, a missing name is an error.

Every `{{ expression }}` is quoted for the format of its file; what stands between the expressions is left alone.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from typing import Any, NamedTuple, cast

from jinja2 import (
    FileSystemLoader,
    StrictUndefined,
    Template,
    TemplateError,
    TemplateNotFound,
    TemplateSyntaxError,
    Undefined,
    UndefinedError,
)
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing

from earlyboot.config.paths import TEMPLATES
from earlyboot.config.profile import Format
from earlyboot.model.key import format_key, parse_key
from earlyboot.model.proxy import direct_hosts
from earlyboot.model.tree import ROOT
from earlyboot.render.chrony import time_sources
from earlyboot.render.formats import QUOTES, UnholdableError, Verbatim, argument
from earlyboot.render.hosts import hosts_lines
from earlyboot.render.nested import at
from hostkit.errors import Fault, HostError, Where

Path = tuple[str, ...]

# What Python raises for an expression that makes no sense.
_MISTAKES = (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RuntimeError)


class MissingSettingError(HostError):
    """A template shows a setting that is not set: `key`, with the root."""

    def __init__(self, fault: Fault, key: str) -> None:
        super().__init__(fault)
        self.key = key


class _Shown(NamedTuple):
    """What the template that is being rendered may show: of the settings what lies at or below one of the `keys`."""

    settings: Mapping[str, object]
    keys: tuple[Path, ...]

    def require(self, path: Path) -> None:
        if not any(path[: len(key)] == key for key in self.keys):
            raise _OutsideError(path)


# Compiled templates outlive one set of settings, and several threads use them.
_shown: ContextVar[_Shown] = ContextVar("shown")


class Renderer:
    """Renders templates with one set of settings (nested, defaults layered in)."""

    def __init__(self, settings: Mapping[str, object]) -> None:
        self._settings = settings

    def render(self, template: str, quoted_for: Format, reads: Iterable[str], **names: object) -> str | None:
        """The text that the template at an absolute path makes, with `names` for it; `None` if it asks for no file.

        It may show the settings at and below the keys that it `reads`. `UnholdableError` for a value that the format
        cannot hold; `MissingSettingError` for one that is not there; `HostError` where the template itself is at fault.
        No text of theirs holds a value: everybody may read it, and the value may be a secret.
        """
        token = _shown.set(_Shown(self._settings, tuple(parse_key(key)[1:] for key in reads)))
        try:
            return _compiled(template, quoted_for).render(**names)
        except _NoFileError:
            return None
        except UnholdableError:
            raise
        except _MissingError as error:
            fix = "set it, or have the template ask whether it is set"
            if not self._may_name(error.path, template, error):
                what = "it needs a setting that is not set, and makes its key of values"
                raise HostError(_fault(template, error, what, fix)) from None
            raise MissingSettingError(_fault(template, error, str(error), fix, error.key), error.key) from None
        except _OutsideError as error:
            key = error.key if self._may_name(error.path, template, error) else None
            what = f"it shows {key or 'a setting'}, which is not among the keys of its file"
            fix = "name the key in keys or also of the file, and give a file with a secret the mode 0600"
            raise HostError(_fault(template, error, what, fix, key)) from None
        except (_MisuseError, TemplateError, *_MISTAKES) as error:
            raise HostError(_fault(template, error, _mistake(error, template), "mend the template")) from None
        finally:
            _shown.reset(token)

    def _may_name(self, path: Path, template: str, error: Exception) -> bool:
        """Whether the key of a setting is known without the settings' values: a template can make a key of a secret."""
        written = "\n".join(map(_text_of, {template, *(source for source, _ in _frames(error))}))
        table: object = self._settings
        for name in path:
            table = table.get(name) if isinstance(table, Mapping) else None
            if table is None and not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", written):
                return False
        return True


def _text_of(template: str) -> str:
    try:
        with open(template, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def verify(template: str, quoted_for: Format) -> None:
    """`HostError` for a template that cannot be compiled, whatever the settings are."""
    try:
        _compiled(template, quoted_for)
    except TemplateError as error:
        raise HostError(_fault(template, error, _mistake(error, template), "mend the template")) from None


def _mistake(error: Exception, template: str) -> str:
    """What is wrong with a template. The texts of Jinja2 and Python quote values, so only those of a compiler are kept."""
    match error:
        case _MisuseError():
            return str(error)
        case TemplateSyntaxError():
            return error.message or "its syntax is broken"
        case TemplateNotFound():
            name = os.path.basename(template)
            return f"{name!r} is not there" if error.name == name else "a template that it includes is not there"
        case _:
            return (
                f"an expression cannot be evaluated ({type(error).__name__}; values are not shown, as some are secret)"
            )


def _compiled(template: str, quoted_for: Format) -> Template:
    folder, name = os.path.split(template)
    return _environment(quoted_for, folder).get_template(name)


def _fault(template: str, error: Exception, what: str, fix: str, key: str | None = None) -> Fault:
    name = os.path.basename(template).removesuffix(".j2")
    source, line = _place(error) or (template, None)
    return Fault("template", f"the template {name} cannot be rendered: {what}", Where(source, line, key=key), fix)


def _place(error: Any) -> tuple[str, int | None] | None:
    """Path and line of the template that is at fault, which may be one that was included."""
    filename = getattr(error, "filename", None)
    if isinstance(filename, str):
        return filename, error.lineno
    return next(reversed(_frames(error)), None)


def _frames(error: Exception) -> list[tuple[str, int]]:
    """Jinja2 makes a traceback look as if the templates had been what ran."""
    found = []
    frame = error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename.endswith(".j2"):
            found.append((frame.tb_frame.f_code.co_filename, frame.tb_lineno))
        frame = frame.tb_next
    return found


@functools.cache
def _environment(quoted_for: Format, folder: str) -> ImmutableSandboxedEnvironment:
    """Keeps what it compiled: a server that commits often would spend most of its time on that."""
    quote = QUOTES[quoted_for]

    def finalize(value: object) -> str:
        _require_all(value)
        return str(value) if isinstance(value, Verbatim) else quote(value)

    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(list(dict.fromkeys((folder, TEMPLATES)))),
        undefined=_Absent,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters.update(verbatim=Verbatim, argument=argument, sysctl_segment=sysctl_segment)
    environment.tests["none"] = lambda value: value is None or isinstance(value, _NotSet)
    environment.globals.update(
        setting=_setting,
        no_file=_no_file,
        direct_hosts=lambda: direct_hosts(_shown.get().settings),
        hosts_lines=_without_what_is_not_set(hosts_lines),
        time_sources=_without_what_is_not_set(time_sources),
    )
    return environment


def _setting(key: str) -> object:
    try:
        path = parse_key(key)
    except ValueError:
        raise _MisuseError("setting() is given what is no key of settings") from None
    shown = _shown.get()
    shown.require(path)
    value = at(shown.settings, *path)
    return _NotSet(path) if value is None else value


def _require_all(value: object) -> None:
    """Raises where a value, or a part of it, is not there: no file has a gap, or a null, in its place."""
    if value is None:
        raise _MisuseError("none has no text; show it only where it is something")
    if isinstance(value, Undefined):
        str(value)
    elif isinstance(value, Mapping):
        for member in value.values():
            if isinstance(member, Undefined | Mapping | list | tuple):
                _require_all(member)
    elif isinstance(value, list | tuple):
        for member in value:
            if isinstance(member, Undefined | Mapping | list | tuple):
                _require_all(member)


def _without_what_is_not_set(function: Callable[..., object]) -> Callable[..., object]:
    return lambda *values: function(*(None if isinstance(value, _NotSet) else value for value in values))


class _MisuseError(Exception):
    """What a template does wrong, in words that hold no value of a setting."""


class _OutsideError(Exception):
    """A template shows a setting that its file is not made of."""

    def __init__(self, path: Path) -> None:
        self.path, self.key = path, format_key((ROOT, *path))
        super().__init__(self.key)


class _MissingError(UndefinedError):
    """A template needs a value of a setting that is not set."""

    def __init__(self, path: Path) -> None:
        self.path, self.key = path, format_key((ROOT, *path))
        super().__init__(f"{self.key} is not set")


class _NotSet(Undefined):
    """What `setting` gives where nothing is set: false, and equal to none; what needs a value of it fails."""

    __slots__ = ()

    def __init__(self, path: Path) -> None:
        super().__init__(exc=_raising(lambda message: _MissingError(path)))

    __iter__ = __str__ = __len__ = Undefined._fail_with_undefined_error

    def __eq__(self, other: object) -> bool:
        return other is None or isinstance(other, _NotSet)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = object.__hash__


class _Absent(StrictUndefined):
    """A name that a template has not got. What a table of the settings has not got is a setting that is not set."""

    __slots__ = ()

    def __init__(self, hint: str | None = None, obj: Any = missing, name: str | None = None, exc: Any = None) -> None:
        def error(message: str | None) -> Exception:
            if obj is missing and hint is None:
                return _MisuseError(f"{name!r} is undefined")  # a name that stands in the template
            above = _path_to(_shown.get().settings, obj) if isinstance(obj, Mapping) else None
            path = (*above, name) if above is not None and isinstance(name, str) else ()
            not_set = path and at(_shown.get().settings, *path) is None
            return _MissingError(path) if not_set else (exc or UndefinedError)(message)

        super().__init__(hint, obj, name, _raising(error))


def _raising(error: Callable[[str | None], Exception]) -> Any:
    """Jinja2 asks for the class of the error, and calls it with the message when the value is needed."""
    return cast("Any", error)


def _path_to(table: Mapping[str, object], wanted: object) -> Path | None:
    """Where in the settings a table stands, which a template may have come to in any way."""
    if table is wanted:
        return ()
    for name, member in table.items():
        if isinstance(member, Mapping) and (found := _path_to(member, wanted)) is not None:
            return (name, *found)
    return None


def sysctl_segment(name: str) -> str:
    """A name, such as an interface's, within a key of sysctl.d(5), which takes some characters for its own."""
    if re.search(r"[*?\[=\s]", name):
        raise UnholdableError("sysctl.d cannot hold a name with white space or one of * ? [ =")
    return name


class _NoFileError(Exception):
    """A template asked for no file."""


def _no_file() -> object:
    raise _NoFileError
