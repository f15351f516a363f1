"""Settings that nobody gave: made on a first boot, made again when they must be, and what becomes of a failure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from earlyboot.simulate.imds import METADATA
from tests.earlyboot.stages.machine import (
    DROP_IN,
    FILE,
    Machine,
    first_boot,
    requests_of_a_first_boot,
)
from tests.fakes import imds
from tests.fakes.imds import Behaviour, FakeImds

NAME, REGION, KEYS = "settings.network.hostname", "settings.aws.region", "settings.access.authorized-keys"
GENERATED = {
    KEYS: ([METADATA["public-keys/0/openssh-key"].strip()], "generator access-keys"),
    REGION: (METADATA["placement/region"], "generator region"),
    NAME: (METADATA["local-hostname"], "generator hostname"),
}
MARKER = "var/lib/earlyboot/failed-generators.json"
PROFILE_DROP_IN = "etc/earlyboot/profiles.d/50-test.toml"
PROGRAM = "usr/lib/image/generate"


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Machine]:
    """An EC2 instance without user data, whose metadata has everything."""
    with Machine(tmp_path / "root", None, metadata=METADATA) as made:
        yield made


def outcomes(machine: Machine) -> dict[str, str]:
    rows = machine.status().get("generators", [])
    assert isinstance(rows, list)
    return {row["name"]: row["outcome"] for row in rows}


def steps(machine: Machine) -> dict[str, tuple[str, str]]:
    """Outcome and detail of each generator's step."""
    found = machine.status()["steps"]
    assert isinstance(found, list)
    return {
        step["step"].removeprefix("generator "): (step["outcome"], step["detail"])
        for step in found
        if step["step"].startswith("generator ")
    }


def faults(machine: Machine) -> list[str]:
    """What the verdict says, a fault a text."""
    found = machine.verdict()["faults"]
    assert isinstance(found, list)
    return [f"{fault['what']} [{fault['where']['key']}]" for fault in found]


def ask(machine: Machine, fake: FakeImds) -> None:
    """Has the machine ask a metadata service that misbehaves."""
    machine.put(DROP_IN, f'[providers.ec2-imds]\nendpoint = "{fake.endpoint}"\n'.encode())


def metadata(**other: Behaviour) -> dict[str, str | tuple[Behaviour, ...]]:
    """The metadata of an instance, with other behaviours for some paths."""
    paths = {"hostname": "local-hostname", "region": "placement/region", "keys": "public-keys/"}
    return {**METADATA, **{paths[name]: (by,) for name, by in other.items()}}


def program(machine: Machine, script: str, **more: object) -> None:
    """A generator of the image builder's for `settings.motd`, and a new configuration of the image with it."""
    entry = {"key": "settings.motd", "command": [f"/{PROGRAM}"], **more}
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in entry.items())
    machine.put(PROFILE_DROP_IN, f"[generators.own]\n{lines}# {script}\n".encode(), 0o644)
    machine.put(PROGRAM, f"#!/bin/sh\n{script}\n".encode(), 0o755)


def test_an_instance_says_its_name_its_region_and_who_may_log_in(instance: Machine) -> None:
    boot = first_boot(instance)
    assert instance.known().live == GENERATED
    assert instance.verdict()["verdict"] == "configured"
    assert instance.files()["etc/hostname"] == (0o644, f"{METADATA['local-hostname']}\n".encode())
    asked = [path for path in METADATA if path != "instance-id"]  # only where kubelet is to be named so
    assert sorted(boot.requests) == requests_of_a_first_boot(*asked)
    assert outcomes(instance) == {"hostname": "made", "region": "made", "access-keys": "made"}
    assert steps(instance) == {
        "hostname": ("finished", NAME),
        "region": ("finished", REGION),
        "access-keys": ("finished", KEYS),
    }
    told = json.dumps(instance.status())
    assert not any(value in told for value in ("ip-192-0-2-10", "eu-central-1", "AAAAC3"))


