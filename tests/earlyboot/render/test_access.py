"""Whom the SSH keys let in: a file named after the user, and a remark where there is no such user."""

from __future__ import annotations

import pytest

from earlyboot.render.remarks import access_remarks
from tests.earlyboot.model.tables import SSH_KEY

SETTINGS = {"settings.access.authorized-keys": [SSH_KEY]}
USERS = "root:x:0:0:root:/root:/bin/bash\nadmin:x:1000:1000::/home/admin:/bin/sh\n"


def read(path: str) -> str:
    assert path == "/etc/passwd"
    return USERS


@pytest.mark.parametrize("user", ["root", "admin"])
def test_keys_of_a_user_of_the_image_need_no_remark(user: str) -> None:
    assert list(access_remarks(SETTINGS, user, read)) == []


@pytest.mark.parametrize("user", ["ec2-user", "roo", "adm", "x"])
def test_keys_of_a_user_that_the_image_has_not_are_remarked_on(user: str) -> None:
    said = [f"access.authorized-keys lets in the user '{user}', whom /etc/passwd does not have"]
    assert list(access_remarks(SETTINGS, user, read)) == said
    assert list(access_remarks(SETTINGS, user, lambda path: None)) == said


def test_without_keys_nobody_is_looked_for() -> None:
    assert list(access_remarks({"settings.motd": "x"}, "nobody", read)) == []
