"""From pins to files: wheels are fetched or built, checked into the store, and assembled into environments.

    wheel on an index   ── download ────────────────┐
    source distribution ── build, once per Python ──┼─> store ─> assemble
    folder, editable    ── build, each time ────────┘

A build gets an environment of its own that our own resolver fills; an environment for a build is assembled like any
other, so the two need each other and live together here.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from packaging.utils import canonicalize_name
from packaging.version import Version

from bootstrap.commands.builds.archives import Archives, sha256_in
from bootstrap.commands.builds.benches import Bench, Benches
from bootstrap.commands.builds.commits import Commits, is_commit, vcs_information
from bootstrap.commands.builds.fetching import fetched
from bootstrap.commands.builds.made import Made
from bootstrap.commands.builds.reading import Reading
from bootstrap.commands.builds.sayings import called
from bootstrap.commands.builds.surroundings import Surroundings, UnsettledError
from bootstrap.environment import virtual
from bootstrap.environment.installation import Install, install
from bootstrap.environment.layout import Layout
from bootstrap.errors import BadDistributionError, BuildError
from bootstrap.index.addresses import without_credentials
from bootstrap.index.files import File
from bootstrap.resolver.resolution import Direct, Pin
from bootstrap.wheels.store import StoredWheel
from profiles import is_family

if TYPE_CHECKING:
    from bootstrap.build.backend import Build, BuildEnvironment
    from bootstrap.commands.locks.routing import Route
    from bootstrap.commands.session import Session
    from bootstrap.index.metadata import Metadata
    from profiles import Offer

__all__ = ["DESCRIPTIONS", "Assembled", "Workshop", "description_of"]

DESCRIPTIONS = ("pyproject.toml", "setup.py", "setup.cfg")

_Opened = tuple[Bench, Callable[[], Path]]


class Assembled(NamedTuple):
    """What came of putting an environment together: the store's entries that are in it, and sentences for people."""

    entries: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass
