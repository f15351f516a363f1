"""Every endpoint of the contract over a real socket: what it answers, and exactly how it refuses."""

from __future__ import annotations

import os
import platform
import sqlite3
from pathlib import Path

import pytest

from earlyboot.api.client import RefusedError
from earlyboot.api.contract import BODY_LIMIT_BYTES, ENDPOINTS
from earlyboot.api.service import Service
from earlyboot.api.store import open_for_reading
from earlyboot.api.writer import PENDING_LIMIT
from earlyboot.config import profile as profiles
from earlyboot.config.options import Options
from earlyboot.config.paths import TEMPLATES, Paths
from earlyboot.model.settings import GROUPS
from hostkit.errors import Fault, Where
from tests.earlyboot.api.serving import Answer, Server, fault, problem

PATHS_FIX = f"the paths are {', '.join(sorted({endpoint.path for endpoint in ENDPOINTS}))}"
PROFILE = profiles.load("metal", Paths("/nonexistent"))
GROUPS_FIX = f"the groups are: {', '.join(group for group in GROUPS if group in (PROFILE.groups or GROUPS))}"
JSON_FIX = "send one JSON object of settings, without the outer 'settings'"


def refused(answer: Answer) -> dict[str, object]:
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert isinstance(body, dict)
    assert body["status"] == answer.status
    return body


# ---- the table itself


def test_every_endpoint_is_carried_out_and_nothing_else(tmp_path: Path) -> None:
    service = Service(Paths(str(tmp_path)), "metal", Options())
    assert service.endpoints.keys() == {endpoint.name for endpoint in ENDPOINTS}
    service.close()


def test_no_two_endpoints_share_a_name_or_a_route() -> None:
    assert len({endpoint.name for endpoint in ENDPOINTS}) == len(ENDPOINTS)
    assert len({(endpoint.method, endpoint.path) for endpoint in ENDPOINTS}) == len(ENDPOINTS)


def test_the_routes_and_success_codes_are_those_that_clients_know() -> None:
    known = {
        ("GET", "/"): 200,
        ("GET", "/settings"): 200,
        ("PATCH", "/settings"): 204,
        ("PATCH", "/settings/keypair"): 204,
        ("GET", "/tx"): 200,
        ("GET", "/v2/tx"): 200,
        ("DELETE", "/tx"): 200,
        ("GET", "/tx/list"): 200,
        ("POST", "/tx/commit"): 200,
        ("POST", "/tx/apply"): 200,
        ("POST", "/tx/commit_and_apply"): 200,
        ("GET", "/os"): 200,
        ("GET", "/metadata/affected-services"): 200,
        ("GET", "/metadata/setting-generators"): 200,
        ("GET", "/v2/metadata/setting-generators"): 200,
        ("GET", "/metadata/templates"): 200,
        ("GET", "/services"): 200,
        ("GET", "/configuration-files"): 200,
        ("POST", "/actions/reboot"): 204,
    }
    assert known.items() <= {(endpoint.method, endpoint.path): endpoint.success for endpoint in ENDPOINTS}.items()


# ---- what they answer


def test_a_patch_answers_with_nothing_and_is_pending(server: Server) -> None:
    answer = server.ask("PATCH", "/settings?tx=t", b'{"motd": "x"}')
    assert (answer.status, answer.body) == (204, b"")
    assert "content-length" not in answer.headers
    assert server.call("get_tx", tx="t") == {"motd": "x"}
    assert server.call("get_tx") == {}
    assert server.call("list_tx") == ["t"]
    assert server.live() == {}


def test_a_commit_answers_with_what_changed_and_makes_it_live(server: Server) -> None:
    server.call("patch_settings", {"motd": "x", "network": {"hostname": "a"}})
    answer = server.ask("POST", "/tx/commit")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == ["settings.motd", "settings.network.hostname"]
    server.call("patch_settings", {"motd": "y", "network": {"hostname": "a"}})
    assert server.call("commit_tx") == ["settings.motd"]
    assert server.live() == {"motd": "y", "network": {"hostname": "a"}}
    assert server.call("list_tx") == []


