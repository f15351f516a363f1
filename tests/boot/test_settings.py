"""Settings on a running machine: the API for users of it, files that real programs read, and the way back."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.boot.machine import Machine, MakeMachine
from tests.boot.observation import boot_and_observe
from tests.boot.roots import REPOSITORY, Suite

pytestmark = pytest.mark.boot

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
CERTIFICATE = Path(REPOSITORY) / "tests/earlyboot/model/certificate.pem"
READERS = """[api]
read-group = "adm"
"""
SOCKET = """[Socket]
SocketMode=0666
"""


class Key(NamedTuple):
    """An operator's SSH key: the line of the public half, the file of the private one."""

    public: str
    private: bytes


@pytest.fixture(scope="module")
def key() -> Key:
    pair = Ed25519PrivateKey.generate()
    public = pair.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return Key(f"{public.decode()} operator", pair.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))


@pytest.fixture(scope="module")
def machine(suite: Suite, installed_lowers: tuple[str, ...], make_machine: MakeMachine, key: Key) -> Machine:
    """An instance that was launched with the key, without user data; whom its API lets in is the image builder's choice."""
    made = make_machine(f"settings-{suite.name}", installed_lowers)
    made.world.set_metadata("public-keys/", "0=operator")
    made.world.set_metadata("public-keys/0/openssh-key", key.public)
    made.world.set_metadata("placement/region", "eu-west-1")
    made.world.set_metadata("local-hostname", "ip-10-0-0-1.eu-west-1.compute.internal")
    for folder, name, text in (
        ("etc/earlyboot/earlyboot.toml.d", "50-api.toml", READERS),
        ("etc/systemd/system/earlyboot-api.socket.d", "50-readers.conf", SOCKET),
    ):
        os.makedirs(os.path.join(made.root, folder), exist_ok=True)
        Path(made.root, folder, name).write_text(text)
    seen = boot_and_observe(made)
    assert seen.status["verdict"] == "configured", seen.status_text
    return made


def apiclient(machine: Machine, *arguments: str, user: tuple[str, ...] = ()) -> str:
    return machine.run(*user, "apiclient", *arguments).stdout


def as_group(name: str) -> tuple[str, ...]:
    """A user without rights of its own, in one group more."""
    return ("setpriv", "--reuid=65534", "--regid=65534", "--groups", name)


def test_an_instance_is_named_placed_and_reachable_without_user_data(machine: Machine, key: Key) -> None:
    found = json.loads(apiclient(machine, "get", "settings."))["settings"]
    assert found["aws"]["region"] == "eu-west-1"
    assert found["network"]["hostname"] == "ip-10-0-0-1.eu-west-1.compute.internal"
    assert machine.run("uname", "-n").stdout == "ip-10-0-0-1.eu-west-1.compute.internal\n"
    machine.run("systemctl", "start", "ssh.service")
    inside = machine.path("/run/operator-key")
    Path(inside).write_bytes(key.private)
    os.chmod(inside, 0o600)
    # sshd itself decides whether the file, its folder and its configuration are to its liking.
    options = ("-o", "StrictHostKeyChecking=no", "-o", "BatchMode=yes", "-o", "UserKnownHostsFile=/dev/null")
    done = machine.run("ssh", "-i", "/run/operator-key", *options, "root@127.0.0.1", "echo", "reached")
    assert done.stdout == "reached\n"


def test_what_is_set_is_in_force_at_once_and_rollback_takes_it_back(machine: Machine) -> None:
    before = json.loads(machine.run("earlyboot", "history", "--limit", "1", "--format", "json").stdout)[0]["id"]
    apiclient(machine, "set", 'kernel.sysctl."net.ipv4.ip_default_ttl"=33', "motd=changed")
    assert machine.run("sysctl", "-n", "net.ipv4.ip_default_ttl").stdout == "33\n"
    assert machine.read("/etc/motd") == b"changed\n"
    assert "- settings.motd" not in machine.run("earlyboot", "diff", str(before)).stdout
    assert '+ settings.motd = "changed"' in machine.run("earlyboot", "diff", str(before)).stdout
    machine.run("earlyboot", "rollback", str(before))
    assert machine.read("/etc/sysctl.d/90-earlyboot.conf") is None
    newest = json.loads(machine.run("earlyboot", "history", "--limit", "1", "--format", "json").stdout)[0]
    assert (newest["tx"], newest["uid"]) == (f"rollback to {before}", 0)


def test_the_write_group_writes_the_read_group_reads_and_nobody_else_does_either(machine: Machine) -> None:
    apiclient(machine, "set", "network.https-proxy=http://u:hidden@proxy.example:3128")
    writer, reader, nobody = as_group("earlyboot-api"), as_group("adm"), as_group("games")
    apiclient(machine, "set", "motd=written", user=writer)
    newest = json.loads(machine.run("earlyboot", "history", "--limit", "1", "--format", "json").stdout)[0]
    assert newest["uid"] == 65534
    clear = apiclient(machine, "get", "settings.network.https-proxy", user=writer)
    assert json.loads(clear)["settings"]["network"]["https-proxy"] == "http://u:hidden@proxy.example:3128"
    shown = apiclient(machine, "get", "settings.network.https-proxy", user=reader)
    assert json.loads(shown)["settings"]["network"]["https-proxy"] == "REDACTED"
    for user, verb in ((reader, ("set", "motd=refused")), (nobody, ("get", "os")), (nobody, ("set", "motd=refused"))):
        done = machine.run(*user, "apiclient", *verb, check=False)
        assert (done.returncode, done.stdout) == (5, ""), verb
        assert done.stderr.startswith("error: "), verb
    assert json.loads(apiclient(machine, "get", "settings.motd")) == {"settings": {"motd": "written"}}


def test_a_certificate_is_trusted_then_distrusted_by_what_reads_the_bundle(machine: Machine) -> None:
    image = machine.read(BUNDLE)
    assert image is not None
    data = base64.b64encode(CERTIFICATE.read_bytes()).decode()
    Path(machine.path("/run/own.pem")).write_bytes(CERTIFICATE.read_bytes())
    verify = ("openssl", "verify", "-no-CApath", "-CAfile", BUNDLE, "/run/own.pem")
    assert machine.run(*verify, check=False).returncode != 0
    apiclient(machine, "set", f"pki.own.data={data}", "pki.own.trusted=true")
    bundle = machine.read(BUNDLE)
    assert bundle is not None
    assert bundle.count(b"BEGIN CERTIFICATE") == image.count(b"BEGIN CERTIFICATE") + 1
    first = CERTIFICATE.read_text().split("-----END")[0].splitlines()[1].encode()
    assert first in bundle
    assert machine.run("openssl", "storeutl", "-noout", "-certs", BUNDLE).returncode == 0
    apiclient(machine, "unset", "pki")
    assert machine.read(BUNDLE) == image


def test_a_server_that_is_killed_is_started_again_by_the_next_request(machine: Machine) -> None:
    apiclient(machine, "set", "motd=before")
    machine.run("systemctl", "kill", "--signal=KILL", "earlyboot-api.service")
    assert json.loads(apiclient(machine, "get", "settings.motd")) == {"settings": {"motd": "before"}}


def test_a_reboot_waits_for_nobody_who_forbids_it(machine: Machine) -> None:
    blocked = machine.run(
        *("systemd-inhibit", "--what=shutdown", "--mode=block", "--who=test", "--why=busy", "apiclient", "reboot"),
        check=False,
    )
    assert blocked.returncode == 5
    assert blocked.stderr.startswith("error: ")
    assert machine.run("systemctl", "is-system-running", check=False).stdout in ("running\n", "degraded\n")
