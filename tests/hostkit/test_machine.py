"""Who this machine is: identities that survive a firmware update, and none where there is only junk."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostkit import machine

MACHINE_ID = "0123456789abcdef0123456789abcdef"
UUID_TEXT = "ec2e1916-9099-7caf-fd21-012345abcdef"
PRODUCT_UUID = "/sys/class/dmi/id/product_uuid"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    return tmp_path


@given(st.uuids(allow_nil=False))
def test_both_byte_orders_of_a_uuid_are_one_machine(uuid: UUID) -> None:
    other = UUID(bytes_le=uuid.bytes)
    assert machine.dmi_uuid(str(uuid)) == machine.dmi_uuid(str(other))
    assert machine.dmi_uuid(str(uuid)) in (None, uuid.hex, other.hex)


def test_a_uuid_is_compared_without_case_dashes_and_line_end() -> None:
    spellings = {UUID_TEXT, UUID_TEXT.upper() + "\n", UUID_TEXT.replace("-", ""), f"  {UUID_TEXT}\n"}
    assert {machine.dmi_uuid(spelling) for spelling in spellings} == {"16192eec9990af7cfd21012345abcdef"}


def test_two_machines_with_different_uuids_are_two() -> None:
    assert machine.dmi_uuid(UUID_TEXT) != machine.dmi_uuid(UUID_TEXT.replace("abcdef", "abcdee"))


@pytest.mark.parametrize(
    "junk",
    [
        "",
        "\n",
        "Not Specified",
        "00000000-0000-0000-0000-000000000000",
        "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
        "03000200-0400-0500-0006-000700080009",
        "00020003-0004-0005-0006-000700080009",  # the one before in the other byte order
        "12345678-1234-5678-90AB-CDDEEFAABBCC",
        "78563412-3412-7856-90AB-CDDEEFAABBCC",
        UUID_TEXT[:-1],
        UUID_TEXT + "0",
        UUID_TEXT.replace("e", "g"),
        "\u0661" * 32,
    ],
)
def test_what_thousands_of_machines_share_identifies_none(junk: str) -> None:
    assert machine.dmi_uuid(junk) is None


@pytest.mark.parametrize("text", [MACHINE_ID, f"{MACHINE_ID}\n", f" {MACHINE_ID} \n"])
def test_without_firmware_the_machine_id_is_the_identity(root: Path, text: str) -> None:
    (root / "etc/machine-id").write_text(text)
    assert machine.identity(str(root)) == f"machine-id:{MACHINE_ID}"


@pytest.mark.parametrize(
    "text",
    [None, "", "\n", "uninitialized\n", MACHINE_ID[:-1], MACHINE_ID + "0", "0" * 32, "g" * 32, MACHINE_ID.upper()],
)
def test_a_machine_id_that_is_none_identifies_nothing(root: Path, text: str | None) -> None:
    if text is not None:
        (root / "etc/machine-id").write_text(text)
    assert machine.identity(str(root)) is None


def test_a_machine_id_that_cannot_be_read_identifies_nothing(root: Path) -> None:
    os.mkfifo(root / "etc/machine-id")
    assert machine.identity(str(root)) is None


def test_a_transient_machine_id_identifies_nothing(root: Path) -> None:
    if os.geteuid() or subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode:
        pytest.skip("needs root, to mount")
    (root / "etc/machine-id").write_text(MACHINE_ID)
    (root / "run").mkdir()
    script = f"""
        mount -t tmpfs none {root}/run
        echo {MACHINE_ID[::-1]} > {root}/run/machine-id
        mount --bind {root}/run/machine-id {root}/etc/machine-id
        cat {root}/etc/machine-id
        python3 -c 'from hostkit import machine; print(machine.identity("{root}"))'
    """
    repository = Path(machine.__file__).parents[1]
    command = ["unshare", "--mount", "sh", "-e", "-c", script]
    ended = subprocess.run(command, check=True, capture_output=True, text=True, cwd=repository)
    assert ended.stdout == f"{MACHINE_ID[::-1]}\nNone\n"


@pytest.mark.parametrize(
    ("uuid", "container", "expected"),
    [
        (UUID_TEXT, False, "dmi:16192eec9990af7cfd21012345abcdef"),
        (UUID_TEXT, True, f"machine-id:{MACHINE_ID}"),  # DMI is the host's
        ("03000200-0400-0500-0006-000700080009", False, f"machine-id:{MACHINE_ID}"),
        ("", False, f"machine-id:{MACHINE_ID}"),
    ],
)
def test_firmware_is_asked_first_and_only_on_the_machine_itself(
    uuid: str, container: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "in_container", lambda: container)
    monkeypatch.setattr(machine, "_read", lambda path: {PRODUCT_UUID: uuid}[path])
    monkeypatch.setattr(machine, "_machine_id", lambda root: MACHINE_ID)
    assert machine.identity("/") == expected


def test_firmware_is_not_asked_for_another_root(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "etc/machine-id").write_text(MACHINE_ID)
    monkeypatch.setattr(machine, "dmi_uuid", lambda text: pytest.fail("asked"))
    assert machine.identity(str(root)) == f"machine-id:{MACHINE_ID}"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("NAME=debian", "debian"),
        ('NAME="Debian GNU/Linux"', "Debian GNU/Linux"),
        ("NAME='Debian GNU/Linux'", "Debian GNU/Linux"),
        ('NAME=""', ""),
        ("NAME=", ""),
        (r'NAME="a \"b\" \$c \`d\` \\e"', r'a "b" $c `d` \e'),
        (r'NAME="\\\"x\n"', r"\"x\n"),
        (r"NAME='a \"b\" \\'", r"a \"b\" \\"),
        ('NAME="it\'s"', "it's"),
        ("NAME='say \"hi\"'", 'say "hi"'),
        ('NAME="', '"'),
        ("NAME=\"a'", "\"a'"),
        ('  NAME="x"  ', "x"),
        ("NAME=a=b", "a=b"),
        ('NAME="12 (bookworm)"', "12 (bookworm)"),
    ],
)
def test_os_release_is_unquoted(root: Path, line: str, value: str) -> None:
    (root / "etc/os-release").write_text(f"# NAME=no\n\nnonsense\n{line}\n")
    assert machine.os_release(str(root)) == {"NAME": value}


@given(st.lists(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S", "Zs"])), max_size=20))
def test_os_release_is_unquoted_as_a_shell_does(tmp_path_factory: pytest.TempPathFactory, values: list[str]) -> None:
    root = tmp_path_factory.mktemp("root", numbered=True)
    (root / "etc").mkdir()
    escaped = ["".join(f"\\{char}" if char in '"$`\\' else char for char in value) for value in values]
    (root / "etc/os-release").write_text("".join(f'V{n}="{value}"\n' for n, value in enumerate(escaped)))
    script = f". {root}/etc/os-release; " + "; ".join(f'printf "%s\\n" "$V{n}"' for n in range(len(values)))
    shown = subprocess.run(["/bin/sh", "-c", script], check=True, capture_output=True, text=True).stdout
    assert list(machine.os_release(str(root)).values()) == shown.split("\n")[:-1] == values


def test_the_vendors_os_release_stands_in_for_a_missing_one(root: Path) -> None:
    assert machine.os_release(str(root)) == {}
    (root / "usr/lib").mkdir(parents=True)
    (root / "usr/lib/os-release").write_text("ID=vendor\n")
    assert machine.os_release(str(root)) == {"ID": "vendor"}
    (root / "etc/os-release").write_text("ID=local\n")
    assert machine.os_release(str(root)) == {"ID": "local"}