def test_later_boots_ask_nobody(instance: Machine) -> None:
    first_boot(instance)
    for _ in range(2):
        boot = first_boot(instance)
        assert (boot.servers_started, boot.requests) == (0, [])
        assert outcomes(instance) == {}


def test_what_somebody_sets_is_not_generated_and_not_asked_for(instance: Machine) -> None:
    instance.give(b'[settings]\nnetwork.hostname = "node-1"\naws.region = "eu-west-1"\naccess.authorized-keys = []\n')
    boot = first_boot(instance)
    assert boot.requests == ["PUT /latest/api/token", "GET /latest/user-data"]
    assert {origin for _, origin in instance.known().live.values()} == {"ec2-imds"}
    assert outcomes(instance) == {}


def test_an_offline_machine_is_asked_for_nothing(instance: Machine) -> None:
    instance.put(DROP_IN, b"offline = true\n")
    assert first_boot(instance).requests == []
    assert outcomes(instance) == {"hostname": "absent"}


def test_who_switched_the_source_off_is_not_asked_for_metadata(instance: Machine) -> None:
    instance.put(DROP_IN, b"[providers.ec2-imds]\nenabled = false\n")
    assert first_boot(instance).requests == []
    assert outcomes(instance) == {"hostname": "absent"}


def test_boot_parameters_are_generated_although_bootstrap_settings_are_there(tmp_path: Path) -> None:
    with Machine(tmp_path / "root", platform="metal") as machine:
        machine.put(FILE, b'[settings.bootstrap-commands.a]\ncommands = [["apiclient", "get"]]\nmode = "off"\n')
        machine.put("proc/bootconfig", b'kernel.quiet = ""\nkernel.console = "tty0", "ttyS0"\ninit = ""\n')
        first_boot(machine)
        live = machine.known().live
        assert live["settings.boot.kernel-parameters.quiet"] == ([], "generator boot")
        assert live["settings.boot.kernel-parameters.console"] == (["tty0", "ttyS0"], "generator boot")


def test_boot_parameters_that_are_malformed_degrade_the_boot(tmp_path: Path) -> None:
    with Machine(tmp_path / "root", platform="metal") as machine:
        machine.put("proc/bootconfig", b'kernel.a = "x\n')
        first_boot(machine)
        assert machine.verdict()["verdict"] == "degraded"
        assert machine.earlyboot("status").stdout.endswith(
            "error: the generator boot failed: a value is missing, or has a quote that is not closed\n"
            "  where: /proc/bootconfig:1 [settings.boot]\n"
            "  fix:   mend the bootconfig that the boot loader hands over; `bootconfig FILE` checks it\n"
        )


@pytest.mark.parametrize(
    ("trouble", "what"),
    [
        pytest.param(imds.status(400), "EC2 instance metadata gave an answer that it never gives (400)", id="refused"),
        pytest.param(imds.ok(b"<html>"), "what EC2 instance metadata gave as the region is not one", id="another page"),
        pytest.param(
            imds.ok(b"x" * 20_000), "what EC2 instance metadata gave is larger than 16384 bytes", id="too large"
        ),
    ],
)
def test_a_failed_generator_fails_nothing_else_and_the_next_boot_tries_again(
    instance: Machine, trouble: Behaviour, what: str
) -> None:
    with FakeImds(metadata=metadata(region=trouble)) as fake:
        ask(instance, fake)
        first_boot(instance)
    known = instance.known()
    assert known.live == {key: value for key, value in GENERATED.items() if key != REGION}
    assert known.phases == {instance.identity: "configured"}
    assert instance.verdict()["verdict"] == "degraded"
    assert faults(instance) == [f"the generator region failed: {what} [{REGION}]"]
    assert outcomes(instance) == {"hostname": "made", "region": "failed", "access-keys": "made"}
    assert steps(instance)["region"] == ("failed", f"the generator region failed: {what}")

    with FakeImds(metadata=metadata()) as fake:
        ask(instance, fake)
        first_boot(instance)
        assert fake.asked == ["PUT /latest/api/token", "GET /latest/meta-data/placement/region"]
    assert instance.known().live == GENERATED
    assert instance.verdict()["verdict"] == "configured"
    boot = first_boot(instance)
    assert (boot.servers_started, boot.requests) == (0, [])


