"""Asking providers: real processes that answer, fail, babble and hang; files that are none."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from hostkit import process
from hostkit.errors import EarlybootError, Fault, HostError, OperatorError, SourceError, Where
from providers import runner
from providers.contract import STDOUT_LIMIT_BYTES, Document, Generated
from providers.registry import PROVIDERS, Provider
from providers.runner import Answer, Question, ask_all, sandbox

ONE = '{"origin": "somewhere", "document": "[settings]\\n"}'
LOCAL, NETWORK = (
    next(provider for provider in PROVIDERS if provider.name == name) for name in ("local-file", "ec2-imds")
)


class Program:
    """A program whose `provider NAME` runs a shell script that the test wrote."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.argv = ["/bin/sh", "-c", f'name=$1; shift; . {folder}/"$1".sh', "sh"]
        self.answered: list[str] = []

    def says(self, name: str, script: str) -> Question:
        (self._folder / f"{name}.sh").write_text(script + "\n")
        return Question(Provider(name, "no.module"), deadline_s=60.0, limit_bytes=1000)

    def ask(self, *questions: Question) -> list[Answer]:
        return ask_all(
            questions, self.argv, transient=False, on_answer=lambda answer: self.answered.append(answer.name)
        )

    def error(self, script: str) -> EarlybootError:
        (answer,) = self.ask(self.says("p", script))
        assert answer.output is None
        assert answer.error is not None
        return answer.error


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


def reported(status: int, *faults: Fault) -> str:
    listed = json.dumps([fault.json() for fault in faults])
    return f"cat >&2 <<'END'\n{listed}\nEND\nexit {status}"


def failed(what: str, fix: str = "run it alone to see more: earlyboot provider p") -> str:
    return f"error: the source p did not answer: {what}\n  where: p\n  fix:   {fix}"


def test_a_document_and_settings_come_as_they_were_printed(program: Program) -> None:
    answers = program.ask(
        program.says("a", f"printf %s '{ONE}'"),
        program.says("b", 'echo \'{"origin": "o", "settings": {"motd": "x"}}\''),
        program.says("c", ":"),
    )
    assert [(answer.name, answer.output, answer.error) for answer in answers] == [
        ("a", Document("somewhere", "[settings]\n"), None),
        ("b", Generated("o", {"motd": "x"}), None),
        ("c", None, None),
    ]
    assert all(answer.started_s > 0 and answer.duration_s > 0 for answer in answers)


