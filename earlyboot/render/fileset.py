"""Which bytes belong at which paths: one file, none, or a set of them, for each file of the profile."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from earlyboot.config.paths import Paths
from earlyboot.config.profile import FileSpec, GeneratorSpec, Profile
from earlyboot.model.key import parse_key
from earlyboot.model.tree import unflatten
from earlyboot.render.formats import UnholdableError, free
from earlyboot.render.record import FILE_LIMIT_BYTES
from earlyboot.render.renderers import Context, find
from hostkit import files
from hostkit.errors import Fault, HostError, Where

if TYPE_CHECKING:
    from earlyboot.render.templates import Renderer

# What may stand for the `*` of a path: one component of it, which leads nowhere else. A ':' is for HOST:PORT.
_STAR = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._:[\]-]{1,200}")
_LISTED_LIMIT = 10_000


class RenderedFile(NamedTuple):
    """What an apply would have at `path`, a path of the image."""

    spec: FileSpec
    path: str
    data: bytes


class LeftOut(NamedTuple):
    """A file that shows a setting which a generator makes and has not made; `key` is the setting."""

    name: str
    path: str
    key: str


class Rendering(NamedTuple):
    files: tuple[RenderedFile, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


def render_files(
    settings: Mapping[str, object], wanted: Iterable[FileSpec], profile: Profile, context: Context
) -> Rendering:
    """The files of all that is `wanted`, from flat `settings`. `HostError` with every fault of every file."""
    maker = _Maker(unflatten(settings), context, profile.generators)
    rendered: dict[str, RenderedFile] = {}
    faults: list[Fault] = []
    for spec in wanted:
        try:
            made = maker.files(spec)
        except UnholdableError as error:
            faults += _unrenderable(spec, str(error), settings, profile, context)
            continue
        except HostError as error:
            faults += error.faults
            continue
        for file in made:
            if file.path in rendered:
                faults.append(_fault(spec, f"{rendered[file.path].spec.name} makes {file.path} too"))
            rendered.setdefault(file.path, file)
    if faults:
        raise HostError(*faults)
    return Rendering(tuple(rendered.values()), tuple(maker.left_out))


def _unrenderable(
    spec: FileSpec, reason: str, settings: Mapping[str, object], profile: Profile, context: Context
) -> list[Fault]:
    from earlyboot.render.blame import blamed

    def reason_with(other: Mapping[str, object]) -> str | None:
        try:
            _Maker(unflatten(other), context, profile.generators).files(spec)
        except UnholdableError as error:
            return str(error)
        except HostError:
            return ""
        return None

    return [_fault(spec, reason, key) for key in blamed(spec, reason, settings, profile.defaults, reason_with)]


def _fault(spec: FileSpec, reason: str, key: str | None = None) -> Fault:
    what = f"{spec.name} cannot be rendered: {reason}"
    return Fault("unrenderable", what, Where(key=key), "correct the settings that feed this file")


class _Maker:
    """Makes files from one set of nested settings."""

    def __init__(self, settings: Mapping[str, object], context: Context, generators: Iterable[GeneratorSpec]) -> None:
        self._settings = settings
        self._context = context
        self._generators = generators
        self.left_out: list[LeftOut] = []

    def files(self, spec: FileSpec) -> list[RenderedFile]:
        contents = self._rendered(spec.renderer) if spec.renderer else self._from_template(spec)
        made = [RenderedFile(spec, _place(spec, star), data) for star, data in contents.items()]
        for file in made:
            if len(file.data) > FILE_LIMIT_BYTES:
                raise UnholdableError(f"{file.path} would be larger than {FILE_LIMIT_BYTES:,} bytes")
        return made

    def _rendered(self, name: str) -> dict[str | None, bytes]:
        made = find(name)(self._settings, self._context)
        if isinstance(made, Mapping):
            return {star: made[star] for star in sorted(made)}
        return {} if made is None else {None: made}

    def _from_template(self, spec: FileSpec) -> dict[str | None, bytes]:
        texts: dict[str | None, str | None] = {}
        if spec.each is None:
            texts[None] = self._text(spec, None)
        else:
            _require_each(spec)
            members = _members(self._settings, spec.each)
            for name in sorted(members):
                texts[name] = self._text(spec, name, name=name, item=members[name])
        return {star: free(text).encode() for star, text in texts.items() if text is not None}

    def _text(self, spec: FileSpec, star: str | None, **names: object) -> str | None:
        from earlyboot.render.templates import MissingSettingError

        assert spec.template is not None
        try:
            return self._templates.render(spec.template, spec.format, spec.reads, **names)
        except MissingSettingError as error:
            path = parse_key(error.key)
            if not any(path[: len(made)] == made for made in (parse_key(spec.key) for spec in self._generators)):
                raise
            # What nobody asked for must not keep a machine from what somebody did.
            self.left_out.append(LeftOut(spec.name, _place(spec, star), error.key))
            return None

    @functools.cached_property
    def _templates(self) -> Renderer:
        # Jinja2 costs more to import than all renderers together to run.
        from earlyboot.render.templates import Renderer

        return Renderer(self._settings)


def _require_each(spec: FileSpec) -> None:
    """A template is shown each member whole, so that the map must be one of the keys of its file."""
    assert spec.each is not None
    path = parse_key(spec.each)
    if not any(path[: len(key)] == key for key in map(parse_key, spec.reads)):
        what = f"{spec.name} cannot be rendered: it shows {spec.each}, which is not among the keys of its file"
        fix = "name the key in keys or also of the file, and give a file with a secret the mode 0600"
        raise HostError(Fault("template", what, Where(spec.template, key=spec.each), fix))


def _members(settings: Mapping[str, object], key: str) -> Mapping[str, object]:
    value: object = settings
    for segment in parse_key(key)[1:]:
        value = value.get(segment, {}) if isinstance(value, Mapping) else {}
    return value if isinstance(value, Mapping) else {}


def _place(spec: FileSpec, star: str | None) -> str:
    if (star is None) is ("*" in spec.path):
        what = "it is one file, not a set of them" if star is not None else "it is a set of files, not one"
        raise UnholdableError(what)
    if star is None:
        return spec.path
    if not _STAR.fullmatch(star):
        raise UnholdableError(f"a name in it cannot be part of the path {spec.path}")
    return spec.path.replace("*", star)


def context_of(profile: Profile, paths: Paths) -> Context:
    """What renderers see of the image at a root."""

    def read(path: str) -> bytes | None:
        return files.read(paths.inside(path), FILE_LIMIT_BYTES)

    def listed(folder: str, suffix: str) -> tuple[str, ...]:
        found: list[str] = []
        for parent, _, names in os.walk(paths.inside(folder)):
            found += [
                paths.outside(os.path.join(parent, name))
                for name in names
                if name.endswith(suffix) and os.path.isfile(os.path.join(parent, name))
            ]
            if len(found) > _LISTED_LIMIT:
                what = f"there are more than {_LISTED_LIMIT:,} files below {folder}"
                raise HostError(Fault("too-many", what, Where(folder), "remove what does not belong there"))
        return tuple(sorted(found))

    return Context(read, listed, profile.access_user)
