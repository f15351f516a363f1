"""`earlyboot simulate`: whole boots for people and programs, with nothing left over."""

from __future__ import annotations

import gzip
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from earlyboot.config.paths import APPLICATION, PROGRAM
from earlyboot.simulate.imds import METADATA
from tests.earlyboot.stages.machine import PATIENCE_S, SETTINGS, Ended, requests_of_a_first_boot, run, server_pids

STEPS = [
    *("settings: state", "settings: configuration", "settings: source local-defaults", "settings: source local-file"),
    *("settings: source local-overrides", "settings: source ec2-imds", "settings: validate"),
    *("settings: generator region", "settings: generator access-keys"),
    *("settings: commit", "settings: apply", "finish: judge", "finish: mark"),
]
KEY = METADATA["public-keys/0/openssh-key"].strip()
FILES = [
    ("motd", "/etc/motd"),
    ("hostname", "/etc/hostname"),
    ("hosts", "/etc/hosts"),
    ("proxy-environment", "/etc/earlyboot/proxy.env"),
    ("sysctl", "/etc/sysctl.d/90-earlyboot.conf"),
    ("authorized-keys", "/etc/earlyboot/authorized_keys.d/root"),
    ("ssh-daemon", "/etc/ssh/sshd_config.d/50-earlyboot.conf"),
]


