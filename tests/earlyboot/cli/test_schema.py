"""`earlyboot schema`: the settings for editors and for people."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from earlyboot.config.paths import APPLICATION, PROFILE_NAMES, PROGRAM
from earlyboot.model.settings import GROUPS
from tests.earlyboot.stages.machine import run

EXAMPLES = Path(APPLICATION) / "examples"
AMAZON = {"ecs", "cloudformation", "autoscaling"}


def schema(*arguments: str, root: Path | None = None) -> str:
    ended = run([*PROGRAM, "--root", str(root or "/nonexistent"), "schema", *arguments])
    assert (ended.status, ended.stderr) == (0, "")
    return ended.stdout


def groups(text: str) -> set[str]:
    return set(json.loads(text)["properties"]["settings"]["properties"])


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An image with the example of a drop-in."""
    shutil.copytree(EXAMPLES / "profiles.d", tmp_path / "etc/earlyboot/profiles.d")
    return tmp_path


def is_valid(text: str, document: str) -> bool:
    return jsonschema_rs.Draft202012Validator(json.loads(text), offline=True).is_valid(tomllib.loads(document))


def test_it_has_the_groups_of_one_profile_or_of_all() -> None:
    assert groups(schema()) == set(GROUPS)
    for name in PROFILE_NAMES:
        assert groups(schema("--profile", name)) == set(GROUPS) - (set() if name == "ec2" else AMAZON)


def test_an_editor_takes_the_example_and_marks_what_people_get_wrong() -> None:
    text = schema("--profile", "ec2")
    example = (EXAMPLES / "ec2-user-data.toml").read_text()
    assert is_valid(text, example)
    mistakes = {
        "hostname = ": "hostnam = ",
        '"web-1.example.net"': '"Web_1"',
        '"4096"': "4096",
        "allowed = true": 'allowed = "true"',
        "[settings.ntp]": "[settings.npt]",
        'options = ["iburst"]': 'options = "iburst"',
    }
    for good, bad in mistakes.items():
        assert good in example
        assert not is_valid(text, example.replace(good, bad)), bad


def test_the_groups_of_drop_ins_are_in_it(image: Path) -> None:
    text = schema(root=image)
    assert groups(text) == {*GROUPS, "log-shipper"}
    assert groups(schema("--profile", "vmware", root=image)) == set(GROUPS) - AMAZON
    example = (EXAMPLES / "log-shipper-user-data.toml").read_text()
    assert is_valid(text, example)
    assert not is_valid(text, example.replace("endpoint", "endpiont"))


def test_a_group_that_is_removed_is_not_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "etc/earlyboot/profiles.d"
    folder.mkdir(parents=True)
    (folder / "x.toml").write_text('remove-groups = ["kubernetes"]\n')
    assert groups(schema(root=tmp_path)) == set(GROUPS) - {"kubernetes"}


def test_the_page_in_the_documents_is_what_the_program_says() -> None:
    made = schema("--format", "markdown")
    assert made == (Path(APPLICATION) / "docs/settings.md").read_text(), (
        "run: earlyboot --root /nonexistent schema --format markdown >docs/settings.md"
    )


def rows(text: str) -> dict[str, list[str]]:
    """The cells of each key."""
    found = {}
    for line in text.splitlines():
        if line.startswith("| `"):
            cells = [cell.strip() for cell in line.replace("\\|", "¦").strip("|").split("|")]
            found[cells[0].strip("`")] = cells[1:]
    return found


def test_the_page_has_a_row_for_every_key_and_every_row_has_all_cells() -> None:
    text = schema("--format", "markdown")
    found = rows(text)
    assert {name.split(".")[0] for name in found} >= set(GROUPS)
    table = {name: cells for name, cells in found.items() if len(cells) == 6}
    assert found == table
    keys: dict[str, Any] = json.loads(schema())["properties"]["settings"]["properties"]
    for group, value in keys.items():
        for key, said in value.get("properties", {}).items():
            wanted = f"{group}.{key}"
            assert said.get("deprecated") or any(name == wanted or name.startswith(f"{wanted}.") for name in table)
    assert all(cells[1] for cells in table.values())


def test_a_row_says_rule_default_example_secret_and_what_a_change_touches() -> None:
    found = rows(schema("--format", "markdown"))
    assert found["network.https-proxy"][1:5] == [
        "a URL, or a host with an optional port",
        "",
        '`"https://example.com/path"`',
        "yes",
    ]
    assert "proxy-environment" in found["network.https-proxy"][5]
    assert found["kubernetes.authentication-mode"][2] == '`"aws"` (ec2), `"tls"` (vmware, metal)'
    assert rows(schema("--format", "markdown", "--profile", "metal"))["kubernetes.authentication-mode"][2] == '`"tls"`'
    assert found["network.hostname"][2] == "generated"
    assert found["network.hostname"][5] == "hostname, hosts"
    assert found["ntp.time-servers[].address"][4:] == ["", "chrony-sources"]
    assert found["boot.kernel-parameters.NAME"][0].endswith("Read as kernel too.")


def test_the_page_of_an_image_has_its_own_groups(image: Path) -> None:
    text = schema("--format", "markdown", root=image)
    assert (
        "## log-shipper\n\nWhere this machine's journal is sent to.\n\nOnly in the profiles `ec2`, `metal`.\n" in text
    )
    found = rows(text)
    assert found["log-shipper.token"] == ["What the endpoint asks for.", "text", "", "", "yes", "log-shipper"]
    assert found["log-shipper.buffer-mib"][1:4] == ["a whole number from 1 to 4096", "`64`", ""]
    assert found["log-shipper.labels.NAME"][1] == "text"
    assert found["log-shipper.machine"][2:4] == ["generated", '`"web-1"`']


def test_a_drop_in_that_does_not_fit_is_refused(image: Path) -> None:
    path = image / "etc/earlyboot/profiles.d/log-shipper.schema.json"
    path.write_text('{"type": "tabel"}')
    ended = run([*PROGRAM, "--root", str(image), "schema", "--format", "markdown"])
    assert (ended.status, ended.stdout) == (2, "")
    assert "where: /etc/earlyboot/profiles.d/50-log-shipper.toml:7 [groups.log-shipper.schema]\n" in ended.stderr
