"""Archives from where they are into the store, several at once, each resumed where it broke off.

    <root>/incoming/<sha256>.part   what has arrived so far of an archive whose hash was promised; it outlives a kill
    <root>/incoming/<random>.part   the same without a promise; removed when the download ends, however it ends

A part is held under a lock, so two processes that want the same archive load it once: the second waits and then finds
it in the store. What is in a part counts for nothing until the hash of all of it is the promised one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Literal, Protocol

from bootstrap.errors import CannotWriteError, HashMismatchError, UnreachableError
from bootstrap.wheels.disk import writing
from bootstrap.wheels.store import Store, StoredWheel

if sys.platform != "win32":
    import fcntl

__all__ = ["Download", "Event", "Source", "Streamed", "fetch"]

ATTEMPTS = 4  # without a single new byte in between
PAUSE = 0.5  # seconds before the second attempt, doubled for each further one
CHUNK = 1024 * 1024
OK, PARTIAL, UNSATISFIABLE = 200, 206, 416
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})  # statuses that say "later"


@dataclass(frozen=True, slots=True)
class Download:
    """One archive to have. `sha256` is the promise, if there is one; `size` in bytes, if it is known."""

    url: str
    filename: str
    sha256: str | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a download. `amount` is in bytes: the whole at "started" (0 if unknown), new ones at "advanced".

    "stored" says that the store had it and nothing was loaded.
    """

    kind: Literal["stored", "started", "advanced", "finished"]
    download: Download
    amount: int = 0


