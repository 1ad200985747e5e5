"""The files of a wheel, written by several threads out of an archive that may still be arriving.

    a large member     a job of its own, begun when its first bytes are here; it waits for the others as it goes
    small members      as many as make a megabyte are a job, begun when all of them are here

Of the jobs that can begin, the one that takes longest goes first. Inflating and hashing leave the interpreter to
others, so that receiving, inflating and making small files keep every core busy at once.
"""

from __future__ import annotations

import base64
import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from bootstrap.wheels.archive import Member, Reader, content, proved, whole_content
from bootstrap.wheels.directory import BrokenArchiveError, Entry
from bootstrap.wheels.inspection import Plan, damaged
from bootstrap.wheels.journal import Span
from bootstrap.wheels.record import Row
from bootstrap.wheels.workers import thread_count

__all__ = ["Supply", "Whole", "Written", "executable", "filled"]

LARGE = 1 << 20
"""Bytes of a member, packed or not, from which it is a job of its own, and bytes of a job of small ones."""
FIRST = 1 << 18  # bytes of a large member that have to be here for it to begin
WORTH = 16 << 20  # bytes of files from which it takes longer to write a wheel than to start threads for it
MAKING = 20_000  # bytes that are written in the time that one file more takes
NO_ROW = Row("", None)


class Supply(Protocol):
    """The bytes of an archive, all of them here or not."""

    def read(self, start: int, end: int) -> bytes:
        """Bytes `start` up to `end`, once they are here."""

    def missing(self) -> Sequence[Span]:
        """What is not here yet, in order."""

    def wait(self) -> None:
        """Return when it is worth to look again. `read` and `wait` raise what ends the work."""


class Whole(NamedTuple):
    """An archive that is here."""

    read: Reader

    def missing(self) -> Sequence[Span]:
        return ()

    def wait(self) -> None:
        return


class Written(NamedTuple):
    """A file as it is now: its RECORD hash, whether it is the one that was promised, and its size in bytes."""

    digest: str
    as_promised: bool
    size: int


class _Job(NamedTuple):
    """Members that lie side by side up to `end`; it can begin when everything from `start` to `need` is here."""

    members: tuple[Member, ...]
    start: int
    need: int
    end: int
    weight: int

    @property
    def is_large(self) -> bool:
        return _is_large(self.members[0])


def filled(
    supply: Supply,
    plan: Plan,
    tree: str,
    *,
    done: Mapping[str, Written],
    note: Callable[[Mapping[str, Written | str]], None],
    workers: int | None = None,
) -> Mapping[str, Written | str]:
    """Each file of the plan as it was written below `tree`, which has its folders, or what is wrong with it.

    Those that are `done` are there already; `note` is told of others from several threads. Raises OSError, and what
    the supply raises.
    """
    crew = _Crew(supply, plan, tree, done, note)
    further = (workers or thread_count()) - 1 if plan.size >= WORTH else 0
    threads = [threading.Thread(target=crew.work, daemon=True) for _ in range(further)]
    for each in threads:
        each.start()
    try:
        crew.work()
    except BaseException as error:  # an interrupt; the errors of work are kept by it
        crew.fail(error)
        raise
    finally:
        for each in threads:
            each.join()
    if crew.failure is not None:
        raise crew.failure
    return crew.outcomes