def test_a_failure_that_stays_is_said_at_every_boot(instance: Machine) -> None:
    with FakeImds(metadata=metadata(region=imds.status(400))) as fake:
        ask(instance, fake)
        first_boot(instance)
        generation = instance.known().generation
        for _ in range(2):
            assert first_boot(instance).servers_started == 0
            assert instance.verdict()["verdict"] == "degraded"
            assert len(faults(instance)) == 1
    assert instance.known().generation == generation


def test_a_failure_is_over_when_somebody_sets_the_key(instance: Machine) -> None:
    with FakeImds(metadata=metadata(region=imds.status(400))) as fake:
        ask(instance, fake)
        first_boot(instance)
        with instance.powered_on():
            assert instance.apiclient("set", "aws.region=eu-west-1").status == 0
        first_boot(instance)
        asked = len(fake.asked)
        assert instance.verdict()["verdict"] == "configured"
        assert not (instance.root / MARKER).exists()
        first_boot(instance)
        assert len(fake.asked) == asked
    assert instance.known().live[REGION][0] == "eu-west-1"


def test_a_service_that_is_switched_off_for_metadata_fails_each_once(instance: Machine) -> None:
    tokens = (imds.give_token, imds.status(403))
    with FakeImds(tokens_by=tokens, metadata=metadata()) as fake:
        ask(instance, fake)
        first_boot(instance)
        assert fake.asked == ["PUT /latest/api/token", "GET /latest/user-data", "PUT /latest/api/token"]
    assert instance.known().live == {}
    off = "EC2 instance metadata is switched off (403)"
    assert faults(instance) == [
        f"the generator {name} failed: {off} [{key}]"
        for name, key in (("hostname", NAME), ("region", REGION), ("access-keys", KEYS))
    ]


def test_a_value_that_the_model_refuses_is_not_committed(instance: Machine) -> None:
    with FakeImds(metadata=metadata(hostname=imds.ok(b"not_a_name"))) as fake:
        ask(instance, fake)
        first_boot(instance)
    assert NAME not in instance.known().live
    assert instance.verdict()["verdict"] == "degraded"
    (fault,) = faults(instance)
    assert fault.startswith(f"what the generator hostname made is refused: {NAME} must be a host name")
    assert "not_a_name" not in json.dumps([instance.status(), instance.verdict()])


def test_a_damaged_list_of_failures_holds_nothing_up(instance: Machine) -> None:
    first_boot(instance)
    for text in (b"{", b'{"a": 1}', b'["no such generator", 5]', b"\xff"):
        instance.put(MARKER, text)
        first_boot(instance)
        assert instance.verdict()["verdict"] == "configured"


def test_a_generator_of_the_image_builder_s(instance: Machine) -> None:
    program(instance, 'cat >&2; printf \'"from %s"\' "$1"; exit 0', command=[f"/{PROGRAM}", "$HOME"])
    first_boot(instance)
    assert instance.known().live["settings.motd"] == ("from $HOME", "generator own")


def test_one_that_needs_another_sees_its_value_and_fails_with_it(instance: Machine) -> None:
    program(instance, "cat | tr -d '{} ' | sed 's/\"//g; s/.*/\"&\"/'", needs=[REGION])
    with FakeImds(metadata=metadata(region=imds.status(400))) as fake:
        ask(instance, fake)
        first_boot(instance)
    assert outcomes(instance) == {"hostname": "made", "region": "failed", "access-keys": "made", "own": "failed"}
    assert faults(instance)[1] == "the generator own did not run: it needs what failed, region [settings.motd]"
    with FakeImds(metadata=metadata()) as fake:
        ask(instance, fake)
        first_boot(instance)
    assert instance.known().live["settings.motd"] == ("aws:region:eu-central-1", "generator own")
    assert instance.verdict()["verdict"] == "configured"


