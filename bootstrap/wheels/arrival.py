"""One archive arriving in one file: what an earlier run left, what is missing, and the hash of the whole.

small, or the server knows no ranges   one stream, appended; after a break asked again from where it ended
large                                  a first piece, and from its answer on in pieces (bootstrap/wheels/pieces.py)
pieces went wrong                      one stream from there

<sha256>.part      the bytes; where there is no journal, everything up to its end has arrived
<sha256>.journal   which of its pieces have arrived (bootstrap/wheels/journal.py)
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from io import FileIO
from pathlib import Path

from bootstrap.errors import RefusedError, UnreachableError
from bootstrap.index.addresses import without_credentials
from bootstrap.index.patience import Patience
from bootstrap.wheels import journal
from bootstrap.wheels.ahead import Follower
from bootstrap.wheels.answers import OK, AstrayError, ChangedError, Given, LaterError, given, if_range
from bootstrap.wheels.journal import Edition, Span, gaps
from bootstrap.wheels.pace import MOST_LANES
from bootstrap.wheels.pieces import LEAST_CLAIM, NoPiecesError, Pieces
from bootstrap.wheels.transfer import Download, Errand, StoppedError, Streamed, Trickle

__all__ = ["Arrival", "discard"]

CHUNK = 1024 * 1024
LARGE = 16 * 1024 * 1024  # bytes from which a file is worth several requests
TOLD = 256 * 1024  # bytes between two reports


class Arrival:
    """`file` is `part`, opened for appending and locked."""

    def __init__(self, download: Download, file: FileIO, part: Path, errand: Errand, follower: Follower) -> None:
        self.download, self.file, self.part, self.errand = download, file, part, errand
        self.follower = follower
        self.shown = without_credentials(download.url).partition("#")[0].partition("?")[0]
        self.size = download.size
        self.validator = ""
        self.have: tuple[Span, ...] = ()
        self.digest, self.hashed = hashlib.sha256(), 0
        self.patience = Patience(errand.pause)
        self.lanes = 1
        self.plain = self.patched = False

    def complete(self) -> tuple[str, bool]:
        """Fetch what is missing: the hash of all as hex digits, and whether it was put together from pieces.

        Those may be torn, where a power cut ended an earlier run, or out of place, where a proxy lies about ranges.
        Raises UnreachableError, RefusedError, StoppedError, OSError; what has arrived stays for the next time.
        """
        self._recall()
        self.patched = bool(self.have)
        while (whole := self._hash()) is None:
            before = self.have
            try:
                whole = self._continue()
            except (ChangedError, AstrayError, NoPiecesError) as error:
                self._cut(error.kept if isinstance(error, NoPiecesError) else 0)
                self._endure(error, progress=not self.plain)
                self.plain = True
            except RefusedError:
                raise
            except UnreachableError as error:
                self._endure(error, progress=self.have != before)
            if whole is not None:
                break
        return whole, self.patched

    def again(self) -> str:
        """Forget everything and fetch it anew, in one stream."""
        self._cut(0)
        self.plain, self.patience = True, Patience(self.errand.pause)
        return self.complete()[0]

    def _recall(self) -> None:
        """Count what an earlier run left, if it is of this file."""
        length = self.file.seek(0, os.SEEK_END)
        noted = journal.read(self.part.with_suffix(".journal"))
        if noted is None:
            self.have = ((0, length),) if length else ()
        elif self.download.size not in {None, noted.edition.size}:
            self._cut(0)
        else:
            self.have = journal.merged((start, min(end, length)) for start, end in noted.spans)
            self.size, self.lanes = noted.edition.size, max(1, min(MOST_LANES, noted.lanes))
            self.validator = noted.edition.validator if noted.edition.url == self.shown else ""
        if self.have:
            self.errand.say("resumed", self.download, self._amount)

    @property
    def _amount(self) -> int:
        return sum(end - start for start, end in self.have)

    @property
    def _front(self) -> int:
        return self.have[0][1] if self.have and self.have[0][0] == 0 else 0

    def _cut(self, kept: int) -> None:
        """Forget everything from a byte on, and the journal after it, so that a kill between the two does no harm."""
        before = self._amount
        self.follower.drop()
        self.file.truncate(min(kept, os.fstat(self.file.fileno()).st_size))
        discard(self.part.with_suffix(".journal"))
        self.have = ((0, kept),) if kept else ()
        if kept < self.hashed:
            self.digest, self.hashed = hashlib.sha256(), 0
        if not kept:
            self.validator, self.size = "", self.download.size
        if before != kept:
            self.errand.say("advanced", self.download, kept - before)

    def _hash(self) -> str | None:
        """The hash, if everything is there."""
        if self.size is None or self._front != self.size:
            return None
        self._hash_rest()
        return self.digest.hexdigest()

    def _hash_rest(self) -> None:
        self.file.seek(self.hashed)
        while self.hashed < self._front and (chunk := self.file.read(CHUNK)):
            self.digest.update(chunk)
            self.hashed += len(chunk)

    def _continue(self) -> str | None:
        """One request, and all that follows from it. The hash, where that is known then."""
        start, end = self._missing()
        asked = if_range(self.validator) if self.have else None
        with self.errand.client.piece(self.download.url, start, end, asked) as answer:
            found = given(self.shown, answer.status, {key.lower(): each for key, each in answer.headers.items()})
            if answer.status == OK:
                self._cut(0)
                return self._receive(answer, found)
            self._compare(found, start)
            proof = self.download.sha256 or found.validator
            if end is not None and found.size is not None and found.size >= LARGE and proof:
                return self._in_pieces(answer, found)
            self.plain = self.plain or not proof  # nothing would tell whether the pieces belong together
            self._cut(start)
            return self._receive(answer, found)

    def _missing(self) -> tuple[int, int | None]:
        """What to ask for first: a piece to see how the server takes it, or everything from where we are."""
        if self.plain or (self.size is not None and self.size < LARGE):
            return self._front, None
        if self.size is None:
            return self._front, self._front + LEAST_CLAIM
        start, end = gaps(self.have, self.size)[0]
        return start, min(end, start + LEAST_CLAIM)

    def _compare(self, found: Given, start: int) -> None:
        """Does this part go on from what is here?"""
        if self.have and self.validator and found.validator not in {"", self.validator}:
            raise ChangedError(self.shown, "the file was replaced by another one while it was being fetched")
        if self.have and self.size is not None and found.size not in {None, self.size}:
            raise ChangedError(self.shown, "the file was replaced by one of another size")
        if found.start != start:
            raise AstrayError(self.shown, "the server sent another part of the file than was asked for")

    def _in_pieces(self, answer: Streamed, found: Given) -> str:
        self.size, self.validator, self.patched = found.size or 0, found.validator, True
        edition = Edition(self.shown, self.size, self.validator)
        pieces = Pieces(
            self.errand,
            self.download,
            part=self.part,
            edition=edition,
            have=self.have,
            patience=self.patience,
            lanes=self.lanes,
            follower=self.follower,
        )
        try:
            return pieces.complete(answer, found)
        finally:
            self.have = gaps(pieces.board.missing, self.size)

    def _receive(self, answer: Streamed, found: Given) -> str | None:
        """Append the answer to what is here."""
        self._hash_rest()
        self.validator = found.validator
        self.size = max(self.size or 0, found.size or 0) or None
        here = untold = self._front
        trickle = Trickle(self.shown, time.monotonic())
        try:
            for chunk in answer.chunks:
                if self.errand.stop.is_set():
                    raise StoppedError
                view = memoryview(chunk)
                while view:
                    view = view[self.file.write(view) :]
                self.digest.update(chunk)
                here += len(chunk)
                trickle.watch(len(chunk), time.monotonic())
                if here - untold >= TOLD:
                    self.errand.say("advanced", self.download, here - untold)
                    untold = here
                if self.size is not None and here > self.size:
                    break  # it is another file, and might never end
        finally:
            self.hashed = here
            self.have = ((0, here),) if here else ()
            if here > untold:
                self.errand.say("advanced", self.download, here - untold)
        return self._received(here, found)

    def _received(self, here: int, found: Given) -> str | None:
        """The hash if that was all of it, None if it was all that this answer promised. Raises UnreachableError."""
        whole = self.digest.hexdigest()
        if self.size is None and found.end is None:
            self.size = here  # nobody said how much there is; it ended well
        if here == self.size or whole == (self.download.sha256 or "").lower():
            return whole
        if here == found.size or (self.size is not None and here > self.size):
            self.patched = True  # all of something else, or cut by a proxy that says so; it is worth one more look
            return whole
        if found.end is None or here < found.end or found.end == found.size:
            raise UnreachableError(self.shown, f"the connection ended after {here} of {self.size} bytes")
        return None

    def _endure(self, error: UnreachableError, *, progress: bool) -> None:
        asked = error.wait if isinstance(error, LaterError) else None
        wait = self.patience.after(progress=progress, asked=asked)
        if wait is None:
            raise error
        self.errand.wait(wait)


def discard(part: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        part.unlink()
