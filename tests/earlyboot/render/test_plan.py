"""What an apply decides, as tables."""

from __future__ import annotations

import pytest

from earlyboot.config.profile import FileSpec, Profile
from earlyboot.model.tree import flatten
from earlyboot.render.plan import Plan, make_plan
from tests.earlyboot.model.documents import complete

MOTD = FileSpec("motd", "/etc/motd", ("settings.motd",), 0o644, None, owned=False)
NTP = FileSpec("ntp", "/etc/c/ntp", ("settings.ntp.time-servers", "settings.ntp.options"), 0o644, "/etc/c", owned=True)
DNS = FileSpec("dns", "/etc/dns", ("settings.dns",), 0o600, None, owned=True)
SYSCTL = FileSpec("sysctl", "/etc/s", ('settings.kernel.sysctl."net.a"',), 0o600, None, owned=True)
PROFILE = Profile("test", (), None, {}, (MOTD, NTP, DNS, SYSCTL), ())


def plan(*keys: str, there: tuple[str, ...] = ("/etc/c",), applied: tuple[str, ...] = ()) -> Plan:
    return make_plan(dict.fromkeys(keys, "x"), PROFILE, lambda path: path in there, applied)


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        ((), ()),
        (("settings.motd",), (MOTD,)),
        (("settings.dns.name-servers", "settings.motd"), (MOTD, DNS)),  # in the profile's order
        (("settings.ntp.options",), (NTP,)),
        (("settings.ntp.time-servers", "settings.ntp.options"), (NTP,)),
        (("settings.ntp.logging",), ()),
        (("settings.dns.a.b.c",), (DNS,)),
        (('settings.kernel.sysctl."net.a"',), (SYSCTL,)),
        (("settings.kernel.sysctl.net",), ()),
        (("settings.kernel.sysctl.net.a",), ()),
        (("settings.motd-like",), ()),  # begins with the text of a key, and is another
        (("settings.dnsx.a",), ()),
    ],
)
def test_a_file_is_wanted_where_one_of_its_keys_is_set(keys: tuple[str, ...], wanted: tuple[FileSpec, ...]) -> None:
    assert plan(*keys).wanted == wanted


def test_a_file_without_its_consumer_is_not_wanted_and_its_keys_are_unused() -> None:
    assert plan("settings.ntp.options", "settings.motd", there=()) == Plan((MOTD,), (), ("settings.ntp.options",), ())


@pytest.mark.parametrize(
    ("keys", "there", "applied", "obsolete"),
    [
        ((), ("/etc/c",), (), ()),
        ((), ("/etc/c",), ("dns",), (DNS,)),
        (("settings.dns.a",), ("/etc/c",), ("dns",), ()),
        ((), ("/etc/c",), ("motd",), ()),  # the image's own file, which we only wrote to
        (("settings.ntp.options",), (), ("ntp",), (NTP,)),  # its consumer was taken off the image
        ((), ("/etc/c",), ("sysctl", "ntp", "dns"), (NTP, DNS, SYSCTL)),
        ((), ("/etc/c",), ("gone-from-the-profile",), ()),
        (("settings.dns.a",), ("/etc/c",), (), ()),
    ],
)
def test_a_file_of_ours_is_obsolete_when_its_last_key_went(
    keys: tuple[str, ...], there: tuple[str, ...], applied: tuple[str, ...], obsolete: tuple[FileSpec, ...]
) -> None:
    assert plan(*keys, there=there, applied=applied).obsolete == obsolete


def test_keys_that_feed_nothing_here_are_listed() -> None:
    keys = ("settings.aws.region", "settings.motd", "settings.ntp.logging", 'settings.kernel.sysctl."net.b"')
    assert plan(*keys).unused_keys == ("settings.aws.region", "settings.ntp.logging", 'settings.kernel.sysctl."net.b"')


@pytest.mark.parametrize("group", ["bootstrap-commands", "bootstrap-containers"])
@pytest.mark.parametrize(
    ("mode", "runs"), [("off", False), ("once", True), ("always", True), (None, False)]
)  # fmt: skip
def test_what_asks_to_be_run_is_listed_and_not_called_unused(group: str, mode: str | None, runs: bool) -> None:
    name = f"settings.{group}.setup"
    settings: dict[str, object] = {f"{name}.essential": True, f"{name}.source": "x"}
    if mode is not None:
        settings[f"{name}.mode"] = mode
    made = make_plan(settings, PROFILE, lambda path: True, ())
    assert made.not_run == ((name,) if runs else ())
    assert made.unused_keys == (() if runs else tuple(settings))


def test_only_what_asks_to_be_run_is_spared_the_list_of_unused_keys() -> None:
    settings = {
        "settings.bootstrap-commands.a.mode": "once",
        "settings.bootstrap-commands.a.commands": [],
        "settings.bootstrap-commands.b.mode": "off",
        "settings.bootstrap-commands.b.commands": [],
        "settings.host-containers.mode.mode": "x",
    }
    made = make_plan(settings, PROFILE, lambda path: True, ())
    assert made.not_run == ("settings.bootstrap-commands.a",)
    assert made.unused_keys == tuple(list(settings)[2:])


@pytest.mark.parametrize("name", ["ec2", "vmware", "metal"])
def test_with_every_key_set_every_file_of_a_real_profile_is_wanted(name: str) -> None:
    from earlyboot.config.profile import load

    profile = load(name, Paths("/nonexistent"))
    made = make_plan(flatten(complete()), profile, lambda path: True, ())
    assert made.wanted == profile.files
    assert made.not_run == ("settings.bootstrap-commands.set-motd", "settings.bootstrap-containers.disks")
    assert {key.split(".")[1] for key in made.unused_keys} == {
        "network",
        "kernel",
        "dns",
        "aws",
        "pki",
        "host-containers",
        "updates",
    }
    assert [key for key in made.unused_keys if key.split(".")[1] in ("network", "kernel")] == [
        "settings.network.disable-ipv6",
        "settings.kernel.lockdown",
    ]