CREDENTIALS = "settings.container-registry.credentials"


def test_generated_values_that_no_commit_takes_keep_nobody_from_the_settings_that_were_given(instance: Machine) -> None:
    instance.give(b'[settings]\nmotd = "given"\n')
    program(instance, 'echo \'[{"registry": "registry.example"}]\'', key=CREDENTIALS)
    first_boot(instance)
    known = instance.known()
    assert known.live == {"settings.motd": ("given", "ec2-imds")}
    assert (known.pending, list(known.phases.values())) == (0, ["configured"])
    assert instance.verdict()["verdict"] == "degraded"
    (fault,) = faults(instance)
    assert fault.startswith(f"what the generators hostname, region, access-keys, own made is refused: {CREDENTIALS}")
    # The next boot is without the culprit, and makes the rest.
    (instance.root / PROFILE_DROP_IN).unlink()
    first_boot(instance)
    assert instance.known().live == {"settings.motd": ("given", "ec2-imds"), **GENERATED}
    assert instance.verdict()["verdict"] == "configured"


def test_a_host_container_without_an_image_gets_its_own(instance: Machine) -> None:
    instance.give(b"[settings.host-containers]\nadmin.enabled = true\ncontrol.source = 'registry.example/own:1'\n")
    first_boot(instance)
    live = instance.known().live
    image, origin = live["settings.host-containers.admin.source"]
    assert str(image).startswith("public.ecr.aws/bottlerocket/bottlerocket-admin:v")
    assert origin == "generator host-container-sources"
    assert live["settings.host-containers.control.source"] == ("registry.example/own:1", "ec2-imds")


@pytest.fixture
def updated(instance: Machine) -> Machine:
    """An instance whose image brought a weak generator, and then another version of it."""
    program(instance, "echo '\"old\"'", strength="weak")
    first_boot(instance)
    assert instance.known().live["settings.motd"] == ("old", "generator own")
    return instance


def test_a_weak_value_is_made_again_by_a_new_image_and_a_strong_one_is_not(updated: Machine) -> None:
    generation = updated.known().generation
    program(updated, "echo '\"new\"'", strength="weak")
    boot = first_boot(updated)
    assert (boot.servers_started, boot.requests) == (1, [])
    known = updated.known()
    assert known.live == {**GENERATED, "settings.motd": ("new", "generator own")}
    assert (known.generation, known.pending) == (generation + 1, 0)
    assert outcomes(updated) == {"own": "made"}
    assert updated.files()["etc/motd"] == (0o644, b"new\n")
    assert first_boot(updated).servers_started == 0

    program(updated, "echo '\"newest\"'")
    first_boot(updated)
    assert updated.known().live["settings.motd"] == ("new", "generator own")


def test_a_weak_value_that_is_the_same_is_not_committed_again(updated: Machine) -> None:
    generation = updated.known().generation
    program(updated, "echo '\"old\"' # the same", strength="weak")
    first_boot(updated)
    assert outcomes(updated) == {"own": "made"}
    assert updated.known().generation == generation


def test_a_weak_value_that_somebody_changed_is_theirs(updated: Machine) -> None:
    with updated.powered_on():
        assert updated.apiclient("set", "motd=mine").status == 0
    program(updated, "echo '\"new\"'", strength="weak")
    first_boot(updated)
    assert updated.known().live["settings.motd"][0] == "mine"
    assert outcomes(updated) == {}