def test_a_provider_is_told_what_it_is_asked(program: Program, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("content")
    said = f'echo "$@" > {tmp_path}/$1.argv; cat > {tmp_path}/$1.stdin'
    network = program.says("n", said)._replace(endpoint="http://127.0.0.1:1", deadline_s=2.5)
    local = program.says("l", said)._replace(path=str(tmp_path / "f"), limit_bytes=7)
    program.ask(network, local)
    assert (tmp_path / "n.argv").read_text() == (
        "n --format=json --deadline=2.5 --limit=1000 --endpoint=http://127.0.0.1:1\n"
    )
    assert (tmp_path / "l.argv").read_text() == f"l --format=json --deadline=60 --limit=7 --path={tmp_path}/f --stdin\n"
    assert ((tmp_path / "n.stdin").read_text(), (tmp_path / "l.stdin").read_text()) == ("", "content")


def test_all_are_asked_at_once_and_answered_in_the_order_of_the_questions(program: Program, tmp_path: Path) -> None:
    def waits(name: str) -> str:
        return f"while [ ! -e {tmp_path}/{name} ]; do sleep 0.01; done; touch {tmp_path}/$1; printf %s '{ONE}'"

    answers = program.ask(
        program.says("a", waits("b")), program.says("b", waits("c")), program.says("c", f"touch {tmp_path}/c")
    )
    assert [answer.name for answer in answers] == ["a", "b", "c"]
    assert program.answered == ["c", "b", "a"]
    assert [answer.output is None for answer in answers] == [False, False, True]


def test_a_source_that_fails_keeps_no_other_from_answering(program: Program, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    answers = program.ask(
        program.says("a", "exit 1"),
        program.says("b", "")._replace(path=str(tmp_path / "link")),
        program.says("c", f"printf %s '{ONE}'"),
    )
    assert [answer.error is None for answer in answers] == [False, False, True]
    assert answers[2].output == Document("somewhere", "[settings]\n")


def test_nobody_to_ask_is_no_answer(program: Program) -> None:
    assert program.ask() == []


def test_where_there_is_no_file_no_process_is_started(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[process.Command] = []

    def run_all(commands: Sequence[process.Command], *others: object) -> list[process.Completed]:
        started.extend(commands)
        return []

    monkeypatch.setattr(process, "run_all", run_all)
    (tmp_path / "f").touch()
    question = program.says("p", "")
    answers = program.ask(
        question._replace(path=str(tmp_path / "absent")), question._replace(path=str(tmp_path / "f/below"))
    )
    assert [(answer.output, answer.error) for answer in answers] == [(None, None), (None, None)]
    assert started == []


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))


NOT_REGULAR = ("this is not a regular file", "put a regular file there, or take it away")
LINK_FIX = "put a regular file there, not a link, or take it away"


@pytest.mark.parametrize(
    ("make", "what", "fix"),
    [
        (
            lambda path: path.symlink_to("/etc/passwd"),
            "the file cannot be opened: Too many levels of symbolic links",
            LINK_FIX,
        ),
        (
            lambda path: path.symlink_to("nowhere"),
            "the file cannot be opened: Too many levels of symbolic links",
            LINK_FIX,
        ),
        (lambda path: path.symlink_to(path), "the file cannot be opened: Too many levels of symbolic links", LINK_FIX),
        (Path.mkdir, *NOT_REGULAR),
        (os.mkfifo, *NOT_REGULAR),
        (make_socket, "the file cannot be opened: No such device or address", LINK_FIX),
    ],
)
def test_what_is_no_regular_file_is_refused_without_waiting(
    program: Program, tmp_path: Path, make: Callable[[Path], None], what: str, fix: str
) -> None:
    path = tmp_path / "source"
    make(path)
    open_before = os.listdir("/proc/self/fd")
    (answer,) = program.ask(program.says("p", f"printf %s '{ONE}'")._replace(path=str(path)))
    assert answer.output is None
    assert type(answer.error) is SourceError
    assert str(answer.error) == f"error: {what}\n  where: {path}\n  fix:   {fix}"
    assert program.answered == ["p"]
    assert os.listdir("/proc/self/fd") == open_before


def test_a_file_that_may_not_be_read_is_refused_and_never_absent(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "source"
    path.touch()
    real = os.open

    def forbidden(name: str, *arguments: int) -> int:
        if name == str(path):
            raise PermissionError(13, "Permission denied")
        return real(name, *arguments)

    monkeypatch.setattr(os, "open", forbidden)  # as root everything may be read
    (answer,) = program.ask(program.says("p", "")._replace(path=str(path)))
    assert str(answer.error) == (
        f"error: the file cannot be opened: Permission denied\n  where: {path}\n  fix:   {LINK_FIX}"
    )


@pytest.mark.parametrize(("status", "kind"), [(2, OperatorError), (3, SourceError), (4, HostError)])
def test_the_faults_of_a_provider_pass_through_in_their_class(
    program: Program, status: int, kind: type[EarlybootError]
) -> None:
    faults = (Fault("a", "first", Where("x.toml", 3, 4, "settings.motd"), "fix it"), Fault("b", "second"))
    error = program.error(reported(status, *faults))
    assert type(error) is kind
    assert error.faults == faults


@pytest.mark.parametrize(
    ("script", "what"),
    [
        ("exit 3", "exit status 3"),
        ("echo first >&2; echo 'the last word' >&2; exit 4", "exit status 4: the last word"),
        ("echo '[]' >&2; exit 3", "exit status 3: []"),
        ("echo '{}' >&2; exit 3", "exit status 3: {}"),
        ("echo '[1]' >&2; exit 3", "exit status 3: [1]"),
        ("echo 3 >&2; exit 3", "exit status 3: 3"),
        ("printf '\\377\\n' >&2; exit 3", "exit status 3: \ufffd"),
        ("head -c 70000 /dev/zero | tr '\\0' '[' >&2; exit 3", f"exit status 3: {'[' * 500}"),
        ("kill -9 $$", "killed by SIGKILL"),
        (reported(1, Fault("x", "x")), f"exit status 1: {json.dumps([Fault('x', 'x').json()])}"),
        (reported(77, Fault("x", "x")), f"exit status 77: {json.dumps([Fault('x', 'x').json()])}"),
    ],
)
def test_a_provider_that_ends_without_an_answer_is_an_error_of_the_source(
    program: Program, script: str, what: str
) -> None:
    error = program.error(script)
    assert type(error) is SourceError
    assert str(error) == failed(what)


def test_data_of_a_provider_that_failed_afterwards_is_not_taken(program: Program) -> None:
    assert str(program.error(f"printf %s '{ONE}'; exit 3")) == failed("exit status 3")


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("echo garbage", "provider-output-not-json"),
        ("printf '\\377'", "provider-output-not-utf8"),
        ("echo '[]'", "provider-output-type"),
        (f"printf %s '{ONE}{ONE}'", "provider-output-not-json"),
        ('echo \'{"origin": "x"}\'', "provider-output-data"),
    ],
)
def test_garbage_on_stdout_is_refused_and_never_shown(program: Program, script: str, code: str) -> None:
    error = program.error(script)
    assert type(error) is SourceError
    assert [fault.code for fault in error.faults] == [code]
    assert error.faults[0].where.source == "p"
    assert "garbage" not in str(error)


