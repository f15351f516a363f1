"""Secrets in user data, good and broken: where they go, and everywhere they must not be found."""

from __future__ import annotations

import base64
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.earlyboot.stages.machine import FILE, Ended, Machine

PASSWORD = "s3cr3t/pässw~rd"
CREDENTIALS = "[default]\naws_secret_access_key = wJalrXUtnFEMI\n"
CONTAINER = "ku8e-t0ken for the container"
PROXY = f"http://user:{quote(PASSWORD, safe='')}@proxy.example:3128"


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


GOOD = f"""\
[settings]
motd = "hello"
[settings.network]
https-proxy = "{PROXY}"
[settings.aws]
credentials = "{base64_of(CREDENTIALS)}"
[settings.bootstrap-containers.prepare]
source = "registry.example/prepare:1"
mode = "once"
user-data = "{base64_of(CONTAINER)}"
"""
BESIDE_SETTINGS = f"""\
[aws]
credentials = "{base64_of(CREDENTIALS)}"
"""
NEEDLES = {
    form
    for secret in (PASSWORD, PROXY, CREDENTIALS, "wJalrXUtnFEMI", CONTAINER)
    for form in (secret, base64_of(secret), base64_of(secret).rstrip("="), quote(secret, safe=""), quote(secret))
} | {repr(CREDENTIALS)[1:-1]}
PROXY_LINE = f'https-proxy = "{PROXY}"\n'
CREDENTIALS_LINE = f'credentials = "{base64_of(CREDENTIALS)}"\n'
BROKEN = {
    "wrong type beside it": GOOD.replace(PROXY_LINE, PROXY_LINE + "hostname = 5\n"),
    "wrong type of it": GOOD.replace(PROXY_LINE, f'https-proxy = ["{PROXY}"]\n'),
    "a table of it": GOOD.replace(CREDENTIALS_LINE, f'credentials = {{ text = "{base64_of(CREDENTIALS)}" }}\n'),
    "syntax error on its line": GOOD.replace(PROXY_LINE, PROXY_LINE[:-2] + "\n"),
    "no quotes around it": GOOD.replace(CREDENTIALS_LINE, CREDENTIALS_LINE.replace('"', "")),
    "an escape in it": GOOD.replace(PROXY_LINE, f'https-proxy = "\\q{PROXY}"\n'),
    "unknown key of it": GOOD.replace("https-proxy", "https_proxy").replace("credentials =", "credential ="),
    "unknown group of it": GOOD.replace("[settings.aws]", "[settings.amazon]"),
    "wrong form": GOOD.replace(base64_of(CREDENTIALS), base64_of(CREDENTIALS) + "=").replace(
        "http://user", "http:// user"
    ),
    "a secret that is not encoded": GOOD.replace(base64_of(CONTAINER), CONTAINER),
}


@pytest.fixture(scope="module")
def metal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine that is on and never gets configured."""
    with Machine(tmp_path_factory.mktemp("metal") / "root", platform="metal") as made:
        with made.powered_on(600):
            yield made
        assert not any(needle in made.log for needle in NEEDLES)


def everything_said(machine: Machine, data: bytes, *, simulated: bool) -> dict[str, Ended]:
    """Each verb that could speak of settings, on a machine that is on."""
    stages = (("settings", "text"), ("finish", "json"))
    said = {f"stage {name}": machine.stage(name, form=form) for name, form in stages}
    file = str(machine.put("elsewhere", data))
    for form in ("text", "json"):
        said[f"status {form}"] = machine.earlyboot("status", "--format", form)
        said[f"validate {form}"] = machine.earlyboot("validate", file, "--format", form)
        if simulated:
            said[f"explain {form}"] = machine.earlyboot("explain", "settings", "--format", form)
            said[f"simulate {form}"] = machine.earlyboot("simulate", "--user-data", file, "--format", form)
    return said


def readable_by_all(root: Path) -> dict[str, bytes]:
    return {
        str(path): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and stat.S_IMODE(path.stat().st_mode) & 0o077
    }


def check(machine: Machine, said: dict[str, Ended]) -> None:
    for name, ended in said.items():
        for needle in NEEDLES:
            assert needle not in ended.stdout, name
            assert needle not in ended.stderr, name
        assert "Traceback" not in ended.stderr, name
    for path, data in readable_by_all(machine.root).items():
        for needle in NEEDLES:
            assert needle.encode() not in data, path


def test_a_good_document_leaves_its_secrets_in_root_s_own_files_alone(machine: Machine) -> None:
    data = (GOOD + BESIDE_SETTINGS).encode()
    machine.give(data)
    with machine.powered_on():
        said = everything_said(machine, data, simulated=True)
        check(machine, said)
    assert not any(needle in machine.log for needle in NEEDLES)
    assert {name: ended.status for name, ended in said.items()} == dict.fromkeys(said, 0)
    assert "'aws' is beside [settings] and means nothing" in said["status text"].stdout
    assert said["explain text"].stdout.count('"REDACTED"') == 2 * 3
    assert said["simulate text"].stdout.count('"REDACTED"') == 3
    found = machine.every_file()
    mode, proxy = found["etc/earlyboot/proxy.env"]
    assert (mode, PROXY.encode() in proxy) == (0o600, True)
    store = {path: found for path, found in found.items() if path.startswith("var/")}
    assert "var/lib/earlyboot/settings.db" in store
    assert {mode for mode, _ in store.values()} == {0o600}
    assert PROXY.encode() in b"".join(data for _, data in store.values())


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_document_does_not_spill_them(metal: Machine, case: str) -> None:
    data = BROKEN[case].encode()
    assert any(needle.encode() in data for needle in NEEDLES)
    metal.put(FILE, data)
    said = everything_said(metal, data, simulated=case == "wrong form")
    check(metal, said)
    assert {ended.status for name, ended in said.items() if name.startswith(("validate", "simulate"))} == {2}
    assert said["stage settings"].status == 2
    assert metal.verdict()["verdict"] == "failed"
    assert "error: " in said["status text"].stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("set", f"aws.credentials={base64_of(CREDENTIALS)}x"),
        ("set", "motd=x", CONTAINER),
        ("set", f"network.https-proxy=http:// {PASSWORD}"),
        ("set", "-j", f'{{"aws": {{"credentials": ["{base64_of(CREDENTIALS)}"]}}}}'),
        ("set", "-j", f'{{"aws": {{"credentials": "{base64_of(CREDENTIALS)}'),
        ("apply", f"http://user:{quote(PASSWORD, safe='')}@127.0.0.1/?{quote(PASSWORD, safe='')}"),
        ("apply", f"http://127.0.0.1:1/x?{quote(PASSWORD, safe='')}"),
    ],
)
def test_a_client_that_is_refused_does_not_repeat_them(powered: Machine, arguments: tuple[str, ...]) -> None:
    ended = powered.apiclient(*arguments)
    assert ended.status in (2, 3, 5)
    assert ended.stderr.startswith("error: ")
    for needle in NEEDLES:
        assert needle not in ended.stdout + ended.stderr
