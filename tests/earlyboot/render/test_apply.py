"""Applying over a real folder and with real commands: all or nothing rendered, only differences written."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from earlyboot.config import profile as profiles
from earlyboot.config.paths import APPLICATION, Paths
from earlyboot.config.profile import FileSpec, Profile, ServiceSpec
from earlyboot.render import apply as applying
from earlyboot.render import fileset
from earlyboot.render.apply import FileOutcome, Outcome, ServiceOutcome, apply, render_all
from earlyboot.render.fileset import Rendering
from earlyboot.render.record import Applied, has_changed
from earlyboot.render.remarks import Remarks
from earlyboot.render.renderers import Context
from hostkit import selinux
from hostkit.errors import HostError

MOTD, HOSTNAME, HOSTS = "settings.motd", "settings.network.hostname", "settings.network.hosts"
PROXY, SERVERS, SYSCTL = "settings.network.https-proxy", "settings.ntp.time-servers", "settings.kernel.sysctl.a"


class Machine(Paths):
    """A root whose services may be told, as those of the running machine."""

    is_machine = True


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    (tmp_path / "root/etc/chrony").mkdir(parents=True)
    return Machine(str(tmp_path / "root"))


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    return tmp_path / "calls"


@pytest.fixture
def profile(calls: Path) -> Profile:
    """The real files, and services that write down that they were told."""

    def service(name: str, *files: str) -> ServiceSpec:
        return ServiceSpec(name, files, (("sh", "-c", f"echo {name} >> {calls}"),))

    services = (service("names", "hostname", "hosts"), service("time", "chrony-sources"), service("kernel", "sysctl"))
    return profiles.load("metal", Paths("/nonexistent"))._replace(services=services)


class Applier:
    """Applies one after the other, each knowing what the last one recorded."""

    def __init__(self, profile: Profile, paths: Paths, calls: Path) -> None:
        self.profile, self.paths, self._calls = profile, paths, calls
        self.previous: Applied | None = None

    def __call__(self, settings: dict[str, object], keys: tuple[str, ...] = ()) -> Outcome:
        outcome = apply(settings, self.profile, self.paths, self.previous, keys=keys)
        self.previous = Applied(1, "digest", outcome.notes(), outcome.record)
        return outcome

    def told(self) -> list[str]:
        """Whom the commands reached since the last time this was asked."""
        lines = self._calls.read_text().split() if self._calls.exists() else []
        self._calls.unlink(missing_ok=True)
        return lines

    def place(self, path: str) -> Path:
        return Path(self.paths.inside(path))


@pytest.fixture
def applier(profile: Profile, paths: Paths, calls: Path) -> Applier:
    return Applier(profile, paths, calls)


def outcomes(outcome: Outcome) -> dict[str, str]:
    return {file.name: file.outcome for file in outcome.files}


def tree(folder: Path) -> dict[str, tuple[object, ...]]:
    """Everything below a folder, with what would give a rewrite away."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        data = path.read_bytes() if stat.S_ISREG(status.st_mode) else None
        found[str(path)] = (status.st_ino, status.st_mode, status.st_mtime_ns, data)
    return found


def test_what_differs_is_written_with_its_mode_and_the_rest_is_left_alone(applier: Applier) -> None:
    settings: dict[str, object] = {MOTD: "x", PROXY: "http://u:p@h", SERVERS: ["a.example"]}
    outcome = applier(settings)
    assert outcome.files == (
        FileOutcome("motd", "/etc/motd", "written"),
        FileOutcome("proxy-environment", "/etc/earlyboot/proxy.env", "written"),
        FileOutcome("chrony-sources", "/etc/chrony/sources.d/earlyboot.sources", "written"),
    )
    modes = {file.path: stat.S_IMODE(applier.place(file.path).stat().st_mode) for file in outcome.files}
    assert list(modes.values()) == [0o644, 0o600, 0o644]
    assert applier.place("/etc/motd").read_text() == "x\n"
    before = tree(applier.place("/etc"))
    assert set(outcomes(applier(settings)).values()) == {"unchanged"}
    assert tree(applier.place("/etc")) == before
    assert outcomes(applier({**settings, MOTD: "y"})) == {
        "motd": "written",
        "proxy-environment": "unchanged",
        "chrony-sources": "unchanged",
    }