class _Crew:
    """What the threads share."""

    def __init__(
        self,
        supply: Supply,
        plan: Plan,
        tree: str,
        done: Mapping[str, Written],
        note: Callable[[Mapping[str, Written | str]], None],
    ) -> None:
        self.supply, self.plan, self.tree, self.note = supply, plan, tree, note
        self.outcomes: dict[str, Written | str] = dict(done)
        self.failure: BaseException | None = None
        members = (each for each in (*plan.members, *plan.folders) if each.entry.filename not in done)
        self._waiting = sorted(
            _jobs(sorted(members, key=lambda each: each.entry.offset)), key=lambda each: -each.weight
        )
        self._lock = threading.Lock()

    def work(self) -> None:
        try:
            while (job := self._next()) is not None:
                outcomes = dict(self._done(job))
                self.note(outcomes)
                self.outcomes.update(outcomes)
        except Exception as error:  # noqa: BLE001  a thread's errors are raised by who waits for it
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        self.failure = self.failure or error

    def _next(self) -> _Job | None:
        """The longest job that can begin. Who waits holds the lock: the others could only wait too."""
        with self._lock:
            while self._waiting and self.failure is None:
                missing = self.supply.missing()
                for index, job in enumerate(self._waiting):
                    if not _overlap(missing, job.start, job.need):
                        return self._waiting.pop(index)
                self.supply.wait()
        return None

    def _done(self, job: _Job) -> Iterator[tuple[str, Written | str]]:
        if job.is_large:
            yield from self._tried(job.members, lambda member, row, file: _stream(self.supply.read, member, row, file))
            return
        window = memoryview(self.supply.read(job.start, job.end))

        def read(start: int, end: int) -> bytes:
            return bytes(window[start - job.start : end - job.start])

        yield from self._tried(job.members, lambda member, row, file: _at_once(read, member, row, file))

    def _tried(
        self, members: Iterable[Member], write: Callable[[Member, Row, str], Written | None]
    ) -> Iterator[tuple[str, Written | str]]:
        for member in members:
            name = member.entry.filename
            try:
                done = write(member, self.plan.rows.get(name, NO_ROW), f"{self.tree}/{name}")
            except BrokenArchiveError as error:
                yield name, f"{name!r}: {damaged(error)}"
            except FileExistsError:
                yield name, f"{name!r} is taken for another of its files by the file system of {self.tree}"
            else:
                if done is not None:
                    yield name, done


def _jobs(members: Sequence[Member]) -> Iterator[_Job]:
    batch: list[Member] = []
    for each in members:
        if _is_large(each):
            yield from _batched(batch)
            start = each.entry.offset
            yield _Job((each,), start, min(each.limit, start + FIRST), each.limit, each.entry.size + MAKING)
            batch = []
            continue
        batch.append(each)
        if each.limit - batch[0].entry.offset >= LARGE:
            yield from _batched(batch)
            batch = []
    yield from _batched(batch)


def _batched(batch: Sequence[Member]) -> Iterator[_Job]:
    if batch:
        start, end = batch[0].entry.offset, batch[-1].limit
        yield _Job(tuple(batch), start, end, end, sum(each.entry.size + MAKING for each in batch))


def _is_large(member: Member) -> bool:
    return max(member.entry.size, member.limit - member.entry.offset) >= LARGE


def _overlap(missing: Iterable[Span], start: int, end: int) -> bool:
    return any(first < end and start < last for first, last in missing)


def _at_once(read: Reader, member: Member, row: Row, path: str) -> Written | None:
    member = proved(read, member)
    if path.endswith("/"):
        return None
    found = whole_content(read, member)
    target = _created(path, member.entry)
    try:
        _write(target, found)
    finally:
        os.close(target)
    algorithm = row.digest.partition("=")[0] or "sha256"
    own = _encoded(hashlib.sha256(found).digest())
    promised = own if algorithm == "sha256" else _encoded(hashlib.new(algorithm, found).digest())
    return _compared(own, f"{algorithm}={promised}", row, len(found))


def _stream(read: Reader, member: Member, row: Row, path: str) -> Written | None:
    """The same in chunks. Never writes more than the archive's directory declares."""
    member = proved(read, member)
    if path.endswith("/"):
        return None
    own = hashlib.sha256()
    algorithm = row.digest.partition("=")[0] or "sha256"
    promised = own if algorithm == "sha256" else hashlib.new(algorithm)
    target = _created(path, member.entry)
    try:
        for chunk in content(read, member):
            own.update(chunk)
            if promised is not own:
                promised.update(chunk)
            _write(target, chunk)
    finally:
        os.close(target)
    return _compared(_encoded(own.digest()), f"{algorithm}={_encoded(promised.digest())}", row, member.entry.size)


def _compared(own: str, promised: str, row: Row, size: int) -> Written:
    as_promised = not row.digest or (row.digest == promised and row.size in {None, size})
    return Written(f"sha256={own}", as_promised, size)


def _encoded(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _created(path: str, entry: Entry) -> int:
    mode = 0o777 if executable(entry) else 0o666
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)


def _write(target: int, content: bytes) -> None:
    written = os.write(target, content)
    while written < len(content):
        written += os.write(target, content[written:])


def executable(entry: Entry) -> bool:
    return bool(entry.mode & 0o111)
