"""`apiclient` against the real server of a configured machine."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from earlyboot.model.settings import GROUPS
from tests.earlyboot.stages.machine import Ended, Machine

DONE = Ended(0, "", "")
NOT_THERE = (
    "error: the API does not answer: nobody listens\n"
    "  where: {}\n"
    "  fix:   start it with: systemctl start earlyboot-api.socket\n"
)


UNFETCHED = """\
the document cannot be fetched: nobody listens
  where: http://127.0.0.1:1/x
  fix:   check the URL and the network
"""


def live(machine: Machine, key: str) -> object:
    value, _origin = machine.known().live[key]
    return value


def settings(machine: Machine, prefix: str) -> object:
    ended = machine.apiclient("get", prefix)
    assert (ended.status, ended.stderr) == (0, "")
    return json.loads(ended.stdout)


@pytest.fixture
def unchanged(powered: Machine) -> Iterator[Machine]:
    """A machine of which the test must leave everything as it is, and nothing pending."""
    before = powered.known()
    yield powered
    assert powered.known() == before
    assert before.pending == 0


def test_get_prints_what_the_prefixes_name(powered: Machine) -> None:
    everything = json.loads(powered.apiclient("get").stdout)
    assert list(everything) == ["settings", "os"]
    assert everything["os"]["pretty_name"] == "a simulated image"
    assert settings(powered, "settings.network.hostname") == {"settings": {"network": {"hostname": "node-1"}}}
    merged = powered.apiclient("get", "settings.network.host", "settings.network.https", "os.arch").stdout
    assert list(json.loads(merged)) == ["settings", "os"]
    assert json.loads(merged)["settings"] == {
        "network": {"hostname": "node-1", "https-proxy": "http://proxy.example:3128"}
    }
    # A setting without the root, by its other name, or by its beginning; a whole key is not the beginning of another.
    motd = {"settings": {"motd": "hello"}}
    assert settings(powered, "motd") == settings(powered, "settings.motd") == settings(powered, "mot") == motd
    assert settings(powered, "boot") == settings(powered, "settings.boot.kernel") == {}
    assert list(json.loads(powered.apiclient("get", "motd", "network.hostname", "os.arch").stdout)["settings"]) == [
        "motd",
        "network",
    ]
    assert powered.apiclient("get", "nothing") == Ended(0, "{}\n", "")
    assert powered.apiclient("get", "/tx/list") == Ended(0, "[]\n", "")
    assert powered.apiclient("get", "settings", "/os") == Ended(
        2, "", "error: a path is not merged with anything\n  fix:   give one path alone\n"
    )


@pytest.mark.parametrize(
    ("pair", "key", "value"),
    [
        ('kernel.sysctl."vm.x"=1', 'settings.kernel.sysctl."vm.x"', "1"),
        ("settings.kernel.sysctl.flat=true", "settings.kernel.sysctl.flat", "true"),
        ("motd=5", "settings.motd", "5"),
        ("motd=a=b", "settings.motd", "a=b"),
        ("motd=", "settings.motd", ""),
        ('motd=["a"]', "settings.motd", '["a"]'),
        ("kernel.modules.loop.autoload=true", "settings.kernel.modules.loop.autoload", True),
        ("updates.seed=7", "settings.updates.seed", 7),
        ('ntp.time-servers=["a.example", "192.0.2.1"]', "settings.ntp.time-servers", ["a.example", "192.0.2.1"]),
        ('network.hosts=[["192.0.2.1", ["a", "b"]]]', "settings.network.hosts", [["192.0.2.1", ["a", "b"]]]),
    ],
)
def test_a_value_has_the_type_of_its_setting(powered: Machine, pair: str, key: str, value: object) -> None:
    assert powered.apiclient("set", pair) == DONE
    assert live(powered, key) == value
    assert type(live(powered, key)) is type(value)


def test_several_pairs_are_one_generation_that_is_applied(powered: Machine) -> None:
    generation = powered.known().generation
    assert powered.apiclient("set", "motd=pair", "kernel.sysctl.a=1", 'kernel.sysctl."b.c"=2') == DONE
    assert powered.known().generation == generation + 1
    assert (powered.root / "etc/motd").read_bytes() == b"pair\n"
    assert b"\nb.c = 2\n" in (powered.root / "etc/sysctl.d/90-earlyboot.conf").read_bytes()


@pytest.mark.parametrize("document", ['{"motd": "json"}', '{"settings": {"motd": "json"}}'])
def test_settings_may_be_given_as_json(powered: Machine, document: str) -> None:
    assert powered.apiclient("set", "motd=before") == DONE
    assert powered.apiclient("set", "-j", document) == DONE
    assert live(powered, "settings.motd") == "json"


KNOWN = f"the groups are: {', '.join(GROUPS)}"


@pytest.mark.parametrize(
    ("arguments", "status", "error"),
    [
        (["motd=1", "motd"], 2, "argument 2 is no KEY=VALUE\n  fix:   write motd=hello"),
        (["a..b=1"], 2, "the key 'a..b' has an empty segment\n  fix:   write it like ntp.time-servers"),
        (["motd=1", "motd.a=2"], 2, "'motd.a' lies below a key that has a value\n  fix:   give one"),
        (["kernel.sysctl.a=1", "kernel=2"], 2, "'kernel' lies above a key that has a value\n  fix:   give one"),
        (
            [],
            2,
            "give either KEY=VALUE pairs or -j JSON\n  fix:   apiclient set motd=hello, or apiclient set -j '{",
        ),
        (["-j", "{\n{"], 2, "not JSON: Expecting property name enclosed in double quotes\n  where: -j:2\n"),
        (["-j", "1" * 5000], 2, "not JSON: a number is too long\n  where: -j\n  fix:   write a shorter number"),
        (
            ["motd=x", "hostname=a"],
            2,
            f"settings.hostname is not a group of settings here\n  where: settings.hostname\n  fix:   {KNOWN}",
        ),
        (
            ["kernel.modules.loop.autoload=perhaps"],
            2,
            "settings.kernel.modules.loop.autoload must be true or false, not text\n  where: settings.kernel.modules.",
        ),
        (
            ["updates.version-lock=1"],
            2,
            "settings.updates.version-lock must be 'latest', or a version such as 1.2.3\n",
        ),
        (["-j", "5"], 2, "settings must be a table, not a number\n  where: settings\n"),
        (["-j", '{"motd": NaN}'], 2, "the body is not JSON: NaN is not a JSON number\n"),
    ],
)
def test_what_is_refused_changes_nothing(unchanged: Machine, arguments: list[str], status: int, error: str) -> None:
    ended = unchanged.apiclient("set", *arguments)
    assert (ended.status, ended.stdout) == (status, "")
    assert ended.stderr.startswith(f"error: {error}")
    assert ended.stderr.count("error:") == 1


def test_documents_are_applied_in_order_in_one_generation(powered: Machine, tmp_path: Path) -> None:
    first, second = tmp_path / "first.toml", tmp_path / "second.json"
    first.write_text('[settings]\nmotd = "first"\nkernel.lockdown = "none"\n')
    second.write_text('{"settings": {"motd": "second"}}')
    generation = powered.known().generation
    assert (
        powered.apiclient("apply", str(first), f"file://{second}", "-", stdin=b"[settings.updates]\nseed = 9\n") == DONE
    )
    known = powered.known()
    assert known.generation == generation + 1
    assert known.live["settings.motd"] == ("second", f"file://{second}")
    assert known.live["settings.kernel.lockdown"] == ("none", str(first))
    assert known.live["settings.updates.seed"] == (9, "standard input")
    assert (powered.root / "etc/motd").read_bytes() == b"second\n"
    # Nothing new is no fault.
    assert powered.apiclient("apply", str(second)) == DONE


def test_every_fault_of_every_document_is_named_and_nothing_is_left(unchanged: Machine, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text('[settings]\nmotd = "good"\n')
    bad.write_text('[settings]\n\nmotd = 5\n[settings.network]\nhostname = "-"\n')
    ended = unchanged.apiclient("apply", str(good), str(bad), "-", stdin=b'{"settings": {"motd": 5}}')
    assert (ended.status, ended.stdout) == (2, "")
    motd = "error: settings.motd must be text, not a number\n  where: {} [settings.motd]\n  fix:   "
    lines = ended.stderr
    assert lines.startswith(motd.format(f"{bad}:3"))
    assert f"  where: {bad}:5 [settings.network.hostname]\n" in lines
    assert motd.format("standard input") in lines
    assert lines.count("error:") == 3


def test_what_cannot_be_read_hides_no_fault_of_the_others(unchanged: Machine, tmp_path: Path) -> None:
    bad, twice = tmp_path / "bad.toml", tmp_path / "twice.toml"
    bad.write_text("[settings]\nmotd = 5\n")
    twice.write_text("[settings]\n[settings]\n")
    ended = unchanged.apiclient("apply", "/no/file", str(bad), str(twice), "s3://key:secret@bucket/x?token=t")
    assert (ended.status, ended.stdout) == (2, "")
    assert ended.stderr == (
        "error: there is no such file\n  where: /no/file\n  fix:   give the path of a file\n"
        "error: settings.motd must be text, not a number\n"
        f'  where: {bad}:2 [settings.motd]\n  fix:   write it in quotes, such as "Welcome!"\n'
        "error: not TOML: cannot declare ('settings',) twice, at column 10\n"
        f"  where: {twice}:2\n  fix:   a key or a table is there twice; keep one of the two\n"
        "error: documents cannot be fetched by s3\n"
        "  where: s3://bucket/x\n  fix:   give a file, or a URL that begins with file://, http:// or https://\n"
    )


@pytest.mark.parametrize(
    ("data", "status", "error"),
    [
        (b"", 2, "the document is empty\n  where: standard input\n  fix:   give a [settings] table\n"),
        (b'{"settings": 5}', 2, 'the document has no settings object\n  where: standard input\n  fix:   write {"s'),
        (b'{"settings": ', 2, "not JSON: Expecting value\n  where: standard input:1\n"),
        (b"[settings\n", 2, "not TOML: expected ']' at the end of a table declaration, at column 10\n  where: stand"),
        (b"\xff\xfe\x00", 3, "the user data is UTF-16\n  where: standard input\n"),
        (b"x" * (3 << 20), 4, "standard input is larger than 2,097,152 bytes\n  where: standard input\n"),
    ],
    ids=["empty", "no object", "no JSON", "no TOML", "UTF-16", "too large"],
)
def test_a_document_that_cannot_be_read_is_explained(unchanged: Machine, data: bytes, status: int, error: str) -> None:
    ended = unchanged.apiclient("apply", stdin=data)
    assert (ended.status, ended.stdout) == (status, "")
    assert ended.stderr.startswith(f"error: {error}")


class _Documents(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'[settings]\nmotd = "fetched"\n'
        self.send_response({"/here": 200, "/elsewhere": 302}.get(self.path.partition("?")[0], 404))
        self.send_header("Location", "/here")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Documents) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_document_is_fetched_and_its_query_is_not_recorded(powered: Machine, web: str) -> None:
    assert powered.apiclient("apply", f"{web}/here?signature=abc") == DONE
    assert powered.known().live["settings.motd"] == ("fetched", f"{web}/here")


@pytest.mark.parametrize(("path", "status"), [("/elsewhere", 302), ("/nowhere", 404)])
def test_a_document_that_is_not_there_is_an_error(unchanged: Machine, web: str, path: str, status: int) -> None:
    assert unchanged.apiclient("apply", f"{web}{path}") == Ended(
        3,
        "",
        f"error: the server answered with status {status}\n"
        f"  where: {web}{path}\n"
        "  fix:   give the URL of the document itself; redirects are not followed\n",
    )


@pytest.mark.parametrize(
    ("uri", "status", "error"),
    [
        ("/no/such", 2, "there is no such file\n  where: /no/such\n  fix:   give the path of a file\n"),
        ("/tmp", 4, "/tmp is not a regular file\n  where: /tmp\n  fix:   put a file there\n"),
        (
            "http://u:p@host/x?q",
            2,
            "not a usable URL: it holds a user name or a password\n  where: http://host/x\n  fix:   correct it\n",
        ),
        (
            "http://127.0.0.1:1/x",
            3,
            UNFETCHED,
        ),
    ],
)
def test_an_address_without_a_document_is_explained(unchanged: Machine, uri: str, status: int, error: str) -> None:
    assert unchanged.apiclient("apply", uri) == Ended(status, "", f"error: {error}")


def test_a_table_is_changed_key_by_key(powered: Machine) -> None:
    limit = "oci-defaults.resource-limits.max-open-files"
    assert powered.apiclient("set", f"{limit}.soft-limit=5000") == DONE
    assert live(powered, f"settings.{limit}.soft-limit") == 5000
    ended = powered.apiclient("set", "oci-defaults.resource-limits.max-processes.soft-limit=5")
    assert ended == Ended(
        2,
        "",
        "error: settings.oci-defaults.resource-limits.max-processes.hard-limit is missing\n"
        "  where: settings.oci-defaults.resource-limits.max-processes.hard-limit\n"
        "  fix:   add hard-limit = 65536\n",
    )
    assert powered.apiclient("set", "oci-defaults.resource-limits.max-open-files.soft-limit=unlimited").status == 2
    assert powered.apiclient("unset", limit) == DONE


def test_raw_prints_the_answer_and_separates_refusals(powered: Machine) -> None:
    assert powered.apiclient("raw", "-u", "/settings?keys=settings.network.hostname") == Ended(
        0, '{"network": {"hostname": "node-1"}}\n', ""
    )
    assert powered.apiclient("raw", "-m", "PATCH", "-u", "/settings?tx=raw", "-d", '{"motd": "raw"}') == DONE
    assert powered.apiclient("raw", "-X", "DELETE", "-u", "/tx?tx=raw") == Ended(0, '["settings.motd"]\n', "")
    ended = powered.apiclient("raw", "-m", "POST", "-u", "/tx/commit?tx=raw")
    assert (ended.status, ended.stdout) == (5, "")
    assert json.loads(ended.stderr)["status"] == 422


@pytest.mark.parametrize(
    "arguments", [["get"], ["get", "/os"], ["set", "motd=x"], ["apply", "-"], ["raw", "-u", "/"]], ids=" ".join
)
def test_an_api_that_is_not_there_is_said_so(configured: Machine, arguments: list[str]) -> None:
    ended = configured.apiclient(*arguments, stdin=b'[settings]\nmotd = "x"\n')
    assert ended == Ended(5, "", NOT_THERE.format(configured.paths.socket))
