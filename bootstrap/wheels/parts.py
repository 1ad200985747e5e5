"""Where an archive gathers, and who is at it: one at a time, by a lock on the file itself.

<sha256>.part       of an archive whose hash was promised; it outlives a kill
<address>.part      of one without a promise, under half a hash of its address; nobody comes back to it after a break
….journal           which pieces of it are there   (journal.py)
….tree, ….files     what is unpacked of it         (halfway.py)
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import sys
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from bootstrap.wheels.arrival import discard
from bootstrap.wheels.halfway import wiped
from bootstrap.wheels.locks import is_at
from bootstrap.wheels.transfer import Download

if sys.platform != "win32":
    import fcntl

__all__ = ["PROMISED", "Held", "clear", "forget", "held", "part_of", "unheld"]

LOCKS = sys.platform != "win32"  # without them parts have names of their own, and nobody comes back to one
PROMISED = hashlib.sha256().digest_size * 2  # letters of a part's name that is a hash


def part_of(download: Download, incoming: Path) -> Path:
    """The part of an archive below a folder."""
    if not LOCKS:
        name = secrets.token_hex(16)
    elif download.sha256 is not None:
        name = download.sha256.lower()
    else:
        name = hashlib.sha256(download.url.encode()).hexdigest()[: PROMISED // 2]
    return incoming / f"{name}.part"


class Held(NamedTuple):
    """A part that is opened. `alone`: nobody else can be at it; some file systems cannot promise that."""

    part: Path
    file: FileIO
    alone: bool


@contextlib.contextmanager
def held(part: Path) -> Iterator[Held]:
    """The part, opened and ours alone. A lock on a file that was removed meanwhile is worth nothing: open it again."""
    while True:
        with FileIO(part, "a+b") as file:
            alone = _locked(file)
            if not _is(part, file):
                continue
            try:
                if len(part.stem) != PROMISED:  # nothing would tell whether what a kill left is of the same file
                    file.truncate(0)
                yield Held(part, file, alone)
            finally:
                if len(part.stem) != PROMISED:
                    if alone and _is(part, file):
                        clear(part)
                    forget(part)
            return


@contextlib.contextmanager
def unheld(part: Path) -> Iterator[bool]:
    """Whether nobody else holds the part, which is made if there is none; then it is ours for the time of the block."""
    with FileIO(part, "a+b") as file:
        if sys.platform != "win32":
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
        yield LOCKS and _is(part, file)


def clear(part: Path) -> None:
    """What was unpacked of the part is gone; only for who holds it. Raises OSError."""
    wiped(part.with_suffix(".tree"), part.with_suffix(".files"))


def forget(part: Path) -> None:
    """The part before its journal: a journal alone says nothing of what is not there."""
    discard(part)
    discard(part.with_suffix(".journal"))


def _locked(file: FileIO) -> bool:
    """Wait for a file to be ours; False on file systems without locks."""
    if sys.platform != "win32":
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
            return True
    return False


def _is(part: Path, file: FileIO) -> bool:
    return is_at(part, file.fileno())