def test_the_secret_file_was_never_readable_by_others(applier: Applier, monkeypatch: pytest.MonkeyPatch) -> None:
    modes: set[int] = set()
    folder = applier.place("/etc/earlyboot")
    real = os.rename

    def rename(source: str, target: str) -> None:
        modes.update(stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir())
        real(source, target)

    monkeypatch.setattr(os, "rename", rename)
    applier({PROXY: "http://u:p@h"})
    assert modes == {0o600}


IMPORTS = """
import sys
from earlyboot.config import profile
from earlyboot.config.paths import Paths
from earlyboot.render.apply import apply
paths = Paths(sys.argv[1])
apply({sys.argv[2]: ["x"]}, profile.load("metal", paths), paths, None)
print(*sorted({"jinja2", "cryptography", "msgspec", "hashlib"} & sys.modules.keys()))
"""


@pytest.mark.parametrize(
    ("key", "imported"),
    [
        ("settings.updates.seed", "hashlib"),
        ("settings.kernel.hugepages.x", "hashlib"),
        ("settings.network.disable-ipv6", "hashlib jinja2"),
    ],
)
def test_what_no_file_needs_is_not_imported(tmp_path: Path, key: str, imported: str) -> None:
    argv = [sys.executable, "-c", IMPORTS, str(tmp_path), key]
    ended = subprocess.run(argv, check=True, capture_output=True, text=True, cwd=APPLICATION)
    assert ended.stdout == f"{imported}\n"


def test_settings_that_feed_nothing_do_nothing(applier: Applier) -> None:
    outcome = applier({"settings.updates.seed": 1})
    assert (outcome.files, outcome.services, outcome.record) == ((), (), ())
    assert outcome.plan.unused_keys == ("settings.updates.seed",)


def test_the_record_agrees_with_the_disk_at_once(applier: Applier) -> None:
    outcome = applier({MOTD: "x", PROXY: "http://h"})
    assert [(file.path, file.sha256, file.mode) for file in outcome.record] == [
        (path, hashlib.sha256(applier.place(path).read_bytes()).hexdigest(), mode)
        for path, mode in (("/etc/motd", 0o644), ("/etc/earlyboot/proxy.env", 0o600))
    ]
    assert not any(has_changed(file, applier.paths) for file in outcome.record)


def test_one_file_that_cannot_be_rendered_leaves_all_as_they_were(applier: Applier) -> None:
    applier({MOTD: "x", SYSCTL: "1"})
    applier.told()
    before = tree(applier.place("/etc"))
    # Behind the motd, and before the sysctl file that would have to go.
    with pytest.raises(HostError, match="chrony-sources cannot be rendered: a time server's URL names no host"):
        applier({MOTD: "y", SERVERS: ["file:///x"]})
    assert tree(applier.place("/etc")) == before
    assert applier.told() == []


def test_a_file_that_cannot_be_written_fails_alone_and_the_service_of_the_others_is_told(applier: Applier) -> None:
    folder = applier.place("/etc/chrony/sources.d")
    folder.mkdir()
    if os.geteuid() or subprocess.run(["chattr", "+i", str(folder)], check=False, capture_output=True).returncode:
        pytest.skip("needs root and a file system with attributes: to root every folder is writable")
    try:
        outcome = applier({MOTD: "y", HOSTNAME: "a", SERVERS: ["a.example"]})
    finally:
        subprocess.run(["chattr", "-i", str(folder)], check=True)
    detail = f"{folder}/earlyboot.sources cannot be written: Operation not permitted"
    assert outcomes(outcome) == {
        "motd": "written",
        "hostname": "written",
        "hosts": "written",
        "chrony-sources": "failed",
    }
    assert (outcome.files[-1].detail, outcome.files[-1].fix) == (detail, "run as root")
    assert applier.place("/etc/motd").read_text() == "y\n"
    assert applier.told() == ["names"]


