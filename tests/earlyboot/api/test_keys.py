"""The keys that requests name: in short, by another name, or none at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.earlyboot.api.serving import Answer, Server


def faults_of(answer: Answer) -> list[Any]:
    body = answer.json()
    assert isinstance(body, dict)
    faults: list[Any] = body["faults"]
    return faults


@pytest.mark.parametrize(
    "request_line",
    [
        *("DELETE /settings", "GET /settings/origin", "POST /tx/apply"),
        *("GET /metadata/affected-services", "GET /metadata/templates"),
    ],
)
def test_every_key_that_can_be_none_is_refused(shared_server: Server, request_line: str) -> None:
    method, path = request_line.split()
    answer = shared_server.ask(method, f"{path}?keys=motd,montd,settings.kernel.lockdwn,motd")
    assert answer.status == 400
    faults = faults_of(answer)
    assert [(fault["code"], fault["path"]) for fault in faults] == [
        ("unknown-group", ["montd"]),
        ("unknown-key", ["kernel", "lockdwn"]),
    ]
    assert faults[0]["fix"].startswith('did you mean "motd"? the groups are: ')
    assert faults[1]["fix"] == 'did you mean "lockdown"?'


def test_a_key_that_is_too_long_with_its_root_is_refused(shared_server: Server) -> None:
    answer = shared_server.ask("GET", f"/settings?keys={'a' * 250}")
    assert (answer.status, faults_of(answer)[0]["code"]) == (400, "bad-key")


def test_other_names_are_those_of_the_stored_keys(server: Server) -> None:
    server.call("patch_settings", {"boot": {"kernel": {"quiet": []}}})
    server.call("commit_tx")
    stored = "settings.boot.kernel-parameters.quiet"
    assert server.call("get_settings", keys="boot.kernel") == {"boot": {"kernel-parameters": {"quiet": []}}}
    told = server.call("get_origin", keys="settings.boot.kernel")
    assert isinstance(told, list)
    assert [setting["key"] for setting in told] == [stored]
    services = server.call("affected_services", keys="boot.kernel")
    assert isinstance(services, dict)
    assert list(services) == ["settings.boot.kernel-parameters"]
    assert server.call("delete_settings", keys="boot.kernel") == [stored]


def test_what_nothing_describes_any_more_can_be_looked_at_and_unset(tmp_path: Path) -> None:
    root = tmp_path / "root"
    drop_in = root / "etc/earlyboot/profiles.d/50-own.toml"
    drop_in.parent.mkdir(parents=True)
    (drop_in.parent / "own.json").write_text('{"type": "object"}')
    drop_in.write_text('[groups.own]\nschema = "own.json"\n')
    with Server(root) as server:
        server.call("patch_settings", {"own": {"a": "x"}})
        server.call("commit_tx")
    drop_in.unlink()
    with Server(root) as server:
        told = server.call("get_origin", keys="own")
        assert isinstance(told, list)
        assert [setting["key"] for setting in told] == ["settings.own.a"]
        assert server.call("delete_settings", keys="own.a") == ["settings.own.a"]
        assert server.ask("DELETE", "/settings?keys=own.b").status == 400


def test_the_outer_settings_of_a_document_are_told_to_be_left_out(shared_server: Server) -> None:
    answer = shared_server.ask("PATCH", "/settings?tx=outer", b'{"settings": {"motd": "x"}}')
    assert (answer.status, faults_of(answer)[0]["fix"]) == (400, "leave out the outer 'settings'")
