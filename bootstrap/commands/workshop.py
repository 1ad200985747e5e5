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
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bootstrap.commands.archives import Archives, sha256_in
from bootstrap.environment import virtual
from bootstrap.environment.installation import Install, install
from bootstrap.environment.layout import Layout
from bootstrap.errors import BadDistributionError, BuildError
from bootstrap.index.addresses import without_credentials
from bootstrap.index.files import File
from bootstrap.resolver.resolution import Direct, Pin
from bootstrap.wheels.disk import writing
from bootstrap.wheels.store import Store, StoredWheel
from profiles import is_family

if TYPE_CHECKING:
    from bootstrap.build.backend import Build
    from bootstrap.commands.routing import Route
    from bootstrap.commands.session import Session
    from bootstrap.index.metadata import Metadata
    from profiles import Offer

__all__ = ["DESCRIPTIONS", "Assembled", "Workshop", "description_of"]

DESCRIPTIONS = ("pyproject.toml", "setup.py", "setup.cfg")
_CONNECTIONS = 16


class Assembled(NamedTuple):
    """What came of putting an environment together: the store's entries that are in it, and sentences for people."""

    entries: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass
class Workshop:
    """Makes wheels and environments for one session."""

    session: Session
    _route: Route = field(default=lambda _name: None)
    _offer: Offer | None = None
    _family: tuple[Requirement, ...] = ()
    _used: set[str] = field(default_factory=set)
    _metadata: dict[str, Metadata] = field(default_factory=dict)

    def settle(self, route: Route, offer: Offer, pins: Sequence[Pin] = ()) -> None:
        """From now on builds get the torch family from where the environment gets it, in the versions of `pins`."""
        self._route, self._offer = route, offer
        self._family = tuple(Requirement(f"{pin.name}=={pin.version}") for pin in pins if is_family(pin.name))

    def metadata(self, what: File | Direct) -> Metadata:
        """What a source distribution or a local source says of itself, built where it does not say it statically.

        Raises BuildError with the backend's last lines, or with `--no-build` the name of what would have to be built.
        """
        from bootstrap.index.metadata import parse  # noqa: PLC0415 - a locked run reads none

        key = what.url
        if key not in self._metadata:
            self._metadata[key] = parse(self._read_metadata(what))
        return self._metadata[key]

    def _read_metadata(self, what: File | Direct) -> bytes:
        from bootstrap.build import backend  # noqa: PLC0415 - most environments need no build
        from bootstrap.build.source_distribution import static_metadata, unpack  # noqa: PLC0415

        if isinstance(what, Direct) and what.path is not None and what.path.is_dir():
            return backend.metadata(what.path, self.provide)
        archive = self._archives.fetch(what)
        if archive.name.endswith(".whl"):
            return _metadata_of(self._stored(archive))
        static = static_metadata(archive)
        if static is not None:
            return static
        self._announce(archive.name)
        with tempfile.TemporaryDirectory(prefix="torchstrap-") as scratch:
            return backend.metadata(unpack(archive, Path(scratch)), self.provide)

    def with_hashes(self, pins: Sequence[Pin]) -> tuple[Pin, ...]:
        """The pins with a sha256 for every file: a lock needs them, and the PyTorch index does not give all.

        Where the best file has none it is fetched to know it; others without one are left out.
        """
        unknown = [pin.files[0] for pin in pins if pin.files and "sha256" not in pin.files[0].hashes]
        wheels = self._fetch([each for each in unknown if each.is_wheel])
        found = {url: wheel.sha256 for url, wheel in wheels.items()}
        found |= {each.url: sha256_in(self._archives.fetch(each)) for each in unknown if not each.is_wheel}
        return tuple(
            replace(pin, files=tuple(_hashed(pin.files, found)), direct=self._with_hash(pin.direct)) for pin in pins
        )

    def _with_hash(self, direct: Direct | None) -> Direct | None:
        """An archive from an address with its sha256; folders have none."""
        if direct is None or "sha256" in direct.hashes or (direct.path is not None and direct.path.is_dir()):
            return direct
        return replace(direct, hashes={**direct.hashes, "sha256": sha256_in(self._archives.fetch(direct))})

    def wheels(self, pins: Sequence[Pin]) -> Mapping[str, StoredWheel]:
        """Every pin as a wheel in the store, by name. Downloads run together, builds one after the other."""
        ready = [pin.files[0] for pin in pins if pin.files and pin.files[0].is_wheel]
        fetched = self._fetch(ready)
        return {
            pin.name: fetched[pin.files[0].url] if pin.files and pin.files[0].is_wheel else self._made(pin)
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

    def provide(self, requirements: Sequence[str]) -> Path:
        """An interpreter that has the requirements of a build, from the ordinary indexes; made once per set of pins."""
        from bootstrap.resolver.request import Request  # noqa: PLC0415 - most environments need no build
        from bootstrap.resolver.resolve import resolve  # noqa: PLC0415

        session = self.session
        roots = {"": tuple(Requirement(each) for each in requirements)}
        request = Request(
            target=session.target,
            offer="build",
            roots=roots,
            index_for=self._route,
            variant=self._offer.variant if self._offer else None,
            in_family=is_family,
            constraints=self._family,
            policy=session.policy,
        )
        pins = self.with_hashes(resolve(request, session.catalogue, metadata_of_sdist=self.metadata).pins)
        self._used |= {f"{pin.name}=={pin.version}" for pin in pins if is_family(pin.name)}
        digest = hashlib.sha256(repr([session.interpreter.key, *(_identity(pin) for pin in pins)]).encode()).hexdigest()
        folder = session.cache / "builds" / digest[:16]
        python = folder / session.interpreter.python
        with session.store.in_use(), suppress(OSError):
            os.utime(folder)  # `cache gc` goes by it
        if python.exists():
            return python
        with writing("preparing a build", folder.parent):
            folder.parent.mkdir(parents=True, exist_ok=True)
            beside = Path(tempfile.mkdtemp(prefix="building-", dir=folder.parent))
            try:
                self.assemble(pins, beside, folder)
                if not folder.exists():
                    beside.rename(folder)
            finally:
                shutil.rmtree(beside, ignore_errors=True)
        return python

    def _fetch(self, files: Sequence[File]) -> Mapping[str, StoredWheel]:
        """Wheels by address: what the store has already, and the rest downloaded."""
        found: dict[str, StoredWheel] = {}
        for each in files:
            sha256 = each.hashes.get("sha256")
            entry = self.session.store.find(sha256) if sha256 is not None else None
            if entry is not None:
                found[each.url] = entry
        missing = [each for each in files if each.url not in found]
        return {**found, **self._download(missing)} if missing else found

    def _download(self, files: Sequence[File]) -> Mapping[str, StoredWheel]:
        from bootstrap.wheels.download import Download, Event, fetch  # noqa: PLC0415 - a warm run fetches nothing

        activity = self.session.activity
        sizes = [each.size for each in files]
        activity.expect(len(files), None if None in sizes else sum(size or 0 for size in sizes))

        def report(event: Event) -> None:
            if event.kind == "started":
                activity.started(event.download.filename, event.amount or None)
            elif event.kind == "resumed":
                activity.resumed(event.download.filename, event.amount)
            elif event.kind == "advanced":
                activity.advanced(event.download.filename, event.amount)
            elif event.kind == "finished":
                activity.finished(event.download.filename)

        downloads = [Download(each.url, each.filename, each.hashes.get("sha256"), each.size) for each in files]
        return fetch(downloads, self.session.client, self.session.store, report=report, workers=_CONNECTIONS)

    def _made(self, pin: Pin) -> StoredWheel:
        """A wheel that has to be built, or that lies where no index was asked."""
        from bootstrap.build import backend  # noqa: PLC0415 - most environments need no build

        what: File | Direct | None = pin.files[0] if pin.files else pin.direct
        if what is None:
            raise BadDistributionError(pin.name, ["the lock names no file of it; write it anew with `torchstrap lock`"])
        store = self.session.store
        if isinstance(what, Direct) and what.path is not None and what.path.is_dir():
            build = backend.build_editable if what.editable else backend.build_wheel
            return self._built(what.path, build, store)
        archive = self._archives.fetch(what)
        if archive.name.endswith(".whl"):
            return self._stored(archive)
        return self._built_once(archive, store)

    def _stored(self, archive: Path) -> StoredWheel:
        """A wheel that was fetched, in the store. One that is refused there is not kept either."""
        try:
            return self.session.store.add(archive, archive.name)
        except BadDistributionError:
            archive.unlink(missing_ok=True)
            raise

    def _built_once(self, archive: Path, store: Store) -> StoredWheel:
        """The wheel of a source distribution for this interpreter; remembered by the archive's hash.

        What was built with torch is remembered for that very torch, everything else for all.
        """
        from bootstrap.build import backend  # noqa: PLC0415 - most environments need no build
        from bootstrap.build.source_distribution import unpack  # noqa: PLC0415

        family = hashlib.sha256(repr(sorted(map(str, self._family))).encode()).hexdigest()[:16]
        general = archive.with_name(f"{archive.name}.{self.session.interpreter.key}.wheel")
        special = archive.with_name(f"{archive.name}.{self.session.interpreter.key}.{family}.wheel")
        for note in (general, special):
            with suppress(OSError):
                found = store.find(note.read_text(encoding="ascii"))
                if found is not None:
                    return found
        self._announce(archive.name)
        self._used.clear()
        with tempfile.TemporaryDirectory(prefix="torchstrap-") as scratch:
            built = self._built(unpack(archive, Path(scratch)), backend.build_wheel, store)
        with suppress(OSError):  # it only costs time to build it again
            (special if self._used else general).write_text(built.sha256, encoding="ascii")
        return built

    def _built(self, source: Path, build: Build, store: Store) -> StoredWheel:
        with tempfile.TemporaryDirectory(prefix="torchstrap-") as scratch:
            wheel = build(source, Path(scratch), self.provide)
            return store.add(wheel, wheel.name)

    @cached_property
    def _archives(self) -> Archives:
        return Archives(self.session.cache / "archives", self.session.client)

    def _announce(self, name: str) -> None:
        if self.session.settings.no_build:
            raise BuildError(f"{name} would have to be built, which --no-build forbids: no wheel of it fits here", "")
        self.session.activity.step(f"Building {name}")


def _metadata_of(wheel: StoredWheel) -> bytes:
    return (wheel.tree / wheel.contents.information / "METADATA").read_bytes()


def _hashed(files: Sequence[File], found: Mapping[str, str]) -> Iterable[File]:
    for each in files:
        if "sha256" in each.hashes:
            yield each
        elif each.url in found:
            yield replace(each, hashes={**each.hashes, "sha256": found[each.url]})


def _identity(pin: Pin) -> tuple[str, str, str | None]:
    return (canonicalize_name(pin.name), str(pin.version), pin.files[0].hashes.get("sha256") if pin.files else None)


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
    if direct.path is not None and direct.path.is_dir():
        information: Mapping[str, object] = {"dir_info": {"editable": True} if direct.editable else {}}
    else:
        information = {"archive_info": {"hashes": dict(direct.hashes)} if direct.hashes else {}}
    return json.dumps({"url": without_credentials(direct.url), **information})