def test_a_deleted_transaction_answers_with_the_keys_it_had(server: Server) -> None:
    server.call("patch_settings", {"motd": "x", "dns": {"search-list": ["a"]}}, tx="t")
    assert server.ask("DELETE", "/tx?tx=t").json() == ["settings.dns.search-list", "settings.motd"]
    assert server.call("delete_tx", tx="t") == []
    assert server.call("list_tx") == []


DEFAULTS = dict(PROFILE.defaults)


def test_settings_are_read_whole_by_key_and_by_prefix(server: Server) -> None:
    sysctl = {"net.core.somaxconn": "1", "vm.max_map_count": "2"}
    server.call("patch_settings", {"motd": "ü", "kernel": {"sysctl": sysctl}, "network": {"hostname": "a"}})
    server.call("commit_tx")
    whole = {"motd": "ü", "kernel": {"sysctl": sysctl}, "network": {"hostname": "a"}}
    somaxconn = {"kernel": {"sysctl": {"net.core.somaxconn": "1"}}}
    answers = {
        "": {**DEFAULTS, **whole},
        "keys=settings.motd": {"motd": "ü"},
        "keys=settings.motd,settings.network.hostname,settings.aws.region": {"motd": "ü", "network": {"hostname": "a"}},
        "keys=settings.kernel": {"kernel": {"sysctl": sysctl}},
        "keys=settings.kernel.sysctl.%22net.core.somaxconn%22": somaxconn,
        "keys=settings.mot": {},
        "keys=motd": {"motd": "ü"},
        "keys=none": {},
        "prefix=settings.": {**DEFAULTS, **whole},
        "prefix=motd": {"motd": "ü"},
        "prefix=mo": {"motd": "ü"},
        "prefix=settings.kernel.sysctl.%22net": somaxconn,
        "prefix=x": {},
        "keys=settings.motd&prefix=kernel": {"motd": "ü"},
    }
    assert {query: server.ask("GET", f"/settings?{query}" if query else "/settings").json() for query in answers} == (
        answers
    )


def test_everything_is_described_under_its_own_name(server: Server) -> None:
    (Path(server.paths.root) / "etc").mkdir(exist_ok=True)
    Path(server.paths.inside("/etc/os-release")).write_text('PRETTY_NAME="A \\"test\\""\nVERSION_ID=12\n')
    about = {
        "pretty_name": 'A "test"',
        "variant_id": "",
        "version_id": "12",
        "build_id": "",
        "arch": platform.machine(),
    }
    server.call("patch_settings", {"motd": "x"})
    server.call("commit_tx")
    everything = server.call("get_all")
    assert isinstance(everything, dict)
    assert list(everything) == ["settings", "services", "configuration-files", "os"]
    assert (everything["settings"], everything["os"]) == ({**DEFAULTS, "motd": "x"}, about)
    motd = {"path": "/etc/motd", "mode": "0644", "template-path": os.path.join(TEMPLATES, "motd.j2")}
    assert everything["configuration-files"]["motd"] == motd
    assert everything["configuration-files"]["proxy-environment"]["mode"] == "0600"
    chrony = {
        "configuration-files": ["chrony-sources", "chrony-conf"],
        "restart-commands": ["systemctl try-reload-or-restart chrony.service"],
    }
    assert everything["services"]["chrony"] == chrony
    assert server.call("get_all", prefix="settings.") == {"settings": {**DEFAULTS, "motd": "x"}}
    assert server.call("get_all", prefix="os.") == {"os": about}
    assert server.call("get_all", prefix="os.arch") == {"os": {"arch": platform.machine()}}
    assert server.call("get_all", prefix="services.chrony") == {"services": {"chrony": chrony}}
    assert server.call("get_all", prefix="configuration-files.motd") == {"configuration-files": {"motd": motd}}
    assert server.call("get_all", prefix="nothing") == {}
    assert server.call("get_os") == about
    assert server.call("get_os", prefix="os.v") == {"variant_id": "", "version_id": "12"}


