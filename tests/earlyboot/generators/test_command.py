"""Generators that are programs: what they get, what their ends mean."""

from __future__ import annotations

import os
import select
from pathlib import Path

import pytest

from earlyboot.config.profile import GeneratorSpec
from earlyboot.generators.command import environment, run
from hostkit.errors import HostError
from tests.earlyboot.generators.asking import known, question, spec

FIX = "\n  fix:   run it by hand to see more; it must print one JSON value, or nothing"
PROGRAM = "/usr/lib/image/make"


def program(root: Path, script: str, *, deadline_s: float = 10.0, **more: object) -> GeneratorSpec:
    path = root / PROGRAM[1:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return spec("own", command=(PROGRAM, "one argument", "$HOME"), deadline_s=deadline_s, **more)  # type: ignore[arg-type]


def failure(root: Path, script: str, *, deadline_s: float = 10.0) -> str:
    with pytest.raises(HostError) as caught:
        run(question(root, program(root, script, deadline_s=deadline_s)))
    (fault,) = caught.value.faults
    assert fault.code == "generator-command"
    text = fault.text()
    assert text.endswith(f"\n  where: {PROGRAM}{FIX}")
    return fault.what


@pytest.mark.parametrize(
    ("printed", "value"),
    [
        ('"text"', "text"),
        (' {"a": [1, 2.5, true]} \n', {"a": [1, 2.5, True]}),
        ("2047", 2047),
        ('"\\u00e4ß"', "äß"),
    ],
)
def test_status_0_and_json_is_the_value(tmp_path: Path, printed: str, value: object) -> None:
    assert run(question(tmp_path, program(tmp_path, f"cat <<'END'\n{printed}\nEND"))) == value


@pytest.mark.parametrize("script", ["exit 0", "echo", "echo '  '; echo said >&2", "exit 2", "echo '\"x\"'; exit 2"])
def test_nothing_or_status_2_is_no_value(tmp_path: Path, script: str) -> None:
    assert run(question(tmp_path, program(tmp_path, script))) is None


@pytest.mark.parametrize(
    ("script", "what"),
    [
        ("exit 3", "failed: exit status 3"),
        ("echo first >&2; echo 'the last word' >&2; exit 1", "failed: exit status 1: the last word"),
        ("printf 'a\\033[2Jb\\n' >&2; exit 1", "failed: exit status 1: a\\x1b[2Jb"),
        ("printf '%1000d\\n' 0 >&2; exit 1", "failed: exit status 1: 0"),
        ("yes x | tr -d '\\n' | head -c 1000 >&2; exit 1", f"failed: exit status 1: {'x' * 300}"),
        ("kill -9 $$", "failed: killed by SIGKILL"),
        ("head -c 70000 /dev/zero", "failed: more than 65,536 bytes of output"),
        ("echo '{'", "printed something that is not one JSON value (line 2, column 1)"),
        ("echo top-secret", "printed something that is not one JSON value (line 1, column 1)"),
        ("echo '1 2'", "printed something that is not one JSON value (line 1, column 3)"),
        ('echo \'{"a": 1, "a": 2}\'', "printed an object that has a key twice"),
        ("echo '[NaN]'", "printed a number that is not finite"),
        ("echo '1e999'", "printed a number that is not finite"),
        ("yes 1 | tr -d '\\n' | head -c 5000", "printed a number that is too long"),
        ("yes '[' | tr -d '\\n' | head -c 60000", "printed JSON that is nested too deep"),
        ("printf '\\377'", "printed something that is not UTF-8"),
    ],
)
def test_any_other_end_is_a_failure(tmp_path: Path, script: str, what: str) -> None:
    assert failure(tmp_path, script) == f"{PROGRAM} {what}"


def test_one_that_does_not_end_is_killed_with_its_children(tmp_path: Path) -> None:
    what = failure(tmp_path, "sleep 1000 & echo $! > ${0%/*}/child; wait", deadline_s=0.5)
    assert what == f"{PROGRAM} failed: no end within 0.5 s"
    child_ends(tmp_path)


def test_one_that_ends_leaves_no_child_behind(tmp_path: Path) -> None:
    assert run(question(tmp_path, program(tmp_path, "sleep 1000 & echo $! > ${0%/*}/child; echo '\"aaa\"'"))) == "aaa"
    child_ends(tmp_path)


def child_ends(tmp_path: Path) -> None:
    try:
        child = os.pidfd_open(int((tmp_path / "usr/lib/image/child").read_text()))
    except ProcessLookupError:
        return
    try:
        assert select.select([child], [], [], 60)[0]
    finally:
        os.close(child)


def test_one_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(HostError) as caught:
        run(question(tmp_path, spec(command=("/usr/lib/absent",))))
    assert caught.value.faults[0].what == "/usr/lib/absent cannot be started: No such file or directory"


def test_one_that_may_not_be_run_is_a_failure(tmp_path: Path) -> None:
    one = program(tmp_path, "exit 0")
    (tmp_path / PROGRAM[1:]).chmod(0o644)
    with pytest.raises(HostError) as caught:
        run(question(tmp_path, one))
    assert caught.value.faults[0].what == f"{PROGRAM} cannot be started: Permission denied"


def test_its_words_reach_it_as_they_are_and_no_shell_reads_them(tmp_path: Path) -> None:
    assert run(question(tmp_path, program(tmp_path, 'printf \'["%s", "%s"]\' "$1" "$2"'))) == ["one argument", "$HOME"]


GIVEN = {
    "aws": {"region": "eu-central-1", "profile": "x"},
    "motd": "hidden",
    "host-containers": {"a": {"enabled": True}},
    "network": {"https-proxy": "http://user:word@proxy.example:3128", "no-proxy": ["localhost", ".example"]},
}


def test_it_reads_the_settings_that_it_needs_and_no_others(tmp_path: Path) -> None:
    needs = ("settings.aws.region", "settings.ecs", "settings.network.no-proxy")
    one = program(tmp_path, "cat", needs=needs)
    assert run(question(tmp_path, one, given=GIVEN)) == {
        "aws": {"region": "eu-central-1"},
        "network": {"no-proxy": ["localhost", ".example"]},
    }
    whole = program(tmp_path, "cat", needs=("settings.aws",), key="settings.host-containers", depth=1)
    assert run(question(tmp_path, whole, given=GIVEN)) == {
        "aws": GIVEN["aws"],
        "host-containers": {"a": {"enabled": True}},
    }
    assert run(question(tmp_path, program(tmp_path, "cat"), given=GIVEN)) == {}


def test_its_environment_is_a_path_and_the_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_PRELOAD", "/tmp/evil.so")
    printed = program(
        tmp_path, "env | grep -vE '^(_|PWD|SHLVL)=' | sort | sed 's/.*/\"&\"/' | paste -sd, | sed 's/.*/[&]/'"
    )
    always = ["LANG=C.UTF-8", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
    assert run(question(tmp_path, printed)) == always
    proxy, direct = "http://user:word@proxy.example:3128", "localhost,127.0.0.1,.example"
    found = run(question(tmp_path, printed, given=GIVEN))
    assert isinstance(found, list)
    assert sorted(found) == sorted(
        [*always, f"HTTPS_PROXY={proxy}", f"https_proxy={proxy}", f"NO_PROXY={direct}", f"no_proxy={direct}"]
    )


def test_without_a_proxy_there_is_nothing_to_go_around() -> None:
    assert "NO_PROXY" not in environment(known({"network": {"no-proxy": ["a"]}}))
    direct = environment(known({"network": {"https-proxy": "http://p"}}))
    assert direct["NO_PROXY"] == "localhost,127.0.0.1"


def test_the_cluster_is_reached_without_the_proxy() -> None:
    given = {
        "network": {"https-proxy": "http://p", "no-proxy": ["a"]},
        "kubernetes": {"api-server": "https://K8s:6443"},
    }
    found = environment(known(given, {"kubernetes": {"cluster-domain": "cluster.local"}}))
    assert found["NO_PROXY"] == found["no_proxy"] == "localhost,127.0.0.1,k8s,.cluster.local,a"


def test_nothing_of_it_stays_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    run(question(tmp_path, program(tmp_path, "exit 0")))
    failure(tmp_path, "exit 1")
    assert len(os.listdir("/proc/self/fd")) == before
