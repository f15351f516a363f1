"""`earlyboot serve`: the API's server."""

from __future__ import annotations

import argparse

from earlyboot.api.server import serve as serve_until_idle
from earlyboot.api.service import Service
from earlyboot.config import options, profile
from earlyboot.config.paths import Paths


def serve(arguments: argparse.Namespace, paths: Paths) -> int:
    name = arguments.profile or profile.name_of(options.load(paths))
    service = Service(paths, name, overridden=arguments.profile is not None)
    try:
        serve_until_idle(service, arguments.socket or paths.socket, arguments.idle_timeout)
    finally:
        service.close()
    return 0
