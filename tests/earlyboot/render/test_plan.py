"""What an apply decides, as tables."""

from __future__ import annotations

import pytest

from earlyboot.config.paths import Paths
from earlyboot.config.profile import FileSpec, Profile, ServiceSpec, load
from earlyboot.model.tree import flatten
from earlyboot.render.plan import Plan, find_orphans, make_plan, services_of
from earlyboot.render.record import AppliedFile
from tests.earlyboot.model.documents import complete

MOTD = FileSpec("motd", "/etc/motd", ("settings.motd",), 0o644, None, owned=False)
NTP = FileSpec("ntp", "/etc/c/ntp", ("settings.ntp.time-servers", "settings.ntp.options"), 0o644, "/etc/c", owned=True)
DNS = FileSpec("dns", "/etc/dns", ("settings.dns",), 0o600, None, owned=True)
SYSCTL = FileSpec("sysctl", "/etc/s", ('settings.kernel.sysctl."net.a"',), 0o600, None, owned=True)
PROFILE = Profile("test", (), None, {}, (MOTD, NTP, DNS, SYSCTL), ())


def plan(*keys: str, there: tuple[str, ...] = ("/etc/c",), applied: tuple[str, ...] = ()) -> Plan:
    return make_plan(dict.fromkeys(keys, "x"), PROFILE, lambda path: path in there, [left(name) for name in applied])


def left(name: str, path: str | None = None, *, owned: bool = False) -> AppliedFile:
    """What the last apply left of a file of that name, at the path that its spec has now or at another."""
    paths = {spec.name: spec.path for spec in PROFILE.files}
    return AppliedFile(path or paths.get(name, f"/etc/{name}"), name, "", 0, 0, 0, 0o644, owned)


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


def test_a_default_that_came_with_the_program_completes_a_file_and_calls_for_none() -> None:
    shipped = {"ntp": {"options": ["iburst"]}, "dns": {"search-list": ["a"]}}
    profile = PROFILE._replace(defaults={**shipped, "motd": "the builder's"}, filling=shipped)

    def names(**others: object) -> list[str]:
        settings = {**flatten(profile.defaults), **{f"settings.{key}": value for key, value in others.items()}}
        return [spec.name for spec in make_plan(settings, profile, lambda path: True, ()).wanted]

    assert names() == ["motd"]
    assert names(**{"ntp.options": ["iburst"]}) == ["motd"]  # the same words call for the same: nothing
    assert names(**{"ntp.options": []}) == ["motd", "ntp"]
    assert names(**{"ntp.time-servers": ["a"]}) == ["motd", "ntp"]


def test_a_setting_that_only_completes_a_file_calls_for_none_and_is_unused_without_it() -> None:
    both = MOTD._replace(also=("settings.aws.profile",))
    profile = PROFILE._replace(files=(both,))

    def made(*keys: str) -> Plan:
        return make_plan(dict.fromkeys(keys, "x"), profile, lambda path: True, ())

    assert made("settings.aws.profile") == Plan((), (), ("settings.aws.profile",), ())
    assert made("settings.aws.profile", "settings.motd") == Plan((both,), (), (), ())
    assert services_of(["settings.aws.profile"], profile._replace(services=(ServiceSpec("s", ("motd",), ()),))) == {"s"}


def test_a_file_without_its_consumer_is_not_wanted_and_its_keys_are_unused() -> None:
    made = plan("settings.ntp.options", "settings.motd", there=())
    assert made == Plan(wanted=(MOTD,), restored=(), unused_keys=("settings.ntp.options",), not_run=())


@pytest.mark.parametrize(
    ("applied", "made", "obsolete", "stays"),
    [
        ((), (), (), ()),
        ((left("dns"),), (), ("/etc/dns",), ()),
        ((left("dns"),), ("/etc/dns",), (), ()),
        ((left("dns"),), ("/etc/other",), ("/etc/dns",), ()),  # its path changed with the image
        ((left("motd"),), (), (), ("/etc/motd",)),  # the image's own file, which we only wrote to
        ((left("motd", "/run/motd"),), ("/etc/motd",), (), ("/run/motd",)),
        ((left("motd", owned=True),), (), (), ("/etc/motd",)),  # what the profile says now counts
        ((left("dns", "/a"), left("dns", "/b")), ("/a",), ("/b",), ()),  # of a set
        ((left("gone", owned=True),), (), ("/etc/gone",), ()),  # the profile has it no more
        ((left("gone"),), (), (), ("/etc/gone",)),
        ((left("gone", "/etc/dns", owned=True),), ("/etc/dns",), (), ()),  # renamed, and still made
    ],
)
def test_what_is_ours_and_not_made_any_more_goes_and_what_is_the_images_stays(
    applied: tuple[AppliedFile, ...], made: tuple[str, ...], obsolete: tuple[str, ...], stays: tuple[str, ...]
) -> None:
    orphans = find_orphans(applied, made, PROFILE)
    assert tuple(file.path for file in orphans.obsolete) == obsolete
    assert tuple(file.path for file in orphans.left) == stays