def symlink_to_theirs(path: Path) -> None:
    (path.parent / "theirs").write_text("theirs")
    path.symlink_to("theirs")


def bind_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))


@pytest.mark.parametrize(
    "make",
    [
        symlink_to_theirs,
        lambda path: path.symlink_to("nowhere"),
        lambda path: path.symlink_to(path.name),
        os.mkfifo,
        bind_socket,
    ],
)
def test_whatever_stands_in_the_place_of_a_file_is_replaced_and_nothing_behind_it_touched(
    applier: Applier, make: Callable[[Path], None]
) -> None:
    make(applier.place("/etc/motd"))
    assert outcomes(applier({MOTD: "x"})) == {"motd": "written"}
    assert stat.S_ISREG(applier.place("/etc/motd").lstat().st_mode)
    assert applier.place("/etc/motd").read_text() == "x\n"
    theirs = applier.place("/etc/theirs")
    assert not theirs.exists() or theirs.read_text() == "theirs"


def test_a_link_to_the_right_content_is_replaced_too(applier: Applier) -> None:
    applier.place("/etc/theirs").write_text("x\n")
    applier.place("/etc/theirs").chmod(0o644)
    applier.place("/etc/motd").symlink_to("theirs")
    assert outcomes(applier({MOTD: "x"})) == {"motd": "written"}
    assert not applier.place("/etc/motd").is_symlink()


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o4600, 0o400])
def test_a_file_with_another_mode_is_written_anew(applier: Applier, mode: int) -> None:
    applier({PROXY: "http://h"})
    applier.place("/etc/earlyboot/proxy.env").chmod(mode)
    assert outcomes(applier({PROXY: "http://h"})) == {"proxy-environment": "written"}
    assert stat.S_IMODE(applier.place("/etc/earlyboot/proxy.env").stat().st_mode) == 0o600


def test_a_file_changed_by_hand_is_repaired_and_its_service_told(applier: Applier) -> None:
    applier({HOSTNAME: "a", SERVERS: ["a.example"]})
    assert applier.told() == ["names", "time"]
    applier.place("/etc/hostname").write_text("b\n")
    outcome = applier({HOSTNAME: "a", SERVERS: ["a.example"]})
    assert outcomes(outcome) == {"hostname": "written", "hosts": "unchanged", "chrony-sources": "unchanged"}
    assert outcome.services == (ServiceOutcome("names", "done", ""),)
    assert applier.told() == ["names"]


def test_a_file_of_ours_goes_with_its_last_key_and_its_service_is_told(applier: Applier) -> None:
    applier({SERVERS: ["a.example"], MOTD: "x"})
    applier.told()
    outcome = applier({})
    assert outcome.files == (
        FileOutcome("chrony-sources", "/etc/chrony/sources.d/earlyboot.sources", "removed"),
        # The image's own file: what it held before is not known.
        FileOutcome("motd", "/etc/motd", "left"),
    )
    assert not applier.place("/etc/chrony/sources.d/earlyboot.sources").exists()
    assert applier.place("/etc/motd").read_text() == "x\n"  # the image's own: there is no telling what it was
    assert applier.told() == ["time"]
    assert applier({}).files == ()


def test_a_file_of_ours_that_somebody_removed_already_is_no_error(applier: Applier) -> None:
    applier({SERVERS: ["a.example"]})
    applier.place("/etc/chrony/sources.d/earlyboot.sources").unlink()
    assert outcomes(applier({})) == {"chrony-sources": "removed"}


def test_a_file_that_we_never_wrote_is_not_removed(applier: Applier) -> None:
    theirs = applier.place("/etc/sysctl.d/90-earlyboot.conf")
    theirs.parent.mkdir()
    theirs.write_text("theirs")
    assert applier({MOTD: "x"}).files == (FileOutcome("motd", "/etc/motd", "written"),)
    assert theirs.read_text() == "theirs"


