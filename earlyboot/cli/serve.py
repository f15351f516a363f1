"""`earlyboot serve`: the API's server."""

from __future__ import annotations

import argparse

from earlyboot.api.server import serve as serve_until_idle
from earlyboot.api.service import Service
from earlyboot.config import options, profile
from earlyboot.config.paths import Paths


def serve(arguments: argparse.Namespace, paths: Paths) -> int:
    def open_service() -> Service:
        chosen = options.load(paths)
        name = arguments.profile or profile.name_of(chosen)
        return Service(paths, name, chosen, overridden=arguments.profile is not None)

    serve_until_idle(open_service, arguments.socket or paths.socket, arguments.idle_timeout)
    return 0