def test_an_apply_answers_with_what_happened_to_each_file_and_service(server: Server) -> None:
    lists = ("unused_keys", "not_run", "failed_files", "failed_services", "left_out", "remarks")
    nothing: dict[str, object] = {name: [] for name in lists}
    assert server.call("apply") == {"generation": 0, "files": [], "services": [], **nothing}
    server.call("patch_settings", {"motd": "x", "network": {"hostname": "a"}, "updates": {"seed": 5}})
    server.call("commit_tx")
    files = {"motd": "/etc/motd", "hostname": "/etc/hostname", "hosts": "/etc/hosts"}
    told = {"name": "hostname", "outcome": "skipped", "detail": "this root is not the running machine's"}
    unused = {**nothing, "unused_keys": ["settings.updates.seed"]}
    assert server.call("apply") == {
        "generation": 1,
        "files": [{"name": name, "path": path, "outcome": "written"} for name, path in files.items()],
        "services": [told],
        **unused,
    }
    assert server.call("apply") == {
        "generation": 1,
        "files": [{"name": name, "path": path, "outcome": "unchanged"} for name, path in files.items()],
        "services": [],
        **unused,
    }
    assert Path(server.paths.inside("/etc/motd")).read_text() == "x\n"


def test_commit_and_apply_does_both_and_answers_as_a_commit(server: Server) -> None:
    server.call("patch_settings", {"motd": "x"}, tx="t")
    assert server.call("commit_and_apply", tx="t") == ["settings.motd"]
    assert Path(server.paths.inside("/etc/motd")).read_text() == "x\n"


def test_a_first_boot_is_committed_and_moves_through_its_phases(server: Server) -> None:
    def phases() -> dict[str, str]:
        reader = open_for_reading(server.paths.store)
        assert reader is not None
        try:
            return reader.phases()
        finally:
            reader.close()

    server.call("patch_settings", {"motd": "x"}, tx="earlyboot-launch", origin="imds")
    assert server.call("commit_tx", tx="earlyboot-launch", identity="dmi:0f") == ["settings.motd"]
    assert phases() == {"dmi:0f": "committed"}
    server.call("apply")
    assert phases() == {"dmi:0f": "applied"}
    answer = server.ask("PATCH", "/machine?identity=dmi:0f&phase=configured")
    assert (answer.status, answer.body) == (204, b"")
    assert phases() == {"dmi:0f": "configured"}
    server.call("patch_machine", identity="dmi:0f", phase="applied")
    assert phases() == {"dmi:0f": "configured"}


def test_a_first_boot_without_data_is_committed_where_that_is_asked_for(server: Server) -> None:
    assert server.ask("POST", "/tx/commit?identity=m").status == 422
    assert server.call("commit_tx", identity="m", empty="true") == []
    server.call("patch_machine", identity="m", phase="configured")


def test_replacing_takes_away_what_is_not_named(server: Server) -> None:
    for settings in ({"motd": "x", "network": {"hostname": "a"}}, {"motd": "x"}):
        server.call("patch_settings", settings)
        changed = server.call("commit_tx", replace="true")
    assert changed == ["settings.network.hostname"]
    assert server.live() == {"motd": "x"}


def test_every_value_keeps_its_origin_and_every_generation_its_peer(server: Server) -> None:
    server.call("patch_settings", {"motd": "x"}, origin="a file & more=ü")
    server.call("patch_settings", {"network": {"hostname": "a"}})
    server.call("commit_tx")
    reader = open_for_reading(server.paths.store)
    assert reader is not None
    live = reader.live()
    rows = reader.rows("SELECT uid, gid, pid, tx FROM generation")
    reader.close()
    assert live["settings.motd"].origin == "a file & more=ü"
    assert live["settings.network.hostname"].origin == f"api uid={os.getuid()} pid={os.getpid()}"
    assert rows == [(os.getuid(), os.getgid(), os.getpid(), "default")]


