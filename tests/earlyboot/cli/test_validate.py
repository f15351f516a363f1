"""`earlyboot validate`: what a boot would say of a file, without the boot."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from earlyboot.config.paths import APPLICATION, PROGRAM
from earlyboot.model.settings import GROUPS
from tests.earlyboot.stages.machine import SETTINGS, Ended, run

INVALID = Path(__file__).parents[1] / "stages/invalid"
SINGLE = sorted(
    path.stem
    for path in INVALID.glob("*.txt")
    if path.with_suffix(".toml").exists() and "ec2-imds:" in path.read_text()
)

EXAMPLES = Path(APPLICATION) / "examples"
METAL = ", ".join(group for group in GROUPS if group not in ("ecs", "cloudformation", "autoscaling"))


def validate(*arguments: object, root: Path | None = None) -> Ended:
    return run([*PROGRAM, "--root", str(root or "/nonexistent"), "validate", *map(str, arguments)])


@pytest.mark.parametrize("fault", [name for name in SINGLE if not (INVALID / f"{name}.overrides.toml").exists()])
def test_a_file_gets_the_very_words_of_the_boot(fault: str) -> None:
    path = INVALID / f"{fault}.toml"
    expected = (INVALID / f"{fault}.txt").read_text().replace("ec2-imds:", f"{path}:")
    assert validate(path, "--profile", "ec2") == Ended(2, "", expected)


def test_several_files_are_judged_each(tmp_path: Path) -> None:
    good, packed = tmp_path / "good.toml", tmp_path / "good.toml.gz"
    good.write_bytes(SETTINGS)
    packed.write_bytes(gzip.compress(SETTINGS))
    bad, cut, absent = tmp_path / "bad.toml", tmp_path / "cut.gz", tmp_path / "absent.toml"
    bad.write_text("[settings]\nmotd = 5\nmtod = 1\n")
    cut.write_bytes(gzip.compress(SETTINGS)[:-9])
    assert validate(good, packed) == Ended(
        0, f"{good}: valid for the profile metal\n{packed}: valid for the profile metal\n", ""
    )
    ended = validate(good, cut, bad, absent, packed)
    assert ended.status == 3  # of the first that is wrong
    assert ended.stdout == f"{good}: valid for the profile metal\n{packed}: valid for the profile metal\n"
    assert ended.stderr == (
        "error: the gzip data ends early\n"
        f"  where: {cut}\n"
        "  fix:   upload it again; `gzip -t FILE` checks the file\n"
        "error: settings.motd must be text, not a number\n"
        f"  where: {bad}:2 [settings.motd]\n"
        '  fix:   write it in quotes, such as "Welcome!"\n'
        "error: settings.mtod is not a group of settings here\n"
        f"  where: {bad}:3 [settings.mtod]\n"
        f'  fix:   did you mean "motd"? the groups are: {METAL}\n'
        "error: there is no such file\n"
        f"  where: {absent}\n"
        "  fix:   give the path of a file\n"
    )


def test_the_json_is_one_list_of_all_faults(tmp_path: Path) -> None:
    good, bad, absent = tmp_path / "good.toml", tmp_path / "bad.toml", tmp_path / "absent.toml"
    good.write_bytes(SETTINGS)
    bad.write_text("[settings]\nmotd = 5\n")
    ended = validate("--format", "json", good)
    assert (ended.status, json.loads(ended.stdout), ended.stderr) == (0, [], "")
    ended = validate("--format", "json", bad, good, absent)
    assert (ended.status, ended.stderr) == (2, "")
    assert json.loads(ended.stdout) == [
        {
            "code": "wrong-type",
            "what": "settings.motd must be text, not a number",
            "where": {"source": str(bad), "line": 2, "column": 1, "key": "settings.motd"},
            "fix": 'write it in quotes, such as "Welcome!"',
            "severity": "error",
        },
        {
            "code": "no-file",
            "what": "there is no such file",
            "where": {"source": str(absent), "line": None, "column": None, "key": None},
            "fix": "give the path of a file",
            "severity": "error",
        },
    ]


def test_a_warning_in_the_json_has_its_severity_and_fails_nothing(tmp_path: Path) -> None:
    beside = tmp_path / "beside.toml"
    beside.write_text('[setings]\na = 1\n[settings]\nmotd = "x"\n')
    ended = validate("--format", "json", beside)
    assert (ended.status, ended.stderr) == (0, "")
    assert json.loads(ended.stdout) == [
        {
            "code": "ignored-table",
            "what": "'setings' is beside [settings] and means nothing",
            "where": {"source": str(beside), "line": 1, "column": 2, "key": "setings"},
            "fix": "put it below [settings], or delete it",
            "severity": "warning",
        }
    ]


def test_all_files_of_one_call_are_one_machine(tmp_path: Path) -> None:
    base, more = tmp_path / "base.toml", tmp_path / "more.toml"
    base.write_text('[settings.bootstrap-containers.disks]\nmode = "once"\n')
    more.write_text('[settings.bootstrap-containers.disks]\nsource = "example.com/disks:1"\n')
    assert validate(base, more) == Ended(
        0, f"{base}: valid for the profile metal\n{more}: valid for the profile metal\n", ""
    )
    other = tmp_path / "other.toml"
    other.write_text('[settings]\nmotd = "x"\n')
    ended = validate(other, base)
    assert (ended.status, ended.stdout) == (2, f"{other}: valid for the profile metal\n")
    assert ended.stderr.startswith("error: settings.bootstrap-containers.disks.source ")
    assert f"  where: {base}:1 [settings.bootstrap-containers.disks.source]\n" in ended.stderr


def test_a_rule_across_keys_is_broken_where_the_last_file_sets_the_key(tmp_path: Path) -> None:
    one, two = tmp_path / "one.toml", tmp_path / "two.toml"
    one.write_text('[settings.bootstrap-containers.disks]\nsource = "a"\n')
    two.write_text('[settings]\nmotd = "x"\n[settings.bootstrap-containers.other]\nmode = "once"\n')
    ended = validate(two, one)
    assert (ended.status, ended.stdout) == (2, f"{one}: valid for the profile metal\n")
    assert f"  where: {two}:3 [settings.bootstrap-containers.other.source]\n" in ended.stderr


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An image with the example of a drop-in."""
    shutil.copytree(EXAMPLES / "profiles.d", tmp_path / "image/etc/earlyboot/profiles.d")
    return tmp_path / "image"


