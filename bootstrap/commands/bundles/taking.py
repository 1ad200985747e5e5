"""`--bundle`: the lock is the bundle's, files come from the bundle, and nobody else is asked.

    in a project (--project, -r, or a pyproject.toml here)   its own things, the lock there has to agree
    anywhere else                                            what was bundled, the project as a wheel

A wheel that was built from source stands for what the lock says of it, as the machine may have no compiler; folders
that are there are built as always, with the tools that the bundle has for it.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name, parse_wheel_filename

from bootstrap.bundle.manifest import PROJECT, Build, Cell, Manifest, Member, place_of
from bootstrap.commands.asked import Asked, environment_of, project_folder
from bootstrap.commands.session import network_of, settings_of
from bootstrap.errors import InputError, NoCompatibleFileError
from bootstrap.index.files import File
from bootstrap.project.model import Index
from bootstrap.resolver.resolution import Pin, Target
from bootstrap.wheels.disk import put, writing
from bootstrap.wheels.store import sha256_of

if TYPE_CHECKING:
    from bootstrap.bundle.places import Bundle

__all__ = ["Taken", "taken"]


@dataclass(frozen=True)
class Taken:
    """A bundle that is being installed, and the folder below the cache with what has to be a file.

    `is_alone` says that there is no project beside it.
    """

    bundle: Bundle
    folder: Path
    is_alone: bool

    @property
    def place(self) -> str:
        """What people call it."""
        return self.bundle.place

    @property
    def manifest(self) -> Manifest:
        return self.bundle.manifest

    @property
    def lock_path(self) -> Path:
        """The lock that is in it."""
        return self.folder / _lock_of(self.bundle).filename

    @property
    def pythons(self) -> SpecifierSet:
        """What its environments are for."""
        minors = sorted(int(each.partition(".")[2]) for each in self.manifest.pythons)
        return SpecifierSet(f">=3.{minors[0]},<3.{minors[-1] + 1}") if minors else SpecifierSet()

    @property
    def watched(self) -> tuple[Path, ...] | None:
        """The files whose change means another bundle; None where that cannot be seen, as on a server."""
        return (*self.bundle.watched, self.lock_path) if self.bundle.is_local else None

    @cached_property
    def tools(self) -> Index:
        """A folder with the wheels for building the project that stands beside it, as an index of its own."""
        place = self.folder / "tools"
        with writing("taking tools out of the bundle", place):
            place.mkdir(parents=True, exist_ok=True)
            for each in (one for one in self.manifest.of("wheel") if one.is_tool):
                _placed(self.bundle, each, place / each.filename)
        return Index(place.as_uri(), flat=True)

    def has_files(self, files: Sequence[Path], lock: Path) -> bool:
        """Whether these, around a lock, are the very files that the bundle was made of."""
        known = {each.path.removeprefix(PROJECT): each.sha256 for each in self.manifest.of("project")}
        return all(path.is_file() and sha256_of(path) == known.get(place_of(path, lock)) for path in files)

    def carried(self, pins: Iterable[Pin], offer: str, target: Target) -> tuple[Pin, ...]:
        """The pins with the files that the bundle has for them, and the project itself where it is alone.

        Raises NoCompatibleFileError for a package that the bundle lacks.
        """
        cell = self._cell(offer, target)
        found = [self._of(pin, cell, target) for pin in pins]
        name = canonicalize_name(self.manifest.project) if self.manifest.project else ""
        own = self._built.get(Build(name, cell))
        if self.is_alone and own is not None and all(pin.name != name for pin in found):
            version = parse_wheel_filename(own.filename)[1]
            found.append(Pin(name, version, (self._file(own, ""),), wanted_by=frozenset({""})))
        return tuple(found)

    def _cell(self, offer: str, target: Target) -> Cell:
        """An offer that the lock has no words for is that of a project without any."""
        known = {each.name for each in self.manifest.offers}
        return Cell(offer if offer in known else "", target.python_minor, target.platform)

    def _of(self, pin: Pin, cell: Cell, target: Target) -> Pin:
        direct = pin.direct
        if not self.is_alone and direct is not None and direct.path is not None and direct.path.is_dir():
            return pin
        built = self._built.get(Build(pin.name, cell))
        if built is not None:
            # Where a folder was when it was locked says nothing here; an address or a commit is still where it is from.
            kept = None if direct is None or direct.path is not None else direct
            return replace(pin, files=(self._file(built, pin.index or ""),), direct=kept)
        members = ((each, self._published.get(each.hashes.get("sha256", ""))) for each in pin.files)
        files = tuple(replace(each, url=self.bundle.address(found)) for each, found in members if found is not None)
        if not files:
            raise NoCompatibleFileError(
                f"{self.place} has no wheel of {pin.name} {pin.version} for Python {target.python_minor} on "
                f"{target.platform}: {self._made_for()}"
            )
        return replace(pin, files=files)

    def _made_for(self) -> str:
        also = [f"the {kind} {name}" for kind, names in self._also() for name in names]
        with_these = f" with {', '.join(also)}" if also else ""
        return f"it was made for {self.manifest.words()}{with_these}; make one that has it, or ask for less"

    def _also(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        yield "extra", self.manifest.extras
        yield "group", self.manifest.groups

    def _file(self, member: Member, index: str) -> File:
        return File(member.filename, self.bundle.address(member), index, {"sha256": member.sha256}, size=member.size)

    @cached_property
    def _published(self) -> Mapping[str, Member]:
        return {each.sha256: each for each in self.manifest.members if each.is_wheel and not each.builds}

    @cached_property
    def _built(self) -> Mapping[Build, Member]:
        return {build: each for each in self.manifest.members if each.is_wheel for build in each.builds}


@contextmanager
def taken(asked: Asked) -> Iterator[tuple[Asked, Taken | None]]:
    """What is asked for with the bundle opened, for the block; without `--bundle` nothing is done.

    Raises InputError for what is no bundle or a damaged one, UnreachableError, CannotWriteError.
    """
    if asked.bundle is None:
        yield asked, None
        return
    from bootstrap.bundle.places import opened  # noqa: PLC0415 - most syncs have no bundle
    from bootstrap.index.client import Client  # noqa: PLC0415

    settings = settings_of(asked)
    with ExitStack() as stack:
        client = stack.enter_context(Client(network_of(settings, offline=settings.offline)))
        bundle = opened(asked.bundle, client)
        cache = settings.cache_dir
        if cache is None:
            beside = environment_of(asked).parent
            cache = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".torchstrap-", dir=beside)))
        folder = cache / "bundles" / bundle.identity[:32]
        lock = _lock_of(bundle)
        with writing("taking the lock out of the bundle", folder):
            _placed(bundle, lock, folder / lock.filename)
        found = Taken(bundle, folder, not _has_project(asked))
        yield (replace(asked, requirements=(found.lock_path,)) if found.is_alone else asked), found


def _has_project(asked: Asked) -> bool:
    if asked.project is not None or asked.requirements or os.environ.get("TORCHSTRAP_PROJECT"):
        return True
    return (project_folder(asked) / "pyproject.toml").is_file()


def _lock_of(bundle: Bundle) -> Member:
    for each in bundle.manifest.of("lock"):
        return each
    raise InputError(bundle.place, "has no lock in it, so what to install cannot be known: make it anew")


def _placed(bundle: Bundle, member: Member, path: Path) -> None:
    """A file of the bundle on the disk, unless it is there. Raises OSError."""
    try:
        is_there = hashlib.sha256(path.read_bytes()).hexdigest() == member.sha256
    except OSError:
        is_there = False
    if not is_there:
        put(path, bundle.content(member))
