"""One large file over several connections: each fetches pieces of it and writes them to their place in the file.

    board   who fetches which bytes         pace      how many connections
    journal which bytes have arrived        ahead     unpacks what has arrived

What is complete from the beginning on is hashed as it grows.

Every answer has to say that it holds the bytes that were asked for, of the file whose first piece came first. A server
that sends something else a few times, or another file, ends the work in pieces; what is done then is the caller's
matter. A connection that is refused while others work is given up; the last one has patience.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from io import FileIO
from pathlib import Path

from bootstrap.errors import RefusedError, UnreachableError
from bootstrap.index.patience import Patience
from bootstrap.wheels.ahead import Follower
from bootstrap.wheels.answers import AstrayError, ChangedError, Given, LaterError, given, if_range
from bootstrap.wheels.board import Board, Lane
from bootstrap.wheels.journal import Edition, Journal, Span
from bootstrap.wheels.pace import WINDOW, Pace
from bootstrap.wheels.transfer import Download, Errand, StoppedError, Streamed, Trickle, spread

__all__ = ["LEAST_CLAIM", "NoPiecesError", "Pieces"]

MEGABYTE = 1024 * 1024
LEAST_CLAIM, MOST_CLAIM = 8 * MEGABYTE, 64 * MEGABYTE
SMALLEST_CLAIM = 4 * MEGABYTE
CLAIM_SECONDS = 1.0  # how long one request should last at most
NOTED = MEGABYTE  # bytes after which they are noted and told, or
NOTED_SECONDS = 0.3
STRIKES = 3  # answers with other bytes than were asked for
BLINK = 0.02  # seconds


class NoPiecesError(UnreachableError):
    """This server is no good for pieces; everything before byte `kept` is there."""

    def __init__(self, url: str, problem: str, kept: int) -> None:
        super().__init__(url, problem)
        self.kept = kept


class Pieces:
    """A file of `edition.size` bytes, of which `have` are in `part` already; `lanes` connections were of use before."""

    def __init__(
        self,
        errand: Errand,
        download: Download,
        *,
        part: Path,
        edition: Edition,
        have: tuple[Span, ...],
        patience: Patience,
        lanes: int,
        follower: Follower,
    ) -> None:
        self.errand, self.download, self.part, self.edition = errand, download, part, edition
        self.board = Board(have, edition.size)
        self.journal = Journal(part.with_suffix(".journal"), edition, have)
        self.patience, self.pace = patience, Pace()
        self.follower = follower
        self.validator = edition.validator
        self.lock = threading.Lock()
        self.lanes, self.wanted = 1, lanes
        self.threads: list[threading.Thread] = []
        self.strikes = 0
        self.failure: BaseException | None = None
        self.over = threading.Event()
        self.begin, self.received, self.rate = time.monotonic(), 0, 0.0

    def complete(self, answer: Streamed, found: Given) -> str:
        """Fetch everything that is missing; `answer` is the first piece of it. The hash of the whole as hex digits.

        Raises UnreachableError, RefusedError, ChangedError, NoPiecesError, StoppedError, OSError.
        """
        digest = hashlib.sha256()
        hashing = threading.Thread(target=self._follow, args=(digest.update,), daemon=True)
        hashing.start()
        try:
            first = self.board.claim((found.end or self.board.size) - found.start)
            self.follower.follow(self.part, self.board, self._fail)
            with self.lock:
                self._widen()
            self._work(first, answer, found)
            while self._unfinished():  # the last two may have left the field to each other
                self._work(self._next())
        finally:
            self._join()
            hashing.join()  # a failure has told it to end
            self.journal.close()
        if self.failure is not None:
            raise self.failure
        return digest.hexdigest()

    def _unfinished(self) -> bool:
        self._join()
        self.lanes = self.wanted = 1
        return self.failure is None and self.board.left > 0

    def _join(self) -> None:
        for thread in self.threads:  # it grows only while one of them is at work
            thread.join()

    def _follow(self, update: Callable[[memoryview], None]) -> None:
        """Hash what is complete from the beginning on."""
        here = 0
        buffer = memoryview(bytearray(MEGABYTE))
        try:
            with FileIO(self.part, "rb") as file:
                while here < self.board.size and not self.over.is_set():
                    front = self.board.front
                    if front == here:
                        self.over.wait(BLINK)
                        continue
                    count = file.readinto(buffer[: min(MEGABYTE, front - here)])
                    if not count:
                        raise OSError(f"{self.part} was cut by somebody else")  # noqa: TRY301
                    update(buffer[:count])
                    here += count
        except BaseException as error:  # noqa: BLE001  a thread's errors are raised by who waits for it
            self._fail(error)

    def _work(self, lane: Lane | None, answer: Streamed | None = None, found: Given | None = None) -> None:
        """What one connection does: claim after claim, until none is left, or until it is one too many."""
        try:
            with FileIO(self.part, "r+b") as file:
                while lane is not None:
                    stays = self._claimed(lane, file, answer, found)
                    answer = found = None
                    lane = self._next() if stays else None
        except BaseException as error:  # noqa: BLE001  see above
            self._fail(error)
        finally:
            with self.lock:
                self.lanes -= 1

    def _claimed(self, lane: Lane, file: FileIO, answer: Streamed | None, found: Given | None) -> bool:
        """Fetch one claim; whether this connection is still of use."""
        try:
            while lane.position < lane.end:
                before = lane.position
                try:
                    if answer is not None and found is not None:
                        self._take(lane, file, answer, found)
                    else:
                        self._ask(lane, file)
                except (RefusedError, ChangedError, NoPiecesError):
                    raise
                except UnreachableError as error:
                    if not self._endures(error, progress=lane.position > before):
                        return False
                finally:
                    answer = found = None
        finally:
            self.board.give_back(lane)
        return True

    def _next(self) -> Lane | None:
        with self.lock:
            if self.lanes > self.wanted:
                return None
            lanes = max(1, self.lanes)
            share = int(self.rate / lanes * CLAIM_SECONDS)
        # Towards the end ever less, so that what unpacks from the front on is not left with half of it at the last.
        share = min(MOST_CLAIM, share, self.board.left // (2 * lanes))
        return self.board.claim(max(SMALLEST_CLAIM, share // MEGABYTE * MEGABYTE))

    def _ask(self, lane: Lane, file: FileIO) -> None:
        unchanged = if_range(self.validator)
        with self.errand.client.piece(self.download.url, lane.position, lane.end, unchanged) as answer:
            found = given(self.edition.url, answer.status, {key.lower(): each for key, each in answer.headers.items()})
            self._check(found, lane.position)
            self._take(lane, file, answer, found)

    def _check(self, found: Given, start: int) -> None:
        """Is this a piece of the same file, and the one that was asked for?"""
        other = found.size is not None and found.size != self.edition.size
        if other or (found.validator and self.validator and found.validator != self.validator):
            raise ChangedError(self.edition.url, "the file was replaced by another one while it was being fetched")
        if found.start != start or found.end is None or found.size is None:
            raise AstrayError(self.edition.url, "the server sent another part of the file than was asked for")

    def _take(self, lane: Lane, file: FileIO, answer: Streamed, found: Given) -> None:
        """Write the piece to its place. Raises UnreachableError if it is short or too slow."""
        granted = found.end or lane.end
        file.seek(lane.position)
        told = time.monotonic()
        trickle = Trickle(self.edition.url, told)
        try:
            for chunk in answer.chunks:
                if self.errand.stop.is_set() or self.over.is_set():
                    raise StoppedError
                room = max(0, min(lane.end, granted) - lane.position)
                _write(file, chunk[:room])
                lane.position += min(len(chunk), room)
                if lane.position >= lane.end < granted:
                    break  # another connection has taken over the rest
                now = time.monotonic()
                if lane.position - lane.noted >= NOTED or now - told >= NOTED_SECONDS:
                    self._note(lane, now)
                    told = now
                trickle.watch(len(chunk), now)
        finally:
            self._note(lane, time.monotonic())
        if lane.position < min(lane.end, granted):
            problem = f"the connection ended after {lane.position} of {self.edition.size} bytes"
            raise UnreachableError(self.edition.url, problem)

    def _note(self, lane: Lane, now: float) -> None:
        """Write down and tell what has arrived, and use the occasion to think about the number of connections."""
        count = lane.position - lane.noted
        if count:
            self.journal.note(lane.noted, lane.position)
            lane.noted = lane.position
            self.errand.say("advanced", self.download, count)
        with self.lock:
            self.received += count
            if self.received >= MEGABYTE:
                self.patience.renew()
            if now - self.begin < WINDOW or self.over.is_set():
                return
            self.rate = self.received / (now - self.begin)
            self.begin, self.received = now, 0
            before, self.wanted = self.wanted, self.pace.judge(self.lanes, self.rate, self.board.left)
            if self.wanted != before:
                self._widen()

    def _widen(self) -> None:
        while self.lanes < self.wanted and self._another():
            pass
        self.journal.use(min(self.lanes, self.wanted))

    def _another(self) -> bool:
        """One more connection, if the host and the others leave room for it."""
        if not self.errand.connections.further(self.download.url):
            return False
        lane = self.board.claim(SMALLEST_CLAIM)
        if lane is None:
            self.errand.connections.less(self.download.url)
            return False
        thread = threading.Thread(target=self._further, args=(lane,), daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system allows no more of them
            self.board.give_back(lane)
            self.errand.connections.less(self.download.url)
            return False
        self.lanes += 1
        self.threads.append(thread)
        return True

    def _further(self, lane: Lane) -> None:
        try:
            self._work(lane)
        finally:
            self.errand.connections.less(self.download.url)

    def _endures(self, error: UnreachableError, *, progress: bool) -> bool:
        """After a failure: wait, or leave the field to the others. Raises the error when patience has ended."""
        with self.lock:
            if isinstance(error, AstrayError):
                self.strikes += 1
                if self.strikes >= STRIKES:
                    raise NoPiecesError(error.url, error.problem, self.board.front)
            if self.lanes > 1 and not progress:
                self.wanted = self.lanes - 1
                self.pace.rest()
                return False
            asked = error.wait if isinstance(error, LaterError) else None
            wait = self.patience.after(progress=progress, asked=asked)
        if wait is None:
            raise error
        end = time.monotonic() + spread(wait)
        while (rest := end - time.monotonic()) > 0:
            if self.over.wait(min(rest, NOTED_SECONDS)) or self.errand.stop.is_set():
                raise StoppedError
        return True

    def _fail(self, error: BaseException) -> None:
        """The first failure is the one that is told; it ends the others."""
        with self.lock:
            if self.failure is None:
                self.failure = error
        self.over.set()
        self.follower.drop()


def _write(file: FileIO, chunk: bytes) -> None:
    written = file.write(chunk) or 0
    while written < len(chunk):
        written += file.write(chunk[written:]) or 0