def test_a_weak_value_that_is_no_more_goes_away(updated: Machine) -> None:
    program(updated, "exit 2", strength="weak")
    first_boot(updated)
    assert updated.known().live == GENERATED
    assert outcomes(updated) == {"own": "absent"}


def test_a_weak_generator_that_fails_keeps_the_old_value_and_says_so_until_it_succeeds(updated: Machine) -> None:
    program(updated, "echo broken >&2; exit 1", strength="weak")
    for _ in range(2):
        first_boot(updated)
        assert updated.known().live["settings.motd"] == ("old", "generator own")
        assert updated.verdict()["verdict"] == "degraded"
        what = f"the generator own failed: /{PROGRAM} failed: exit status 1: broken"
        assert faults(updated) == [f"{what} [settings.motd]"]
    # What is mended without a new configuration is seen too.
    updated.put(PROGRAM, b"#!/bin/sh\necho '\"mended\"'\n", 0o755)
    first_boot(updated)
    assert updated.known().live["settings.motd"] == ("mended", "generator own")
    assert updated.files()["etc/motd"] == (0o644, b"mended\n")
    assert updated.verdict()["verdict"] == "configured"


def test_a_copied_disk_that_keeps_its_settings_generates_those_of_the_new_machine(instance: Machine) -> None:
    first_boot(instance)
    with instance.powered_on():
        assert instance.apiclient("set", "motd=kept").status == 0
    instance.become_another()
    there = {"local-hostname": "other.example", "placement/region": "eu-central-1"}
    with FakeImds(metadata=there) as fake:
        ask(instance, fake)
        first_boot(instance)
    live = instance.known().live
    assert live.pop("settings.motd")[0] == "kept"
    # Who could log in to the old machine cannot log in to this one, which has no key pair.
    assert live == {
        NAME: ("other.example", "generator hostname"),
        REGION: ("eu-central-1", "generator region"),
    }
    assert instance.verdict()["verdict"] == "degraded"
    assert len(faults(instance)) == 1


def test_a_copied_disk_that_is_told_to_keep_its_settings_keeps_these_too(instance: Machine) -> None:
    first_boot(instance)
    instance.become_another()
    instance.put(DROP_IN, b'on-new-identity = "keep"\n')
    assert first_boot(instance).requests == []
    assert instance.known().live == GENERATED


GROUP = """\
[groups.a]
schema = "a.json"
[files.a]
path = "/etc/a.env"
keys = ["settings.a"]
template = "a.j2"
format = "shell"
[generators.a]
key = "settings.a.name"
command = ["/usr/lib/image/generate"]
"""


def test_a_file_that_shows_what_a_generator_did_not_make_waits_for_it_and_the_others_do_not(instance: Machine) -> None:
    schema = b'{"properties": {"name": {"type": "string"}, "url": {"type": "string"}}, "additionalProperties": false}'
    instance.put(PROFILE_DROP_IN, GROUP.encode(), 0o644)
    instance.put("etc/earlyboot/profiles.d/a.json", schema, 0o644)
    instance.put("etc/earlyboot/profiles.d/a.j2", b'NAME={{ setting("a.name") }}\n', 0o644)
    instance.give(b'[settings]\nmotd = "x"\na.url = "u"\n')
    first_boot(instance)
    what = "/etc/a.env was not written: settings.a.name is not set, and its generator did not make it [settings.a.name]"
    for _ in range(2):
        assert instance.verdict()["verdict"] == "degraded"
        assert what in faults(instance)
        assert instance.files()["etc/motd"] == (0o644, b"x\n")
        assert "etc/a.env" not in instance.files()
        first_boot(instance)
    instance.put(PROGRAM, b"#!/bin/sh\necho '\"n\"'\n", 0o755)
    first_boot(instance)
    assert (instance.verdict()["verdict"], faults(instance)) == ("configured", [])
    assert instance.files()["etc/a.env"] == (0o644, b'NAME="n"\n')