# ---- how they refuse


@pytest.mark.parametrize("path", ["/nothing", "/settings/", "/Settings", "/tx/list/x", "/%2e", "/settings%00"])
def test_a_path_that_is_none_is_not_found(shared_server: Server, path: str) -> None:
    expected = problem(404, "Not found", fault("path", "there is nothing at this path", PATHS_FIX))
    assert refused(shared_server.ask("GET", path)) == expected


@pytest.mark.parametrize(
    ("method", "path", "fix"),
    [
        ("POST", "/", "use GET"),
        ("PUT", "/settings", "use GET or PATCH or DELETE"),
        ("OPTIONS", "/settings", "use GET or PATCH or DELETE"),
        ("GET", "/tx/commit", "use POST"),
        ("POST", "/tx", "use GET or DELETE"),
        ("GET", "/machine", "use PATCH"),
    ],
)
def test_a_method_that_is_not_for_a_path_is_named_with_those_that_are(
    shared_server: Server, method: str, path: str, fix: str
) -> None:
    expected = problem(405, "Method not allowed", fault("method", f"{method} is not for {path}", fix))
    answer = shared_server.ask(method, path)
    assert refused(answer) == expected
    assert answer.headers["allow"] == fix.removeprefix("use ").replace(" or ", ", ")


def test_an_answer_to_head_has_no_body(shared_server: Server) -> None:
    answer = shared_server.ask("HEAD", "/settings")
    assert answer.status == 405


QUERY = ("bad-query", "the query cannot be parsed", "write it like tx=NAME&origin=TEXT")
TX = ("bad-parameter", "tx is not 1 to 64 printable characters", "use a short name")
TX_MEANING = "the transaction, 'default' if not given"


@pytest.mark.parametrize(
    ("method", "target", "code", "what", "fix"),
    [
        ("GET", "/settings?x=1", "unknown-parameter", "/settings has no parameter 'x'", "it takes keys, prefix"),
        ("GET", "/tx/list?tx=t", "unknown-parameter", "/tx/list has no parameter 'tx'", "it takes none"),
        ("POST", "/tx/apply?tx=a", "unknown-parameter", "/tx/apply has no parameter 'tx'", "it takes keys"),
        ("GET", "/tx?tx=a&tx=a", "bad-query", "a parameter is given twice", "give each parameter once"),
        ("GET", "/tx?tx=a&tx=b", "bad-query", "a parameter is given twice", "give each parameter once"),
        ("GET", "/tx?tx=a&x=1&x=1", "unknown-parameter", "/tx has no parameter 'x'", "it takes tx"),
        ("GET", "/tx?tx", *QUERY),
        ("GET", "/tx?&", *QUERY),
        ("GET", "/tx?tx=%ff", *QUERY),
        ("GET", "/tx?" + "&".join(f"a{n}=1" for n in range(17)), *QUERY),
        ("GET", "/tx?tx=", "missing-parameter", "'tx' is missing or empty", TX_MEANING),
        ("GET", "/tx?tx=" + "x" * 65, *TX),
        ("GET", "/tx?tx=a%0ab", *TX),
        ("GET", "/tx?tx=%00", *TX),
        ("DELETE", "/tx?tx=a%1b", *TX),
        ("POST", "/tx/commit?tx=%7f", *TX),
        ("POST", "/tx/commit_and_apply?tx=%7f", *TX),
        ("GET", "/settings?prefix=", "missing-parameter", "'prefix' is missing or empty", "only keys whose text begins so"),
        (
            "GET",
            "/settings?keys=",
            "missing-parameter",
            "'keys' is missing or empty",
            "comma-separated keys; one that is not set is left out",
        ),
        (
            "GET",
            "/settings?keys=settings.motd,,",
            "bad-key",
            "the key '' has an empty segment",
            "write it like settings.ntp.time-servers",
        ),
        (
            "GET",
            "/settings?keys=a%20b",
            "bad-key",
            "the key 'a b' has ' '; letters, digits, '_', '-' and '/' are allowed, '.' in quotes",
            "write it like settings.ntp.time-servers",
        ),
        ("PATCH", "/machine", "missing-parameter", "'identity' is missing or empty", "which machine"),
        ("PATCH", "/machine?identity=&phase=x", "missing-parameter", "'identity' is missing or empty", "which machine"),
        ("PATCH", "/machine?identity=m", "missing-parameter", "'phase' is missing or empty", "which phase"),
        (
            "PATCH",
            "/machine?identity=m&phase=done",
            "bad-parameter",
            "phase is none of the known words",
            "use one of committed, applied, bootstrapped, configured",
        ),
        (
            "POST",
            "/tx/commit?replace=yes",
            "bad-parameter",
            "replace is neither 'true' nor 'false'",
            "write replace=true, or nothing",
        ),
        (
            "POST",
            "/tx/commit?empty=1",
            "bad-parameter",
            "empty is neither 'true' nor 'false'",
            "write empty=true, or nothing",
        ),
    ],
)  # fmt: skip
def test_a_bad_query_is_refused(
    shared_server: Server, method: str, target: str, code: str, what: str, fix: str
) -> None:
    assert refused(shared_server.ask(method, target)) == problem(400, "Bad request", fault(code, what, fix))


