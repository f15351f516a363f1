"""The profiles that come with the program: they name only what exists."""

from __future__ import annotations

import os

import msgspec.inspect as mi
import pytest

from earlyboot.config import profile as profiles
from earlyboot.config.options import Options
from earlyboot.config.paths import PROFILE_NAMES, TEMPLATES
from earlyboot.model.key import format_key, parse_key
from earlyboot.model.settings import GROUPS
from earlyboot.model.shape import bare, root
from hostkit.errors import OperatorError
from providers.registry import PROVIDERS


@pytest.fixture(params=PROFILE_NAMES)
def profile(request: pytest.FixtureRequest) -> profiles.Profile:
    return profiles.load(request.param, Paths("/nonexistent"))


def exists_in_model(path: tuple[str, ...]) -> bool:
    kind = bare(root())
    for segment in path:
        if isinstance(kind, mi.DictType):
            kind = bare(kind.value_type)
            continue
        if not isinstance(kind, mi.StructType):
            return False
        found = [field for field in kind.fields if field.encode_name == segment]
        if not found:
            return False
        kind = bare(found[0].type)
    return True


def test_the_question_whether_a_key_exists_can_be_answered_with_no() -> None:
    assert exists_in_model(("ntp", "time-servers"))
    assert exists_in_model(("kernel", "modules", "any", "allowed"))
    assert not exists_in_model(("ntp", "servers"))
    assert not exists_in_model(("motd", "x"))


def test_every_key_of_a_file_is_one_of_the_model_and_written_canonically(profile: profiles.Profile) -> None:
    for spec in profile.files:
        for key in spec.keys:
            first, *path = parse_key(key)
            assert first == "settings"
            assert exists_in_model(tuple(path)), key
            assert format_key(parse_key(key)) == key


def test_every_file_has_its_template_and_every_template_its_file(profile: profiles.Profile) -> None:
    templates = {name.removesuffix(".j2") for name in os.listdir(TEMPLATES)}
    assert {spec.name for spec in profile.files} == templates


def test_every_file_is_a_place_of_its_own_on_the_image(profile: profiles.Profile) -> None:
    places = [spec.path for spec in profile.files]
    assert len(set(places)) == len(places)
    assert all(place == os.path.normpath(place) and place.startswith("/etc/") for place in places)
    assert {spec.consumer for spec in profile.files} == {None, "/etc/chrony"}


def test_a_file_that_feeds_on_a_secret_is_for_root_alone(profile: profiles.Profile) -> None:
    from earlyboot.model.secrets import is_secret

    modes = {spec.name: spec.mode for spec in profile.files if any(is_secret(key) for key in spec.keys)}
    assert modes == {"proxy-environment": 0o600}
    assert {spec.mode for spec in profile.files if spec.name not in modes} == {0o644}


def test_every_service_belongs_to_files_and_has_commands(profile: profiles.Profile) -> None:
    names = {spec.name for spec in profile.files}
    assert {service.name for service in profile.services} == {"hostname", "chrony", "sysctl", "kernel-modules"}
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

    assert profile.groups is None or profile.groups <= set(GROUPS)
    assert check(dict(profile.defaults), profile.groups)[1] == ()


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