def test_the_groups_of_drop_ins_are_checked_with_their_schemas(image: Path, tmp_path: Path) -> None:
    good, bad = EXAMPLES / "log-shipper-user-data.toml", tmp_path / "bad.toml"
    assert validate(good, root=image) == Ended(0, f"{good}: valid for the profile metal\n", "")
    bad.write_text('[settings.log-shipper]\nendpoint = "http://x"\ntoken = "short"\nlevel = "loud"\nbufer-mib = 1\n')
    assert validate(bad, root=image) == Ended(
        2,
        "",
        "error: settings.log-shipper.endpoint must match the pattern ^https://\n"
        f"  where: {bad}:2 [settings.log-shipper.endpoint]\n"
        '  fix:   write for example "https://logs.example.com/in"\n'
        "error: settings.log-shipper.token must have at least 8 characters\n"
        f"  where: {bad}:3 [settings.log-shipper.token]\n"
        "  fix:   it is: What the endpoint asks for.\n"
        'error: settings.log-shipper.level must be one of "error", "warning", "info", "debug"\n'
        f"  where: {bad}:4 [settings.log-shipper.level]\n"
        "  fix:   write one of these\n"
        "error: settings.log-shipper.bufer-mib is not a known key\n"
        f"  where: {bad}:5 [settings.log-shipper.bufer-mib]\n"
        '  fix:   did you mean "buffer-mib"?\n',
    )
    assert validate(good, "--profile", "vmware", root=image).status == 2


def test_what_a_group_needs_may_come_from_any_file(image: Path, tmp_path: Path) -> None:
    part, other = tmp_path / "part.toml", tmp_path / "other.toml"
    part.write_text('[settings.log-shipper]\nlevel = "info"\n')
    other.write_text('[settings]\nmotd = "x"\n')
    good = EXAMPLES / "log-shipper-user-data.toml"
    assert validate(part, good, root=image).status == 0
    assert validate(other, root=image).status == 0  # the profile's defaults alone are no wish for a log shipper
    assert validate(part, root=image) == Ended(
        2,
        "",
        "error: settings.log-shipper.endpoint is missing\n"
        f"  where: {part}:1 [settings.log-shipper.endpoint]\n"
        "  fix:   add endpoint\n",
    )


