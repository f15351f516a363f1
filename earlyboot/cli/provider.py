"""`earlyboot provider NAME`: one source, alone."""

from __future__ import annotations

import argparse
import sys

from earlyboot.config.paths import Paths
from hostkit.errors import Fault, OperatorError, Where
from providers.contract import Request, encode
from providers.registry import PROVIDERS, find


def provider(arguments: argparse.Namespace, paths: Paths) -> int:
    found = find(arguments.name)
    if found is None:
        fix = f"use one of {', '.join(known.name for known in PROVIDERS)}"
        raise OperatorError(Fault("unknown-provider", f"there is no provider '{arguments.name}'", Where(), fix))
    path = arguments.path
    if path is None and found.default_path is not None:
        path = paths.inside(found.default_path)
    output = found.load()(
        Request(
            endpoint=arguments.endpoint,
            path=path,
            deadline_s=arguments.deadline or found.default_deadline_s,
            stdin_fd=0 if arguments.stdin else None,
            limit_bytes=arguments.limit,
        )
    )
    sys.stdout.write(encode(output))
    return 0