def test_a_first_boot_that_rendered_already_does_not_render_again(
    applier: Applier, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, object] = {MOTD: "x", SERVERS: ["a.example"]}
    made = render_all(settings, applier.profile, applier.paths)
    assert list(applier.place("/etc").iterdir()) == [applier.place("/etc/chrony")]
    monkeypatch.setattr(applying, "render_files", lambda *parts: pytest.fail("rendered") if parts[1] else Rendering())
    outcome = apply(settings, applier.profile, applier.paths, None, rendered=made)
    assert outcomes(outcome) == {"motd": "written", "chrony-sources": "written"}
    assert applier.place("/etc/motd").read_text() == "x\n"
    assert [file.path for file in outcome.record] == ["/etc/motd", "/etc/chrony/sources.d/earlyboot.sources"]


# ---- sets of files, and files that move


PODS = FileSpec("pods", "/etc/pods/*/pod.yaml", ("settings.pods",), owned=True, each="settings.pods")


def with_pods(applier: Applier, folder: Path, path: str = PODS.path) -> None:
    template = folder / "pods.j2"
    template.write_text("{{ item.manifest }}\n")
    spec = PODS._replace(path=path, template=str(template))
    files = [file for file in applier.profile.files if file.name != "pods"]
    commands = applier.profile.services[0].commands
    services = [service for service in applier.profile.services if service.name != "names"]
    applier.profile = applier.profile._replace(
        files=(*files, spec), services=(*services, ServiceSpec("names", ("pods",), commands))
    )


def pods(**manifests: str) -> dict[str, object]:
    return {f"settings.pods.{name}.manifest": text for name, text in manifests.items()}


def test_each_file_of_a_set_is_written_removed_and_recorded_on_its_own(applier: Applier, tmp_path: Path) -> None:
    with_pods(applier, tmp_path)
    a, b, c = (f"/etc/pods/{name}/pod.yaml" for name in "abc")
    applier(pods(a="1", b="1"))
    assert applier.told() == ["names"]
    outcome = applier(pods(b="2", c="1"))
    assert outcome.files == (
        FileOutcome("pods", b, "written"),
        FileOutcome("pods", c, "written"),
        FileOutcome("pods", a, "removed"),
    )
    assert [(file.path, file.owned) for file in outcome.record] == [(b, True), (c, True)]
    # The folder that stood for the name went, too.
    assert sorted(path.name for path in applier.place("/etc/pods").iterdir()) == ["b", "c"]
    assert applier.told() == ["names"]
    assert {file.outcome for file in applier(pods(b="2", c="1")).files} == {"unchanged"}
    assert applier.told() == []


def test_the_folder_of_a_name_stays_where_somebody_has_something_in_it(applier: Applier, tmp_path: Path) -> None:
    with_pods(applier, tmp_path)
    applier(pods(a="1"))
    applier.place("/etc/pods/a/theirs").touch()
    applier({})
    assert [path.name for path in applier.place("/etc/pods/a").iterdir()] == ["theirs"]


def test_one_file_of_a_set_that_differs_only_from_the_record_tells_its_service(
    applier: Applier, tmp_path: Path
) -> None:
    with_pods(applier, tmp_path)
    applier(pods(a="1", b="1"))
    recorded = applier.previous
    applier(pods(a="1", b="2"))
    applier.told()
    applier.previous = recorded
    assert {file.outcome for file in applier(pods(a="1", b="2")).files} == {"unchanged"}
    assert applier.told() == ["names"]


def test_a_file_of_ours_whose_path_changed_with_the_image_leaves_its_old_place(
    applier: Applier, tmp_path: Path
) -> None:
    with_pods(applier, tmp_path)
    applier(pods(a="1"))
    with_pods(applier, tmp_path, "/etc/new/*.yaml")
    assert applier(pods(a="1")).files == (
        FileOutcome("pods", "/etc/new/a.yaml", "written"),
        FileOutcome("pods", "/etc/pods/a/pod.yaml", "removed"),
    )
    assert not applier.place("/etc/pods/a/pod.yaml").exists()


