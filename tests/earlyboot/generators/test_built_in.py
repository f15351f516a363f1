"""The generators that come with the program, and the profiles that name them."""

from __future__ import annotations

from pathlib import Path

import pytest

from earlyboot.config.paths import APPLICATION, PROFILE_NAMES, Paths
from earlyboot.config.profile import Profile, load
from earlyboot.generators.built_in import BUILT_IN
from earlyboot.generators.known import key_path
from earlyboot.generators.small import host_container_sources, update_seed
from earlyboot.model.key import format_key, parse_key
from earlyboot.model.types import OciImageRef
from tests.earlyboot.generators.asking import question


@pytest.fixture(params=PROFILE_NAMES)
def profile(request: pytest.FixtureRequest) -> Profile:
    return load(request.param, Paths("/nonexistent"))


def test_every_generator_of_a_profile_is_built_in(profile: Profile) -> None:
    assert profile.generators
    for spec in profile.generators:
        assert spec.command is None
        assert callable(BUILT_IN[spec.name].load())


def test_every_built_in_is_in_a_profile() -> None:
    used = {spec.name for name in PROFILE_NAMES for spec in load(name, Paths("/nonexistent")).generators}
    assert used == BUILT_IN.keys()


def test_only_the_profile_that_asks_the_instance_metadata_has_generators_that_need_it(profile: Profile) -> None:
    needs = {spec.name for spec in profile.generators if BUILT_IN[spec.name].needs_metadata}
    assert needs == ({"region", "access-keys", "hostname-override"} if "ec2-imds" in profile.providers else set())


def test_their_keys_are_canonical_and_of_groups_that_the_profile_has(profile: Profile) -> None:
    for spec in profile.generators:
        for key in (spec.key, *spec.needs, *spec.when):
            assert format_key(parse_key(key)) == key
            assert profile.groups is None or key_path(key)[0] in profile.groups


def test_no_two_make_the_same_key(profile: Profile) -> None:
    keys = [spec.key for spec in profile.generators]
    assert len(set(keys)) == len(keys)


def test_each_is_documented_with_its_key() -> None:
    text = Path(APPLICATION, "docs/configuration.md").read_text()
    for name in PROFILE_NAMES:
        for spec in load(name, Paths("/nonexistent")).generators:
            (row,) = [line for line in text.splitlines() if line.startswith(f"| `{spec.name}`")]
            assert spec.key.removeprefix("settings.") in row
            assert ("(weak)" in row) is (spec.strength == "weak")
            assert all(f"`{key.removeprefix('settings.')}`" in row for key in spec.when)
            assert spec.consumer is None or f"`{spec.consumer}`" in row


def test_the_seed_is_one_of_2048() -> None:
    seeds = {update_seed(question("/nonexistent")) for _ in range(20_000)}
    assert (min(seeds), max(seeds), len(seeds) > 2000) == (0, 2047, True)


def test_the_images_of_the_host_containers_can_be_pulled_by_what_they_say() -> None:
    sources = host_container_sources(question("/nonexistent"))
    assert sources.keys() == {"admin", "control"}
    for name, table in sources.items():
        assert isinstance(table, dict)
        assert OciImageRef.accepts(table["source"])
        assert table["source"].startswith(f"public.ecr.aws/bottlerocket/bottlerocket-{name}:v")