class Workshop:
    """Makes wheels and environments for one session."""

    session: Session
    benches: Benches = field(init=False)
    reading: Reading = field(init=False)
    rounds: dict[Hashable, tuple[Pin, ...]] = field(default_factory=dict)
    """What builds for other machines than this are made with: see rounds.py."""

    def __post_init__(self) -> None:
        self.benches, self.reading = Benches(self), Reading(self)

    def settle(self, route: Route, offer: Offer, pins: Sequence[Pin] | None = None) -> None:
        """From now on builds are made for this environment; None means that its packages are not resolved yet."""
        by_name = None if pins is None else {pin.name: pin for pin in pins}
        self.benches.surroundings = Surroundings(route, offer, by_name, self.session.settings.build_with)
        self.reading.sayings.relied_on.clear()
        for pin in pins or ():
            if pin.direct is not None:
                self.know({pin.name: pin.direct})

    @contextmanager
    def closed(self) -> Iterator[None]:
        """For the block nothing is built: what would have to be is a BuildError."""
        self.benches.closed = True
        try:
            yield
        finally:
            self.benches.closed = False

    def know(self, directs: Mapping[str, Direct]) -> None:
        """Make known which packages the sources are, which may not say so before they are built."""
        self.reading.sayings.names.update({direct.url: name for name, direct in directs.items()})

    def stands(self, pins: Sequence[Pin]) -> bool:
        """Would what source distributions said since `settle` be the same in an environment of these pins?"""
        return self.reading.sayings.stand({pin.name: pin for pin in pins})

    def metadata(self, what: File | Direct) -> Metadata:
        """What a source distribution or a local source says of itself: see reading.py."""
        return self.reading.metadata(what)

    def with_hashes(self, pins: Sequence[Pin]) -> tuple[Pin, ...]:
        """The pins with a sha256 for every file: a lock needs them, and the PyTorch index does not give all.

        Where the best file has none it is fetched to know it; others without one are left out.
        """
        unknown = [pin.files[0] for pin in pins if pin.files and "sha256" not in pin.files[0].hashes]
        wheels = fetched(self.session, [each for each in unknown if each.is_wheel])
        found = {url: wheel.sha256 for url, wheel in wheels.items()}
        found |= {each.url: sha256_in(self.archives.fetch(each)) for each in unknown if not each.is_wheel}
        return tuple(
            replace(pin, files=tuple(_hashed(pin.files, found)), direct=self._with_hash(pin.direct)) for pin in pins
        )

    def _with_hash(self, direct: Direct | None) -> Direct | None:
        """An archive from an address with its sha256; folders have none, and a commit is its own."""
        if is_commit(direct):
            return self.commits.settled(direct)
        if direct is None or "sha256" in direct.hashes or (direct.path is not None and direct.path.is_dir()):
            return direct
        return replace(direct, hashes={**direct.hashes, "sha256": sha256_in(self.archives.fetch(direct))})

    def wheels(self, pins: Sequence[Pin]) -> Mapping[str, StoredWheel]:
        """Every pin as a wheel in the store, by name. Downloads run together, builds one after the other."""
        ready = [pin.files[0] for pin in pins if pin.files and pin.files[0].is_wheel]
        arrived = fetched(self.session, ready)
        return {
            pin.name: arrived[pin.files[0].url] if pin.files and pin.files[0].is_wheel else _of(pin, self._made(pin))
            for pin in pins
        }

    def assemble(self, pins: Sequence[Pin], folder: Path, final: Path) -> Assembled:
        """A complete environment in `folder`, meant for the path `final`."""
        with self.session.store.in_use():
            wheels = self.wheels(pins)
            self.session.activity.step(f"Installing {len(pins)} package{'s' if len(pins) != 1 else ''}")
            interpreter = self.session.interpreter
            virtual.create(folder, interpreter, final, self.session.cache)
            installs = [Install(wheels[pin.name], "" in pin.wanted_by, _direct_url(pin)) for pin in pins]
            warnings = install(installs, Layout.of(interpreter, folder, final), exclusive=is_family)
            return Assembled(tuple(sorted(each.sha256 for each in wheels.values())), warnings)

    def _made(self, pin: Pin) -> StoredWheel:
        """A wheel that has to be built, or that lies where no index was asked."""
        from bootstrap.build import backend  # noqa: PLC0415 - most environments need no build

        what: File | Direct | None = pin.files[0] if pin.files else pin.direct
        if what is None:
            raise BadDistributionError(pin.name, ["the lock names no file of it; write it anew with `torchstrap lock`"])
        if isinstance(what, Direct) and what.path is not None and what.path.is_dir():
            build = backend.build_editable if what.editable else backend.build_wheel
            with self.benches.opened(pin.name) as bench:
                return self._built(what.path, build, backend.BuildEnvironment(bench.provide))
        if is_commit(what):
            commit = self.commits.settled(what)
            place, words = self.commits.place(commit), self.commits.words(commit, pin.name)
            return self._built_once(place, self.opened_commit(commit, pin.name), words)
        archive = self.archives.fetch(what)
        if archive.name.endswith(".whl"):
            return self.stored(archive)
        return self._built_once(archive, self.opened(archive, pin.name), archive.name)

    def stored(self, archive: Path) -> StoredWheel:
        """A wheel that was fetched, in the store. One that is refused there is not kept either."""
        try:
            return self.session.store.add(archive, archive.name)
        except BadDistributionError:
            archive.unlink(missing_ok=True)
            raise

    def _built_once(self, archive: Path, opened: AbstractContextManager[_Opened], called: str) -> StoredWheel:
        """The wheel of a source distribution or a commit for this interpreter, and for what it is built with."""
        from bootstrap.build import backend  # noqa: PLC0415 - most environments need no build

        with opened as (bench, source):
            for wheel, _ in self.made_before(archive, bench):
                return wheel
            environment = backend.BuildEnvironment(bench.provide, called=called)
            built = self._built(source(), backend.build_wheel, environment)
            self._made_of(archive).add(built.sha256, bench.used, self.benches.surroundings, bench.additions)
            return built

    def made_before(self, archive: Path, bench: Bench) -> Iterator[tuple[StoredWheel, tuple[str, ...]]]:
        """Wheels in the store that were built of this as one would be built now, and the names of what they used."""
        try:
            additions = bench.additions
        except UnsettledError:
            return
        for sha256, used in self._made_of(archive).find(self.benches.surroundings, additions):
            wheel = self.session.store.find(sha256)
            if wheel is not None:
                pins = self.benches.surroundings.pins or {}
                bench.used.update({name: pins[name] for name in used if name in pins})
                yield wheel, used

    def _made_of(self, archive: Path) -> Made:
        return Made(archive.with_name(f"{archive.name}.{self.session.interpreter.key}.json"))

    @contextmanager
    def opened(self, archive: Path, package: str) -> Iterator[_Opened]:
        """A bench for a source distribution, and what unpacks that once it is sure to be built."""
        from bootstrap.build.source_distribution import unpack  # noqa: PLC0415 - most environments need no build

        with self.benches.opened(package) as bench, tempfile.TemporaryDirectory(prefix="torchstrap-") as scratch:

            def source() -> Path:
                self._announce(archive.name)
                return unpack(archive, Path(scratch))

            yield bench, source

    @contextmanager
    def opened_commit(self, commit: Direct, package: str) -> Iterator[_Opened]:
        """As `_opened`, for the project of a commit."""
        with self.benches.opened(package) as bench, tempfile.TemporaryDirectory(prefix="torchstrap-") as scratch:

            def source() -> Path:
                self._announce(self.commits.words(commit, package))
                return self.commits.copied(commit, Path(scratch))

            yield bench, source

    def _built(self, source: Path, build: Build, environment: BuildEnvironment) -> StoredWheel:
        with tempfile.TemporaryDirectory(prefix="torchstrap-") as scratch:
            wheel = build(source, Path(scratch), environment)
            return self.session.store.add(wheel, wheel.name)

    @cached_property
    def commits(self) -> Commits:
        """What comes from git."""
        return Commits(self.session)

    @cached_property
    def archives(self) -> Archives:
        return Archives(self.session.cache / "archives", self.session.client)

    def _announce(self, name: str) -> None:
        self.ensure_buildable(name)
        self.session.activity.step(f"Building {name}")

    def ensure_buildable(self, name: str) -> None:
        if self.session.settings.no_build:
            raise BuildError(f"{name} would have to be built, which --no-build forbids: no wheel of it fits here", "")


