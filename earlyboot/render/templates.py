"""Settings in, the bytes of configuration files out; pure. Jinja2 in its sandbox, a missing name is an error."""

from __future__ import annotations

from collections.abc import Mapping

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from earlyboot.config.paths import TEMPLATES
from earlyboot.render.chrony import time_sources
from earlyboot.render.hosts import hosts_lines
from hostkit.errors import Fault, HostError, Where


class Renderer:
    """Renders the templates of one folder with one set of settings (nested, defaults layered in)."""

    def __init__(self, settings: Mapping[str, object], folder: str = TEMPLATES) -> None:
        self._environment = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader(folder),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            autoescape=False,
        )
        self._environment.filters["environment_value"] = environment_value
        self._environment.globals.update(
            setting=lambda key: lookup(settings, key), hosts_lines=hosts_lines, time_sources=time_sources
        )

    def render(self, name: str) -> bytes:
        """The file of the template `name`. `HostError` where the template itself is at fault."""
        try:
            text = self._environment.get_template(f"{name}.j2").render()
        except ValueError as error:
            what = f"{name} cannot be rendered: {error}"
            raise HostError(Fault("unrenderable", what, Where(), "correct the settings that feed this file")) from None
        except TemplateError as error:
            where = Where(f"{name}.j2", getattr(error, "lineno", None))
            what = f"the template {name} cannot be rendered: {error}"
            raise HostError(Fault("template", what, where, "mend the template")) from None
        return text.encode()


def lookup(settings: Mapping[str, object], key: str) -> object:
    """The value at a dotted path below `settings`, or `None` where nothing is set."""
    value: object = settings
    for segment in key.split("."):
        if not isinstance(value, Mapping) or segment not in value:
            return None
        value = value[segment]
    return value


def environment_value(text: str) -> str:
    """A value for a systemd EnvironmentFile=, in double quotes: nothing in it ends the quotes or starts an escape."""
    if "\n" in text or "\r" in text:
        raise ValueError("not one line")
    quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("`", "\\`")
    return f'"{quoted}"'
