"""Whether drop-ins fit the model: each thing that does not is an error on its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from earlyboot.config.paths import Paths
from earlyboot.config.profile import load
from earlyboot.model.fit import is_known, verified_groups
from hostkit.errors import OperatorError

SCHEMA = '{"properties": {"size": {"type": "integer"}, "token": {"writeOnly": true}}, "additionalProperties": false}'
OWN = """\
[groups.cache]
schema = "cache.json"
[files.cache]
path = "/etc/cache.conf"
keys = ["settings.cache"]
template = "cache.j2"
mode = "0600"
"""


def refusal(root: Path, text: str, schema: str = SCHEMA) -> str:
    folder = root / "etc/earlyboot/profiles.d"
    folder.mkdir(parents=True)
    (folder / "cache.json").write_text(schema)
    (folder / "cache.j2").write_text("x\n")
    (folder / "10-other.toml").write_text('profiles = ["vmware"]\n[defaults.motd]\nx = 1\n')
    (folder / "50-cache.toml").write_text(text)
    paths = Paths(str(root))
    profile = load("metal", paths)
    try:
        verified_groups(profile, paths)
    except OperatorError as error:
        return str(error)
    return ""


def test_a_profile_without_drop_ins_fits() -> None:
    paths = Paths("/nonexistent")
    assert verified_groups(load("ec2", paths), paths) == {}


def test_a_good_drop_in_gives_its_groups(tmp_path: Path) -> None:
    assert refusal(tmp_path, OWN + "[defaults.cache]\nsize = 3\n") == ""
    paths = Paths(str(tmp_path))
    assert list(verified_groups(load("metal", paths), paths)) == ["cache"]


def test_a_schema_that_is_none_is_an_error_where_it_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path, OWN + "[defaults.cache]\nsize = 3\n", '{"type": 5}') == (
        "error: the schema of cache is no JSON Schema: at #/type 5 is not valid under any of the schemas listed in the "
        "'anyOf' keyword\n"
        "  where: /etc/earlyboot/profiles.d/50-cache.toml:2 [groups.cache.schema]\n"
        "  fix:   mend the schema"
    )


@pytest.mark.parametrize(
    ("text", "schema", "error"),
    [
        (OWN, '{"type": 5}', "error: the schema of cache is no JSON Schema: "),
        (OWN.replace("settings.cache", "settings.cache.sise"), SCHEMA, "error: settings.cache.sise is not a key of "),
    ],
)
def test_what_is_at_fault_itself_leaves_no_echo_as_a_secret(text: str, schema: str, error: str, tmp_path: Path) -> None:
    said = refusal(
        tmp_path, text.replace("0600", "0644") + '[generators.x]\nkey = "cache.size"\ncommand = ["/x"]\n', schema
    )
    assert said.startswith(error)
    assert said.count("error: ") == 1


def test_defaults_are_settings(tmp_path: Path) -> None:
    text = '[defaults.cache]\nsize = "big"\n[defaults.network]\nhostname = "Upper"\nhsots = []\n'
    assert refusal(tmp_path, OWN + text) == (
        "error: a default does not fit: settings.cache.size must be a whole number, not text\n"
        "  where: /etc/earlyboot/profiles.d/50-cache.toml:9 [defaults.cache.size]\n"
        "  fix:   write a whole number, without quotes\n"
        "error: a default does not fit: settings.network.hostname must be a host name of lower-case letters, digits, "
        "'-' and '.', at most 253 characters, each part 1 to 63 and not beginning with '-'\n"
        "  where: /etc/earlyboot/profiles.d/50-cache.toml:11 [defaults.network.hostname]\n"
        '  fix:   write for example "node-1.example.com"\n'
        "error: a default does not fit: settings.network.hsots is not a known key\n"
        "  where: /etc/earlyboot/profiles.d/50-cache.toml:12 [defaults.network.hsots]\n"
        '  fix:   did you mean "hosts"?'
    )


def test_the_keys_of_files_and_generators_exist(tmp_path: Path) -> None:
    text = OWN.replace('"settings.cache"', '"settings.cache.szie", "settings.cache.size"')
    text += '[generators.x]\nkey = "settings.network.hostnam"\ncommand = ["/x"]\nwhen = ["settings.motd.x"]\n'
    fix = "  fix:   see the reference of the settings: earlyboot schema --format markdown"
    assert refusal(tmp_path, text) == (
        "error: settings.cache.szie is not a key of any setting\n"
        f"  where: /etc/earlyboot/profiles.d/50-cache.toml:5 [files.cache.keys]\n{fix}\n"
        "error: settings.network.hostnam is not a key of any setting\n"
        f"  where: /etc/earlyboot/profiles.d/50-cache.toml:9 [generators.x.key]\n{fix}\n"
        "error: settings.motd.x is not a key of any setting\n"
        f"  where: /etc/earlyboot/profiles.d/50-cache.toml:11 [generators.x.when]\n{fix}"
    )


def test_a_file_that_a_secret_feeds_is_not_for_everybody(tmp_path: Path) -> None:
    assert refusal(tmp_path, OWN.replace("0600", "0644")) == (
        "error: others than root could read the file cache, which settings.cache with its secrets feeds\n"
        "  where: /etc/earlyboot/profiles.d/50-cache.toml:7 [files.cache.mode]\n"
        '  fix:   write mode = "0600", or name in keys only those that it shows'
    )


def test_everybody_may_read_what_is_no_secret(tmp_path: Path) -> None:
    assert refusal(tmp_path, OWN.replace("0600", "0644").replace('"settings.cache"', '"settings.cache.size"')) == ""


@pytest.mark.parametrize("mode", ["0640", "0604", "0620"])
def test_neither_a_group_may_read_a_secret_nor_write_it(mode: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, OWN.replace("0600", mode)).startswith("error: others than root could read the file cache")


@pytest.mark.parametrize("fed", ['keys = ["settings.motd"]\nalso = ["settings.cache.token"]'])
def test_a_secret_that_only_completes_a_file_counts_too(fed: str, tmp_path: Path) -> None:
    text = OWN.replace("0600", "0644").replace('keys = ["settings.cache"]', fed)
    assert "which settings.cache.token with its secrets feeds" in refusal(tmp_path, text)


@pytest.mark.parametrize(
    ("schema", "refused"),
    [
        ('{"type": "object"}', True),
        ("{}", True),
        ('{"properties": {"a": {"type": "string"}}}', True),
        ('{"properties": {"a": {"type": "object"}}, "additionalProperties": false}', True),
        ('{"properties": {"a": {}}, "additionalProperties": false}', True),
        ('{"properties": {"a": {"type": ["string", "object"]}}, "additionalProperties": false}', True),
        ('{"additionalProperties": true}', True),
        ('{"patternProperties": {"^a": {"type": "object"}}, "additionalProperties": false}', True),
        ('{"$ref": "#/$defs/a", "$defs": {"a": {"type": "object"}}}', True),
        ('{"anyOf": [{"type": "string"}, {"type": "object"}]}', True),
        ('{"properties": {"a": {"enum": ["x"]}, "b": {"const": 1}}, "additionalProperties": false}', False),
        ('{"additionalProperties": {"type": "string"}}', False),
        ('{"patternProperties": {"^a": {"type": "integer"}}, "unevaluatedProperties": false}', False),
        ('{"allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"additionalProperties": false}}}', False),
        ('{"oneOf": [{"type": "string"}, {"additionalProperties": false}]}', False),
    ],
)
def test_a_key_that_no_schema_describes_is_a_secret(schema: str, refused: bool, tmp_path: Path) -> None:
    found = refusal(tmp_path, OWN.replace("0600", "0644"), schema)
    assert found.startswith("error: others than root could read the file cache") is refused
    assert refused or found == ""


@pytest.mark.parametrize(
    ("key", "known"),
    [
        ("ntp.time-servers", True),
        ("ntp.servers", False),
        ("motd", True),
        ("motd.x", False),
        ("kernel.modules.any.allowed", True),
        ("kernel.modules.any.x", False),
        ("boot.kernel", True),
        ("nothing", False),
    ],
)
def test_the_question_whether_there_is_a_key_can_be_answered(key: str, known: bool) -> None:
    assert is_known(tuple(key.split("."))) is known