def test_output_without_an_end_is_cut_off(program: Program) -> None:
    assert str(program.error("exec yes")) == failed(f"more than {STDOUT_LIMIT_BYTES:,} bytes of output")


def test_a_provider_that_hangs_is_given_up_a_little_after_its_own_deadline(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "_GRACE_S", 0.1)
    hanging = program.says("p", reported(3, Fault("x", "too late to be heard")).replace("exit 3", "exec sleep 1000"))
    (hung, answered) = program.ask(hanging._replace(deadline_s=0.1), program.says("q", f"printf %s '{ONE}'"))
    assert type(hung.error) is SourceError
    assert str(hung.error).startswith("error: the source p did not answer: no end within 0.3 s: [")
    assert answered.error is None
    assert program.answered == ["q", "p"]


def test_a_program_that_is_not_there_is_the_hosts_fault(program: Program, tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    open_before = os.listdir("/proc/self/fd")
    with pytest.raises(HostError) as caught:
        ask_all(
            [program.says("p", "")._replace(path=str(tmp_path / "f"))],
            ["/no/such/program"],
            transient=False,
            on_answer=lambda answer: None,
        )
    assert str(caught.value) == (
        "error: a provider cannot be started: No such file or directory\n"
        "  where: /no/such/program\n"
        "  fix:   install the program again"
    )
    assert os.listdir("/proc/self/fd") == open_before


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
def test_every_provider_runs_without_privileges(provider: Provider) -> None:
    properties = sandbox(provider, 12.5)
    assert properties["DynamicUser"] == "yes"
    assert properties["NoNewPrivileges"] == "yes"
    assert properties["CapabilityBoundingSet"] == ""
    assert properties["ProtectSystem"] == "strict"
    assert properties["UMask"] == "0077"
    assert properties["MemoryMax"] == "128M"
    assert properties["RuntimeMaxSec"] == "12.5"
    assert properties["Description"] == f"earlyboot source {provider.name}"


@pytest.mark.parametrize(
    ("provider", "families", "private"), [(LOCAL, "none", "yes"), (NETWORK, "AF_INET AF_INET6", None)]
)
def test_only_who_needs_the_network_has_it(provider: Provider, families: str, private: str | None) -> None:
    properties = sandbox(provider, 1)
    assert (properties["RestrictAddressFamilies"], properties.get("PrivateNetwork")) == (families, private)


def test_as_a_transient_unit_a_provider_is_one_command_with_its_sandbox(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[process.Command] = []

    def run_all(
        given: Sequence[process.Command], on_end: Callable[[int, process.Completed], None], *others: object
    ) -> None:
        commands.extend(given)
        on_end(0, process.Completed(0, b"", b"", None))

    monkeypatch.setattr(process, "run_all", run_all)
    (tmp_path / "f").touch()
    question = Question(LOCAL, deadline_s=10.0, limit_bytes=1000, path=str(tmp_path / "f"))
    ask_all([question], ["/opt/earlyboot"], transient=True, on_answer=lambda answer: None)
    (command,) = commands
    assert command.deadline_s == 20.0  # the unit's own limit, which is 15, comes first
    assert command.stdout_limit_bytes == STDOUT_LIMIT_BYTES
    assert list(command.argv) == [
        "systemd-run",
        "--quiet",
        "--wait",
        "--collect",
        "--pipe",
        "--no-ask-password",
        f"--unit=earlyboot-provider-local-file-{os.getpid()}.service",
        *(f"--property={name}={value}" for name, value in sandbox(LOCAL, 15.0).items()),
        "--",
        "/opt/earlyboot",
        "provider",
        "local-file",
        "--format=json",
        "--deadline=10",
        "--limit=1000",
        f"--path={tmp_path}/f",
        "--stdin",
    ]
