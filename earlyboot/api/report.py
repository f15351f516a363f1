"""What the report of an apply says against it: every file and every service that failed, the settings being committed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hostkit.errors import Fault, Where

_AGAIN = "POST /tx/apply"


def failures(report: Mapping[str, Any], again: str = _AGAIN) -> list[Fault]:
    """The faults of files and services; none where all took what was committed. `again` is how to apply once more."""
    return [*file_failures(report, again), *_service_failures(report, again)]


def file_failures(report: Mapping[str, Any], again: str = _AGAIN) -> list[Fault]:
    return [
        Fault("file", file["detail"], Where(file["path"]), f"the settings are committed; {file['fix']}, then {again}")
        for file in report["files"]
        if file["outcome"] == "failed"
    ]


def _service_failures(report: Mapping[str, Any], again: str) -> list[Fault]:
    fix = f"the settings are committed; mend the service, then {again}"
    return [
        Fault("service", f"{service['name']}: {service['detail']}", Where(), fix)
        for service in report["services"]
        if service["outcome"] == "failed"
    ]