def _of(pin: Pin, wheel: StoredWheel) -> StoredWheel:
    """The wheel, if it is what it was meant to be. Raises BadDistributionError."""
    if canonicalize_name(wheel.name) == pin.name and Version(wheel.version) == pin.version:
        return wheel
    what, way_out = pin.files[0] if pin.files else pin.direct, ""
    if isinstance(what, Direct):
        way_out = f"If it has changed, `torchstrap lock --upgrade-package {pin.name}` locks what it is now"
    issue = f"it turns out to be {wheel.name} {wheel.version}, but was said to be {pin.name} {pin.version}"
    raise BadDistributionError(called(what) if what else pin.name, [issue], way_out)


def _hashed(files: Sequence[File], found: Mapping[str, str]) -> Iterable[File]:
    for each in files:
        if "sha256" in each.hashes:
            yield each
        elif each.url in found:
            yield replace(each, hashes={**each.hashes, "sha256": found[each.url]})


def description_of(folder: Path) -> str:
    """A digest of how a project describes itself: when it changes, what is locked and installed is out of date."""
    digest = hashlib.sha256()
    for name in DESCRIPTIONS:
        with suppress(OSError):
            digest.update((folder / name).read_bytes())
    return digest.hexdigest()


def _direct_url(pin: Pin) -> str | None:
    """PEP 610's file for what came from no index."""
    direct = pin.direct
    if direct is None:
        return None
    if direct.commit:
        return json.dumps(vcs_information(direct))
    if direct.path is not None and direct.path.is_dir():
        information: Mapping[str, object] = {"dir_info": {"editable": True} if direct.editable else {}}
    else:
        information = {"archive_info": {"hashes": dict(direct.hashes)} if direct.hashes else {}}
    return json.dumps({"url": without_credentials(direct.url), **information})