def test_drop_ins_that_do_not_fit_are_refused_before_any_file(image: Path) -> None:
    (image / "etc/earlyboot/profiles.d/60.toml").write_text("[defaults.log-shipper]\nbuffer-mib = 0\n")
    ended = validate(EXAMPLES / "log-shipper-user-data.toml", root=image)
    assert (ended.status, ended.stdout) == (2, "")
    assert ended.stderr == (
        "error: a default does not fit: settings.log-shipper.buffer-mib must be at least 1\n"
        "  where: /etc/earlyboot/profiles.d/60.toml:2 [defaults.log-shipper.buffer-mib]\n"
        "  fix:   it is: How much may wait to be sent, in MiB.\n"
    )


def test_a_group_of_another_profile_leads_to_that_profile(tmp_path: Path) -> None:
    path = tmp_path / "ecs.toml"
    path.write_text('[settings.ecs]\ncluster = "web"\n')
    assert validate(path) == Ended(
        2,
        "",
        "error: settings.ecs is not a group of settings here\n"
        f"  where: {path}:1 [settings.ecs]\n"
        "  fix:   it is in the profile ec2: add --profile ec2\n",
    )
    assert validate(path, "--profile", "ec2") == Ended(0, f"{path}: valid for the profile ec2\n", "")


def test_a_group_that_the_image_removed_is_in_no_other_profile(tmp_path: Path) -> None:
    drop_in, path = tmp_path / "etc/earlyboot/profiles.d/10.toml", tmp_path / "motd.toml"
    drop_in.parent.mkdir(parents=True)
    drop_in.write_text('remove-groups = ["motd"]\n')
    path.write_text('[settings]\nmotd = "x"\n')
    ended = validate(path, root=tmp_path)
    assert ended.stderr.startswith("error: settings.motd is not a group of settings here\n")
    assert "--profile" not in ended.stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[settings]\nmotd = "x"\n', Ended(0, "standard input: valid for the profile metal\n", "")),
        (
            "[settings]\nmotd = 5\n",
            Ended(
                2,
                "",
                "error: settings.motd must be text, not a number\n"
                "  where: standard input:2 [settings.motd]\n"
                '  fix:   write it in quotes, such as "Welcome!"\n',
            ),
        ),
    ],
)
def test_a_dash_is_the_standard_input(text: str, expected: Ended) -> None:
    argv = [*PROGRAM, "--root", "/nonexistent", "validate", "-"]
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    assert Ended(done.returncode, done.stdout, done.stderr) == expected


