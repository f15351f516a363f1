"""Drop-ins of the image builder: merged over the shipped profile, and every fault of every file at once."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earlyboot.config.paths import PROFILE_NAMES, Paths
from earlyboot.config.profile import GeneratorSpec, Profile, ServiceSpec, load, model_groups
from earlyboot.render.formats import toml
from hostkit.errors import OperatorError

INVALID = Path(__file__).parent / "invalid"
FOLDER = "etc/earlyboot/profiles.d"
OWN = """\
[groups.cache]
schema = "cache.schema.json"
[files.cache]
path = "/etc/cache.conf"
keys = ["settings.cache"]
template = "cache.j2"
"""
BESIDE = {"cache.schema.json": '{"type": "object"}', "cache.j2": "x\n"}


def image(root: Path, files: Mapping[str, str]) -> Paths:
    for name, text in files.items():
        path = root / FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Paths(str(root))


def loaded(root: Path, *drop_ins: str, name: str = "ec2") -> Profile:
    numbered = {f"{place:02}.toml": text for place, text in enumerate(drop_ins)}
    return load(name, image(root, BESIDE | numbered))


def refused(root: Path, *drop_ins: str, name: str = "ec2") -> str:
    with pytest.raises(OperatorError) as caught:
        loaded(root, *drop_ins, name=name)
    return str(caught.value)


def test_without_drop_ins_a_profile_is_the_shipped_one(tmp_path: Path) -> None:
    shipped = load("ec2", Paths(str(tmp_path)))
    assert load("ec2", image(tmp_path, {"README": "not a drop-in"})) == shipped
    assert shipped.drop_ins == ()
    assert shipped.filling == shipped.defaults


def test_a_group_brings_its_schema_and_its_file(tmp_path: Path) -> None:
    profile = loaded(tmp_path, OWN + 'mode = "0640"\nformat = "ini"\nowned = true\nconsumer = "/usr/bin/cache"\n')
    assert profile.custom == {"cache": {"type": "object"}}
    assert profile.drop_ins == ("/etc/earlyboot/profiles.d/00.toml",)
    spec = next(spec for spec in profile.files if spec.name == "cache")
    assert (spec.path, spec.keys, spec.mode, spec.format) == ("/etc/cache.conf", ("settings.cache",), 0o640, "ini")
    assert (spec.owned, spec.consumer, spec.renderer) == (True, "/usr/bin/cache", None)
    assert spec.template == str(tmp_path / FOLDER / "cache.j2")
    assert spec == profile.files[-1]


def test_a_drop_in_concerns_the_profiles_that_it_names(tmp_path: Path) -> None:
    one = 'profiles = ["vmware", "metal"]\naccess-user = "admin"\n'
    assert {name: loaded(tmp_path, one, name=name).access_user for name in PROFILE_NAMES} == {
        "ec2": "root",
        "vmware": "admin",
        "metal": "admin",
    }
    assert loaded(tmp_path, one, name="ec2").drop_ins == ()


def test_a_later_drop_in_wins_key_by_key(tmp_path: Path) -> None:
    profile = loaded(
        tmp_path,
        OWN + '[defaults.cache]\nsize = 1\npaths = ["/a"]\n',
        '[files.cache]\npath = "/etc/other.conf"\n[defaults.cache]\npaths = ["/b"]\n[defaults.kubernetes]\n'
        'authentication-mode = "tls"\n',
    )
    spec = next(spec for spec in profile.files if spec.name == "cache")
    assert (spec.path, spec.keys) == ("/etc/other.conf", ("settings.cache",))
    assert profile.defaults["cache"] == {"size": 1, "paths": ["/b"]}
    kubernetes = profile.defaults["kubernetes"]
    assert isinstance(kubernetes, dict)
    assert (kubernetes["authentication-mode"], kubernetes["cloud-provider"]) == ("tls", "external")
    assert profile.drop_ins == ("/etc/earlyboot/profiles.d/00.toml", "/etc/earlyboot/profiles.d/01.toml")


def test_a_default_that_a_drop_in_names_is_asked_for_even_where_it_says_the_same(tmp_path: Path) -> None:
    shipped = load("metal", Paths("/nonexistent")).filling
    profile = loaded(
        tmp_path,
        '[defaults.kubernetes]\ncluster-domain = "cluster.local"\n[defaults.ntp]\noptions = []\n',
        name="metal",
    )
    kubernetes = shipped["kubernetes"]
    assert isinstance(kubernetes, dict)
    assert profile.filling["kubernetes"] == {key: kubernetes[key] for key in kubernetes if key != "cluster-domain"}
    assert "ntp" not in profile.filling
    assert profile.defaults["kubernetes"] == kubernetes


def test_a_shipped_file_may_move_and_keep_all_else(tmp_path: Path) -> None:
    before = next(spec for spec in load("ec2", Paths("/nonexistent")).files if spec.name == "hosts")
    profile = loaded(tmp_path, '[files.hosts]\npath = "/etc/hosts.d/earlyboot"\n')
    after = next(spec for spec in profile.files if spec.name == "hosts")
    assert after == before._replace(path="/etc/hosts.d/earlyboot")


def test_a_template_takes_the_place_of_a_renderer(tmp_path: Path) -> None:
    name = next(
        spec.name for spec in load("ec2", Paths("/nonexistent")).files if spec.renderer and "*" not in spec.path
    )
    after = next(
        spec for spec in loaded(tmp_path, f'[files.{name}]\ntemplate = "cache.j2"\n').files if spec.name == name
    )
    assert (after.renderer, after.template) == (None, str(tmp_path / FOLDER / "cache.j2"))


def test_what_is_not_enabled_is_gone_and_services_do_without_it(tmp_path: Path) -> None:
    profile = loaded(
        tmp_path,
        "[files.chrony-conf]\nenabled = false\n[files.sysctl]\nenabled = false\n[files.ipv6]\nenabled = false\n"
        "[services.hostname]\nenabled = false\n[generators.hostname]\nenabled = false\n",
    )
    assert {"chrony-conf", "sysctl", "ipv6"}.isdisjoint(spec.name for spec in profile.files)
    services = {service.name: service for service in profile.services}
    assert services["chrony"].files == ("chrony-sources",)
    assert {"sysctl", "hostname"}.isdisjoint(services)
    assert "hostname" not in {generator.name for generator in profile.generators}


def test_a_removed_group_takes_its_defaults_and_generators_with_it(tmp_path: Path) -> None:
    profile = loaded(tmp_path, 'remove-groups = ["kubernetes", "ecs"]\n')
    shipped = load("ec2", Paths("/nonexistent"))
    assert shipped.groups is not None
    assert profile.groups == shipped.groups - {"kubernetes", "ecs"}
    assert {"kubernetes", "ecs"}.isdisjoint(profile.defaults)
    assert {"kubernetes", "ecs"}.isdisjoint(profile.filling)
    assert "node-ip" in {generator.name for generator in shipped.generators}
    assert "node-ip" not in {generator.name for generator in profile.generators}


def test_a_group_that_this_profile_has_not_may_be_removed_from_all(tmp_path: Path) -> None:
    assert loaded(tmp_path, 'remove-groups = ["ecs"]\n', name="metal").groups == load("metal", Paths("/x")).groups


def test_sources_users_services_and_generators_are_the_builder_s_to_choose(tmp_path: Path) -> None:
    profile = loaded(
        tmp_path,
        'providers = ["ec2-imds", "local-file"]\naccess-user = "admin"\n'
        + OWN
        + '[services.cache]\nfiles = ["cache"]\ncommands = [["systemctl", "try-restart", "cache.service"]]\n'
        '[generators.cache-size]\nkey = "settings.cache.size"\ncommand = ["/usr/bin/size", "--now"]\n'
        'strength = "weak"\nneeds = ["settings.motd"]\nwhen = ["settings.cache"]\ndeadline = 5\ndepth = 1\n'
        'consumer = "/usr/bin/cache"\n[generators.region]\nenabled = false\n',
    )
    assert profile.providers == ("ec2-imds", "local-file")
    assert profile.access_user == "admin"
    assert profile.services[-1] == ServiceSpec("cache", ("cache",), (("systemctl", "try-restart", "cache.service"),))
    assert profile.generators[-1] == GeneratorSpec(
        "cache-size",
        "settings.cache.size",
        ("/usr/bin/size", "--now"),
        "weak",
        ("settings.motd",),
        ("settings.cache",),
        "/usr/bin/cache",
        1,
        5,
    )
    assert "region" not in {generator.name for generator in profile.generators}


def test_a_generator_of_the_program_is_used_where_a_drop_in_names_it(tmp_path: Path) -> None:
    assert "region" not in {generator.name for generator in load("metal", Paths("/nonexistent")).generators}
    profile = loaded(tmp_path, "[generators.region]\ndeadline = 3\n", name="metal")
    region = next(generator for generator in profile.generators if generator.name == "region")
    assert (region.key, region.command, region.deadline_s) == ("settings.aws.region", None, 3)


def test_a_set_of_files_is_made_of_the_members_of_a_map(tmp_path: Path) -> None:
    profile = loaded(tmp_path, OWN.replace("cache.conf", "cache.d/*.conf") + 'each = "settings.cache.parts"\n')
    spec = next(spec for spec in profile.files if spec.name == "cache")
    assert (spec.path, spec.each) == ("/etc/cache.d/*.conf", "settings.cache.parts")


@pytest.mark.parametrize("case", sorted(path.stem for path in INVALID.glob("*.toml")))
def test_a_faulty_drop_in_is_refused_with_every_fault_its_line_and_its_fix(case: str, tmp_path: Path) -> None:
    text = refused(tmp_path, (INVALID / f"{case}.toml").read_text())
    assert text + "\n" == (INVALID / f"{case}.txt").read_text()


def test_the_faults_of_all_drop_ins_come_together(tmp_path: Path) -> None:
    text = refused(tmp_path, "color = 1\n", "[files.cache]\nmode = 600\n", 'providers = ["ec2-imd"]\n')
    assert [line.strip() for line in text.splitlines() if line.startswith("error")] == [
        "error: color is not a key of a drop-in",
        'error: files.cache.mode must be permission bits as text, such as "0600"',
        "error: 'ec2-imd' is not a source",
    ]


def test_a_settings_key_may_leave_its_root_out(tmp_path: Path) -> None:
    text = (
        OWN.replace("cache.conf", "cache.d/*.conf")
        + 'also = ["motd", "settings.ntp.options"]\neach = "settings.cache.parts"\n'
        + '[generators.cache-size]\nkey = "settings.cache.size"\ncommand = ["/usr/bin/size"]\n'
        + 'needs = [\'settings.kernel.sysctl."vm.swappiness"\']\nwhen = ["settings.cache"]\n'
    )
    long = loaded(tmp_path, text)
    short = loaded(tmp_path, text.replace("settings.", ""))
    assert short == long
    spec = next(spec for spec in short.files if spec.name == "cache")
    assert (spec.keys, spec.also) == (("settings.cache",), ("settings.motd", "settings.ntp.options"))
    assert spec.each == "settings.cache.parts"
    generator = short.generators[-1]
    assert generator.needs == ('settings.kernel.sysctl."vm.swappiness"',)


def errors(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("error: ")]


def test_a_map_that_is_refused_is_not_missing_too(tmp_path: Path) -> None:
    text = refused(tmp_path, OWN.replace("cache.conf", "cache.d/*.conf") + "each = 5\n")
    assert errors(text) == ["error: files.cache.each must be a settings key such as settings.ntp.options"]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("Cache", "error: groups.Cache has a name that is not 1 to 63 lower-case letters, digits and '-'"),
        ("ntp", "error: ntp is a group of settings already"),
    ],
)
def test_a_group_whose_name_is_refused_leaves_no_echo(name: str, error: str, tmp_path: Path) -> None:
    text = OWN.replace("groups.cache", f"groups.{name}").replace("settings.cache", f"settings.{name}")
    assert errors(refused(tmp_path, text + f"[defaults.{name}]\nsize = 1\n")) == [error]


def test_the_groups_are_listed_once(tmp_path: Path) -> None:
    text = refused(tmp_path, '[defaults.x]\na = 1\n[generators.hostname]\nneeds = ["y.a", "x.a"]\n')
    fixes = [line.strip() for line in text.splitlines() if line.startswith("  fix:")]
    assert fixes[0].startswith("fix:   the groups are access, ")
    assert fixes[1:] == ["fix:   add [groups.y], or name another", "fix:   add [groups.x], or name another"]


def test_one_that_cannot_be_parsed_leaves_no_echo_in_the_others(tmp_path: Path) -> None:
    assert refused(tmp_path, "[groups.cache\n", '[services.x]\nfiles = ["cache"]\ncommands = [["true"]]\n') == (
        "error: not TOML: expected ']' at the end of a table declaration, at column 14\n"
        "  where: /etc/earlyboot/profiles.d/00.toml:1\n"
        "  fix:   correct the line; strings need quotes, tables look like [settings.ntp]"
    )


@pytest.mark.parametrize(
    ("schema", "what"),
    [
        (None, "there is no file {}"),
        (b"{", "{} is not JSON: expecting property name enclosed in double quotes at line 1"),
        (b'{"minimum": NaN}', "{} is not JSON: it has NaN, which is no number of JSON"),
        (b"true", "{} is not a JSON object"),
        (b"\xff", "{} is not UTF-8"),
    ],
)
def test_a_schema_that_cannot_be_read_is_an_error_of_the_drop_in(
    schema: bytes | None, what: str, tmp_path: Path
) -> None:
    paths = image(tmp_path, BESIDE | {"50.toml": OWN})
    beside = tmp_path / FOLDER / "cache.schema.json"
    beside.unlink()
    if schema is not None:
        beside.write_bytes(schema)
    with pytest.raises(OperatorError) as caught:
        load("ec2", paths)
    [fault] = caught.value.faults
    assert fault.what == what.format("/etc/earlyboot/profiles.d/cache.schema.json")
    assert str(fault.where) == "/etc/earlyboot/profiles.d/50.toml:2 [groups.cache.schema]"


def test_files_are_bounded(tmp_path: Path) -> None:
    paths = image(tmp_path, BESIDE | {"50.toml": OWN, "cache.j2": "x" * (256 * 1024 + 1)})
    with pytest.raises(OperatorError) as caught:
        load("ec2", paths)
    assert [fault.what for fault in caught.value.faults] == [
        "/etc/earlyboot/profiles.d/cache.j2 is larger than 262,144 bytes"
    ]
    image(tmp_path, {"cache.j2": "x", "60.toml": "#" * (256 * 1024 + 1)})
    with pytest.raises(OperatorError) as caught:
        load("ec2", paths)
    assert [fault.code for fault in caught.value.faults] == ["too-large"]
    assert not any(str(tmp_path) in str(fault.where) for fault in caught.value.faults)


def test_no_drop_in_takes_the_name_of_a_group_that_another_profile_has(tmp_path: Path) -> None:
    text = refused(tmp_path, OWN.replace("groups.cache", "groups.ecs"), name="metal")
    assert text.startswith("error: ecs is a group of settings already\n")


def test_the_groups_of_all_profiles_are_those_of_the_model() -> None:
    from earlyboot.model.settings import GROUPS

    assert model_groups() == set(GROUPS)


VALUE = st.recursive(
    st.booleans()
    | st.integers(-3, 3)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=3)
    | st.sampled_from(["cache", "/etc/x", "settings.motd", "ec2"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["cache", "path", "keys", "x y"]), inner)
    ),
    max_leaves=6,
)
ENTRY = st.dictionaries(
    st.sampled_from(["path", "keys", "template", "each", "files", "commands", "key", "needs", "schema", "enabled"]),
    VALUE,
)
SECTION = st.dictionaries(st.sampled_from(["cache", "hosts", "chrony", "hostname"]), ENTRY) | VALUE
DOCUMENT = st.dictionaries(
    st.sampled_from(["profiles", "providers", "remove-groups", "defaults", "access-user"]), VALUE, max_size=2
).flatmap(
    lambda top: st.fixed_dictionaries(
        {}, optional=dict.fromkeys(["groups", "files", "services", "generators", "defaults"], SECTION)
    ).map(lambda sections: {**top, **sections})
)


@given(DOCUMENT, DOCUMENT)
@settings(max_examples=100, deadline=None)
def test_whatever_stands_in_drop_ins_they_load_or_are_refused_in_our_words(one: object, two: object) -> None:
    assert isinstance(one, dict)
    assert isinstance(two, dict)
    texts = ["".join(f"{name} = {toml(value)}\n" for name, value in document.items()) for document in (one, two)]
    with tempfile.TemporaryDirectory() as folder:
        try:
            profile = loaded(Path(folder), *texts)
        except OperatorError as error:
            faults = error.faults
        else:
            faults = ()
            assert all(spec.path.startswith("/") and spec.keys for spec in profile.files)
            names = {spec.name for spec in profile.files}
            assert all(service.files and set(service.files) <= names for service in profile.services)
        assert all(fault.where.line is not None and fault.fix for fault in faults)
