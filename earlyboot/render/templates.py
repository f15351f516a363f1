"""Templates in, the text of configuration files out; pure. Jinja2 in its sandbox, a missing name is an error.

Every `{{ expression }}` is quoted for the format of its file; what stands between the expressions is left alone.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from earlyboot.config.paths import TEMPLATES
from earlyboot.config.profile import Format
from earlyboot.model.key import parse_key
from earlyboot.render.chrony import time_sources
from earlyboot.render.formats import QUOTES, Verbatim, argument
from earlyboot.render.hosts import hosts_lines
from hostkit.errors import Fault, HostError, Where

# What Python says of an expression that makes no sense.
_MISTAKES = (TypeError, ArithmeticError, LookupError, RecursionError)


# What the templates that are being rendered show. Compiled templates outlive one set of settings, and several threads use
# them.
_settings: ContextVar[Mapping[str, object]] = ContextVar("settings")


class Renderer:
    """Renders templates with one set of settings (nested, defaults layered in)."""

    def __init__(self, settings: Mapping[str, object]) -> None:
        self._settings = settings

    def render(self, template: str, quoted_for: Format, **names: object) -> str | None:
        """The text that the template at an absolute path makes, with `names` for it; `None` if it asks for no file.

        `ValueError` for a value that the format cannot hold; `HostError` where the template itself is at fault.
        """
        folder, name = os.path.split(template)
        token = _settings.set(self._settings)
        try:
            return _environment(quoted_for, folder).get_template(name).render(**names)
        except _NoFileError:
            return None
        except (TemplateError, *_MISTAKES) as error:
            where = Where(_file_of(error) or template, getattr(error, "lineno", None))
            what = f"the template {name.removesuffix('.j2')} cannot be rendered: {error}"
            raise HostError(Fault("template", what, where, "mend the template")) from None
        finally:
            _settings.reset(token)


@functools.cache
def _environment(quoted_for: Format, folder: str) -> ImmutableSandboxedEnvironment:
    """Keeps what it compiled: a server that commits often would spend most of its time on that."""
    quote = QUOTES[quoted_for]

    def finalize(value: object) -> str:
        # As text an Undefined raises the error that names it.
        return str(value) if isinstance(value, Verbatim | Undefined) else quote(value)

    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(list(dict.fromkeys((folder, TEMPLATES)))),
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters.update(verbatim=Verbatim, argument=argument, sysctl_segment=sysctl_segment)
    environment.globals.update(
        setting=lambda key: lookup(_settings.get(), key),
        no_file=_no_file,
        hosts_lines=hosts_lines,
        time_sources=time_sources,
    )
    return environment


def sysctl_segment(name: str) -> str:
    """A name, such as an interface's, within a key of sysctl.d(5), which takes some characters for its own."""
    if re.search(r"[*?\[=\s]", name):
        raise ValueError("sysctl.d cannot hold a name with white space or one of * ? [ =")
    return name


class _NoFileError(Exception):
    """A template asked for no file."""


def _no_file() -> object:
    raise _NoFileError


def _file_of(error: Any) -> str | None:
    """The path of the template that Jinja2 found broken, which may be one that was included."""
    filename = getattr(error, "filename", None)
    return filename if isinstance(filename, str) else None


def lookup(settings: Mapping[str, object], key: str) -> object:
    """The value at a key below `settings`, such as `ntp.options`, or `None` where nothing is set."""
    value: object = settings
    for segment in parse_key(key):
        if not isinstance(value, Mapping) or segment not in value:
            return None
        value = value[segment]
    return value