def test_a_net_toml_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "net.toml"
    path.write_text("version = 3\n[eth0]\ndhcp4 = true\n")
    assert validate(path) == Ended(
        2,
        "",
        "error: this is a net.toml, which this version cannot check yet\n"
        f"  where: {path}\n"
        "  fix:   give user data, with a [settings] table\n",
    )


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    ended = validate(tmp_path)
    assert (ended.status, ended.stdout) == (4, "")
    assert ended.stderr == f"error: {tmp_path} is not a regular file\n  where: {tmp_path}\n  fix:   put a file there\n"


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_that_is_too_large_is_refused_as_at_boot(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / "large.toml"
    data = b'[settings]\nmotd = "' + b"x" * (1 << 20) + b'"\n'
    path.write_bytes(gzip.compress(data) if packed else data)
    what = "gzip data unpacks to more" if packed else "user data is larger"
    assert validate(path) == Ended(
        3,
        "",
        f"error: the {what} than 1048576 bytes\n"
        f"  where: {path}\n"
        "  fix:   make it smaller; large files belong into a bootstrap container\n",
    )


def test_the_limits_and_the_profile_are_the_image_s(tmp_path: Path) -> None:
    options = tmp_path / "etc/earlyboot/earlyboot.toml"
    options.parent.mkdir(parents=True)
    options.write_text("limits.keys = 2\n")
    path = tmp_path / "three.toml"
    path.write_text('[settings]\nmotd = "x"\nkernel.lockdown = "none"\nnetwork.hostname = "a"\n')
    assert validate(path, "--profile", "metal") == Ended(0, f"{path}: valid for the profile metal\n", "")
    ended = validate(path, root=tmp_path)
    assert ended.status == 2
    assert ended.stderr.startswith("error: the document has more than 2 keys\n")
    options.write_text("limit.keys = 2\n")
    ended = validate(path, root=tmp_path)
    assert ended.status == 2
    assert ended.stderr.startswith(
        "error: limit.keys is not an option\n  where: /etc/earlyboot/earlyboot.toml:1 [limit.keys]\n"
    )


def test_what_a_boot_would_pass_with_a_word_is_passed_with_that_word(tmp_path: Path) -> None:
    empty, beside = tmp_path / "empty.toml", tmp_path / "beside.toml"
    empty.write_text(" \n")
    beside.write_text('[setings]\na = 1\n[settings]\nmotd = "x"\n')
    assert validate(empty, beside) == Ended(
        0,
        f"{empty}: valid for the profile metal\n{beside}: valid for the profile metal\n",
        "warning: the file is empty, which is no user data\n"
        f"  where: {empty}\n"
        "  fix:   nothing to do\n"
        "warning: 'setings' is beside [settings] and means nothing\n"
        f"  where: {beside}:1 [setings]\n"
        "  fix:   put it below [settings], or delete it\n",
    )


def test_what_no_file_can_hold_is_found_at_its_line(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text('[settings.ecs]\nloglevel = "debug"\n')
    bad.write_text('[settings.ecs]\nloglevel = "info"\ncluster = "a\\\\b"\n')
    ended = validate("--profile", "ec2", good, bad)
    assert (ended.status, ended.stdout) == (2, f"{good}: valid for the profile ec2\n")
    assert ended.stderr.startswith("error: ecs cannot be rendered: ")
    assert ended.stderr.endswith(
        f"\n  where: {bad}:3 [settings.ecs.cluster]\n  fix:   correct the settings that feed this file\n"
    )


DROP_IN = """\
[groups.vpn]
schema = "vpn.json"
[files.vpn]
path = "/etc/vpn.env"
keys = ["settings.vpn.endpoint"]
template = "vpn.j2"
format = "shell"
consumer = "/usr/bin/none"
[generators.vpn]
key = "settings.vpn.name"
command = ["/usr/bin/none"]
"""
SCHEMA = """{"properties": {"endpoint": {"type": "string"}, "name": {"type": "string"},
 "private-key": {"type": "string", "writeOnly": true}}, "additionalProperties": false}"""


@pytest.mark.parametrize(
    ("template", "what"),
    [
        (
            'A={{ setting("vpn.endpoint") }}\nB={{ setting("vpn.private-key") }}\n',
            (
                "error: the template vpn cannot be rendered: it shows settings.vpn.private-key, which is not among the keys "
                "of its file\n"
                "  where: FOLDER/vpn.j2:2 [settings.vpn.private-key]\n"
                "  fix:   name the key in keys or also of the file, and give a file with a secret the mode 0600\n"
            ),
        ),
        (
            "A\n{% if %}",
            (
                "error: the template vpn cannot be rendered: Expected an expression, got 'end of statement block'\n"
                "  where: FOLDER/vpn.j2:2\n"
                "  fix:   mend the template\n"
            ),
        ),
        ('A={{ setting("vpn.endpoint") }}\n', ""),
    ],
)
def test_a_template_of_the_image_builder_is_rendered(tmp_path: Path, template: str, what: str) -> None:
    folder = tmp_path / "etc/earlyboot/profiles.d"
    folder.mkdir(parents=True)
    (folder / "50.toml").write_text(DROP_IN)
    (folder / "vpn.json").write_text(SCHEMA)
    (folder / "vpn.j2").write_text(template)
    document = tmp_path / "data.toml"
    document.write_text('[settings.vpn]\nendpoint = "x"\nprivate-key = "secret"\n')
    ended = validate(document, root=tmp_path)
    assert ended.stderr.replace(str(folder), "FOLDER") == what
    assert (ended.status, ended.stdout) == (
        (2, f"{document}: valid for the profile metal\n") if what else (0, f"{document}: valid for the profile metal\n")
    )


def test_a_broken_template_is_found_whatever_is_set(tmp_path: Path) -> None:
    folder = tmp_path / "etc/earlyboot/profiles.d"
    folder.mkdir(parents=True)
    (folder / "50.toml").write_text(DROP_IN)
    (folder / "vpn.json").write_text(SCHEMA)
    (folder / "vpn.j2").write_text("{{ 1 | nothing }}")
    document = tmp_path / "data.toml"
    document.write_text('[settings]\nmotd = "x"\n')
    ended = validate(document, root=tmp_path)
    assert ended.status == 2
    assert f"  where: {folder}/vpn.j2:1\n" in ended.stderr
