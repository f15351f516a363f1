"""earlyboot.toml: every option, every fault of every file at once, and which file wins."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from earlyboot.config import options
from earlyboot.config.options import OPTIONS, PROVIDER_OPTIONS, Options
from earlyboot.config.paths import Paths
from hostkit import toml
from hostkit.errors import HostError, OperatorError

PLATFORM_RULE = 'one of "ec2", "vmware", "metal"'
BOOLEAN_RULE = "true or false"
SECONDS_RULE = "seconds, more than 0 and at most 600"

GOOD: dict[str, tuple[object, ...]] = {
    "platform": ("ec2", "vmware", "metal"),
    "profile": ("ec2", "vmware", "metal"),
    "strict": (True, False),
    "offline": (True, False),
    "on-new-identity": ("first-boot", "keep"),
    "limits.user-data-bytes": (1, 1 << 20),
    "limits.keys": (1, 1_000_000),
    "limits.depth": (1, 64),
    "api.write-group": ("wheel", "earlyboot-api", "_a.b-1"),
    "api.read-group": ("adm",),
    "history.generations": (1, 10_000),
    "providers.ec2-imds.enabled": (True, False),
    "providers.ec2-imds.endpoint": ("http://127.0.0.1:1", ""),
    "providers.local-file.path": ("/a", "/"),
    "providers.ec2-imds.deadline": (1, 0.5, 600),
}
BAD: dict[str, tuple[tuple[str, ...], str, str]] = {
    "platform": (('"azure"', '"EC2"', '""', "1", "[]", '["ec2"]'), PLATFORM_RULE, "what this machine is"),
    "profile": (('"x"', "true"), PLATFORM_RULE, "the profile to use, where it is not the platform's own"),
    "strict": (('"true"', "1", "0"), BOOLEAN_RULE, "a failed stage takes the machine to emergency.target"),
    "offline": (('"no"', "0"), BOOLEAN_RULE, "ask no source that needs a network"),
    "on-new-identity": (
        ('"KEEP"', "true"),
        'one of "first-boot", "keep"',
        "what a disk does that wakes up in another machine: read the sources again, or keep its settings",
    ),
    "limits.user-data-bytes": (
        ("0", "-1", "1048577", "1.0", "true", '"1"'),
        "a whole number from 1 to 1,048,576",
        "the size of one decoded source",
    ),
    "limits.keys": (("0", "1000001", "true"), "a whole number from 1 to 1,000,000", "the keys of one source"),
    "limits.depth": (("0", "65", "1e1"), "a whole number from 1 to 64", "how deep tables and lists may be nested"),
    "api.write-group": (
        ('""', '"-a"', '"a b"', "0", '["wheel"]', '"' + "a" * 33 + '"'),
        "the name of a group",
        "whose members may read and change settings",
    ),
    "api.read-group": (('"a:b"', "true"), "the name of a group", "whose members may read settings, secrets redacted"),
    "history.generations": (
        ("0", "10001", "true"),
        "a whole number from 1 to 10,000",
        "how many commits are remembered, to be compared and gone back to",
    ),
    "providers.ec2-imds.enabled": (('"yes"', "1"), BOOLEAN_RULE, "false removes the source"),
    "providers.ec2-imds.endpoint": (("80", '["x"]'), "a string", "where the service listens"),
    "providers.local-file.path": (
        ('"a"', '""', '"./a"', '"/a\\u0000b"', "1"),
        "an absolute path",
        "the file that a local source reads",
    ),
    "providers.ec2-imds.deadline": (
        ("0", "-1", "601", "600.1", '"10"', "true", "0.0"),
        SECONDS_RULE,
        "when the source is given up",
    ),
}


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    os.makedirs(tmp_path / "etc/earlyboot/earlyboot.toml.d")
    return Paths(str(tmp_path))


def write(paths: Paths, text: str | bytes, drop_in: str | None = None) -> None:
    path = Path(paths.options if drop_in is None else os.path.join(paths.options_folder, drop_in))
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def refusal(paths: Paths) -> str:
    with pytest.raises(OperatorError) as caught:
        options.load(paths)
    return str(caught.value)


def value_of(loaded: Options, key: str) -> object:
    table, _, rest = key.partition(".")
    return loaded.provider(*rest.split(".")) if table == "providers" else loaded[key]


def test_the_tables_here_know_every_option() -> None:
    known = {option.key for option in OPTIONS}
    per_provider = {option.key for option in PROVIDER_OPTIONS}
    for table in (GOOD, BAD):
        assert {key for key in table if not key.startswith("providers.")} == known
        assert {key.rpartition(".")[2] for key in table if key.startswith("providers.")} == per_provider


def test_without_a_file_every_option_has_its_default(tmp_path: Path) -> None:
    loaded = options.load(Paths(str(tmp_path)))
    assert {option.key: loaded[option.key] for option in OPTIONS} == {
        "platform": None,
        "profile": None,
        "strict": False,
        "offline": False,
        "on-new-identity": "first-boot",
        "limits.user-data-bytes": 1_048_576,
        "limits.keys": 20_000,
        "limits.depth": 32,
        "api.write-group": "earlyboot-api",
        "api.read-group": None,
        "history.generations": 1000,
    }
    assert {option.key: loaded.provider("ec2-imds", option.key) for option in PROVIDER_OPTIONS} == {
        "enabled": True,
        "endpoint": None,
        "path": None,
        "deadline": None,
    }
    assert loaded.limits == toml.LIMITS


@pytest.mark.parametrize("option", [*OPTIONS, *PROVIDER_OPTIONS], ids=lambda option: option.key)
def test_every_default_would_be_accepted_if_it_were_written(option: options.Option) -> None:
    assert option.default is None or option.accepts(option.default)


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in GOOD.items() for value in values])
def test_a_good_value_is_taken(paths: Paths, key: str, value: object) -> None:
    text = str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else str(value)
    write(paths, f"{key} = {text}\n")
    assert value_of(options.load(paths), key) == value


@pytest.mark.parametrize(("key", "text"), [(key, text) for key, (texts, _, _) in BAD.items() for text in texts])
def test_a_bad_value_is_refused_with_its_place_and_rule(paths: Paths, key: str, text: str) -> None:
    write(paths, f"# a comment\n{key} = {text}\n")
    _, rule, meaning = BAD[key]
    assert refusal(paths) == (
        f"error: {key} must be {rule}\n"
        f"  where: /etc/earlyboot/earlyboot.toml:2 [{key}]\n"
        f"  fix:   correct it, or delete the line; it says {meaning}"
    )


ALL = (
    "api.read-group, api.write-group, history.generations, limits.depth, limits.keys, limits.user-data-bytes, offline,"
    " on-new-identity, platform, profile,"
    " providers.NAME.deadline, providers.NAME.enabled, providers.NAME.endpoint, providers.NAME.path, strict"
)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("strikt = true", "strikt"),
        ("[limits]\nkeyz = 1", "limits.keyz"),
        ('"limits.keys" = 1', '"limits.keys"'),
        ("[strict]\nx = true", "strict.x"),
        ("limits = 1", "limits"),
        ("providers = 1", "providers"),
        ("[providers]\nlocal-file = true", "providers.local-file"),
        ("[providers.local-file]\nx = 1", "providers.local-file.x"),
        ("[providers.local-file.path]\nx = 1", "providers.local-file.path.x"),
        ("[[providers]]\nx = 1", "providers"),
    ],
)
def test_an_unknown_key_is_an_error(paths: Paths, text: str, key: str) -> None:
    write(paths, text + "\n")
    line = text.count("\n") + 1 if not text.startswith("[[") else 1
    assert refusal(paths) == (
        f"error: {key} is not an option\n"
        f"  where: /etc/earlyboot/earlyboot.toml:{line} [{key}]\n"
        f"  fix:   the options are {ALL}"
    )


def test_a_source_that_does_not_exist_is_an_error_told_once(paths: Paths) -> None:
    write(paths, '[providers.ec2-imsd]\nendpoint = "x"\ndeadline = "y"\n')
    assert refusal(paths) == (
        "error: providers.ec2-imsd is not a source\n"
        "  where: /etc/earlyboot/earlyboot.toml:1 [providers.ec2-imsd]\n"
        "  fix:   the sources are local-defaults, local-file, ec2-imds, local-overrides"
    )


def test_drop_ins_win_in_the_order_of_their_names_key_by_key(paths: Paths) -> None:
    write(paths, 'platform = "ec2"\nstrict = true\n[limits]\nkeys = 1\ndepth = 1\n')
    write(paths, "offline = true\n[limits]\nkeys = 20\n[providers.local-file]\npath = '/20'\n", "20.toml")
    write(
        paths, "strict = false\n[limits]\nkeys = 10\n[providers.local-file]\npath = '/10'\nenabled = false\n", "10.toml"
    )
    write(paths, "this is no TOML, and no drop-in", "30.toml.disabled")
    loaded = options.load(paths)
    assert [loaded[key] for key in ("platform", "strict", "offline", "limits.keys", "limits.depth")] == [
        "ec2",
        False,
        True,
        20,
        1,
    ]
    assert [loaded.provider("local-file", key) for key in ("path", "enabled")] == ["/20", False]
    assert loaded.provider("local-overrides", "path") is None


def test_a_drop_in_needs_no_main_file(paths: Paths) -> None:
    write(paths, "strict = true", "x.toml")
    assert options.load(paths).flag("strict")


def test_every_fault_of_every_file_is_told_at_once(paths: Paths) -> None:
    write(paths, 'platform = "x"\nno = 1\nstrict = true\n')
    write(paths, "strict = \n", "1.toml")
    write(paths, b"# \xff\n", "2.toml")
    write(paths, "offline = true\n", "3.toml")
    write(paths, "offline = 1979-05-27\nx = inf\n", "4.toml")
    write(paths, "[limits]\nkeys = 0\n", "5.toml")
    folder = "/etc/earlyboot/earlyboot.toml.d"
    with pytest.raises(OperatorError) as caught:
        options.load(paths)
    assert [(fault.code, str(fault.where)) for fault in caught.value.faults] == [
        ("bad-value", "/etc/earlyboot/earlyboot.toml:1 [platform]"),
        ("unknown-key", "/etc/earlyboot/earlyboot.toml:2 [no]"),
        ("toml-syntax", f"{folder}/1.toml:1"),
        ("not-utf-8", f"{folder}/2.toml"),
        ("date", f"{folder}/4.toml:1 [offline]"),
        ("not-finite", f"{folder}/4.toml:2 [x]"),
        ("bad-value", f"{folder}/5.toml:2 [limits.keys]"),
    ]


def test_a_file_that_is_not_utf8_is_told_how_to_be_saved(paths: Paths) -> None:
    write(paths, b"# caf\xe9\n")
    assert refusal(paths) == (
        "error: the file is not UTF-8\n  where: /etc/earlyboot/earlyboot.toml\n  fix:   save it as UTF-8"
    )


def test_a_file_without_end_is_not_read(paths: Paths) -> None:
    write(paths, b"#" * ((256 << 10) + 1))
    with pytest.raises(HostError, match=r"is larger than 262,144 bytes"):
        options.load(paths)


def test_what_is_no_file_is_refused_and_not_taken_for_absent(paths: Paths) -> None:
    os.mkfifo(paths.options)
    with pytest.raises(HostError, match="is not a regular file"):
        options.load(paths)


def test_options_are_given_in_the_types_of_their_readers(paths: Paths) -> None:
    write(paths, 'platform = "ec2"\nstrict = true\n[limits]\nuser-data-bytes = 7\nkeys = 8\ndepth = 9\n')
    loaded = options.load(paths)
    assert (loaded.text("platform"), loaded.text("profile"), loaded.text("strict")) == ("ec2", None, None)
    assert (loaded.flag("strict"), loaded.flag("offline")) == (True, False)
    assert loaded.limits == toml.Limits(size_bytes=7, keys=8, depth=9)
