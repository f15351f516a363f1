"""Reading and checking settings, KEY=VALUE texts and provenance over a real socket."""

from __future__ import annotations

from pathlib import Path

import pytest

from earlyboot.api import provenance
from earlyboot.api.writer import Store
from earlyboot.config.paths import Paths
from earlyboot.config.profile import load
from tests.earlyboot.api.serving import Server, fault, problem
from tests.earlyboot.api.stores import commit

# ---- validate


def faults_of(server: Server, target: str, body: bytes) -> list[dict[str, object]]:
    answer = server.ask("POST", target, body)
    refusal = answer.json()
    assert isinstance(refusal, dict)
    assert (answer.status, refusal["title"]) == (400, "Bad request")
    faults = refusal["faults"]
    assert isinstance(faults, list)
    return faults


def test_settings_are_checked_as_a_commit_would_and_nothing_changes(server: Server) -> None:
    server.call("patch_settings", {"bootstrap-containers": {"b": {"source": "x"}}})
    server.call("commit_tx")
    server.call("patch_settings", {"bootstrap-containers": {"c": {"mode": "once"}}}, tx="open")
    good = b'{"bootstrap-containers": {"b": {"mode": "once"}}}'
    assert server.ask("POST", "/validate", good).status == 204
    alone = faults_of(server, "/validate", b'{"bootstrap-containers": {"d": {"mode": "always"}}}')
    assert [found["path"] for found in alone] == [["bootstrap-containers", "d", "source"]]
    together = faults_of(server, "/validate?tx=open", good)
    assert [found["path"] for found in together] == [["bootstrap-containers", "c", "source"]]
    assert server.ask("POST", "/validate?tx=open", b'{"bootstrap-containers": {"c": {"source": "y"}}}').status == 204
    assert server.live() == {"bootstrap-containers": {"b": {"source": "x"}}}
    assert server.call("list_tx") == ["open"]
    assert server.call("get_tx", tx="open") == {"bootstrap-containers": {"c": {"mode": "once"}}}


def test_all_faults_of_a_document_are_named_with_their_paths(shared_server: Server) -> None:
    found = faults_of(shared_server, "/validate", b'{"motd": 1, "network": {"hostname": "A", "x": 1}}')
    assert [(one["code"], one["path"]) for one in found] == [
        ("wrong-type", ["motd"]),
        ("bad-value", ["network", "hostname"]),
        ("unknown-key", ["network", "x"]),
    ]


def image(tmp_path: Path, *drop_ins: str) -> Path:
    """A root with drop-ins of an image builder: a group of its own, and a file of motd that cannot be made."""
    root = tmp_path / "root"
    folder = root / "etc/earlyboot/profiles.d"
    folder.mkdir(parents=True)
    (folder / "banner.j2").write_text("{{ settings.nothing.of.this.kind }}")
    (folder / "own.json").write_text(
        '{"type": "object", "required": ["needed"], "properties": {"needed": {"type": "string"},'
        ' "other": {"type": "string"}, "token": {"type": "string", "writeOnly": true}}}'
    )
    for drop_in in drop_ins:
        (folder / f"50-{len(drop_in)}.toml").write_text(drop_in)
    return root


BANNER = '[files.banner]\npath = "/etc/banner"\nkeys = ["settings.motd"]\ntemplate = "banner.j2"\n'
OWN = '[groups.own]\nschema = "own.json"\n'


def test_a_file_that_cannot_be_made_is_found_before_anything_is_committed(tmp_path: Path) -> None:
    with Server(image(tmp_path, BANNER)) as server:
        server.call("patch_settings", {"motd": "x"}, tx="open")
        for target, body in (("/validate", b'{"motd": "x"}'), ("/tx/commit?tx=open", b"")):
            (found,) = faults_of(server, target, body)
            assert str(found["what"]).startswith("the template banner cannot be rendered: ")
        assert (server.live(), server.call("get_tx", tx="open")) == ({}, {"motd": "x"})