def test_a_file_of_ours_that_the_image_does_not_know_any_more_goes(applier: Applier, tmp_path: Path) -> None:
    with_pods(applier, tmp_path)
    applier({**pods(a="1"), MOTD: "x"})
    files = tuple(file for file in applier.profile.files if file.name not in ("pods", "motd"))
    applier.profile = applier.profile._replace(files=files)
    assert applier({}).files == (
        FileOutcome("pods", "/etc/pods/a/pod.yaml", "removed"),
        FileOutcome("motd", "/etc/motd", "left"),
    )


def test_what_can_be_put_back_is_put_back_and_then_forgotten(applier: Applier, monkeypatch: pytest.MonkeyPatch) -> None:
    def renderer(settings: Mapping[str, object], context: Context) -> bytes:
        return b"theirs and ours" if "pki" in settings else b"theirs"

    bundle = FileSpec("bundle", "/etc/bundle", ("settings.pki",), renderer="certificates")
    monkeypatch.setattr(fileset, "find", lambda name: renderer)
    applier.profile = applier.profile._replace(
        files=(bundle,), services=(applier.profile.services[0]._replace(files=("bundle",)),)
    )
    assert outcomes(applier({"settings.pki.a.data": ""})) == {"bundle": "written"}
    assert applier.told() == ["names"]
    outcome = applier({})
    assert (outcomes(outcome), outcome.record) == ({"bundle": "written"}, ())
    assert applier.place("/etc/bundle").read_bytes() == b"theirs"
    assert applier.told() == ["names"]
    assert applier({}).files == ()


def test_a_file_that_failed_is_written_the_next_time_and_services_hear_of_each_change_once(applier: Applier) -> None:
    place = applier.place("/etc/sysctl.d/90-earlyboot.conf")
    place.mkdir(parents=True)
    outcome = applier({HOSTNAME: "a", SYSCTL: "1"})
    assert outcomes(outcome) == {"hostname": "written", "hosts": "written", "sysctl": "failed"}
    assert outcome.json()["files"] == [
        {"name": "hostname", "path": "/etc/hostname", "outcome": "written"},
        {"name": "hosts", "path": "/etc/hosts", "outcome": "written"},
        {
            "name": "sysctl",
            "path": "/etc/sysctl.d/90-earlyboot.conf",
            "outcome": "failed",
            "detail": f"{place} cannot be replaced: Is a directory",
            "fix": "look at the path and at the file system below it",
        },
    ]
    assert (outcome.succeeded, outcome.notes()["failed_files"]) == (False, ["/etc/sysctl.d/90-earlyboot.conf"])
    assert [file.path for file in outcome.record] == ["/etc/hostname", "/etc/hosts"]
    assert applier.told() == ["names"]
    assert set(outcomes(applier({HOSTNAME: "a", SYSCTL: "1"})).values()) == {"unchanged", "failed"}
    assert applier.told() == []
    place.rmdir()
    assert outcomes(applier({HOSTNAME: "a", SYSCTL: "1"})) == {
        "hostname": "unchanged",
        "hosts": "unchanged",
        "sysctl": "written",
    }
    assert applier.told() == ["kernel"]


def test_what_could_not_be_replaced_is_still_known_as_what_it_was(applier: Applier, tmp_path: Path) -> None:
    first = applier({SYSCTL: "1"})
    applier.told()
    place = applier.place("/etc/sysctl.d/90-earlyboot.conf")
    place.rename(tmp_path / "kept")
    place.mkdir()
    failed = applier({SYSCTL: "2"})
    assert (outcomes(failed), failed.record, applier.told()) == ({"sysctl": "failed"}, first.record, [])
    # Nor can it be removed: it stays ours, and goes as soon as it can.
    failed = applier({})
    assert (outcomes(failed), failed.record, applier.told()) == ({"sysctl": "failed"}, first.record, [])
    place.rmdir()
    (tmp_path / "kept").rename(place)
    assert (outcomes(applier({})), place.exists(), applier.told()) == ({"sysctl": "removed"}, False, ["kernel"])


