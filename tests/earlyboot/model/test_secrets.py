"""Which keys are secret, and that none of them shows."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earlyboot.model.aws import Aws
from earlyboot.model.check import check, decode
from earlyboot.model.secrets import is_secret, redact
from earlyboot.model.settings import GROUPS, group_type
from earlyboot.model.tree import flatten
from tests.earlyboot.model.documents import SECRET, complete

SECRET_KEYS = {
    "settings.network.https-proxy",
    "settings.aws.config",
    "settings.aws.credentials",
    "settings.host-containers.admin.user-data",
    "settings.bootstrap-containers.disks.user-data",
    "settings.container-registry.credentials",
    "settings.kubernetes.bootstrap-token",
    "settings.kubernetes.server-key",
}


def test_the_secret_keys_are_these_and_no_others() -> None:
    assert {key for key in flatten(complete()) if is_secret(key)} == SECRET_KEYS


@pytest.mark.parametrize("key", ["settings.host-containers.any-name.user-data", 'settings."aws"."config"'])
def test_a_secret_is_one_whatever_the_name_and_the_spelling(key: str) -> None:
    assert is_secret(key)


@pytest.mark.parametrize(
    "key",
    [
        "settings",
        "settings.aws",
        "settings.network",
        "settings.host-containers",
        "settings.host-containers.admin",
        "settings.aws.config.below",
        "settings.motd.below",
        "settings.no-such-group.x",
        "settings.aws.no-such-key",
        "settings.container-registry.creds",
        "os.arch",
        "settings..x",
        "",
    ],
)
def test_what_contains_a_secret_lies_in_one_or_is_unknown_counts_as_one(key: str) -> None:
    assert is_secret(key)


@pytest.mark.parametrize(
    "key",
    [
        "settings.motd",
        "settings.ntp",
        "settings.ntp.time-servers",
        "settings.ntp.time-servers.name.address",
        "settings.kernel",
        'settings.kernel.sysctl."net.core.rmem_max"',
        "settings.pki.any.data",
        "settings.boot.kernel.console",
        "settings.container-registry.mirrors",
        "settings.bootstrap-commands.x.commands",
    ],
)
def test_everything_else_is_shown(key: str) -> None:
    assert not is_secret(key)


def test_redacting_replaces_the_secrets_only() -> None:
    flat = flatten(check(complete())[0])
    shown = redact(flat)
    assert {key for key, value in shown.items() if value == "REDACTED"} == SECRET_KEYS
    assert {key: value for key, value in shown.items() if key not in SECRET_KEYS} == {
        key: value for key, value in flat.items() if key not in SECRET_KEYS
    }
    assert redact({"settings.aws": {"config": SECRET}}) == {"settings.aws": "REDACTED"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://u:p@ss@host/", "https://REDACTED@host/"),
        ("https://TOKEN123@h/", "https://REDACTED@h/"),
        ("--proxy=HTTP://u:p@h:1/ https://h/a@b", "--proxy=HTTP://REDACTED@h:1/ https://h/a@b"),
        ("http:u:p@h", "http:REDACTED@h"),
        ("http:\\\\u:p@h", "http:\\\\REDACTED@h"),
        ("http:http:///u:p@h", "http:http:///REDACTED@h"),
        ("git+ssh://git@h/x\nssh://h", "git+ssh://REDACTED@h/x\nssh://h"),
        ("https://u:a\u00a0b@h", "https://REDACTED@h"),
        ("mail a@b, or see https://h?a@b", "mail a@b, or see https://h?a@b"),
        ("https://", "https://"),
    ],
)
def test_a_url_in_any_text_is_shown_without_who_logs_in(text: str, shown: str) -> None:
    assert redact({"settings.motd": text}) == {"settings.motd": shown}
    nested = {"settings.bootstrap-commands.x.commands": [["a", text], {"b": text}, 1]}
    assert redact(nested) == {"settings.bootstrap-commands.x.commands": [["a", shown], {"b": shown}, 1]}


@given(st.text(alphabet="htps:/\\@?# ax", max_size=30), st.text(alphabet="htps:\\@ax1", min_size=1, max_size=12))
def test_no_password_of_a_url_is_shown_wherever_it_stands(before: str, password: str) -> None:
    secret = f"{password}S3CRET{password}"
    shown = redact({"settings.motd": f"{before}https://{secret}@host.example/x"})
    assert "S3CRET" not in str(shown["settings.motd"])


@pytest.mark.parametrize("group", GROUPS)
def test_printing_the_model_shows_no_secret(group: str) -> None:
    value = msgspec.convert(complete()[group], group_type(group), dec_hook=decode)
    secrets = {key for key in SECRET_KEYS if key.startswith(f"settings.{group}.")}
    for text in (repr(value), str(value), f"{value}"):
        assert SECRET not in text
        assert "hidden" not in text
        assert text.count("REDACTED") >= len(secrets)


def test_the_model_cannot_be_encoded_without_asking_for_the_secrets() -> None:
    with pytest.raises(TypeError):
        msgspec.json.encode(msgspec.convert({"config": SECRET}, Aws, dec_hook=decode))