def test_a_file_that_could_not_be_made_before_does_not_stand_in_the_way(tmp_path: Path) -> None:
    root = image(tmp_path)
    with Server(root) as server:
        server.call("patch_settings", {"motd": "x"})
        server.call("commit_tx")
    (root / "etc/earlyboot/profiles.d/50-banner.toml").write_text(BANNER)
    with Server(root) as server:
        server.call("patch_settings", {"kernel": {"lockdown": "none"}})
        assert server.call("commit_tx") == ["settings.kernel.lockdown"]
        # Nor does it hide another one that a commit would break.
        (folder := root / "etc/earlyboot/profiles.d").joinpath("name.j2").write_text("{{ settings.nothing }}")
        (folder / "60-name.toml").write_text(
            '[files.name]\npath = "/etc/name"\nkeys = ["settings.network.hostname"]\ntemplate = "name.j2"\n'
        )
    with Server(root) as server:
        server.call("patch_settings", {"network": {"hostname": "a"}})
        (found,) = faults_of(server, "/tx/commit", b"")
        assert str(found["what"]).startswith("the template name cannot be rendered: ")
        server.call("delete_settings", keys="network,motd")
        assert server.call("commit_tx") == ["settings.motd"]


def test_a_group_of_the_image_builders_is_whole_when_it_is_committed_and_may_come_in_parts(tmp_path: Path) -> None:
    with Server(image(tmp_path, OWN)) as server:
        server.call("patch_settings", {"own": {"other": "x"}}, tx="t")
        (found,) = faults_of(server, "/tx/commit?tx=t", b"")
        assert (found["code"], found["path"]) == ("missing-key", ["own", "needed"])
        (found,) = faults_of(server, "/validate", b'{"own": {"other": "x"}}')
        assert found["path"] == ["own", "needed"]
        server.call("patch_settings", {"own": {"needed": "y"}}, tx="t")
        assert server.call("commit_tx", tx="t") == ["settings.own.needed", "settings.own.other"]
        assert server.ask("POST", "/validate", b'{"own": {"other": "z"}}').status == 204
        server.call("delete_settings", keys="own.needed")
        (found,) = faults_of(server, "/tx/commit", b"")
        assert found["path"] == ["own", "needed"]
        server.call("delete_settings", keys="own")
        assert server.call("commit_tx") == ["settings.own.needed", "settings.own.other"]


def test_an_image_whose_drop_ins_do_not_fit_says_so_in_every_answer(tmp_path: Path) -> None:
    with Server(image(tmp_path, '[defaults.network]\nhostname = "UPPER"\n')) as server:
        for method, path in (("GET", "/settings"), ("PATCH", "/settings")):
            answer = server.ask(method, path, b"{}")
            refusal = answer.json()
            assert isinstance(refusal, dict)
            assert answer.status == 500
            assert refusal["detail"].startswith("a default does not fit: settings.network.hostname must be a host name")


# ---- KEY=VALUE


def test_pairs_get_the_types_that_their_settings_have(server: Server) -> None:
    pairs = [
        "motd=5",
        "settings.network.hostname=7",
        'kernel.sysctl."a.b"=1',
        "kernel.modules.m.allowed=true",
        "updates.seed=7",
        'network.no-proxy=["a", "b"]',
        'host-containers={"admin": {"enabled": false}}',
    ]
    server.call("patch_keypair", {"request_payload": pairs})
    assert server.call("get_tx") == {
        "motd": "5",
        "network": {"hostname": "7", "no-proxy": ["a", "b"]},
        "kernel": {"sysctl": {"a.b": "1"}, "modules": {"m": {"allowed": True}}},
        "host-containers": {"admin": {"enabled": False}},
        "updates": {"seed": 7},
    }


def test_pairs_that_are_none_are_refused_with_all_their_faults_and_without_their_values(shared_server: Server) -> None:
    answer = shared_server.ask("PATCH", "/settings/keypair", b'{"request_payload": ["s3cr3t", "a b=s3cr3t", "motd=x"]}')
    expected = [
        fault("usage", "argument 1 is no KEY=VALUE", "write motd=hello"),
        fault(
            "bad-key",
            "the key 'a b' has ' '; letters, digits, '_', '-' and '/' are allowed, '.' in quotes",
            "write it like ntp.time-servers",
        ),
    ]
    assert (answer.status, answer.json()) == (400, problem(400, "Bad request", *expected))
    assert shared_server.call("list_tx") == []


