"""Sets of files, renderers, what cannot be a path, and every fault of every file at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from earlyboot.config.paths import Paths
from earlyboot.config.profile import FileSpec, GeneratorSpec, Profile
from earlyboot.render import fileset
from earlyboot.render.fileset import LeftOut, context_of, render_files
from earlyboot.render.renderers import Context, Rendered
from hostkit.errors import HostError

SETTINGS: dict[str, object] = {"settings.pods.b.manifest": "x", "settings.pods.b.on": True, "settings.pods.a.on": False}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "templates").mkdir()
    return tmp_path


def spec(folder: Path, text: str, path: str = "/etc/f", name: str = "f", each: str | None = None) -> FileSpec:
    template = folder / f"templates/{name}.j2"
    template.write_text(text)
    return FileSpec(name, path, ("settings.pods",), template=str(template), each=each)


def made(folder: Path, *specs: FileSpec, settings: Mapping[str, object] = SETTINGS) -> dict[str, bytes]:
    profile = Profile("test", (), None, {}, specs, (), access_user="someone")
    files = render_files(settings, specs, profile, context_of(profile, Paths(str(folder / "root")))).files
    assert all(file.spec in specs for file in files)
    return {file.path: file.data for file in files}


def test_a_template_is_rendered_for_each_member_of_a_map_in_the_order_of_names(folder: Path) -> None:
    each = spec(folder, "{{ name }} {{ item.on }}\n", "/etc/p/*.yaml", each="settings.pods")
    assert list(made(folder, each).items()) == [("/etc/p/a.yaml", b"a false\n"), ("/etc/p/b.yaml", b"b true\n")]


def test_a_member_may_have_no_file(folder: Path) -> None:
    text = "{% if not item.on %}{{ no_file() }}{% endif %}{{ item.manifest }}"
    assert made(folder, spec(folder, text, "/etc/p/*", each="settings.pods")) == {"/etc/p/b": b"x"}


@pytest.mark.parametrize("key", ["settings.pods.none", "settings.pods.b.manifest.none"])
def test_a_map_that_is_not_set_makes_no_files(folder: Path, key: str) -> None:
    assert made(folder, spec(folder, "x", "/etc/p/*", each=key)) == {}


def test_one_file_that_is_not_asked_for_is_none(folder: Path) -> None:
    assert made(folder, spec(folder, "{{ no_file() }}")) == {}


def renderer(monkeypatch: pytest.MonkeyPatch, function: Callable[[Mapping[str, object], Context], Rendered]) -> None:
    monkeypatch.setattr(fileset, "find", lambda name: function)


def of_renderer(path: str) -> FileSpec:
    return FileSpec("r", path, ("settings.pods",), renderer="test")


@pytest.mark.parametrize(
    ("path", "result", "files"),
    [
        ("/etc/f", b"\0\xff", {"/etc/f": b"\0\xff"}),
        ("/etc/f", None, {}),
        ("/etc/*/f", None, {}),
        ("/etc/*/f", {}, {}),
        ("/etc/*", {"b": b"1", "a:50": b"2", "_x.Y-": b"3"}, {"/etc/_x.Y-": b"3", "/etc/a:50": b"2", "/etc/b": b"1"}),
    ],
)
def test_a_renderer_makes_one_file_or_none_or_a_set(
    folder: Path, monkeypatch: pytest.MonkeyPatch, path: str, result: Rendered, files: dict[str, bytes]
) -> None:
    renderer(monkeypatch, lambda settings, context: result)
    assert list(made(folder, of_renderer(path)).items()) == list(files.items())


def failure(folder: Path, *specs: FileSpec) -> str:
    with pytest.raises(HostError) as caught:
        made(folder, *specs)
    return str(caught.value)


@pytest.mark.parametrize("star", ["", ".", "..", "a/b", "/", "a b", "é", "a\n", "\0", "a" * 201, "../x", "*"])
def test_a_name_that_would_lead_elsewhere_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch, star: str) -> None:
    renderer(monkeypatch, lambda settings, context: {star: b"x"})
    assert failure(folder, of_renderer("/etc/p/*/f")) == (
        "error: r cannot be rendered: a name in it cannot be part of the path /etc/p/*/f\n"
        "  where: settings.pods\n"
        "  fix:   correct the settings that feed this file"
    )


@pytest.mark.parametrize("star", ["...", ".a", "a" * 200, "a..b"])
def test_a_name_that_only_looks_strange_is_a_name(folder: Path, monkeypatch: pytest.MonkeyPatch, star: str) -> None:
    renderer(monkeypatch, lambda settings, context: {star: b"x"})
    assert made(folder, of_renderer("/etc/p/*")) == {f"/etc/p/{star}": b"x"}


@pytest.mark.parametrize(
    ("path", "result", "what"),
    [
        ("/etc/f", {"a": b""}, "it is one file, not a set of them"),
        ("/etc/*", b"", "it is a set of files, not one"),
        ("/etc/f", b"x" * ((4 << 20) + 1), "/etc/f would be larger than 4,194,304 bytes"),
    ],
)
def test_what_does_not_fit_its_path_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, path: str, result: Rendered, what: str
) -> None:
    renderer(monkeypatch, lambda settings, context: result)
    assert failure(folder, of_renderer(path)).splitlines()[0] == f"error: r cannot be rendered: {what}"


def test_two_files_at_one_path_are_refused(folder: Path) -> None:
    specs = [spec(folder, "x", "/etc/b", "one"), spec(folder, "y", "/etc/*", "all", each="settings.pods")]
    assert failure(folder, *specs).splitlines()[0] == "error: all cannot be rendered: one makes /etc/b too"


def test_every_fault_of_every_file_is_found(folder: Path) -> None:
    specs = [
        spec(folder, "{{ setting('pods.none') }}", name="a"),
        spec(folder, "{{ missing }}", name="b"),
        spec(folder, "x", name="c"),
        spec(folder, "{{ [1] }}", name="d"),
    ]
    assert failure(folder, *specs).replace(str(folder), "") == (
        "error: the template a cannot be rendered: settings.pods.none is not set\n"
        "  where: /templates/a.j2:1 [settings.pods.none]\n"
        "  fix:   set it, or have the template ask whether it is set\n"
        "error: the template b cannot be rendered: 'missing' is undefined\n"
        "  where: /templates/b.j2:1\n"
        "  fix:   mend the template\n"
        "error: d cannot be rendered: a value is of the type list, which this format cannot hold\n"
        "  where: settings.pods\n"
        "  fix:   correct the settings that feed this file"
    )


def test_a_renderer_reads_the_image_and_nothing_else(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folder / "root"
    for name in ("etc/a/x.crt", "etc/a/b/y.crt", "etc/a/z.pem", "etc/c.crt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / "etc/a/link.crt").symlink_to("x.crt")
    (root / "etc/a/dangling.crt").symlink_to("none")
    os.mkfifo(root / "etc/a/fifo.crt")
    seen: list[object] = []

    def look(settings: Mapping[str, object], context: Context) -> None:
        seen.append(context.list("/etc/a", ".crt"))
        seen.append(context.list("/none", ".crt"))
        seen.append(context.read("/etc/a/x.crt"))
        seen.append(context.read("/etc/none"))
        seen.append(context.access_user)
        seen.append(settings)

    renderer(monkeypatch, look)
    assert made(folder, of_renderer("/etc/f")) == {}
    nested = {"pods": {"b": {"manifest": "x", "on": True}, "a": {"on": False}}}
    listed = ("/etc/a/b/y.crt", "/etc/a/link.crt", "/etc/a/x.crt")
    assert seen == [listed, (), b"etc/a/x.crt", None, "someone", nested]


def test_a_folder_without_end_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fileset, "_LISTED_LIMIT", 2)
    (folder / "root/etc").mkdir(parents=True)
    for name in "abc":
        (folder / f"root/etc/{name}").touch()
    renderer(monkeypatch, lambda settings, context: b"".join(name.encode() for name in context.list("/etc", "")))
    assert failure(folder, of_renderer("/etc/f")) == (
        "error: there are more than 2 files below /etc\n  where: /etc\n  fix:   remove what does not belong there"
    )


def test_a_map_that_the_file_is_not_made_of_is_not_shown(folder: Path) -> None:
    assert failure(folder, spec(folder, "x", "/etc/p/*", each="settings.other")).replace(str(folder), "") == (
        "error: f cannot be rendered: it shows settings.other, which is not among the keys of its file\n"
        "  where: /templates/f.j2 [settings.other]\n"
        "  fix:   name the key in keys or also of the file, and give a file with a secret the mode 0600"
    )


def test_a_file_that_waits_for_a_generator_is_left_out_and_the_others_are_made(folder: Path) -> None:
    specs = (
        spec(folder, "{{ item.manifest }}", "/etc/p/*.yaml", "pods", each="settings.pods"),
        spec(folder, "{{ setting('pods.b.on') }}", "/etc/b", "b"),
    )
    profile = Profile("test", (), None, {}, specs, (), (GeneratorSpec("own", "settings.pods", depth=1),))
    made = render_files(SETTINGS, specs, profile, context_of(profile, Paths(str(folder))))
    assert {file.path: file.data for file in made.files} == {"/etc/p/b.yaml": b"x", "/etc/b": b"true"}
    assert made.left_out == (LeftOut("pods", "/etc/p/a.yaml", "settings.pods.a.manifest"),)


def test_a_fault_names_each_key_that_gives_it_and_no_other(folder: Path) -> None:
    text = "{% for name, pod in setting('pods') | dictsort %}{{ pod.text }}{% endfor %}"
    settings = {f"settings.pods.{name}.text": value for name, value in {"a": "x", "b": "x\n", "c": "\0"}.items()}
    with pytest.raises(HostError) as caught:
        made(folder, spec(folder, text), settings=settings)
    assert [fault.where.key for fault in caught.value.faults] == ["settings.pods.b.text", "settings.pods.c.text"]


def test_a_fault_that_takes_two_keys_names_both(folder: Path) -> None:
    text = "{% if setting('pods.a') and setting('pods.b') %}{{ [1] }}{% endif %}"
    settings: dict[str, object] = {"settings.pods.a": 1, "settings.pods.b": 2, "settings.pods.c": 3, "settings.d": 4}
    with pytest.raises(HostError) as caught:
        made(folder, spec(folder, text), settings=settings)
    assert [fault.where.key for fault in caught.value.faults] == ["settings.pods.a", "settings.pods.b"]
