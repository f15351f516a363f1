"""The example of an image builder's drop-in, through real boots: its group is checked, generated and rendered."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from earlyboot.config.paths import APPLICATION, PROGRAM
from tests.earlyboot.stages.machine import Machine, first_boot

EXAMPLES = Path(APPLICATION) / "examples"
USER_DATA = (EXAMPLES / "log-shipper-user-data.toml").read_bytes()
CONFIGURATION = "etc/log-shipper/config.toml"
DROP_IN = "etc/earlyboot/profiles.d/50-log-shipper.toml"
MACHINE_NAME = "usr/libexec/log-shipper/machine-name"
# A JSON string, made of the settings on its stdin.
NAMES_ITSELF = b'#!/bin/sh\nsed -E \'s/.*"hostname": ("[^"]*").*/\\1/\'\n'


@pytest.fixture
def image(tmp_path: Path) -> Iterator[Machine]:
    """A machine whose image has the log shipper and its drop-in."""
    with Machine(tmp_path / "root", None) as machine:
        shutil.copytree(EXAMPLES / "profiles.d", machine.root / "etc/earlyboot/profiles.d")
        machine.put(MACHINE_NAME, NAMES_ITSELF, 0o755)
        yield machine


def configuration(machine: Machine) -> dict[str, object]:
    return tomllib.loads((machine.root / CONFIGURATION).read_text())


def test_the_group_becomes_the_file_of_its_template(image: Machine) -> None:
    image.give(USER_DATA + b'\n[settings.network]\nhostname = "web-1"\n')
    first_boot(image)
    assert configuration(image) == {
        "endpoint": "https://logs.example.com/in",
        "level": "warning",
        "buffer-mib": 64,
        "token": "correct horse battery staple",
        "machine": "web-1",
        "labels": {"role": 'the "first" web server \\ 1'},
    }
    assert (image.root / CONFIGURATION).stat().st_mode & 0o777 == 0o600
    assert image.known().live["settings.log-shipper.machine"] == ("web-1", "generator log-shipper-machine")


@pytest.mark.parametrize(
    "hostile", ['"\nendpoint = "http://evil"', "\\", '"""', "\x00\x1b[31m", "\u2028", "'''\n[x]", "{{ 1 }}"]
)
def test_no_value_gets_out_of_its_quotes(image: Machine, hostile: str) -> None:
    text = json.dumps(hostile)  # as TOML writes it too
    image.give(USER_DATA + f'two = {text}\n[settings.network]\nhostname = "web-1"\n'.encode())
    boot = image.boot()
    if "\0" in hostile:
        # No template could say it.
        assert boot.settings.status != 0
        assert not (image.root / CONFIGURATION).exists()
        return
    assert boot.settings.status == 0, boot.settings.stderr
    assert configuration(image)["labels"] == {"role": 'the "first" web server \\ 1', "two": hostile}
    assert configuration(image)["endpoint"] == "https://logs.example.com/in"


def test_a_map_becomes_a_set_of_files(image: Machine) -> None:
    image.give(USER_DATA + b'[settings.log-shipper.filters.quiet]\nunit = "chatty.service"\n')
    first_boot(image)
    header = "# Written by earlyboot from settings.log-shipper.filters; changes here are overwritten.\n"
    folder = image.root / "etc/log-shipper/filters.d"
    assert {path.name: path.read_text() for path in folder.iterdir()} == {
        "nginx.conf": f"{header}[nginx]\nunit = nginx.service\nlevel = error\n",
        "quiet.conf": f"{header}[quiet]\nunit = chatty.service\ndrop = true\n",
    }


def test_an_image_whose_user_data_wants_no_log_shipper_gets_no_file(image: Machine) -> None:
    image.give(b'[settings]\nmotd = "x"\n')
    first_boot(image)
    assert not (image.root / CONFIGURATION).exists()
    assert "settings.log-shipper.machine" not in image.known().live


def test_bad_user_data_for_the_group_is_refused_with_its_line(image: Machine) -> None:
    image.give(b'[settings.log-shipper]\nendpoint = "https://logs.example.com/in"\ntoken = "hush"\nbuffer-mib = "64"\n')
    boot = image.boot()
    assert boot.settings.status == 2
    assert boot.settings.stderr == (
        "error: settings.log-shipper.token must have at least 8 characters\n"
        "  where: ec2-imds:3 [settings.log-shipper.token]\n"
        "  fix:   it is: What the endpoint asks for.\n"
        "error: settings.log-shipper.buffer-mib must be a whole number, not text\n"
        "  where: ec2-imds:4 [settings.log-shipper.buffer-mib]\n"
        "  fix:   write a whole number, without quotes\n"
    )
    assert not (image.root / CONFIGURATION).exists()
    assert image.known().live == {}


def test_a_drop_in_with_a_fault_stops_the_settings_and_names_its_line(image: Machine) -> None:
    image.give(USER_DATA)
    text = (image.root / DROP_IN).read_text()
    line = text.splitlines().index('mode = "0600"') + 1
    image.put(DROP_IN, text.replace('mode = "0600"', 'mode = "rw"').encode(), 0o644)
    boot = image.boot()
    assert boot.settings.status == 2
    assert boot.settings.stderr == (
        'error: files.log-shipper.mode must be permission bits as text, such as "0600"\n'
        f"  where: /etc/earlyboot/profiles.d/50-log-shipper.toml:{line} [files.log-shipper.mode]\n"
        "  fix:   correct it, or delete the line\n"
    )
    image.put(DROP_IN, text.encode(), 0o644)
    first_boot(image)
    assert configuration(image)["endpoint"] == "https://logs.example.com/in"


def test_the_commands_of_the_documents_do_what_they_say(tmp_path: Path) -> None:
    text = (Path(APPLICATION) / "docs/profiles.md").read_text()
    blocks = [textwrap.dedent(block) for block in re.findall(r"^ *```sh\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE)]
    assert len(blocks) == 2
    shown = textwrap.dedent(re.findall(r"^ *```toml\n(   # Written.*?)^ *```$", text, re.DOTALL | re.MULTILINE)[0])
    program = tmp_path / "bin/earlyboot"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.join(PROGRAM)} "$@"\n')
    program.chmod(0o755)
    ended = subprocess.run(
        ["sh", "-euc", "\n".join(blocks)],
        cwd=APPLICATION,
        env={"PATH": f"{program.parent}:/usr/bin:/bin", "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "examples/log-shipper-user-data.toml: valid for the profile metal\n" in ended.stdout
    assert "  /etc/log-shipper/filters.d/nginx.conf  written\n" in ended.stdout
    assert re.search(r'settings\.log-shipper\.machine +generator log-shipper-machine +"we', ended.stdout)
    assert ended.stdout.endswith(f"verdict: configured\n{shown}")
    [schema] = tmp_path.glob("*/user-data.schema.json")
    assert "log-shipper" in json.loads(schema.read_text())["properties"]["settings"]["properties"]
    assert "## log-shipper\n" in schema.with_name("settings.md").read_text()