def test_a_machine_that_the_store_does_not_know_is_not_found(shared_server: Server) -> None:
    expected = fault("unknown-identity", "the store does not know this machine identity", "commit its settings first")
    answer = shared_server.ask("PATCH", "/machine?identity=m&phase=applied")
    assert refused(answer) == problem(404, "Not found", expected)


@pytest.mark.parametrize(
    "path", ["/tx/commit", "/tx/commit_and_apply", "/tx/commit?replace=true", "/tx/commit?identity=m&empty=false"]
)
def test_nothing_to_commit_is_said_so(shared_server: Server, path: str) -> None:
    what = "nothing is pending in the transaction 'default'"
    expected = fault("nothing-pending", what, "PATCH /settings with this tx first")
    assert refused(shared_server.ask("POST", path)) == problem(422, "Nothing to do", expected)


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", "the body is not JSON: Expecting value: line 1 column 1 (char 0)"),
        (b"secret", "the body is not JSON: Expecting value: line 1 column 1 (char 0)"),
        (b'{"motd": "secret', "the body is not JSON: Unterminated string starting at: line 1 column 10 (char 9)"),
        (b"{} secret", "the body is not JSON: Extra data: line 1 column 4 (char 3)"),
        (b'{"motd": NaN}', "the body is not JSON: NaN is not a JSON number"),
        (b'{"motd": -Infinity}', "the body is not JSON: -Infinity is not a JSON number"),
        (b'{"motd": "x", "motd": "y"}', "the body is not JSON: a key stands twice in one object"),
        (b'{"dns": {"a": 1, "a": 1}}', "the body is not JSON: a key stands twice in one object"),
        (b'{"motd": "\xff"}', "the body is not UTF-8"),
        (b'{"motd": "\xed\xa0\x80"}', "the body is not UTF-8"),
        ('{"motd": "x"}'.encode("utf-16"), "the body is not UTF-8"),
        (b"[" * 100_000, "the body is nested too deeply"),
        (b'{"dns":' * 100_000, "the body is nested too deeply"),
    ],
)
def test_a_body_that_is_no_json_is_refused_and_never_shown(shared_server: Server, body: bytes, what: str) -> None:
    answer = shared_server.ask("PATCH", "/settings", body)
    assert refused(answer) == problem(400, "Bad request", fault("bad-json", what, JSON_FIX))
    assert b"secret" not in answer.body