@pytest.fixture
def user_data(tmp_path: Path) -> Path:
    path = tmp_path / "user-data.toml"
    path.write_bytes(SETTINGS)
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made, to see that none stays."""
    made = tmp_path / "tmp"
    made.mkdir()
    monkeypatch.setenv("TMPDIR", str(made))
    return made


def simulate(*arguments: object) -> Ended:
    return run([*PROGRAM, "simulate", *map(str, arguments)])


def table(text: str, title: str) -> list[list[str]]:
    """The rows under a title."""
    _, _, rest = text.partition(f"\n{title}\n")
    return [re.split("  +", line.strip()) for line in rest.partition("\n\n")[0].splitlines()]


def progress(text: str) -> list[str]:
    """The steps that ended, as a pipe gets them."""
    return re.findall(r"^(?:ok    |failed) (\w+: [\w -]+?) +[0-9.]+ ms", text, re.MULTILINE)


def test_a_first_boot_and_the_second_of_the_same_root(user_data: Path, tmp_path: Path, folder: Path) -> None:
    root = tmp_path / "root"
    first = simulate("--user-data", user_data, "--root", root)
    assert first.status == 0
    assert table(first.stdout, "Settings") == [
        ["settings.access.authorized-keys", "generator access-keys", f'["{KEY}"]'],
        ["settings.aws.region", "generator region", '"eu-central-1"'],
        ['settings.kernel.sysctl."vm.swappiness"', "ec2-imds", '"10"'],
        ["settings.motd", "ec2-imds", '"hello"'],
        ["settings.network.hostname", "ec2-imds", '"node-1"'],
        ["settings.network.https-proxy", "ec2-imds", '"REDACTED"'],
    ]
    assert table(first.stdout, "Files") == [[path, "written"] for _, path in FILES]
    assert [row[0] for row in table(first.stdout, "Steps")] == ["settings"] * 11 + ["finish"] * 2
    assert first.stdout.endswith("\n\nverdict: configured\n")
    assert first.stderr.startswith(f"booting {root} as ec2\n")
    assert sorted(progress(first.stderr)) == sorted(STEPS)
    assert "\x1b" not in first.stdout + first.stderr

    second = simulate("--user-data", user_data, "--root", root)
    assert second.status == 0
    assert second.stdout.startswith(
        "This machine is already configured: no source was read and no request was made.\n\nSettings\n"
    )
    assert table(second.stdout, "Settings") == table(first.stdout, "Settings")
    assert table(second.stdout, "Files") == []
    assert progress(second.stderr) == ["settings: state", "finish: judge", "finish: mark"]
    assert (root / "etc/motd").read_text() == "hello\n"
    assert os.listdir(folder) == []
    assert server_pids(root) == []


def test_the_json_holds_the_same_for_programs(user_data: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    first = simulate("--user-data", user_data, "--root", root, "--format", "json")
    assert (first.status, first.stderr) == (0, "")
    report = json.loads(first.stdout)
    steps = report.pop("steps")
    assert sorted(report.pop("requests")) == requests_of_a_first_boot(
        "placement/region", "public-keys/", "public-keys/0/openssh-key"
    )
    assert report == {
        "verdict": "configured",
        "first_boot": True,
        "settings": [
            {"key": "settings.access.authorized-keys", "value": [KEY], "origin": "generator access-keys"},
            {"key": "settings.aws.region", "value": "eu-central-1", "origin": "generator region"},
            {"key": 'settings.kernel.sysctl."vm.swappiness"', "value": "10", "origin": "ec2-imds"},
            {"key": "settings.motd", "value": "hello", "origin": "ec2-imds"},
            {"key": "settings.network.hostname", "value": "node-1", "origin": "ec2-imds"},
            {"key": "settings.network.https-proxy", "value": "REDACTED", "origin": "ec2-imds"},
        ],
        "files": [{"name": name, "path": path, "outcome": "written"} for name, path in FILES],
        "servers_started": 1,
        "faults": [],
        "warnings": [],
    }
    assert sorted(f"{step['stage']}: {step['step']}" for step in steps) == sorted(STEPS)
    assert {step["event"] for step in steps} == {"finished"}

    second = json.loads(simulate("--user-data", user_data, "--root", root, "--format", "json").stdout)
    assert (second["verdict"], second["first_boot"]) == ("configured", False)
    assert (second["requests"], second["servers_started"], second["files"]) == ([], 0, [])
    assert second["settings"] == report["settings"]


def test_in_the_root_of_an_image_what_is_there_decides(user_data: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    options = root / "etc/earlyboot/earlyboot.toml"
    options.parent.mkdir(parents=True)
    options.write_text("offline = true\n")
    (root / "etc/sysctl.d").mkdir()
    user_data.write_text('[settings]\nmotd = "hello"\n[settings.kubernetes]\nstandalone-mode = true\n')
    arguments = ("--user-data", user_data, "--platform", "metal", "--root", root)
    first = simulate(*arguments)
    assert first.status == 0, first.stderr
    assert "\nSet, but nothing on this image reads them\n  settings.kubernetes" in first.stdout
    assert not (root / "usr").exists()
    assert options.read_text() == "offline = true\n"
    assert sorted(os.listdir(options.parent)) == ["earlyboot.toml"]
    second = simulate(*arguments)
    assert second.stdout.startswith("This machine is already configured: ")
    assert not (root / "usr").exists()


def test_an_empty_root_becomes_a_throwaway_one_and_stays_one(user_data: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    assert simulate("--user-data", user_data, "--root", root).status == 0
    invented = root / "usr/bin/kubelet"
    assert invented.is_dir()
    invented.rmdir()
    shutil.rmtree(root / "var/lib/earlyboot")
    ended = simulate("--user-data", user_data, "--root", root, "--format", "json")
    assert json.loads(ended.stdout)["first_boot"] is True
    assert invented.is_dir()


def test_of_a_group_of_the_image_builder_s_only_the_secrets_are_hidden(tmp_path: Path) -> None:
    examples = Path(APPLICATION) / "examples"
    root = tmp_path / "root"
    shutil.copytree(examples / "profiles.d", root / "etc/earlyboot/profiles.d")
    user_data = examples / "log-shipper-user-data.toml"
    ended = simulate("--user-data", user_data, "--platform", "metal", "--root", root, "--format", "json")
    shown = {setting["key"]: setting["value"] for setting in json.loads(ended.stdout)["settings"]}
    assert shown["settings.log-shipper.endpoint"] == "https://logs.example.com/in"
    assert shown["settings.log-shipper.labels.role"] == 'the "first" web server \\ 1'
    assert shown["settings.log-shipper.token"] == "REDACTED"


def test_user_data_may_be_gzipped_as_on_the_instance(tmp_path: Path) -> None:
    path = tmp_path / "user-data.gz"
    path.write_bytes(gzip.compress(SETTINGS))
    report = json.loads(simulate("--user-data", path, "--format", "json").stdout)
    assert (report["verdict"], len(report["settings"])) == ("configured", 6)


def test_bare_metal_reads_a_file_and_asks_nobody(user_data: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    ended = simulate("--user-data", user_data, "--platform", "metal", "--root", root, "--format", "json")
    assert ended.status == 0
    report = json.loads(ended.stdout)
    assert report["requests"] == []
    assert {setting["origin"] for setting in report["settings"]} == {f"{root}/var/lib/earlyboot/user-data.toml"}


def test_a_root_of_its_own_is_removed(user_data: Path, folder: Path) -> None:
    ended = simulate("--user-data", user_data)
    assert ended.status == 0
    assert ended.stderr.startswith(f"booting {folder}/earlyboot-")
    assert os.listdir(folder) == []


def test_a_boot_that_fails_says_why_and_ends_with_the_stage_s_status(tmp_path: Path, folder: Path) -> None:
    path, root = tmp_path / "bad.toml", tmp_path / "root"
    path.write_text("[settings]\nmotd = 5\n")
    ended = simulate("--user-data", path, "--root", root)
    assert ended.status == 2
    assert ended.stdout.endswith(
        "\nerror: settings.motd must be text, not a number\n"
        "  where: ec2-imds:2 [settings.motd]\n"
        '  fix:   write it in quotes, such as "Welcome!"\n'
        "\nverdict: failed\n"
    )
    assert "\nfailed settings: validate " in ended.stderr
    assert not (root / "etc/motd").exists()
    path.write_bytes(gzip.compress(SETTINGS)[:-9])
    ended = simulate("--user-data", path, "--root", root, "--format", "json")
    assert (ended.status, ended.stderr) == (3, "")
    assert [fault["code"] for fault in json.loads(ended.stdout)["faults"]] == ["gzip-truncated"]
    path.write_bytes(SETTINGS)
    assert simulate("--user-data", path, "--root", root).status == 0
    assert os.listdir(folder) == []


def test_a_copy_of_a_root_in_another_machine_asks_again(user_data: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    assert simulate("--user-data", user_data, "--root", root).status == 0
    (root / "etc/machine-id").write_text("0123456789abcdef" * 2 + "\n")
    user_data.write_text('[settings]\nmotd = "other"\n')
    ended = simulate("--user-data", user_data, "--root", root, "--format", "json")
    assert ended.status == 0
    report = json.loads(ended.stdout)
    assert (report["first_boot"], len(report["requests"])) == (True, 7)
    values = [setting["value"] for setting in report["settings"] if setting["origin"] == "ec2-imds"]
    assert values == ["other"]


@pytest.mark.parametrize("root", ["/", "//", "/proc/self/root", "/etc/.."])
def test_this_machine_is_not_for_simulations(user_data: Path, root: str) -> None:
    assert simulate("--user-data", user_data, "--root", root) == Ended(
        2,
        "",
        "error: a simulated boot would change this machine itself\n"
        f"  where: {root}\n"
        "  fix:   give --root a folder of its own\n",
    )


def test_user_data_that_is_not_there_is_the_operator_s_mistake(tmp_path: Path) -> None:
    path = tmp_path / "absent"
    assert simulate("--user-data", path) == Ended(
        2, "", f"error: there is no such file\n  where: {path}\n  fix:   give the path of a file with user data\n"
    )


def _as_nobody() -> list[str]:
    """The command that takes a program's rights away. A test that is no root's has none to begin with."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv (util-linux) is needed to give up root's rights")
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    # Where the interpreter lies in root's home: to read it, and nothing else, is left to the process.
    reading = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    for command in ([*nobody], [*nobody, *reading]):
        command += ["env", "HOME=/tmp", "TMPDIR=/tmp"]
        if run([*command, *PROGRAM, "--version"]).status == 0:
            return command
    pytest.skip("nobody may not run the interpreter of the tests")


