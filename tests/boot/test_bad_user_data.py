"""User data that is there and wrong: the machine stays reachable, and says what to repair."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.boot import userdata
from tests.boot.machine import Machine, MakeMachine
from tests.boot.observation import Observation, boot_and_observe
from tests.boot.roots import Suite, image_file

pytestmark = pytest.mark.boot

NOT_TOML = b'[settings]\nmotd = "one"\n[settings.network\nhostname = "two"\n'
UNKNOWN_KEY = b'[settings]\nmotd = "one"\n\n[settings.network]\nhostnam = "two"\n'


@dataclass(frozen=True, slots=True)
class Story:
    """Three boots of one machine, with the user data repaired before the last."""

    machine: Machine
    not_toml: Observation
    unknown_key: Observation
    repaired: Observation


@pytest.fixture(scope="module")
def story(suite: Suite, installed_lowers: tuple[str, ...], make_machine: MakeMachine) -> Story:
    machine = make_machine(f"bad-user-data-{suite.name}", installed_lowers)
    seen: list[Observation] = []
    for content in (NOT_TOML, UNKNOWN_KEY, userdata.TOML.encode()):
        if seen:
            machine.poweroff()
        machine.world.set_user_data(content)
        seen.append(boot_and_observe(machine))
    return Story(machine, *seen)


def assert_reachable_but_not_configured(seen: Observation) -> None:
    assert seen.state == "degraded"
    assert seen.units == {
        "multi-user.target": "active",
        "earlyboot-settings.service": "failed",
        "earlyboot-preconfigured.target": "inactive",
        "earlyboot-configured.target": "inactive",
        "earlyboot-finish.service": "active",
        "workload.service": "inactive",
    }
    assert seen.status["verdict"] == "failed"
    assert seen.status_code == 10
    assert "failed" in seen.status_text
    assert seen.files == {path: image_file(path) for path in seen.files}


def test_user_data_that_is_no_toml_is_reported_with_its_line(story: Story) -> None:
    assert_reachable_but_not_configured(story.not_toml)
    assert ":3" in story.not_toml.status_text


def test_an_unknown_key_is_reported_with_its_line_and_name(story: Story) -> None:
    assert_reachable_but_not_configured(story.unknown_key)
    assert ":5 [settings.network.hostnam]" in story.unknown_key.status_text


def test_the_journal_says_what_the_status_says(story: Story) -> None:
    for offset, place in ((-2, ":3"), (-1, ":5 [settings.network.hostnam]")):
        lines = story.machine.journal(f"--boot={offset}", "--unit=earlyboot-settings.service")
        assert "error:" in lines
        assert place in lines


def test_a_failed_read_is_tried_again_with_the_next_boot(story: Story) -> None:
    seen = story.repaired
    assert seen.state == "running"
    assert set(seen.units.values()) == {"active"}, seen.units
    assert seen.status["verdict"] == "configured"
    assert seen.kernel_hostname == userdata.HOSTNAME
    assert seen.ip_forward == "1"
    assert None not in seen.files.values()
    user_data = story.not_toml.requests
    assert seen.requests[:7] == (*user_data * 3, "PUT /latest/api/token")


def test_a_strict_image_goes_to_the_emergency_target(
    suite: Suite, installed_lowers: tuple[str, ...], make_own_machine: MakeMachine
) -> None:
    machine = make_own_machine(f"strict-{suite.name}", installed_lowers)
    machine.world.set_user_data(b"[settings]\nmotd = 1\n")
    options = machine.path("/etc/earlyboot/earlyboot.toml")
    with open(options, "a", encoding="ascii") as file:
        file.write("strict = true\n")
    machine.boot()

    def in_emergency() -> bool:
        return machine.run("systemctl", "is-active", "emergency.target", check=False).stdout == "active\n"

    machine.wait_for("emergency.target", in_emergency)
    status = machine.run("earlyboot", "status", check=False)
    assert (status.returncode, "ec2-imds:2 [settings.motd]" in status.stdout) == (10, True)
    assert machine.run("systemctl", "is-active", "workload.service", check=False).stdout == "inactive\n"
