"""A first boot with user data from IMDS, a second one, and one after somebody changed rendered files by hand."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.boot import userdata
from tests.boot.machine import Machine, MakeMachine
from tests.boot.observation import Observation, boot_and_observe
from tests.boot.roots import Suite, image_file

pytestmark = pytest.mark.boot

CHANGED = "/etc/sysctl.d/90-earlyboot.conf"
DELETED = "/etc/motd"
USER_DATA = ("PUT /latest/api/token", "GET /latest/user-data")


@dataclass(frozen=True, slots=True)
class Story:
    """Three boots of one machine; it still runs in the last."""

    machine: Machine
    first: Observation
    later: Observation
    repaired: Observation


@pytest.fixture(scope="module")
def story(suite: Suite, installed_lowers: tuple[str, ...], make_machine: MakeMachine) -> Story:
    machine = make_machine(f"story-{suite.name}", installed_lowers)
    machine.world.set_user_data(userdata.GZIPPED)
    first = boot_and_observe(machine)
    machine.poweroff()
    later = boot_and_observe(machine)
    machine.run("rm", DELETED)
    machine.run("sh", "-c", f"echo '# changed by hand' >> {CHANGED}")
    machine.poweroff()
    return Story(machine, first, later, boot_and_observe(machine))


def assert_configured(seen: Observation) -> None:
    assert seen.state == "running"
    assert set(seen.units.values()) == {"active"}, seen.units
    assert seen.status_code == 0, seen.status_text
    assert seen.status["verdict"] == "configured"


def test_the_first_boot_configures_the_machine(story: Story) -> None:
    assert_configured(story.first)
    assert "configured" in story.first.status_text


def test_the_first_boot_asks_imds_for_the_user_data_and_for_what_nobody_set(story: Story) -> None:
    requests = story.first.requests
    assert requests[:3] == (*USER_DATA, "PUT /latest/api/token")
    assert sorted(requests[3:]) == ["GET /latest/meta-data/placement/region", "GET /latest/meta-data/public-keys/"]


def test_the_settings_are_in_their_files(story: Story) -> None:
    files = {path: (content or b"").decode() for path, content in story.first.files.items()}
    assert files["/etc/motd"].strip() == userdata.MOTD.strip()
    assert files["/etc/hostname"] == f"{userdata.HOSTNAME}\n"
    hosts = [line.split() for line in files["/etc/hosts"].splitlines()]
    assert ["10.0.0.1", "db.example.internal", "db"] in hosts
    assert [line[0] for line in hosts if "localhost" in line] == ["127.0.0.1", "::1"]
    assert any(userdata.HOSTNAME in line[1:] for line in hosts)
    assert "ntp.example.internal iburst" in files["/etc/chrony/sources.d/earlyboot.sources"]
    assert "net.ipv4.ip_forward" in files["/etc/sysctl.d/90-earlyboot.conf"]
    assert userdata.SECRET in files["/etc/earlyboot/proxy.env"]


def test_the_settings_are_in_force_in_the_first_boot(story: Story) -> None:
    assert story.first.kernel_hostname == userdata.HOSTNAME
    assert story.first.ip_forward == "1"


def test_a_later_boot_asks_nobody_and_starts_no_server(story: Story) -> None:
    assert_configured(story.later)
    assert story.later.boot_id != story.first.boot_id
    assert story.later.requests == story.first.requests
    assert story.first.api_was_started
    assert not story.later.api_was_started
    assert story.later.files == story.first.files
    assert (story.later.kernel_hostname, story.later.ip_forward) == (userdata.HOSTNAME, "1")


def test_a_later_boot_repairs_files_that_were_changed_or_deleted(story: Story) -> None:
    assert_configured(story.repaired)
    assert story.repaired.files == story.first.files
    assert story.repaired.requests == story.first.requests


def test_no_other_user_of_the_machine_can_read_the_secret(story: Story) -> None:
    machine = story.machine
    search = ("grep", "--recursive", "--files-with-matches", "--devices=skip", "--no-messages", userdata.SECRET)
    places = ("/etc", "/var", "/run")
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    assert "/etc/earlyboot/proxy.env" in machine.run(*search, *places, check=False).stdout.splitlines()
    assert machine.run(*nobody, *search, *places, check=False).stdout == ""
    assert machine.run("stat", "--format=%a %U:%G", "/etc/earlyboot/proxy.env").stdout == "600 root:root\n"
    assert machine.run("stat", "--format=%a %U:%G", "/var/lib/earlyboot/settings.db").stdout == "600 root:root\n"


def test_the_secret_is_in_no_journal_and_no_status(story: Story) -> None:
    machine = story.machine
    # With every field: a secret in an argument would be in _CMDLINE.
    journal = machine.journal("--output=export", "--all")
    assert "_CMDLINE=" in journal
    assert userdata.SECRET not in journal
    assert machine.run("grep", "--recursive", "--devices=skip", userdata.SECRET, "/run", check=False).stdout == ""
    for seen in (story.first, story.later, story.repaired):
        assert userdata.SECRET not in repr((seen.status, seen.status_text))
    assert userdata.SECRET not in machine.console


def test_systemd_finds_no_fault_in_the_units(story: Story) -> None:
    folder = "/usr/lib/systemd/system"
    names = story.machine.run("ls", folder).stdout.split()
    units = [f"{folder}/{name}" for name in names if name.startswith("earlyboot")]
    assert len(units) >= 6
    # The manual pages are not in a minimal image.
    done = story.machine.run("systemd-analyze", "--man=no", "verify", *units, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_without_user_data_the_image_stays_as_it_is(
    suite: Suite, installed_lowers: tuple[str, ...], make_own_machine: MakeMachine
) -> None:
    machine = make_own_machine(f"no-user-data-{suite.name}", installed_lowers)
    seen = boot_and_observe(machine)
    assert_configured(seen)
    assert seen.requests[:3] == (*USER_DATA, "PUT /latest/api/token")
    assert sorted(seen.requests[3:]) == [
        "GET /latest/meta-data/local-hostname",
        "GET /latest/meta-data/placement/region",
        "GET /latest/meta-data/public-keys/",
    ]
    assert seen.files == {path: image_file(path) for path in seen.files}
    assert (seen.kernel_hostname, seen.ip_forward) == ("image", "0")
