"""What the settings are for: services, files, generators, the system; and this API itself."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from earlyboot.api.core import Core, Request, Tagged
from earlyboot.api.keys import named_keys
from earlyboot.api.problem import Problem
from earlyboot.config.profile import FileSpec, GeneratorSpec, ServiceSpec
from earlyboot.render.plan import fed_by, services_of
from hostkit.errors import Fault, Where

Description = Mapping[str, object]


class Describe:
    def __init__(self, core: Core) -> None:
        self._core = core

    def get_all(self, request: Request) -> Tagged:
        prefix = request.query.get("prefix", "")
        snapshot = self._core.snapshot()
        found = {key: value for key, value in snapshot.settings.items() if key.startswith(prefix)}
        answer = {
            "settings": self._core.shown(request, found),
            "services": _with_prefix(self._services(), "services", prefix),
            "configuration-files": _with_prefix(self._files(), "configuration-files", prefix),
            "os": _with_prefix(self._core.os, "os", prefix),
        }
        if prefix:
            answer = {name: part for name, part in answer.items() if part}
        return Tagged(snapshot.tag, answer)

    def get_os(self, request: Request) -> Description:
        return _with_prefix(self._core.os, "os", request.query.get("prefix", ""))

    def get_services(self, request: Request) -> Description:
        return _named(self._services(), "service", "services", request)

    def get_configuration_files(self, request: Request) -> Description:
        return _named(self._files(), "configuration file", "configuration-files", request)

    def affected_services(self, request: Request) -> Description:
        keys = named_keys(self._core, request.query)
        return {key: sorted(services_of([key], self._core.profile)) for key in keys}

    def templates(self, request: Request) -> Description:
        keys = named_keys(self._core, request.query)
        return {key: [spec.name for spec in fed_by([key], self._core.profile)] for key in keys}

    def setting_generators(self, request: Request) -> Description:
        strong = [spec for spec in self._core.profile.generators if spec.strength == "strong"]
        return {spec.key: _command(spec) for spec in strong}

    def setting_generators_v2(self, request: Request) -> Description:
        return {
            spec.key: {"command": _command(spec), "strength": spec.strength, "depth": spec.depth}
            for spec in self._core.profile.generators
        }

    def openapi(self, request: Request) -> Description:
        from earlyboot.api.openapi import document

        return document(self._core.profile.groups, self._core.custom)

    def _services(self) -> dict[str, Description]:
        return {service.name: _service(service) for service in self._core.profile.services}

    def _files(self) -> dict[str, Description]:
        return {file.name: _file(file) for file in self._core.profile.files}


def _service(spec: ServiceSpec) -> Description:
    return {"configuration-files": list(spec.files), "restart-commands": [*map(shlex.join, spec.commands)]}


def _file(spec: FileSpec) -> Description:
    made_by = {"template-path": spec.template} if spec.template is not None else {"renderer": spec.renderer}
    return {"path": spec.path, "mode": f"{spec.mode:04o}", **made_by}


def _command(spec: GeneratorSpec) -> str:
    """A program of the image builder's as a shell would take it, or the name of one that is built in."""
    return f"earlyboot:{spec.name}" if spec.command is None else shlex.join(spec.command)


def _named(all_of_them: Mapping[str, Description], kind: str, path: str, request: Request) -> Description:
    if "names" not in request.query:
        prefix = request.query.get("prefix", "")
        return {name: part for name, part in all_of_them.items() if name.startswith(prefix)}
    names = request.query["names"].split(",")
    missing = [name for name in names if name not in all_of_them]
    if missing:
        fix = f"GET /{path} lists all"
        raise Problem(404, *(Fault("no-such-name", f"there is no {kind} '{name}'", Where(), fix) for name in missing))
    return {name: all_of_them[name] for name in names}


def _with_prefix(part: Mapping[str, object], name: str, prefix: str) -> dict[str, object]:
    return {key: value for key, value in part.items() if f"{name}.{key}".startswith(prefix)}
