"""Where an archive gathers, and who is at it: one at a time, by a lock on the file itself.

<sha256>.part       of an archive whose hash was promised; it outlives a kill
<address>.part      of one without a promise, under half a hash of its address; nobody comes back to it after a break
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import sys
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

from bootstrap.wheels.arrival import discard
from bootstrap.wheels.transfer import Download

if sys.platform != "win32":
    import fcntl

__all__ = ["PROMISED", "forget", "held", "part_of", "unheld"]

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


@contextlib.contextmanager
def held(part: Path) -> Iterator[FileIO]:
    """The part, opened and ours alone. A lock on a file that was removed meanwhile is worth nothing: open it again."""
    while True:
        with FileIO(part, "a+b") as file:
            if sys.platform != "win32":
                with contextlib.suppress(OSError):  # file systems without locks
                    fcntl.flock(file, fcntl.LOCK_EX)
            if not _is(part, file):
                continue
            try:
                if len(part.stem) != PROMISED:  # nothing would tell whether what a kill left is of the same file
                    file.truncate(0)
                yield file
            finally:
                if len(part.stem) != PROMISED:
                    forget(part)
            return


@contextlib.contextmanager
def unheld(part: Path) -> Iterator[bool]:
    """Whether nobody else holds the part; then it is ours for the time of the block."""
    with FileIO(part, "r+b") as file:
        if sys.platform != "win32":
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
        yield LOCKS


def forget(part: Path) -> None:
    """The part before its journal: a journal alone says nothing of what is not there."""
    discard(part)
    discard(part.with_suffix(".journal"))


def _is(part: Path, file: FileIO) -> bool:
    try:
        return os.path.samestat(part.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
