"""Candidates and requirement lists of packages, fetched ahead of being asked for.

The solver asks one question at a time; the network likes dozens at once. So every name that turns up is *expected*:
its page is fetched in a pool, then the metadata of the candidate that the solver would take first, then the pages that
this one names, and so on. A guess that was wrong costs a request; none of them changes an answer.

    expect(name) -> page -> first candidate -> metadata -> expect(its requirements) -> …

Nothing in a worker waits for another job, so the pool cannot get stuck. Workers wait for the network side by side, but
judge pages one after the other: many that compute at once would only keep the interpreter from those with an answer.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from bootstrap.errors import BadDistributionError
from bootstrap.index.addresses import without_credentials
from bootstrap.index.files import File
from bootstrap.index.metadata import Metadata
from bootstrap.project.model import Index
from bootstrap.resolver.candidates import Candidates, direct_candidates
from bootstrap.resolver.catalogue import Catalogue
from bootstrap.resolver.fitness import Fitness
from bootstrap.resolver.following import Following
from bootstrap.resolver.memory import View
from bootstrap.resolver.request import Request
from bootstrap.resolver.requirements import RequirementReader, UnreadableRequirement
from bootstrap.resolver.resolution import Direct
from bootstrap.resolver.versions import bit, newest

__all__ = ["WORKERS", "Supply", "UnusableVersion", "preferred"]

PageKey = tuple[str, str, Index | str | None, str | None]

WORKERS = 32  # answers waited for at once; an index that takes 50 ms for each gives 600 of them in a second
AHEAD = 16  # versions fetched at once of a package that keeps being refused


class UnusableVersion(Exception):  # noqa: N818 - a fact about a version, not a fault of the program
    """A candidate that turns out, by its metadata, not to be one."""


def preferred(candidates: Candidates, version: Version | None) -> int:
    """The candidates to try first for a version of a lock: that one, or builds of it with another local version."""
    if version is None:
        return 0
    exact = candidates.index_of(version)
    if exact is not None:
        return bit(exact)
    return sum(bit(index) for index, each in enumerate(candidates.versions) if each.public == version.public)


@dataclass(slots=True)
class Supply:
    """Answers about packages for one request. `close` it: it holds threads."""

    request: Request
    catalogue: Catalogue
    metadata_of_sdist: Callable[[File | Direct], Metadata]
    known: View | Following
    workers: int = WORKERS
    directs: dict[str, Direct] = field(init=False)
    fitness: Fitness = field(init=False)
    reader: RequirementReader = field(init=False)
    _pool: ThreadPoolExecutor = field(init=False)
    _keys: dict[str, PageKey] = field(init=False, default_factory=dict)
    _jobs: dict[Hashable, Future[Any]] = field(init=False, default_factory=dict)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)
    _judging: threading.Lock = field(init=False, default_factory=threading.Lock)
    _followed: set[tuple[str, int, str]] = field(init=False, default_factory=set)
    _expected: set[tuple[str, int]] = field(init=False, default_factory=set)
    _tried: dict[str, set[int]] = field(init=False, default_factory=dict)
    _fetched_to: dict[str, int] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.directs = {canonicalize_name(name): direct for name, direct in self.request.direct.items()}
        self.fitness, self.reader = self.known.fitness, self.known.reader
        self._pool = ThreadPoolExecutor(self.workers, thread_name_prefix="resolve")

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        self.known.keep(self._jobs)

    # Answers -----------------------------------------------------------------------------------

    def candidates(self, name: str) -> Candidates:
        """What of a package may be chosen; asks the index, or the package itself if it is a direct one."""
        direct = self.directs.get(name)
        if direct is None:
            found: Candidates = self._page(name).result()
            return found
        metadata: Metadata = self._own(("direct", name, direct.url), lambda: self.metadata_of_sdist(direct)).result()
        where = without_credentials(direct.url)
        if canonicalize_name(metadata.name) != name:
            issue = f"it says that it is {metadata.name}, but {name} was asked for"
            way_out = f"Ask for {metadata.name} there, or give the place where {name} is"
            raise BadDistributionError(where, [issue], way_out)
        return direct_candidates(name, _version(metadata, where), direct)

    def requirements(self, name: str, index: int, extra: str = "") -> tuple[Requirement, ...]:
        """What a candidate needs by itself, or what `extra` adds to that.

        Raises `UnusableVersion` where its metadata forbids it here, `BadDistributionError` where it speaks of another.
        """
        candidates = self.candidates(name)
        self._fetch_more(candidates, index)
        return self._required(self._metadata(candidates, index), extra)

    def alike(self, name: str, index: int, extra: str, requirements: Sequence[Requirement]) -> int:
        """The neighbours of a candidate that are already known to need exactly the same, as a mask with its own bit."""
        candidates = self.candidates(name)
        mask = bit(index)
        for steps in (range(index - 1, -1, -1), range(index + 1, len(candidates.versions))):
            for neighbour in steps:
                if not self._known_alike(candidates, neighbour, extra, requirements):
                    break
                mask |= bit(neighbour)
        return mask

    def is_cheap(self, candidates: Candidates, index: int) -> bool:
        """Can a candidate's metadata be read without building anything?"""
        return candidates.direct is None and candidates.files(index)[0].is_wheel

    def provides(self, name: str, index: int, extra: str) -> bool:
        metadata = self._metadata(self.candidates(name), index)
        return extra in {canonicalize_name(each) for each in metadata.provides_extra}

    def _known_alike(self, candidates: Candidates, index: int, extra: str, expected: Sequence[Requirement]) -> bool:
        files = candidates.files(index)
        job = self._jobs.get(("metadata", files[0].url)) if files else None
        if job is None or not job.done() or job.cancelled() or job.exception() is not None:
            return False
        try:
            found = self._required(job.result(), extra)
        except UnusableVersion:
            return False
        return len(found) == len(expected) and all(mine is other for mine, other in zip(found, expected, strict=True))

    def _required(self, metadata: Metadata, extra: str) -> tuple[Requirement, ...]:
        if not self.fitness.accepts_python(metadata.requires_python):
            raise UnusableVersion(f"is for Python {metadata.requires_python}")
        try:
            return self.reader.active(metadata.requires_dist, extra)
        except UnreadableRequirement as problem:
            raise UnusableVersion(f"has broken metadata, {problem}") from problem

    def _metadata(self, candidates: Candidates, index: int) -> Metadata:
        if candidates.direct is not None:
            direct = candidates.direct
            found: Metadata = self._jobs["direct", candidates.name, direct.url].result()
            return found
        file = candidates.files(index)[0]
        if file.is_wheel:
            job = self._job(("metadata", file.url), self._read_metadata, candidates, index)
        else:
            job = self._own(("metadata", file.url), lambda: self.metadata_of_sdist(file))
        metadata: Metadata = job.result()
        self._check(metadata, file, candidates, index)
        return metadata

    def _check(self, metadata: Metadata, file: File, candidates: Candidates, index: int) -> None:
        issues = []
        if canonicalize_name(metadata.name) != candidates.name:
            issues.append(f"its metadata is for {metadata.name}")
        if _version(metadata, file.filename) != candidates.versions[index]:
            issues.append(f"its metadata says version {metadata.version}")
        if issues:
            raise BadDistributionError(file.filename, issues)

    # Fetching ahead ----------------------------------------------------------------------------

    def expect(self, requirement: Requirement) -> None:
        """Somebody may want this soon: fetch its page, and follow what the solver would take first."""
        name = canonicalize_name(requirement.name)
        key = name, id(requirement)  # requirements that the reader made live as long as it does
        if key in self._expected or name in self.directs or requirement.url is not None:
            return
        self._expected.add(key)
        extras = ("", *sorted(canonicalize_name(extra) for extra in requirement.extras))
        if self.known.knows(self._page_key(name)):
            return  # somebody has followed it before, so what it leads to is mostly known as well
        job = self._page(name)
        job.add_done_callback(lambda done: self._quietly(done, self._follow_page, requirement.specifier, extras))

    def _follow_page(self, candidates: Candidates, specifiers: SpecifierSet, extras: Sequence[str]) -> None:
        allowed = candidates.allowed(specifiers)
        likely = allowed & preferred(candidates, self.request.preferences.get(candidates.name))
        if not allowed:
            return
        index = newest(likely or allowed & ~candidates.prereleases or allowed)
        new = {(candidates.name, index, extra) for extra in extras} - self._followed
        if not new or not candidates.files(index)[0].is_wheel:
            return
        self._followed |= new
        job = self._job(("metadata", candidates.files(index)[0].url), self._read_metadata, candidates, index)
        job.add_done_callback(lambda done: self._quietly(done, self._follow_metadata, [extra for _, _, extra in new]))

    def _follow_metadata(self, metadata: Metadata, extras: Sequence[str]) -> None:
        for extra in extras:
            for requirement in self._required(metadata, extra):
                self.expect(requirement)

    def _fetch_more(self, candidates: Candidates, index: int) -> None:
        """A package whose versions keep being refused: fetch the next ones at once, more each time."""
        tried = self._tried.setdefault(candidates.name, set())
        if index in tried:
            return
        tried.add(index)
        ahead = 0 if len(tried) == 1 else min(2 ** len(tried), AHEAD)
        goal = max(0, index - ahead)
        start = min(index, self._fetched_to.get(candidates.name, index))
        if start - goal < ahead // 2:
            return
        self._fetched_to[candidates.name] = goal
        for older in range(start - 1, goal - 1, -1):
            files = candidates.files(older)
            if files and files[0].is_wheel:
                self._job(("metadata", files[0].url), self._read_metadata, candidates, older)

    # Jobs --------------------------------------------------------------------------------------

    def _page_key(self, name: str) -> PageKey:
        """Whose candidates these are: requests may ask others for a package of the same name."""
        key = self._keys.get(name)
        if key is None:
            request = self.request
            index = request.index_for(name)
            variant = request.variant if index is not None or request.in_family(name) else None
            key = self._keys[name] = ("page", name, index, variant)
        return key

    def _page(self, name: str) -> Future[Any]:
        key = self._page_key(name)
        return self._job(key, self._read_page, *key[1:])

    def _read_page(self, name: str, index: Index | str | None, variant: str | None) -> Candidates:
        listing = self.catalogue.listing(name, index=index, variant=variant)
        with self._judging:
            return self.known.candidates(listing)

    def _read_metadata(self, candidates: Candidates, index: int) -> Metadata:
        return self.catalogue.metadata(candidates.files(index)[0])

    def _job(self, key: Hashable, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        job = self._jobs.get(key)
        if job is not None:
            return job
        with self._lock:
            if key not in self._jobs:
                self._jobs[key] = self.known.known(key) or self._pool.submit(work, *arguments)
            return self._jobs[key]

    def _own(self, key: Hashable, work: Callable[[], Any]) -> Future[Any]:
        """Work that the calling thread does itself, once: builds are not for guessing."""
        with self._lock:
            if key in self._jobs:
                return self._jobs[key]
        future: Future[Any] = Future()
        try:
            future.set_result(work())
        except Exception as problem:  # noqa: BLE001 - whoever asks again is told the same, and nothing is built again
            future.set_exception(problem)
        with self._lock:
            return self._jobs.setdefault(key, future)

    def _quietly(self, done: Future[Any], follow: Callable[..., None], *arguments: Any) -> None:
        """Follow a guess; if it fails, or the pool is closing, whoever really asks will be told."""
        if done.cancelled() or done.exception() is not None:
            return
        with contextlib.suppress(RuntimeError, UnusableVersion, InvalidVersion):
            follow(done.result(), *arguments)


def _version(metadata: Metadata, what: str) -> Version:
    try:
        return Version(metadata.version)
    except InvalidVersion:
        raise BadDistributionError(what, [f"its metadata says version {metadata.version!r}, which is none"]) from None
