"""Archives from where they are into the store, several at once, each resumed where it broke off.

    <root>/incoming/<sha256>.part     what has arrived so far of an archive whose hash was promised; it outlives a kill
    <root>/incoming/<sha256>.journal  which pieces of it that are, where it does not simply grow at its end
    <root>/incoming/<random>.part     the same without a promise; removed when the download ends, however it ends

A part is held under a lock, so two processes that want the same archive load it once: the second waits and then finds
it in the store. What is in a part counts for nothing until the hash of all of it is the promised one. What nobody came
back to for two weeks is removed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from io import FileIO
from pathlib import Path

from bootstrap.errors import BadDistributionError, CannotWriteError, HashMismatchError
from bootstrap.wheels.arrival import Arrival, discard
from bootstrap.wheels.disk import writing
from bootstrap.wheels.store import Store, StoredWheel
from bootstrap.wheels.transfer import Download, Errand, Event, Source, StoppedError, Streamed

if sys.platform != "win32":
    import fcntl

__all__ = ["Download", "Event", "Source", "Streamed", "fetch"]

PAUSE = 0.5  # seconds before the second attempt, doubled for each further one
LOCKS = sys.platform != "win32"  # without them parts have names of their own, and nobody comes back to one
PROMISED = hashlib.sha256().digest_size * 2  # letters of a part's name that is a hash
GRACE = 0.5  # seconds for noting what has arrived, when somebody interrupts
OLD = 14 * 24 * 3600.0  # seconds


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
    errand = Errand(client, report, pause)
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
            _sweep(store.incoming, time.time())
        found.update(_fetch_missing(missing, errand, store, workers))
    return found


def _fetch_missing(
    missing: Mapping[str, Download], errand: Errand, store: Store, workers: int
) -> Mapping[str, StoredWheel]:
    biggest_first = sorted(missing.values(), key=lambda each: -(each.size or 0))
    running: dict[Future[StoredWheel], Download] = {Future(): each for each in biggest_first}
    waiting = deque(running.items())
    threads = [
        threading.Thread(target=_work, args=(waiting, errand, store), daemon=True)
        for _ in range(max(1, min(workers, len(waiting))))
    ]
    for thread in threads:
        thread.start()
    try:
        done, _ = wait(running, return_when=FIRST_EXCEPTION)
        if any(each.exception() for each in done):
            errand.stop.set()
        for thread in threads:
            thread.join()
    except KeyboardInterrupt:
        errand.stop.set()
        end = time.monotonic() + GRACE
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
        raise
    failures = [error for each in done if (error := each.exception()) and not isinstance(error, StoppedError)]
    if failures:
        if isinstance(failures[0], CannotWriteError):
            # What has arrived would be of use another time, but on a full disk it is in everybody's way.
            for each in biggest_first:
                _discard(_part_of(each, store))
        raise failures[0]
    return {each.url: future.result() for future, each in running.items()}


def _work(waiting: deque[tuple[Future[StoredWheel], Download]], errand: Errand, store: Store) -> None:
    """What each thread does. It is a daemon: who interrupts us waits for no server, and a kill does no harm."""
    while not errand.stop.is_set():
        try:
            future, download = waiting.popleft()
        except IndexError:
            return
        try:
            future.set_result(_fetch_one(download, errand, store))
        except BaseException as error:  # noqa: BLE001  a thread's errors are raised by who waits for it
            future.set_exception(error)


def _fetch_one(download: Download, errand: Errand, store: Store) -> StoredWheel:
    part = _part_of(download, store)
    with writing(f"downloading {download.filename}", store.incoming, download.size), _held(part) as file:
        found = store.find(download.sha256) if download.sha256 else None
        if found is not None:
            errand.say("stored", download)
        else:
            found = _load(download, file, part, errand, store)
            errand.say("finished", download)
        _discard(part)
        return found


def _part_of(download: Download, store: Store) -> Path:
    """Where an archive gathers: under its hash, or under a name of its own that nobody will come back to."""
    name = download.sha256.lower() if download.sha256 is not None and LOCKS else secrets.token_hex(16)
    return store.incoming / f"{name}.part"


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
                if len(part.stem) != PROMISED:
                    _discard(part)
            return


def _is(part: Path, file: FileIO) -> bool:
    try:
        return os.path.samestat(part.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _discard(part: Path) -> None:
    """The part before its journal: a journal alone says nothing of what is not there."""
    discard(part)
    discard(part.with_suffix(".journal"))


def _sweep(incoming: Path, now: float) -> None:
    """Remove what nobody came back to, unless somebody is at it at this moment."""
    for each in incoming.iterdir():
        with contextlib.suppress(OSError):
            if now - each.stat().st_mtime < OLD:
                continue
            if each.suffix == ".part":
                with _unheld(each) as free:
                    if free:
                        _discard(each)
            elif not each.with_suffix(".part").exists():
                each.unlink()


@contextlib.contextmanager
def _unheld(part: Path) -> Iterator[bool]:
    """Whether nobody else holds the part; then it is ours for the time of the block."""
    with FileIO(part, "r+b") as file:
        if sys.platform != "win32":
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
        yield LOCKS


def _load(download: Download, file: FileIO, part: Path, errand: Errand, store: Store) -> StoredWheel:
    """Load what is missing and hand the whole to the store."""
    errand.say("started", download, download.size or 0)
    promised = download.sha256.lower() if download.sha256 else None
    errand.connections.first(download.url)
    try:
        arrival = Arrival(download, file, part, errand)
        actual, patched = arrival.complete()
        if promised and actual != promised and patched:
            actual = arrival.again()
    finally:
        errand.connections.less(download.url)
    if promised and actual != promised:
        _discard(part)
        raise HashMismatchError(download.filename, promised, actual)
    try:
        return store.adopt(part, download.filename, actual)
    except BadDistributionError:
        _discard(part)  # it is what was promised, and would be refused again
        raise
