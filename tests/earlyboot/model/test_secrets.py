"""Which keys are secret, and that none of them shows."""

from __future__ import annotations

import msgspec
import pytest

from earlyboot.model.check import check, decode
from earlyboot.model.secrets import is_secret, redact
from earlyboot.model.settings import Settings
from earlyboot.model.tree import flatten
from tests.earlyboot.model.documents import SECRET, complete

SECRET_KEYS = {
    "settings.network.https-proxy",
    "settings.aws.config",
    "settings.aws.credentials",
    "settings.host-containers.admin.user-data",
    "settings.bootstrap-containers.disks.user-data",
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


def test_printing_the_model_shows_no_secret() -> None:
    settings = msgspec.convert(complete(), Settings, dec_hook=decode)
    for text in (repr(settings), str(settings), f"{settings}"):
        assert SECRET not in text
        assert "hidden" not in text
        assert text.count("REDACTED") == len(SECRET_KEYS)


def test_the_model_cannot_be_encoded_without_asking_for_the_secrets() -> None:
    settings = msgspec.convert({"aws": {"config": SECRET}}, Settings, dec_hook=decode)
    with pytest.raises(TypeError):
        msgspec.json.encode(settings)
