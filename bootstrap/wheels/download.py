"""Archives from where they are into the store, several at once, each resumed where it broke off.

    <root>/incoming/<sha256>.part     what has arrived so far of an archive whose hash was promised; it outlives a kill
    <root>/incoming/<sha256>.journal  which pieces of it that are, where it does not simply grow at its end
    <root>/incoming/<sha256>.tree     what was unpacked of it meanwhile, and <sha256>.files, what that is (halfway.py)
    <root>/incoming/<address>.part    the same without a promise; removed when the download ends, however it ends
    <root>/incoming/<address>.note    what hash that had, for who waited for it or asks within ten minutes

A part is held under a lock, so two processes that want the same archive load it once: the second waits and then finds
it in the store. <address> is half a hash of the address. What is in a part counts for nothing until the hash of all of
it is the promised one. What nobody came back to for two weeks is removed.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from pathlib import Path
from typing import NamedTuple

from bootstrap.errors import BadDistributionError, CannotWriteError, HashMismatchError
from bootstrap.wheels.ahead import Ahead
from bootstrap.wheels.disk import put, writing
from bootstrap.wheels.halfway import Halfway, Ledger, Nothing
from bootstrap.wheels.loading import load
from bootstrap.wheels.making import made_beside
from bootstrap.wheels.parts import PROMISED, Held, clear, forget, held, part_of, unheld
from bootstrap.wheels.preflight import ensure_room, needs_of
from bootstrap.wheels.store import DOWNLOADS_KEPT, Store, StoredWheel
from bootstrap.wheels.transfer import PAUSE, Download, Errand, Event, Source, StoppedError, Streamed
from bootstrap.wheels.unpack import unpack, unpacked_size
from bootstrap.wheels.wheelhouse import Wheelhouse

__all__ = ["Download", "Event", "Source", "Streamed", "fetch"]

NOTE, FRESH = ".note", 600.0  # seconds for which pages count as fresh where the server says nothing
GRACE = 0.5  # seconds for noting what has arrived, when somebody interrupts


def fetch(
    files: Sequence[Download],
    client: Source,
    store: Store,
    *,
    report: Callable[[Event], None],
    workers: int,
    pause: float = PAUSE,
    environment: Path | None = None,
    wheelhouse: Wheelhouse | None = None,
) -> Mapping[str, StoredWheel]:
    """Every file as an entry of the store, by its `url`; what the store has already is not loaded again.

    A `wheelhouse` gets every archive, and what it lacks is loaded for it. The files of the wheels will be needed in
    `environment` too: there and in the store there has to be room for them.
    The biggest start first, `workers` at once; `report` is called from one thread at a time. The first failure stops
    the others. Raises UnreachableError, HashMismatchError, BadDistributionError, CannotWriteError, NotPermittedError.
    """
    errand = Errand(client, report, pause, wheelhouse)
    found: dict[str, StoredWheel] = {}
    missing: dict[str, Download] = {}
    for each in files:
        entry = store.find(each.sha256) if each.sha256 else None
        if entry is None or not errand.has_kept(each):
            missing[each.url] = each
        else:
            found[each.url] = entry
            errand.say("stored", each)
    if missing:
        sizes = [each.size or 0 for each in missing.values()]
        ensure_room(needs_of(sizes, store.root, environment), f"fetching {len(sizes)} files")
        with writing("preparing downloads", store.root):
            store.incoming.mkdir(parents=True, exist_ok=True)
            _sweep(store, time.time())
            store.sweep()
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
                _give_up(part_of(each, store.incoming))
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
    part = part_of(download, store.incoming)
    with writing(f"downloading {download.filename}", store.incoming, download.size), held(part) as ours:
        known = download.sha256 or _noted(part)
        found = store.find(known) if known else None
        if found is not None and errand.has_kept(download):
            errand.say("stored", download)
        else:
            found = _load(download, ours, errand, store)
            if download.sha256 is None:
                put(part.with_suffix(NOTE), found.sha256.encode())
            if wheelhouse := errand.wheelhouse:
                wheelhouse.take(part, download.filename)
            errand.say("finished", download)
        forget(part)
        return found


def _noted(part: Path) -> str | None:
    """The hash of what somebody else has just fetched from the same address."""
    note = part.with_suffix(NOTE)
    with contextlib.suppress(OSError):
        if time.time() - note.stat().st_mtime < FRESH:
            return note.read_text(encoding="ascii", errors="replace")
    return None


def _sweep(store: Store, now: float) -> None:
    """Remove what nobody will come back to, unless somebody is at it at this moment."""
    newest: dict[Path, float] = {}
    for each in store.incoming.iterdir():
        with contextlib.suppress(OSError):
            changed = each.lstat().st_mtime
            if each.suffix != NOTE:
                part = each.with_suffix(".part")
                newest[part] = max(changed, newest.get(part, changed))
            elif now - changed > FRESH:
                each.unlink()
    for part, changed in newest.items():
        # What has a name of its own, and what is in the store already, was left by a kill.
        is_of_use = len(part.stem) == PROMISED and not store.folder_of(part.stem).exists()
        if not is_of_use or now - changed >= DOWNLOADS_KEPT:
            with contextlib.suppress(OSError):
                _give_up(part)


def _give_up(part: Path) -> None:
    """Nothing stays of a part that nobody holds. Raises OSError."""
    with unheld(part) as free:
        if free:
            clear(part)
            forget(part)


def _load(download: Download, ours: Held, errand: Errand, store: Store) -> StoredWheel:
    """Load what is missing and hand the whole to the store."""
    with _bench(ours, store) as bench:
        try:
            found = _unpacked(download, ours, errand, store, bench)
        except (HashMismatchError, BadDistributionError):
            clear(ours.part)
            forget(ours.part)  # what it has would be refused again
            raise
    clear(ours.part)
    return found


class _Bench(NamedTuple):
    """The folder in which a wheel becomes an entry, and who remembers how far it is."""

    folder: Path
    ledger: Ledger


@contextlib.contextmanager
def _bench(ours: Held, store: Store) -> Iterator[_Bench]:
    """Beside the part, where the next run finds what an interrupted one has made; in private where others may be."""
    if ours.alone:
        with contextlib.closing(Halfway(ours.part.with_suffix(".files"))) as ledger:
            yield _Bench(ours.part.with_suffix(".tree"), ledger)
    else:
        with made_beside(store.workplace, ours.part.stem[:16]) as folder:
            yield _Bench(folder, Nothing())


def _unpacked(download: Download, ours: Held, errand: Errand, store: Store, bench: _Bench) -> StoredWheel:
    part, tree = ours.part, bench.folder / "tree"
    with contextlib.closing(Ahead(download.filename, tree, bench.ledger)) as ahead:
        actual = load(download, ours.file, part, errand, ahead)
        contents = ahead.contents()
    if found := store.find(actual):  # of an archive whose hash nobody knew
        return found
    with writing(f"unpacking {download.filename}", store.root, None if contents else unpacked_size(part)):
        return store.keep(bench.folder, contents or unpack(part, download.filename, tree, bench.ledger), actual)