def test_an_ordinary_user_may_simulate() -> None:
    nobody = [*_as_nobody(), *PROGRAM]
    example = str(Path(PROGRAM[-1]).parents[1] / "examples/ec2-user-data.toml")
    ended = run([*nobody, "simulate", "--user-data", example, "--format", "json"])
    assert (ended.status, ended.stderr) == (0, "")
    report = json.loads(ended.stdout)
    assert (report["verdict"], len(report["requests"]), len(report["files"])) == ("configured", 6, 10)


def on_a_terminal(*arguments: str) -> tuple[int, str, str]:
    """Runs `simulate` with a pseudo-terminal for everything; exit status, all that was shown, what is left to see."""
    child, master = pty.fork()
    if child == 0:
        os.execv(PROGRAM[0], [*PROGRAM, "simulate", *arguments])
    shown = b""
    try:
        while select.select([master], [], [], PATIENCE_S)[0]:
            try:
                data = os.read(master, 1 << 16)
            except OSError:  # EIO: the other side is closed
                break
            if not data:
                break
            shown += data
        else:
            os.kill(child, signal.SIGKILL)
    finally:
        os.close(master)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    text = shown.decode().replace("\r\n", "\n")
    # What a terminal shows of lines that were cleared: what follows the last clearing.
    lines = [line.rpartition("\r\x1b[K")[2] for line in text.split("\n")]
    return status, text, "\n".join(lines)


def test_on_a_terminal_progress_is_live_and_leaves_nothing_behind(user_data: Path) -> None:
    status, shown, left = on_a_terminal("--user-data", str(user_data))
    assert status == 0
    assert re.search(r"\r\x1b\[K[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] settings: [a-z0-9 -]+ [0-9.]+ s", shown)
    assert not re.search(r"[\x1b\r⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]", left)
    lines = left.splitlines()
    assert re.fullmatch(r"booting /\S+ as ec2", lines[0])
    assert all(re.match(r"✓ (settings|finish): ", line) for line in lines[1 : 1 + len(STEPS)])
    assert lines[1 + len(STEPS)] == ""
    assert lines[2 + len(STEPS)] == "Settings"
    assert lines[-1] == "verdict: configured"


def test_a_reader_that_goes_away_does_not_keep_it_from_cleaning_up(user_data: Path, folder: Path) -> None:
    with subprocess.Popen(
        [*PROGRAM, "simulate", "--user-data", str(user_data)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        assert child.stderr.readline().startswith(b"booting ")
        child.stdout.close()
        child.stderr.close()
        assert child.wait(PATIENCE_S) == 0
    assert os.listdir(folder) == []
