"""`bundle`: one file with everything that machines without internet need for some offers of a project.

    the program      torchstrap.pyz, if one was given or is running
    the project      what says what is wanted, and the lock, which is what will be installed
    pythons          archives of interpreters, if some were given
    pages            which make it an index for pip and uv once it is unpacked (bootstrap/bundle/pages.py)
    wheels           each once

What is fetched stays in the cache, so the next bundle of the same things fetches nothing and is the same to the byte.
The file appears by one rename, whole, or not at all.
"""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Any, BinaryIO

from packaging.utils import canonicalize_name

from bootstrap.bundle import archive
from bootstrap.bundle.manifest import PROJECT, Manifest, Member, bad_name, place_of
from bootstrap.bundle.pages import Listed, pages
from bootstrap.commands.bundles.cells import Filled, filled
from bootstrap.commands.bundles.gathering import Wheel, gathered
from bootstrap.commands.bundles.pythons import fetched_for
from bootstrap.commands.session import Session
from bootstrap.errors import CannotWriteError, InputError, UsageError
from bootstrap.index.metadata import parse
from bootstrap.index.remote_wheel import metadata_from_wheel
from bootstrap.wheels.disk import file_system, room, size_text, writing
from bootstrap.wheels.making import made_beside, sweep
from bootstrap.wheels.store import sha256_of
from profiles import Offer, is_family

__all__ = ["Made", "Wanted", "bundle"]

SCHEMA = "torchstrap.bundle-made/1"
PROGRAM, LOCK = "torchstrap.pyz", "pylock.toml"
_KINDS = ("program", "lock", "project", "page", "metadata", "python", "wheel")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The words of `bundle` that no other command has. `offers` are names or variants; none means this machine's."""

    output: Path
    offers: tuple[str, ...] = ()
    program: Path | None = None
    pythons: tuple[Path, ...] = ()
    with_pythons: bool = False
    """Whether those that it is for are fetched, too."""


@dataclass(frozen=True, slots=True)
class Made:
    """The file that was made; `size` in bytes, `sha256` of all of it."""

    path: Path
    size: int
    sha256: str
    manifest: Manifest
    warnings: tuple[str, ...]

    def sentence(self) -> str:
        """The whole in one line."""
        count = len(self.manifest.of("wheel"))
        return (
            f"{self.path}: {size_text(self.size)}, {count} wheel{'' if count == 1 else 's'} for {self.manifest.words()}"
        )

    def to_json(self) -> Mapping[str, Any]:
        """The document of `bundle --json`."""
        manifest = self.manifest
        return {
            "schema": SCHEMA,
            "bundle": str(self.path),
            "size": self.size,
            "sha256": self.sha256,
            "project": manifest.project or None,
            "variants": list(manifest.variants),
            "cells": [each._asdict() for each in manifest.cells],
            "extras": list(manifest.extras),
            "groups": list(manifest.groups),
            "files": len(manifest.members),
            "program": any(each.kind == "program" for each in manifest.members),
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True, slots=True)
class _Part:
    """A file on its way into the bundle: its bytes, or where they lie."""

    member: Member
    content: bytes | Path

    def opened(self) -> AbstractContextManager[BinaryIO]:
        if isinstance(self.content, bytes):
            return io.BytesIO(self.content)
        return self.content.open("rb")


def bundle(session: Session, wanted: Wanted) -> Made:
    """Make the bundle. Raises what locking, fetching and building raise, InputError, CannotWriteError, UsageError."""
    output = wanted.output.absolute()
    if output.is_dir():
        raise UsageError(f"-o {wanted.output} is a folder; name the file that is to be made in it")
    program = list(_program(session, wanted))
    cells = filled(session, wanted.offers)
    fetched = fetched_for(session, [each.cell for each in cells]) if wanted.with_pythons else ()
    pythons = [_on_disk(f"pythons/{each.name}", "python", each) for each in (*wanted.pythons, *fetched)]
    given = [*program, *pythons]
    _ensure_room(output, _least(cells, given))
    with writing(f"making {output.name}", output.parent):
        output.parent.mkdir(parents=True, exist_ok=True)
        sweep(output.parent, f".{escape(output.name)}-[0-9]*-????????")
        with made_beside(output.parent, f".{output.name}") as scratch:
            wheels = gathered(session, cells, scratch / "built")
            parts = [*given, *_project_files(session), *_indexed(session, wheels, _names(cells))]
            manifest = archive.arranged(_manifest(session, cells, parts))
            size = archive.length(manifest)
            _ensure_room(output, size)
            session.activity.step(f"Writing {output.name}, {size_text(size)}")
            sha256 = _written(scratch / "bundle", manifest, {each.member.path: each for each in parts})
            (scratch / "bundle").replace(output)
    return Made(output, size, sha256, manifest, session.everything_to_say())