class Streamed(Protocol):
    """An answer whose body is still to come."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def chunks(self) -> Iterator[bytes]: ...


class Source(Protocol):
    """What is needed of the HTTP client. Network trouble is its UnreachableError, also out of the chunks."""

    def stream(self, url: str, start: int = 0) -> AbstractContextManager[Streamed]: ...


class _RefusedError(UnreachableError):
    """An answer that asking again does not change."""


class _StoppedError(Exception):
    """Another download failed first."""


@dataclass(frozen=True, slots=True)
class _Errand:
    """What every download of one `fetch` shares."""

    client: Source
    store: Store
    report: Callable[[Event], None]
    pause: float
    stop: threading.Event = field(default_factory=threading.Event)
    speaking: threading.Lock = field(default_factory=threading.Lock)

    def say(
        self, kind: Literal["stored", "started", "advanced", "finished"], download: Download, amount: int = 0
    ) -> None:
        with self.speaking:
            self.report(Event(kind, download, amount))


def fetch(
    files: Sequence[Download],
    client: Source,
    store: Store,
    *,
    report: Callable[[Event], None],
    workers: int,
    pause: float = PAUSE,
) -> Mapping[str, StoredWheel]:
    """Every file as an entry of the store, by its `url`; what the store has already is not loaded again.

    The biggest start first, `workers` at once; `report` is called from one thread at a time. The first failure stops
    the others. Raises UnreachableError, HashMismatchError, BadDistributionError, CannotWriteError, NotPermittedError.
    """
    errand = _Errand(client, store, report, pause)
    found: dict[str, StoredWheel] = {}
    missing: dict[str, Download] = {}
    for each in files:
        entry = store.find(each.sha256) if each.sha256 else None
        if entry is None:
            missing[each.url] = each
        else:
            found[each.url] = entry
            errand.say("stored", each)
    if missing:
        with writing("preparing downloads", store.root):
            store.incoming.mkdir(parents=True, exist_ok=True)
        found.update(_fetch_missing(missing, errand, workers))
    return found


def _fetch_missing(missing: Mapping[str, Download], errand: _Errand, workers: int) -> Mapping[str, StoredWheel]:
    biggest_first = sorted(missing.values(), key=lambda each: -(each.size or 0))
    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        running = {pool.submit(_fetch_one, each, errand): each for each in biggest_first}
        try:
            done, _ = wait(running, return_when=FIRST_EXCEPTION)
        finally:
            if any(not each.done() or each.exception() for each in running):
                errand.stop.set()
                pool.shutdown(cancel_futures=True)
    failures = [error for each in done if (error := each.exception()) and not isinstance(error, _StoppedError)]
    if failures:
        if isinstance(failures[0], CannotWriteError):
            # What has arrived would be of use another time, but on a full disk it is in everybody's way.
            for each in biggest_first:
                _discard(_part_of(each, errand.store))
        raise failures[0]
    return {each.url: future.result() for future, each in running.items()}


def _fetch_one(download: Download, errand: _Errand) -> StoredWheel:
    store = errand.store
    promised = download.sha256.lower() if download.sha256 else None
    keep = promised is not None and sys.platform != "win32"  # no lock there, so parts have names of their own
    part = store.incoming / f"{promised if keep else secrets.token_hex(16)}.part"
    with writing(f"downloading {download.filename}", store.incoming, download.size), _held(part) as file:
        found = store.find(promised) if promised else None
        if found is None:
            resumed = file.seek(0, os.SEEK_END) > 0
            found = _load(download, promised, file, part, errand, resumed=resumed)
            _discard(part)
            errand.say("finished", download)
        else:
            _discard(part)
            errand.say("stored", download)
        return found


def _part_of(download: Download, store: Store) -> Path:
    """Where an archive gathers: under its hash, or under a name of its own that nobody will come back to."""
    keep = download.sha256 is not None and fcntl is not None
    return store.incoming / f"{str(download.sha256).lower() if keep else secrets.token_hex(16)}.part"


@contextlib.contextmanager
def _held(part: Path) -> Iterator[FileIO]:
    """The part, opened and ours alone. A lock on a file that was removed meanwhile is worth nothing: open it again."""
    while True:
        with FileIO(part, "a+b") as file:
            if sys.platform != "win32":
                with contextlib.suppress(OSError):  # file systems without locks
                    fcntl.flock(file, fcntl.LOCK_EX)
            if not _is(part, file):
                continue
            try:
                yield file
            finally:
                if len(part.stem) != hashlib.sha256().digest_size * 2:
                    _discard(part)
            return


def _is(part: Path, file: FileIO) -> bool:
    try:
        return os.path.samestat(part.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _discard(part: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        part.unlink()


def _load(
    download: Download, promised: str | None, file: FileIO, part: Path, errand: _Errand, *, resumed: bool
) -> StoredWheel:
    """Load what is missing and hand the whole to the store."""
    errand.say("started", download, download.size or 0)
    actual = _Arrival(download, file, errand).complete()
    if promised and actual != promised and resumed:
        # The beginning was left by an earlier run; it may have been torn by a power cut.
        file.truncate(0)
        actual = _Arrival(download, file, errand).complete()
    if promised and actual != promised:
        _discard(part)
        raise HashMismatchError(download.filename, promised, actual)
    return errand.store.adopt(part, download.filename, actual)


class _Arrival:
    """One archive arriving in one file: how much is there, and the hash of that."""

    def __init__(self, download: Download, file: FileIO, errand: _Errand) -> None:
        self.download, self.file, self.errand = download, file, errand
        self.digest = hashlib.sha256()
        self.here = 0

    def complete(self) -> str:
        """Load until everything is there. The hash as hex digits."""
        self._recall()
        failures = 0
        while True:
            before = self.here
            try:
                self._continue()
            except _RefusedError:
                raise
            except UnreachableError:
                failures = failures + 1 if self.here <= before else 1
                if failures >= ATTEMPTS:
                    raise
                if self.errand.stop.wait(self.errand.pause * 2 ** (failures - 1)):
                    raise _StoppedError from None
            else:
                return self.digest.hexdigest()

    def _recall(self) -> None:
        """Count what an earlier run left."""
        self.file.seek(0)
        while chunk := self.file.read(CHUNK):
            self.digest.update(chunk)
            self.here += len(chunk)
        if self.here:
            self.errand.say("advanced", self.download, self.here)

    def _restart(self) -> None:
        self.file.truncate(0)
        self.errand.say("advanced", self.download, -self.here)
        self.digest, self.here = hashlib.sha256(), 0

    def _continue(self) -> None:
        if self.here and self.here == self.download.size:
            return
        url = self.download.url
        with self.errand.client.stream(url, self.here) as answer:
            if answer.status == UNSATISFIABLE and self.here:
                self._restart()
                raise UnreachableError(url, "the server has less of the file than has arrived already")
            if answer.status not in {OK, PARTIAL}:
                failure = UnreachableError if answer.status in PASSING else _RefusedError
                raise failure(url, f"the server answered with status {answer.status} instead of the file")
            headers = {key.lower(): value for key, value in answer.headers.items()}
            if self.here and not self._continues(answer.status, headers):
                self._restart()
                if answer.status == PARTIAL:
                    raise UnreachableError(url, "the server sent another part of the file than was asked for")
            expected = self._expected(headers)
            for chunk in answer.chunks:
                self._take(chunk)
        if expected is not None and self.here < expected:
            raise UnreachableError(url, f"the connection ended after {self.here} of {expected} bytes")

    def _continues(self, status: int, headers: Mapping[str, str]) -> bool:
        granted = headers.get("content-range", f"bytes {self.here}-")
        return status == PARTIAL and granted.startswith(f"bytes {self.here}-")

    def _expected(self, headers: Mapping[str, str]) -> int | None:
        """The size of the whole, as this answer or the index has it."""
        if headers.get("content-encoding", "identity") not in {"", "identity"}:
            return self.download.size
        length = headers.get("content-length", "")
        return self.here + int(length) if length.isdecimal() else self.download.size

    def _take(self, chunk: bytes) -> None:
        if self.errand.stop.is_set():
            raise _StoppedError
        view = memoryview(chunk)
        while view:
            view = view[self.file.write(view) :]
        self.digest.update(chunk)
        self.here += len(chunk)
        self.errand.say("advanced", self.download, len(chunk))