BUNDLE = FileSpec("bundle", "/etc/bundle", ("settings.pki",), consumer="/etc/c", renderer="certificates")


@pytest.mark.parametrize(
    ("keys", "there", "applied", "restored"),
    [
        ((), ("/etc/c",), ("bundle",), (BUNDLE,)),
        ((), ("/etc/c",), (), ()),
        (("settings.pki.a.data",), ("/etc/c",), ("bundle",), ()),
        ((), (), ("bundle",), ()),
        ((), ("/etc/c",), ("motd",), ()),
    ],
)
def test_what_can_be_put_back_is_put_back_when_its_last_key_went(
    keys: tuple[str, ...], there: tuple[str, ...], applied: tuple[str, ...], restored: tuple[FileSpec, ...]
) -> None:
    profile = PROFILE._replace(files=(*PROFILE.files, BUNDLE))
    made = make_plan(dict.fromkeys(keys, "x"), profile, lambda path: path in there, [left(name) for name in applied])
    assert made.restored == restored


def test_keys_that_feed_nothing_here_are_listed() -> None:
    keys = ("settings.metrics.x", "settings.motd", "settings.ntp.logging", 'settings.kernel.sysctl."net.b"')
    assert plan(*keys).unused_keys == ("settings.metrics.x", "settings.ntp.logging", 'settings.kernel.sysctl."net.b"')


def test_a_default_that_feeds_nothing_is_nobodys_mistake() -> None:
    profile = PROFILE._replace(defaults={"metrics": {"a": [1], "b": 2}})
    settings: dict[str, object] = {"settings.metrics.a": [1], "settings.metrics.b": 3, "settings.metrics.c": 2}
    made = make_plan(settings, profile, lambda path: True, ())
    assert made.unused_keys == ("settings.metrics.b", "settings.metrics.c")


def test_what_asks_a_generator_for_a_name_is_unused_where_there_is_no_such_generator() -> None:
    source = "settings.kubernetes.hostname-override-source"

    def unused(profile: str, *there: str) -> tuple[str, ...]:
        shipped = load(profile, Paths("/nonexistent"))
        return make_plan({source: "instance-id"}, shipped, lambda path: path in there, ()).unused_keys

    assert unused("ec2", "/usr/bin/kubelet") == ()
    assert unused("ec2") == (source,)
    assert unused("metal", "/usr/bin/kubelet") == unused("vmware", "/usr/bin/kubelet") == (source,)


def test_a_key_that_a_generator_reads_is_not_unused() -> None:
    assert plan("settings.aws.region", "settings.aws.profile").unused_keys == ("settings.aws.profile",)


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        ((), set()),
        (("settings.motd",), {"login"}),
        (("settings.dns.a.b",), {"network"}),
        (("settings.dns",), {"network"}),
        (("settings.ntp",), {"network", "time"}),  # both files below it
        (("settings.ntp.options", "settings.motd"), {"network", "time", "login"}),
        (("settings.ntp.logging",), set()),
        (("settings.dn",), set()),
    ],
)
def test_the_services_of_a_key_read_it_or_what_is_below_it_or_around_it(keys: tuple[str, ...], names: set[str]) -> None:
    services = (
        ServiceSpec("login", ("motd",), ()),
        ServiceSpec("time", ("ntp",), ()),
        ServiceSpec("network", ("dns", "ntp"), ()),
    )
    assert services_of(keys, PROFILE._replace(services=services)) == names


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
    profile = load(name, Paths("/nonexistent"))
    groups = profile.groups or ()
    settings = flatten({group: value for group, value in complete().items() if group in groups})
    made = make_plan(settings, profile, lambda path: True, ())
    shared = [spec for spec in profile.files if any(key.split(".")[1] in groups for key in spec.keys)]
    assert [spec.name for spec in made.wanted] == [spec.name for spec in shared]
    assert made.not_run == ("settings.bootstrap-commands.set-motd", "settings.bootstrap-containers.disks")
    system = ("motd", "network", "ntp", "kernel", "boot", "dns", "aws", "access", "pki")
    assert [key for key in made.unused_keys if key.split(".")[1] in system] == [
        key
        for key in (
            "settings.kernel.drivers.nvidia.branch",
            "settings.boot.reboot-to-reconcile",
            "settings.aws.profile",
        )
        if key in made.unused_keys
    ]