def _written(path: Path, manifest: Manifest, parts: Mapping[str, _Part]) -> str:
    with path.open("wb") as target:
        sha256 = archive.write(target, manifest, lambda member: parts[member.path].opened())
        target.flush()
        os.fsync(target.fileno())
    return sha256


def _manifest(session: Session, cells: Sequence[Filled], parts: Iterable[_Part]) -> Manifest:
    offers: dict[str, Offer] = {each.offer.name: each.offer for each in cells if each.offer is not None}
    members = sorted((each.member for each in parts), key=lambda each: (_KINDS.index(each.kind), each.path))
    for each in members:
        problem = bad_name(each.path)
        if problem is not None:
            raise InputError(each.filename, f"cannot be put into a bundle: its name {problem}; give it another")
    project = session.project
    return Manifest(
        project=canonicalize_name(project.name or ""),
        offers=tuple(offers.values()),
        cells=tuple(each.cell for each in cells),
        members=tuple(members),
        extras=tuple(sorted(session.asked.extras)),
        groups=tuple(sorted(session.asked.groups)),
    )


def _names(cells: Iterable[Filled]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.offer.name for each in cells if each.offer is not None))


def _program(session: Session, wanted: Wanted) -> Iterator[_Part]:
    """The one file. Raises InputError for a file that is none."""
    if wanted.program is None:
        session.warn("the program itself is not in the bundle: name its one file with --program torchstrap.pyz")
        return
    try:
        with zipfile.ZipFile(wanted.program) as found:
            is_program = "__main__.py" in found.namelist()
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(wanted.program, f"cannot be read as torchstrap.pyz ({error})") from error
    if not is_program:
        raise InputError(wanted.program, "is no program that Python can run: there is no __main__.py in it")
    yield _on_disk(PROGRAM, "program", wanted.program)


def _project_files(session: Session) -> Iterator[_Part]:
    """The lock, and what the project says of itself; they are for reading, only the lock is installed."""
    lock = session.lock_path
    name = LOCK if bad_name(lock.name) else lock.name
    yield _in_memory(f"{PROJECT}{name}", "lock", lock.read_bytes())
    seen = {name}
    for path in session.project.files:
        place = place_of(path, lock)
        if place not in seen and not bad_name(place) and path.is_file() and path.absolute() != lock.absolute():
            seen.add(place)
            yield _in_memory(f"{PROJECT}{place}", "project", path.read_bytes())


def _indexed(session: Session, wheels: Sequence[Wheel], offers: Sequence[str]) -> Iterator[_Part]:
    """The wheels, their metadata, and the pages that list them."""
    session.activity.step(f"Reading {len(wheels)} wheel{'' if len(wheels) == 1 else 's'}")
    names = [each.filename for each in wheels]
    listed = []
    for each in wheels:
        folder = "wheels" if names.count(each.filename) == 1 else f"wheels/{each.sha256[:16]}"
        path = f"{folder}/{each.filename}"
        described = metadata_from_wheel(session.client, each.path.as_uri(), each.filename)
        requires = parse(described).requires_python
        builds = tuple(sorted(each.builds))
        member = Member(path, each.path.stat().st_size, each.sha256, "wheel", builds=builds, is_tool=each.is_tool)
        yield _Part(member, each.path)
        beside = _in_memory(f"{path}.metadata", "metadata", described)
        yield beside
        in_all = frozenset(offers) if not each.offers or each.offers == {""} else frozenset(each.offers)
        listed.append(
            Listed(each.project, path, each.sha256, in_all, is_family(each.project), beside.member.sha256, requires)
        )
    for path, text in pages(listed, offers).items():
        yield _in_memory(path, "page", text.encode())


def _in_memory(path: str, kind: str, content: bytes) -> _Part:
    return _Part(Member(path, len(content), hashlib.sha256(content).hexdigest(), kind), content)


def _on_disk(path: str, kind: str, file: Path) -> _Part:
    """Raises InputError for a file that cannot be read."""
    try:
        return _Part(Member(path, file.stat().st_size, sha256_of(file), kind), file)
    except OSError as error:
        raise InputError(file, f"cannot be read ({error.strerror or error})") from error


def _least(cells: Iterable[Filled], given: Iterable[_Part]) -> int:
    """Bytes that the bundle will have at least, before anything was fetched."""
    first = (pin.files[0] for each in cells for pin in each.pins if pin.files)
    sizes = {file.hashes["sha256"]: file.size or 0 for file in first if file.is_wheel}
    return sum(sizes.values()) + sum(each.member.size for each in given)


def _ensure_room(output: Path, needed: int) -> None:
    there = room(output.parent)
    if needed > there:
        raise CannotWriteError(
            f"{output.name} will have {size_text(needed)}, and the file system {file_system(output.parent)} has "
            f"{size_text(there)} free. Nothing was written there. Make room, or name a place on another disk with -o"
        )
