"""What source distributions, folders and commits say of themselves: statically where they do, else by being built."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bootstrap.commands.builds.commits import is_commit
from bootstrap.commands.builds.sayings import Sayings, called, name_in
from bootstrap.commands.builds.surroundings import UnsettledError
from bootstrap.errors import BadDistributionError
from bootstrap.index.files import File
from bootstrap.resolver.resolution import Direct
from bootstrap.wheels.store import StoredWheel

if TYPE_CHECKING:
    from bootstrap.commands.builds.workshop import Workshop
    from bootstrap.index.metadata import Metadata

__all__ = ["Reading"]


@dataclass
class Reading:
    """All that was asked of sources in one workshop, which builds them where it must."""

    workshop: Workshop
    sayings: Sayings = field(default_factory=Sayings)

    def metadata(self, what: File | Direct) -> Metadata:
        """What a source distribution or a local source says of itself, built where it does not say it statically.

        Raises BuildError with the backend's last lines, or with `--no-build` the name of what would have to be built;
        UnsettledError for a build with what is not resolved yet.
        """
        from bootstrap.index.metadata import parse  # noqa: PLC0415 - a locked run reads none

        surroundings = self.workshop.benches.surroundings
        known = self.sayings.known(what, surroundings)
        if known is not None:
            return known
        try:
            content, used = self._read_commit(what) if is_commit(what) else self._read_metadata(what)
        except UnsettledError as error:
            self.sayings.postponed[what.url] = error
            raise
        try:
            metadata = parse(content)
        except BadDistributionError as error:
            raise BadDistributionError(called(what), error.issues) from error
        return self.sayings.learned(what, surroundings, metadata, used)

    def outline(self, what: File | Direct) -> Metadata:
        """`metadata`, or as much as can be known before it is known what is built with."""
        from bootstrap.build.source_distribution import stated_metadata  # noqa: PLC0415
        from bootstrap.build.system import project_outline  # noqa: PLC0415

        try:
            return self.metadata(what)
        except UnsettledError:
            if isinstance(what, Direct) and what.path is not None and what.path.is_dir():
                stated = project_outline(what.path)
            elif is_commit(what):
                stated = project_outline(self.workshop.commits.project(self.workshop.commits.settled(what)))
            else:
                stated = stated_metadata(self.workshop.archives.fetch(what))
            return self.sayings.outline(what, stated)

    def _read_metadata(self, what: File | Direct) -> tuple[bytes, Iterable[str]]:
        """The metadata, and the names of the packages that the build used, if it took one."""
        from bootstrap.build import backend  # noqa: PLC0415 - most environments need no build
        from bootstrap.build.declared import declared_metadata  # noqa: PLC0415
        from bootstrap.build.source_distribution import static_metadata  # noqa: PLC0415

        if isinstance(what, Direct) and what.path is not None and what.path.is_dir():
            declared = declared_metadata(what.path)
            if declared is not None:
                return declared, ()
            with self.workshop.benches.opened(self._package(what, what.path)) as bench:
                return backend.metadata(what.path, bench.provide), bench.used
        archive = self.workshop.archives.fetch(what)
        if archive.name.endswith(".whl"):
            return _metadata_of(self.workshop.stored(archive)), ()
        static = static_metadata(archive)
        if static is not None:
            return static, ()
        with self.workshop.opened(archive, self._package(what, archive)) as (bench, source):
            for wheel, used in self.workshop.made_before(archive, bench):
                return _metadata_of(wheel), used
            return backend.metadata(source(), backend.BuildEnvironment(bench.provide, called=archive.name)), bench.used

    def _read_commit(self, what: Direct) -> tuple[bytes, Iterable[str]]:
        """The metadata of a commit. It has to be built in the end, so `--no-build` refuses what was not built yet."""
        from bootstrap.build import backend  # noqa: PLC0415 - most environments need no build
        from bootstrap.build.declared import declared_metadata  # noqa: PLC0415

        commit = self.workshop.commits.settled(what)
        package = self.sayings.names.get(what.url) or self._package(what, self.workshop.commits.project(commit))
        with self.workshop.opened_commit(commit, package) as (bench, source):
            for wheel, used in self.workshop.made_before(self.workshop.commits.place(commit), bench):
                return _metadata_of(wheel), used
            self.workshop.ensure_buildable(self.workshop.commits.words(commit, package))
            declared = declared_metadata(self.workshop.commits.project(commit))
            if declared is not None:
                return declared, ()
            environment = backend.BuildEnvironment(bench.provide, called=self.workshop.commits.words(commit, package))
            return backend.metadata(source(), environment), bench.used

    def _package(self, what: File | Direct, place: Path) -> str:
        """The name of what is to be built, as well as it can be known."""
        return self.sayings.names.get(what.url) or name_in(place) or place.name


def _metadata_of(wheel: StoredWheel) -> bytes:
    return (wheel.tree / wheel.contents.information / "METADATA").read_bytes()