def test_what_was_written_and_the_folders_that_were_made_are_labelled_once(
    applier: Applier, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[list[str]] = []

    def restore(places: Sequence[str]) -> str:
        calls.append([os.path.relpath(place, applier.paths.root) for place in places])
        assert all(os.path.lexists(place) for place in places)
        return "restorecon: exit status 1"

    monkeypatch.setattr(selinux, "restore", restore)
    outcome = applier({MOTD: "x", SERVERS: ["a.example"], PROXY: "http://h"})
    assert calls == [
        [
            *("etc/chrony/sources.d", "etc/earlyboot"),
            *("etc/motd", "etc/earlyboot/proxy.env", "etc/chrony/sources.d/earlyboot.sources"),
        ]
    ]
    assert outcome.notes()["remarks"] == ["restorecon: exit status 1"]
    applier.paths = Paths(applier.paths.root)
    applier({MOTD: "y"})
    assert len(calls) == 1


def test_what_the_kernel_did_not_take_is_remarked_and_what_is_essential_fails(
    applier: Applier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applying, "remarks_on", lambda settings, user: Remarks(("a remark",), {"kernel": "too few"}))
    outcome = applier({MOTD: "x", SYSCTL: "1", HOSTNAME: "a"})
    assert outcome.services == (ServiceOutcome("names", "done", ""), ServiceOutcome("kernel", "failed", "too few"))
    assert (outcome.notes()["remarks"], outcome.notes()["failed_services"]) == (["a remark"], ["kernel"])
    monkeypatch.setattr(applying, "remarks_on", lambda settings, user: Remarks())
    applier.told()
    assert applier({MOTD: "x", SYSCTL: "1", HOSTNAME: "a"}).services == (ServiceOutcome("kernel", "done", ""),)


# ---- services


def test_a_service_is_told_once_for_all_its_files_and_only_when_one_changed(applier: Applier) -> None:
    settings: dict[str, object] = {HOSTNAME: "a", HOSTS: [["10.0.0.1", ["b"]]], SYSCTL: "1", MOTD: "x"}
    assert [service.name for service in applier(settings).services] == ["names", "kernel"]
    assert applier.told() == ["names", "kernel"]
    assert applier(settings).services == ()
    assert applier({**settings, MOTD: "y"}).services == ()
    assert [service.name for service in applier({**settings, SYSCTL: "2"}).services] == ["kernel"]
    assert applier.told() == ["kernel"]


def test_a_kill_between_writing_and_telling_is_made_good_by_the_next_apply(applier: Applier) -> None:
    applier({SYSCTL: "1"})
    assert applier.told() == ["kernel"]
    # The one before was killed after it wrote: the disk agrees, and the record is still of the old content.
    recorded = applier.previous
    applier({SYSCTL: "2"})
    applier.told()
    applier.previous = recorded
    outcome = applier({SYSCTL: "2"})
    assert outcomes(outcome) == {"sysctl": "unchanged"}
    assert applier.told() == ["kernel"]
    assert applier({SYSCTL: "2"}).services == ()


def test_on_a_first_apply_services_are_told_although_the_image_has_the_same_files(applier: Applier) -> None:
    applier({SYSCTL: "1"})
    applier.told()
    applier.previous = None
    assert outcomes(applier({SYSCTL: "1"})) == {"sysctl": "unchanged"}
    assert applier.told() == ["kernel"]


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        (("settings.network",), ["names"]),
        ((SYSCTL,), ["kernel"]),
        ((SERVERS,), []),  # no file of that service is here
        (("settings.updates",), []),
        ((SYSCTL, HOSTNAME, HOSTS), ["names", "kernel"]),
    ],
)
def test_the_services_of_named_keys_are_told_although_no_file_changed(
    applier: Applier, keys: tuple[str, ...], told: list[str]
) -> None:
    settings: dict[str, object] = {HOSTNAME: "a", SYSCTL: "1"}
    applier(settings)
    applier.told()
    assert [service.name for service in applier(settings, keys).services] == told
    assert applier.told() == told


def with_commands(applier: Applier, *commands: tuple[str, ...]) -> None:
    """Two services on two files: the first with these commands, the second as it was."""
    first = ServiceSpec("first", ("motd",), commands)
    applier.profile = applier.profile._replace(services=(first, applier.profile.services[2]))


