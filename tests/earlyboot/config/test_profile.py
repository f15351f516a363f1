"""The profiles that come with the program: they name only what exists."""

from __future__ import annotations

import os

import pytest

from earlyboot.config import profile as profiles
from earlyboot.config.options import Options
from earlyboot.config.paths import PROFILE_NAMES, TEMPLATES, Paths
from earlyboot.model.fit import is_known
from earlyboot.model.key import format_key, parse_key
from earlyboot.model.settings import GROUPS
from hostkit.errors import OperatorError
from providers.registry import PROVIDERS


@pytest.fixture(params=PROFILE_NAMES)
def profile(request: pytest.FixtureRequest) -> profiles.Profile:
    return profiles.load(request.param, Paths("/nonexistent"))


def test_every_key_of_a_file_is_one_of_the_model_and_written_canonically(profile: profiles.Profile) -> None:
    for spec in profile.files:
        for key in (*spec.keys, *([spec.each] if spec.each else [])):
            first, *path = parse_key(key)
            assert first == "settings"
            assert is_known(tuple(path)), key
            assert format_key(parse_key(key)) == key


def test_every_key_of_a_generator_is_one_of_the_model(profile: profiles.Profile) -> None:
    keys = [key for spec in profile.generators for key in (spec.key, *spec.needs, *spec.when)]
    assert [key for key in keys if not is_known(parse_key(key)[1:])] == []
    assert keys


def test_every_file_has_its_template_or_renderer_and_every_template_its_file(profile: profiles.Profile) -> None:
    used = {spec.template for spec in profile.files if spec.template is not None}
    assert used == {os.path.join(TEMPLATES, name) for name in os.listdir(TEMPLATES)}
    assert [spec.name for spec in profile.files if (spec.template is None) == (spec.renderer is None)] == []


def test_every_file_is_a_place_of_its_own_on_the_image(profile: profiles.Profile) -> None:
    places = [spec.path for spec in profile.files]
    assert len(set(places)) == len(places)
    assert all(place == os.path.normpath(place) and place.startswith("/") for place in places)
    assert {spec.consumer for spec in profile.files} >= {None, "/etc/chrony"}


def test_a_file_that_a_single_secret_feeds_is_for_root_alone(profile: profiles.Profile) -> None:
    from earlyboot.model.secrets import is_secret

    # A whole group has secrets, and a file made of it may leave them out.
    fed = [spec for spec in profile.files if any(is_secret(key) for key in spec.keys if len(parse_key(key)) > 2)]
    assert len(fed) > 3
    assert [(spec.name, f"{spec.mode:o}") for spec in fed if spec.mode & 0o077] == []


def test_every_service_belongs_to_files_and_has_commands(profile: profiles.Profile) -> None:
    names = {spec.name for spec in profile.files}
    assert {service.name for service in profile.services} >= {"hostname", "chrony", "sysctl", "kernel-modules"}
    for service in profile.services:
        assert service.files
        assert set(service.files) <= names
        assert service.commands
        assert all(argv and all(isinstance(word, str) for word in argv) for argv in service.commands)


def test_a_boot_waits_for_no_job_that_could_wait_for_it(profile: profiles.Profile) -> None:
    commands = [argv for service in profile.services for argv in service.commands if argv[0] == "systemctl"]
    assert commands
    assert [argv for argv in commands if not (argv[1].startswith("try-") or "--no-block" in argv)] == []


def test_every_provider_is_registered_and_in_the_order_of_precedence(profile: profiles.Profile) -> None:
    registered = [provider.name for provider in PROVIDERS]
    assert [name for name in registered if name in profile.providers] == list(profile.providers)
    assert profile.providers[0] == "local-defaults"
    assert profile.providers[-1] == "local-overrides"


def test_the_groups_and_defaults_are_the_models_own(profile: profiles.Profile) -> None:
    from earlyboot.model.check import check
    from earlyboot.model.rules import broken_rules

    assert profile.groups is not None
    assert profile.groups <= set(GROUPS)
    assert check(dict(profile.defaults), profile.groups)[1] == ()
    assert broken_rules(profile.defaults) == ()


def test_ec2_has_every_group_and_the_others_all_that_are_not_amazon_s() -> None:
    groups = {name: {*(profiles.load(name, Paths("/nonexistent")).groups or ())} for name in PROFILE_NAMES}
    assert groups["ec2"] == set(GROUPS)
    assert groups["vmware"] == groups["metal"] == set(GROUPS) - {"ecs", "cloudformation", "autoscaling"}


def test_no_default_touches_what_every_image_has(profile: profiles.Profile) -> None:
    """What an image is and how it keeps time is its builder's to say."""
    assert not {"motd", "kernel", "network", "ntp", "dns", "access", "host-containers"} & set(profile.defaults)
    assert profile.filling == profile.defaults


def test_only_on_ec2_the_instance_metadata_is_asked() -> None:
    assert {name: "ec2-imds" in profiles.load(name, Paths("/nonexistent")).providers for name in PROFILE_NAMES} == {
        "ec2": True,
        "vmware": False,
        "metal": False,
    }


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({}, "metal"),
        ({"platform": "ec2"}, "ec2"),
        ({"profile": "vmware"}, "vmware"),
        ({"platform": "ec2", "profile": "metal"}, "metal"),
    ],
)
def test_the_profile_is_the_named_one_else_the_platforms_else_metal(values: dict[str, object], name: str) -> None:
    assert profiles.name_of(Options(values)) == name


@pytest.mark.parametrize("name", ["azure", "", "../ec2", "files"])
def test_a_profile_that_does_not_exist_is_refused(name: str) -> None:
    with pytest.raises(OperatorError) as caught:
        profiles.load(name, Paths("/nonexistent"))
    assert str(caught.value) == f"error: there is no profile '{name}'\n  fix:   use one of ec2, vmware, metal"
