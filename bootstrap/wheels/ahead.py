"""A wheel that is unpacked while it arrives: its directory is fetched first, each file is written as its bytes come.

    pieces    ████ ░░░░ ██░░░ ░░░░░ ████  <- the directory, METADATA, RECORD: names and hashes are known from the start
    files     ✓✓✓✓      ✓✓…

Nothing of it counts before the hash of the whole archive is the promised one: until then it lies in a folder that
nobody looks into but who comes back to the same archive (halfway.py). It is done only for bytes that stay: those of one
run in pieces, of one edition. Whatever is doubtful ends it without a word, and the archive is unpacked once it is
whole, as any other; that is also who says what is wrong with a wheel.
"""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from bootstrap.errors import BootstrapError, CannotWriteError
from bootstrap.wheels.archive import Reader, reader_of
from bootstrap.wheels.board import Board
from bootstrap.wheels.contents import Contents
from bootstrap.wheels.halfway import Ledger
from bootstrap.wheels.inspection import outline
from bootstrap.wheels.journal import Span
from bootstrap.wheels.unpack import fill

__all__ = ["Ahead", "Follower"]

Refuse = Callable[[BaseException], None]
BLINK = 0.02  # seconds between two looks at what has arrived


class Follower(Protocol):
    """Who wants to know what is arriving."""

    def follow(self, part: Path, board: Board, refuse: Refuse) -> None:
        """The bytes that the board does not miss are in the part, and stay as they are. `refuse` ends the transfer."""

    def drop(self) -> None:
        """They may not stay; or no more will come."""


class _GoneError(Exception):
    """No more will come."""


class _Arriving:
    """The supply of an archive that is still being fetched."""

    def __init__(self, read: Reader, board: Board, over: threading.Event) -> None:
        self._read, self._board, self._over = read, board, over
        self._front = 0

    def missing(self) -> tuple[Span, ...]:
        return self._board.missing

    def wait(self) -> None:
        if self._over.wait(BLINK):
            raise _GoneError

    def read(self, start: int, end: int) -> bytes:
        end = min(end, self._board.size)
        while end > self._front and not self._is_here(start, end):
            self.wait()
        return self._read(start, end)

    def _is_here(self, start: int, end: int) -> bool:
        missing = self._board.missing
        self._front = missing[0][0] if missing else self._board.size
        return not any(first < end and start < last for first, last in missing)


class _File(io.RawIOBase):
    """The same as a file with a position."""

    def __init__(self, supply: _Arriving, size: int) -> None:
        super().__init__()
        self._supply, self._size, self._here = supply, size, 0

    def seek(self, offset: int, whence: int = 0) -> int:
        self._here = offset + (0, self._here, self._size)[whence]
        return self._here

    def read(self, count: int = -1) -> bytes:
        end = self._size if count < 0 else min(self._size, self._here + count)
        found = self._supply.read(self._here, end)
        self._here += len(found)
        return found


class Ahead:
    """One wheel in the making, below `tree`; `close` ends the work on it."""

    def __init__(self, filename: str, tree: Path, ledger: Ledger) -> None:
        self._filename, self._tree, self._ledger = filename, tree, ledger
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._opened = ExitStack()
        self._contents: Contents | None = None

    def follow(self, part: Path, board: Board, refuse: Refuse) -> None:
        """Begin. Only the first time: of a second run nobody knows what it leaves as it was."""
        if self._thread is not None or self._over.is_set():
            return
        file = self._opened.enter_context(part.open("rb", buffering=0))
        supply = _Arriving(reader_of(file), board, self._over)
        self._thread = threading.Thread(target=self._unpack, args=(supply, board.size, refuse), daemon=True)
        self._thread.start()

    def drop(self) -> None:
        self._over.set()

    def contents(self) -> Contents | None:
        """What is in the folder, once all is; None if it did not come to that."""
        if self._thread is not None:
            self._thread.join()
        return None if self._over.is_set() else self._contents

    def close(self) -> None:
        self.drop()
        if self._thread is not None:
            self._thread.join()
        self._opened.close()

    def _unpack(self, supply: _Arriving, size: int, refuse: Refuse) -> None:
        # Whatever else is wrong will be said when the whole is unpacked.
        with contextlib.suppress(_GoneError, BootstrapError, OSError):
            plan = outline(_File(supply, size), supply.read, self._filename)  # type: ignore[arg-type]
            try:
                self._contents = fill(plan, supply, self._filename, self._tree, self._ledger)
            except CannotWriteError as error:
                refuse(error)