def test_a_service_that_fails_is_an_outcome_and_the_others_are_told(applier: Applier) -> None:
    with_commands(applier, ("sh", "-c", "echo one >&2; echo 'the reason' >&2; exit 3"), ("touch", "/never"))
    outcome = applier({MOTD: "x", SYSCTL: "1"})
    detail = "sh -c echo one >&2; echo 'the reason' >&2; exit 3: exit status 3: the reason"
    assert outcome.services == (ServiceOutcome("first", "failed", detail), ServiceOutcome("kernel", "done", ""))
    assert outcome.notes()["failed_services"] == ["first"]
    assert applier.told() == ["kernel"]


def test_a_failed_service_is_tried_again_until_it_succeeds(applier: Applier, tmp_path: Path) -> None:
    with_commands(applier, ("test", "-e", str(tmp_path / "mended")))
    for _ in range(2):
        assert [(service.name, service.outcome) for service in applier({MOTD: "x"}).services] == [("first", "failed")]
    (tmp_path / "mended").touch()
    assert applier({MOTD: "x"}).services == (ServiceOutcome("first", "done", ""),)
    assert applier({MOTD: "x"}).services == ()


def test_the_commands_of_a_service_run_in_order_and_without_a_shell(applier: Applier, tmp_path: Path) -> None:
    script = f'printf "%s\\n" "$@" >> {tmp_path}/words'
    with_commands(applier, ("sh", "-c", script, "sh", "$HOME; a b", "*"), ("sh", "-c", script, "sh", "second"))
    assert applier({MOTD: "x"}).services[0].outcome == "done"
    assert (tmp_path / "words").read_text() == "$HOME; a b\n*\nsecond\n"


def test_a_command_gets_a_path_and_nothing_else_of_our_environment(
    applier: Applier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "x")
    monkeypatch.setenv("NOTIFY_SOCKET", "/x")
    with_commands(applier, ("sh", "-c", f"env > {tmp_path}/env"))
    applier({MOTD: "x"})
    names = {line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    assert names - {"PWD", "_", "SHLVL", "OLDPWD"} == {"PATH", "LANG"}


@pytest.mark.parametrize(
    ("argv", "detail"),
    [
        (("/no/such/program", "x"), "/no/such/program cannot be started: No such file or directory"),
        (("/etc/passwd",), "/etc/passwd cannot be started: Permission denied"),
        (("sh", "-c", "kill -9 $$"), "sh -c kill -9 $$: killed by SIGKILL"),
        (("sleep", "1000"), "sleep 1000: no end within 0.2 s"),
        (("false",), "false: exit status 1"),
    ],
)
def test_why_a_service_failed_is_said(
    applier: Applier, argv: tuple[str, ...], detail: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applying, "_COMMAND_DEADLINE_S", 0.2)
    with_commands(applier, argv)
    assert applier({MOTD: "x"}).services == (ServiceOutcome("first", "failed", detail),)


def test_in_a_root_that_is_not_the_machines_no_service_is_told(applier: Applier) -> None:
    applier.paths = Paths(applier.paths.root)
    outcome = applier({SYSCTL: "1"})
    assert outcome.services == (ServiceOutcome("kernel", "skipped", "this root is not the running machine's"),)
    assert outcome.notes()["failed_services"] == []
    assert applier.told() == []


def test_what_an_apply_reports_is_plain_and_complete(applier: Applier) -> None:
    with_commands(applier, ("false",))
    name = "settings.bootstrap-commands.a"
    outcome = applier({MOTD: "x", "settings.updates.seed": 1, f"{name}.mode": "once", f"{name}.commands": []})
    assert outcome.json() == {
        "files": [{"name": "motd", "path": "/etc/motd", "outcome": "written"}],
        "services": [{"name": "first", "outcome": "failed", "detail": "false: exit status 1"}],
        "unused_keys": ["settings.updates.seed"],
        "not_run": [name],
        "failed_files": [],
        "failed_services": ["first"],
        "left_out": [],
        "remarks": [],
    }
