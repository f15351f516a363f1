"""Which bytes belong at which paths: one file, none, or a set of them, for each file of the profile."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from earlyboot.config.paths import Paths
from earlyboot.config.profile import FileSpec, Profile
from earlyboot.model.key import parse_key
from earlyboot.model.tree import unflatten
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


def render_files(
    settings: Mapping[str, object], wanted: Iterable[FileSpec], profile: Profile, paths: Paths
) -> tuple[RenderedFile, ...]:
    """The files of all that is `wanted`, from flat `settings`. `HostError` with every fault of every file."""
    maker = _Maker(unflatten(settings), _context(profile, paths))
    rendered: dict[str, RenderedFile] = {}
    faults: list[Fault] = []
    for spec in wanted:
        try:
            for file in maker.files(spec):
                if file.path in rendered:
                    raise ValueError(f"{rendered[file.path].spec.name} makes {file.path} too")
                rendered[file.path] = file
        except ValueError as error:
            what = f"{spec.name} cannot be rendered: {error}"
            faults.append(Fault("unrenderable", what, Where(), "correct the settings that feed this file"))
        except HostError as error:
            faults += error.faults
    if faults:
        raise HostError(*faults)
    return tuple(rendered.values())


class _Maker:
    """Makes files from one set of nested settings."""

    def __init__(self, settings: Mapping[str, object], context: Context) -> None:
        self._settings = settings
        self._context = context

    def files(self, spec: FileSpec) -> list[RenderedFile]:
        contents = self._rendered(spec.renderer) if spec.renderer else self._from_template(spec)
        made = [RenderedFile(spec, _place(spec, star), data) for star, data in contents.items()]
        for file in made:
            if len(file.data) > FILE_LIMIT_BYTES:
                raise ValueError(f"{file.path} would be larger than {FILE_LIMIT_BYTES:,} bytes")
        return made

    def _rendered(self, name: str) -> dict[str | None, bytes]:
        made = find(name)(self._settings, self._context)
        if isinstance(made, Mapping):
            return {star: made[star] for star in sorted(made)}
        return {} if made is None else {None: made}

    def _from_template(self, spec: FileSpec) -> dict[str | None, bytes]:
        assert spec.template is not None
        texts: dict[str | None, str | None]
        if spec.each is None:
            texts = {None: self._templates.render(spec.template, spec.format)}
        else:
            members = _members(self._settings, spec.each)
            texts = {
                name: self._templates.render(spec.template, spec.format, name=name, item=members[name])
                for name in sorted(members)
            }
        return {star: text.encode() for star, text in texts.items() if text is not None}

    @functools.cached_property
    def _templates(self) -> Renderer:
        # Jinja2 costs more to import than all renderers together to run.
        from earlyboot.render.templates import Renderer

        return Renderer(self._settings)


def _members(settings: Mapping[str, object], key: str) -> Mapping[str, object]:
    value: object = settings
    for segment in parse_key(key)[1:]:
        value = value.get(segment, {}) if isinstance(value, Mapping) else {}
    return value if isinstance(value, Mapping) else {}


def _place(spec: FileSpec, star: str | None) -> str:
    if (star is None) is ("*" in spec.path):
        raise ValueError("it is one file, not a set of them" if star is not None else "it is a set of files, not one")
    if star is None:
        return spec.path
    if not _STAR.fullmatch(star):
        raise ValueError(f"a name in it cannot be part of the path {spec.path}")
    return spec.path.replace("*", star)


def _context(profile: Profile, paths: Paths) -> Context:
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
