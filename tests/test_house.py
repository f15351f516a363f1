"""What holds for the whole tree: sizes, the reasons in units, and documents that say what the code does."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from earlyboot.config.dropin import KEYS
from earlyboot.config.options import OPTIONS, PROVIDER_OPTIONS
from earlyboot.config.paths import APPLICATION, PROFILE_NAMES, PROFILES
from earlyboot.stages.run import STAGES
from providers.registry import PROVIDERS

ROOT = Path(APPLICATION)
CODE = ("hostkit", "providers", "earlyboot")
# A dependency between units is a decision, and a decision has a reason.
REASONED = ("After=", "Before=", "Requires=", "Wants=", "PartOf=", "RequiresMountsFor=", "BindsTo=")


def modules(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from (ROOT / folder).rglob("*.py")


def test_no_module_is_a_room_with_too_much_in_it() -> None:
    limits = [(path, 600) for path in modules(*CODE)] + [(path, 800) for path in modules("tests")]
    too_long = [str(path) for path, limit in limits if len(path.read_text().splitlines()) > limit]
    assert too_long == []


def units() -> list[Path]:
    found = sorted(path for path in (ROOT / "units").iterdir() if path.is_file())
    assert len(found) >= 6
    return found


@pytest.mark.parametrize("unit", units(), ids=lambda path: path.name)
def test_every_dependency_of_a_unit_has_its_reason_above_it(unit: Path) -> None:
    lines = unit.read_text().splitlines()
    bare = [
        line
        for before, line in zip(["", *lines], lines, strict=False)
        if line.startswith(REASONED) and not before.startswith(("#", *REASONED))
    ]
    assert bare == []


def test_every_stage_has_its_unit() -> None:
    calls = [
        line
        for unit in units()
        for line in unit.read_text().splitlines()
        if line.startswith("ExecStart=") and " stage " in line
    ]
    assert sorted(line.split()[-1] for line in calls) == sorted(STAGES)


def test_every_option_and_source_is_documented() -> None:
    text = (ROOT / "docs/configuration.md").read_text()
    names = [option.key for option in OPTIONS] + [f"providers.NAME.{option.key}" for option in PROVIDER_OPTIONS]
    names += [provider.name for provider in PROVIDERS]
    assert [name for name in names if f"`{name}`" not in text] == []


def test_every_key_of_a_drop_in_is_documented() -> None:
    text = (ROOT / "docs/profiles.md").read_text()
    keys = [key for key in KEYS if not key.endswith(".enabled")]
    assert [key for key in keys if f"\n| `{key}` |" not in text] == []
    assert len(KEYS) == len(keys) + 3
    assert "\n| `enabled` in `files.NAME`, `services.NAME`, `generators.NAME` |" in text


def test_every_rendered_file_is_documented() -> None:
    text = (ROOT / "docs/configuration.md").read_text()
    shared = [tomllib.loads(path.read_text()) for path in (Path(PROFILES) / "files").iterdir()]
    paths = [spec["path"] for part in shared for spec in part.get("files", {}).values()]
    assert [path for path in paths if f"`{path}`" not in text] == []


@pytest.mark.parametrize("name", PROFILE_NAMES)
def test_a_profile_names_sources_that_there_are(name: str) -> None:
    profile = tomllib.loads((Path(PROFILES) / f"{name}.toml").read_text())
    assert set(profile["providers"]) <= {provider.name for provider in PROVIDERS}


def test_both_programs_can_be_run() -> None:
    assert all(os.access(ROOT / "bin" / program, os.X_OK) for program in ("earlyboot", "apiclient"))