def test_settings_with_faults_are_refused_with_all_of_them_and_their_places(shared_server: Server) -> None:
    body = b'{"network": {"hosts": [["10.0.0.1", ["UPPER"]]], "hostnam": 1}, "x": 1}'
    hosts = fault(
        "bad-value",
        "settings.network.hosts[0][1][0] must be a host name of lower-case letters, digits, '-' and '.', at most 253"
        " characters, each part 1 to 63 and not beginning with '-'",
        'write for example "node-1.example.com"',
        "settings.network.hosts",
        path=["network", "hosts", 0, 1, 0],
    )
    hostname = fault(
        "unknown-key",
        "settings.network.hostnam is not a known key",
        'did you mean "hostname"?',
        "settings.network.hostnam",
        path=["network", "hostnam"],
    )
    group = fault("unknown-group", "settings.x is not a group of settings here", GROUPS_FIX, "settings.x", path=["x"])
    answer = refused(shared_server.ask("PATCH", "/settings", body))
    assert answer == problem(400, "Bad request", hosts, hostname, group)
    assert shared_server.call("list_tx") == []


@pytest.mark.parametrize(("body", "word"), [(b"[]", "a list"), (b"null", "null"), (b'"x"', "text"), (b"1", "a number")])
def test_settings_that_are_no_object_are_refused(shared_server: Server, body: bytes, word: str) -> None:
    refusal = refused(shared_server.ask("PATCH", "/settings", body))
    assert refusal["detail"] == f"settings must be a table, not {word}"


def test_the_longest_names_of_the_model_are_keys(shared_server: Server) -> None:
    name = "a" * 76
    body = f'{{"host-containers": {{"{name}": {{"source": "x"}}}}, "kernel": {{"sysctl": {{"{"b" * 128}": "1"}}}}}}'
    assert shared_server.ask("PATCH", "/settings?tx=long", body.encode()).status == 204
    assert shared_server.call("delete_tx", tx="long")


def test_a_lone_surrogate_in_a_name_is_refused_and_answered_in_valid_json(shared_server: Server) -> None:
    refusal = refused(shared_server.ask("PATCH", "/settings", b'{"\\ud800": 1}'))
    what = 'settings."\\ud800" is not a group of settings here'
    key = 'settings."\ud800"'
    expected = fault("unknown-group", what, GROUPS_FIX, key, path=["\ud800"])
    assert refusal == problem(400, "Bad request", expected)


SECRET = "s3cr3t"


@pytest.mark.parametrize(
    "body",
    [
        b'{"network": {"https-proxy": "http://user:s3cr3t@ bad host"}}',
        b'{"network": {"https-proxy": ["s3cr3t"]}}',
        b'{"aws": {"credentials": "s3cr3t!"}}',
        b'{"aws": {"credentials": {"s3cr3t": 1}}}',
        b'{"pki": {"a": {"data": "s3cr3t"}}}',
        b'{"host-containers": {"admin": {"user-data": "s3cr3t "}}}',
        b'{"network": {"https-proxy": "s3cr3t\x01"}}',
        b'{"network": {"https-proxy": "s3cr3t"}',
        b's3cr3t',
        b'{"motd": 1, "aws": {"credentials": "s3cr3t!", "config": "s3cr3t!"}}',
    ],
)  # fmt: skip
def test_no_refusal_shows_a_value(shared_server: Server, body: bytes) -> None:
    answer = shared_server.ask("PATCH", "/settings", body)
    assert answer.status == 400
    assert refused(answer)["faults"]
    if b'{"s3cr3t": 1}' not in body:  # there it is the name of a key
        assert SECRET not in answer.body.decode()
    assert SECRET not in shared_server.log()