def test_a_value_of_the_wrong_type_is_refused_at_its_key(shared_server: Server) -> None:
    refusal = shared_server.ask("PATCH", "/settings/keypair", b'{"request_payload": ["updates.seed=many"]}').json()
    assert isinstance(refusal, dict)
    assert [(found["code"], found["path"]) for found in refusal["faults"]] == [("wrong-type", ["updates", "seed"])]


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{}",
        b'"motd=x"',
        b'["motd=x"]',
        b'{"request_payload": []}',
        b'{"request_payload": "motd=x"}',
        b'{"request_payload": [1]}',
        b'{"request_payload": ["motd=x"], "x": 1}',
    ],
)
def test_a_body_that_holds_no_pairs_is_refused(shared_server: Server, body: bytes) -> None:
    expected = fault(
        "bad-body",
        "the body is no object with a list of texts, request_payload",
        'send {"request_payload": ["motd=hello"]}',
    )
    answer = shared_server.ask("PATCH", "/settings/keypair", body)
    assert (answer.status, answer.json()) == (400, problem(400, "Bad request", expected))


# ---- where a value comes from


def test_every_origin_of_a_value_is_told_in_order_with_the_one_that_won(server: Server) -> None:
    for number, origin in enumerate(("first", "second"), start=1):
        server.call("patch_settings", {"motd": str(number), "network": {"hostname": "a"}}, origin=origin)
        server.call("commit_tx")
    server.call("delete_settings", keys="network", origin="third")
    server.call("commit_tx")
    motd = {
        "key": "settings.motd",
        "value": "2",
        "origin": "second",
        "set_by": [
            {"origin": "first", "generation": 1, "value": "1", "won": False},
            {"origin": "second", "generation": 2, "value": "2", "won": True},
        ],
    }
    assert server.call("get_origin", keys="motd") == [motd]
    assert server.call("get_origin", keys="settings.network,settings.motd,dns") == [motd]


def test_a_default_wins_again_where_the_value_over_it_was_unset(server: Server) -> None:
    key = "settings.oci-defaults.capabilities.kill"
    server.call("patch_settings", {"oci-defaults": {"capabilities": {"kill": False}}}, origin="file")
    server.call("commit_tx")
    server.call("delete_settings", keys=key, origin="somebody")
    server.call("commit_tx")
    default = "default of profile metal"
    assert server.call("get_origin", keys=key) == [
        {
            "key": key,
            "value": True,
            "origin": default,
            "set_by": [
                {"origin": default, "generation": 0, "value": True, "won": True},
                {"origin": "file", "generation": 1, "value": False, "won": False},
                {"origin": "somebody", "generation": 2, "value": None, "won": False},
            ],
        }
    ]


def test_a_default_that_a_live_value_hides_has_no_origin(tmp_path: Path) -> None:
    drop_in = """[groups.own]\nschema = "own.json"\n[defaults.own.free]\na = 1\nb = 2\n"""
    with Server(image(tmp_path, drop_in)) as server:
        keys = "own,own.free.a"
        assert [one["key"] for one in origins(server, keys)] == ["settings.own.free.a", "settings.own.free.b"]
        server.call("patch_settings", {"own": {"free": "whole", "needed": "x"}}, origin="file")
        server.call("commit_tx")
        settings = server.call("get_settings", keys=keys)
        assert settings == {"own": {"free": "whole", "needed": "x"}}
        assert [one["key"] for one in origins(server, keys)] == ["settings.own.free", "settings.own.needed"]
        assert origins(server, "own.free.a") == []


def origins(server: Server, keys: str) -> list[dict[str, object]]:
    found = server.call("get_origin", keys=keys)
    assert isinstance(found, list)
    return found


def test_the_origins_of_all_settings_are_asked_of_the_store_at_once(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "settings.db"))
    statements: list[str] = []
    try:
        for number in range(3):
            commit(store, {f"settings.kernel.sysctl.a{key}": str(number) for key in range(200)})
        store._database.set_trace_callback(statements.append)
        wanted = [("settings",), ("settings", "kernel", "sysctl", "a7"), ("settings", "ker")]
        told = provenance.read(store, load("metal", Paths(str(tmp_path))), wanted)
    finally:
        store.close()
    assert [sorted({statement.split()[0] for statement in statements}), len(statements)] == [
        ["BEGIN", "COMMIT", "SELECT"],
        4,
    ]
    assert [change.generation for change in told.changes["settings.kernel.sysctl.a199"]] == [1, 2, 3]
    found = provenance.explanations(told, lambda key, value: value)
    assert [one["key"] for one in found] == sorted({str(one["key"]) for one in found})
    assert len(found) > 200


def test_a_number_that_no_json_can_hold_is_refused(shared_server: Server) -> None:
    answer = shared_server.ask("PATCH", "/settings", b'{"motd": 1e999}')
    refusal = answer.json()
    assert isinstance(refusal, dict)
    assert (answer.status, refusal["detail"]) == (400, "the body is not JSON: a number is too large")
