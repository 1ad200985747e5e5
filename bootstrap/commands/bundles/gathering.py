"""The wheels of a bundle: each once, fetched as they are published, or built here where there is no wheel.

wheel on an index      fetched into the cache, where it stays for the next bundle
wheel on this disk     used where it lies
built from source      out of the store again, for the cells on this Python and platform; others are an error
the project itself     built likewise, as a wheel; and what it is built with, for who has its source
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

from bootstrap.bundle.manifest import Build
from bootstrap.bundle.repacking import repacked
from bootstrap.commands.activity import Place
from bootstrap.commands.builds.archives import Archives
from bootstrap.commands.bundles.cells import Filled
from bootstrap.commands.choices.choosing import Selection, select_offer
from bootstrap.commands.locks.resolving import route_of
from bootstrap.commands.session import Session
from bootstrap.errors import BuildError, HashMismatchError, UnreachableError
from bootstrap.index.addresses import file_path, host, is_local
from bootstrap.index.files import File
from bootstrap.project.indexes import named_addresses
from bootstrap.resolver.resolution import Direct, Pin
from bootstrap.wheels.preflight import ensure_room
from bootstrap.wheels.store import StoredWheel, sha256_of
from bootstrap.wheels.transfer import Source, Streamed
from profiles import Offer

__all__ = ["Wheel", "gathered", "loaded"]

_AT_ONCE = 6  # files


@dataclass
class Wheel:
    """One file of the bundle: where it lies now, and the names of the offers that it is for."""

    path: Path
    filename: str
    sha256: str
    offers: set[str] = field(default_factory=set)
    builds: list[Build] = field(default_factory=list)
    is_tool: bool = False

    @property
    def project(self) -> str:
        return str(parse_wheel_filename(self.filename)[0])


def gathered(session: Session, cells: Sequence[Filled], scratch: Path) -> tuple[Wheel, ...]:
    """Every wheel for the cells; `scratch` is a folder for those that are made.

    Raises BuildError for what would have to be built on another machine, and what fetching and building raise.
    """
    found: dict[str, Wheel] = {}
    for wheel in _fetched(session, cells):
        found[wheel.sha256] = wheel
    bench = _Bench(session, scratch, found)
    for each in cells:
        bench.fill(each)
    if bench.has_own or bench.has_folders:
        bench.add_tools()
    return tuple(sorted(found.values(), key=lambda each: (each.filename, each.sha256)))


def _fetched(session: Session, cells: Iterable[Filled]) -> Iterator[Wheel]:
    """The wheels that somebody published."""
    files: dict[str, File] = {}
    offers: dict[str, set[str]] = {}
    for each in cells:
        for pin in each.pins:
            if pin.files and pin.files[0].is_wheel:
                sha256 = pin.files[0].hashes["sha256"]
                files.setdefault(sha256, pin.files[0])
                offers.setdefault(sha256, set()).add(each.cell.offer)
    paths = loaded(session, list(files.values()))
    for sha256, file in files.items():
        yield Wheel(paths[sha256], file.filename, sha256, offers[sha256])


def loaded(session: Session, files: Sequence[File]) -> dict[str, Path]:
    """Each file on this disk, by its hash; several at once, the largest first."""
    archives = session.cache / "archives"
    paths = {each.hashes["sha256"]: path for each in files if (path := _here(session, archives, each)) is not None}
    missing = sorted((each for each in files if each.hashes["sha256"] not in paths), key=lambda each: -(each.size or 0))
    if not missing:
        return paths
    total = sum(each.size or 0 for each in missing)
    ensure_room(((archives, total),), f"fetching {len(missing)} files")
    session.activity.expect(len(missing), total if all(each.size for each in missing) else None, _places(missing))
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        futures = {each.hashes["sha256"]: pool.submit(_load, session, archives, each) for each in missing}
        try:
            paths.update({sha256: future.result() for sha256, future in futures.items()})
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return paths


def _here(session: Session, archives: Path, file: File) -> Path | None:
    """Where the file is on this disk: beside us, if its address says so, or kept by an earlier run and still whole.

    Raises HashMismatchError and UnreachableError for a file beside us.
    """
    asked, sha256 = session.client.rewrite(file.url), file.hashes["sha256"]
    if not is_local(asked):
        kept = archives / sha256 / file.filename
        if not kept.is_file():
            return None
        if sha256_of(kept) == sha256:
            return Archives(archives, session.client).fetch(file)
        kept.unlink()
        return None
    path = file_path(asked)
    try:
        actual = sha256_of(path)
    except OSError as error:
        raise UnreachableError(asked, f"this file cannot be read ({error.strerror or error})") from error
    if actual != sha256:
        raise HashMismatchError(file.filename, sha256, actual)
    return path


def _load(session: Session, archives: Path, file: File) -> Path:
    activity = session.activity
    activity.started(file.filename, file.size)
    path = Archives(archives, _Counted(session.client, lambda count: activity.advanced(file.filename, count))).fetch(
        file
    )
    activity.arrived(file.filename)
    activity.finished(file.filename)
    return path


def _places(files: Iterable[File]) -> list[Place]:
    found: dict[str, Place] = {}
    for each in files:
        before = found.get(host(each.url), Place(host(each.url), 0, 0))
        found[before.name] = Place(before.name, before.files + 1, before.total + (each.size or 0))
    return sorted(found.values(), key=lambda each: -each.total)


@dataclass(frozen=True)
class _Counted:
    """A source that tells of the bytes as they come."""

    source: Source
    advanced: Callable[[int], None]

    @contextmanager
    def piece(
        self, url: str, start: int = 0, end: int | None = None, unchanged: str | None = None
    ) -> Iterator[Streamed]:
        with self.source.piece(url, start, end, unchanged) as answer:
            yield _Answer(answer, self.advanced)


@dataclass(frozen=True)
class _Answer:
    answer: Streamed
    advanced: Callable[[int], None]

    @property
    def status(self) -> int:
        return self.answer.status

    @property
    def headers(self) -> dict[str, str]:
        return dict(self.answer.headers)

    @property
    def chunks(self) -> Iterator[bytes]:
        for chunk in self.answer.chunks:
            self.advanced(len(chunk))
            yield chunk


@dataclass
class _Bench:
    """What has to be built, for one cell after the other."""

    session: Session
    scratch: Path
    found: dict[str, Wheel]
    made: dict[str, Wheel] = field(default_factory=dict)
    has_own: bool = False
    has_folders: bool = False

    def fill(self, cell: Filled) -> None:
        """Build what the cell has no wheel for, and the project itself."""
        pins = [pin for pin in cell.pins if not (pin.files and pin.files[0].is_wheel)]
        if pins:
            self._ensure_here(cell, pins)
            self._settle(cell)
            # As wheels for good: the folders stay behind, so nothing can be editable.
            self.has_folders |= any(pin.direct is not None and pin.direct.path is not None for pin in pins)
            solid = [replace(pin, direct=_solid(pin.direct)) for pin in pins]
            for name, wheel in self.session.workshop.wheels(solid).items():
                self._add(wheel, name, cell)
        project = self.session.project
        if project.has_build_system and project.name is not None:
            self._add_own(cell, project.name, settled=bool(pins))

    def _add_own(self, cell: Filled, name: str, *, settled: bool) -> None:
        if not self._is_here(cell):
            self.session.warn(
                f"{name} itself is not in the bundle for Python {cell.cell.python} on {cell.cell.platform}, only what "
                f"it needs: it can be built there, or bundled on such a machine"
            )
            return
        if not settled:
            self._settle(cell)
        self.has_own = True
        own = Direct(self.session.project.root.as_uri(), path=self.session.project.root)
        version = self.session.project.version or self.session.workshop.metadata(own).version
        pin = Pin(canonicalize_name(name), Version(version), direct=own)
        self._add(self.session.workshop.wheels([pin])[pin.name], pin.name, cell)

    def add_tools(self) -> None:
        """What the project is built with where its source is; an editable build is made here to know."""
        from bootstrap.build import backend  # noqa: PLC0415 - most projects need no build

        session, workshop = self.session, self.session.workshop
        project = session.project
        if not self.has_own:
            self._add_provided()
            return
        with workshop.benches.opened(canonicalize_name(project.name or "")) as bench:
            backend.build_editable(project.root, self.scratch, backend.BuildEnvironment(bench.provide))
        self._add_provided()

    def _add_provided(self) -> None:
        session, workshop = self.session, self.session.workshop
        tools = {pin.files[0].hashes["sha256"]: pin.files[0] for pin in workshop.benches.provided if pin.files}
        paths = loaded(session, [each for each in tools.values() if each.is_wheel])
        for sha256, path in paths.items():
            known = self.found.setdefault(sha256, Wheel(path, tools[sha256].filename, sha256))
            known.is_tool = True

    def _settle(self, cell: Filled) -> None:
        offer = cell.offer or self.session.select().choice.offer
        route = route_of(self.session, _selection(self.session, offer), offer)
        self.session.workshop.settle(route, offer, cell.pins)

    def _add(self, wheel: StoredWheel, package: str, cell: Filled) -> None:
        known = self.made.get(wheel.sha256)
        if known is None:
            folder = self.scratch / wheel.sha256[:16]
            folder.mkdir(parents=True, exist_ok=True)
            archive = repacked(wheel, folder)
            known = Wheel(archive, archive.name, sha256_of(archive))
            known = self.made[wheel.sha256] = self.found.setdefault(known.sha256, known)
        known.offers.add(cell.cell.offer)
        known.builds.append(Build(package, cell.cell))

    def _is_here(self, cell: Filled) -> bool:
        here = self.session.target
        return (cell.target.python_minor, cell.target.platform) == (here.python_minor, here.platform)

    def _ensure_here(self, cell: Filled, pins: Sequence[Pin]) -> None:
        if not self._is_here(cell):
            names = " and ".join(f"{pin.name} {pin.version}" for pin in pins[:3])
            here = self.session.target
            raise BuildError(
                f"{names} would have to be built for Python {cell.cell.python} on {cell.cell.platform}, as there is "
                f"no wheel, and this is Python {here.python_minor} on {here.platform}: make that bundle on such a "
                f"machine (or with --python {cell.cell.python}), or let the wheel come from --find-links",
                "",
            )


def _solid(direct: Direct | None) -> Direct | None:
    return replace(direct, editable=False) if direct is not None else None


def _selection(session: Session, offer: Offer) -> Selection:
    """As if somebody had asked for the offer by name, on whatever machine."""
    asked = session.asked
    if offer.kind == "variant":
        asked = replace(asked, variant=offer.variant)
    elif offer.kind == "extra":
        asked = replace(asked, extras=(*asked.extras, offer.name))
    else:
        asked = replace(asked, groups=(*asked.groups, offer.name))
    addresses = named_addresses(session.project, session.settings)
    return select_offer(session.project, asked, session.machine, session.target.markers, addresses)