def test_secrets_are_shown_to_who_may_open_the_socket(server: Server) -> None:
    server.call("patch_settings", {"network": {"https-proxy": f"http://u:{SECRET}@p"}})
    server.call("commit_tx")
    shown = {"network": {"https-proxy": f"http://u:{SECRET}@p"}}
    assert server.call("get_settings", prefix="network") == shown


def test_too_many_transactions_are_a_conflict(server: Server) -> None:
    for number in range(PENDING_LIMIT):
        server.call("patch_settings", {"motd": "x"}, tx=str(number))
    expected = fault("too-many-transactions", "64 transactions are pending already", "commit or delete some first")
    answer = server.ask("PATCH", "/settings?tx=more", b'{"motd": "x"}')
    assert refused(answer) == problem(409, "Conflict", expected)
    assert server.ask("PATCH", "/settings?tx=0", b'{"motd": "y"}').status == 204


def test_a_body_of_exactly_the_limit_is_taken_and_one_byte_more_is_not(server: Server) -> None:
    frame = b'{"motd": ""}'
    fitting = frame[:-2] + b"x" * (BODY_LIMIT_BYTES - len(frame)) + frame[-2:]
    assert server.ask("PATCH", "/settings", fitting).status == 204
    expected = fault("body-too-large", "the body is larger than 2,097,152 bytes", "send less at once")
    answer = server.ask("PATCH", "/settings", fitting + b" ")
    assert refused(answer) == problem(413, "Body too large", expected)


def test_a_host_that_cannot_keep_a_store_says_so_in_every_answer(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "var/lib/earlyboot").mkdir(parents=True)
    (root / "var/lib/earlyboot/settings.db").write_text("this is no database")
    with Server(root) as server:
        for method, path in (("GET", "/settings"), ("POST", "/tx/commit"), ("GET", "/os")):
            refusal = refused(server.ask(method, path))
            assert refusal["detail"] == "the settings store: file is not a database"
            assert refusal["status"] == 500
        os.unlink(server.paths.store)
        assert server.call("list_tx") == []


def test_the_store_is_for_root_alone_whatever_umask_the_server_has(tmp_path: Path) -> None:
    with Server(tmp_path / "root", umask=0) as server:
        server.call("patch_settings", {"motd": "x"})
        server.call("commit_tx")
        folder = Path(server.paths.state)
        assert {entry.stat().st_mode & 0o777 for entry in folder.iterdir()} == {0o600}
        assert Path(server.socket).stat().st_mode & 0o777 == 0o660


def test_the_file_of_the_store_is_a_database_that_others_can_read(server: Server) -> None:
    server.call("patch_settings", {"motd": "x"})
    server.call("commit_tx")
    database = sqlite3.connect(server.paths.store)
    assert database.execute("SELECT key, value FROM live").fetchall() == [("settings.motd", '"x"')]
    database.close()


def test_a_file_that_cannot_be_written_is_named_and_the_settings_are_committed(server: Server) -> None:
    place = Path(server.paths.inside("/etc/motd"))
    place.mkdir(parents=True)
    server.call("patch_settings", {"motd": "x", "network": {"hostname": "a"}})
    with pytest.raises(RefusedError) as caught:
        server.call("commit_and_apply")
    what, fix = f"{place} cannot be replaced: Is a directory", "look at the path and at the file system below it"
    fix_again = f"the settings are committed; {fix}, then POST /tx/apply"
    assert (caught.value.status, caught.value.faults) == (500, (Fault("file", what, Where("/etc/motd"), fix_again),))
    report = server.call("apply")
    assert isinstance(report, dict)
    assert report["failed_files"] == ["/etc/motd"]
    assert report["files"][0] == {
        "name": "motd",
        "path": "/etc/motd",
        "outcome": "failed",
        "detail": what,
        "fix": fix,
    }
    assert [file["outcome"] for file in report["files"][1:]] == ["unchanged", "unchanged"]
