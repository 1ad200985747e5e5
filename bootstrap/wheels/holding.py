"""Who uses the store and who takes entries out of it: a lock of the operating system on one empty file.

    sync            shared      from finding entries until the last one is linked; any number at a time
    cache gc        exclusive   while entries lose their places; files are removed after that

The kernel drops a lock with its process, in whatever container that runs, so nothing stays behind after a kill; over
NFS (tried: version 4.2, Linux 6.1 as server and as two clients that do not share what they remember) the server keeps
it, for all machines. A client believes for some seconds what it remembers of names, so that a wheel which another
machine has just put there may be fetched once more; nobody takes one that is not whole (making.py, locks.py). Somebody
who may only read the store can hold it too, as the file is opened for reading then. Where there are no locks (some
network drives) `alone` says so, and age has to do instead.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bootstrap.errors import TryAgainError
from bootstrap.wheels import locks
from bootstrap.wheels.disk import writing

__all__ = ["alone", "together"]

_POLL = 0.05  # seconds between two looks at a lock that somebody holds


@contextmanager
def together(file: Path) -> Iterator[None]:
    """Hold a lock with others for the block, once nobody has it alone. Without a file to lock there is nothing to hold.

    Such a store can neither be written by us nor has it been by anybody who would take something out of it.
    """
    held = _opened(file)
    try:
        # On a file system without locks `alone` cannot have one either, and says so.
        while held is not None and locks.together(held) == "busy":
            time.sleep(_POLL)
        yield
    finally:
        if held is not None:
            os.close(held)


@contextmanager
def alone(file: Path, limit: float) -> Iterator[bool]:
    """Hold a lock without anybody else; False where the file system has no locks.

    `limit` in seconds; raises TryAgainError when it has passed, CannotWriteError or NotPermittedError.
    """
    with writing("preparing to remove", file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
        held = os.open(file, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
    try:
        yield _acquired(held, file, time.monotonic() + limit)
    finally:
        os.close(held)


def _opened(file: Path) -> int | None:
    for flags in (os.O_RDWR | os.O_CREAT, os.O_RDONLY):
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            return os.open(file, flags | getattr(os, "O_CLOEXEC", 0), 0o666)
        except OSError:
            continue
    return None


def _acquired(held: int, file: Path, until: float) -> bool:
    while (answer := locks.alone(held)) == "busy":
        if time.monotonic() >= until:
            raise TryAgainError(f"{file.parent}: other runs of torchstrap use the store; try again when they are done.")
        time.sleep(_POLL)
    return answer == "held"
