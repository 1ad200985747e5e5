"""Locks on opened files that go with the process that holds them: flock() of POSIX, byte ranges on Windows.

On Windows a lock is on bytes and always exclusive, so that many who hold a file together have one byte each of the
first thousand (which need not exist), and who wants it alone takes all of them in one step.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Literal

__all__ = ["Answer", "alone", "is_at", "together"]

Answer = Literal["held", "busy", "none"]
"""`held` until the file is closed, `busy` with somebody else's lock, or there are no locks on that file system."""

_BUSY = frozenset({errno.EACCES, errno.EAGAIN, errno.EDEADLK})
_GONE = frozenset({errno.ENOENT, errno.ESTALE})  # the second where another machine removed it (NFS)
_BYTES = 1000


def is_at(path: Path, opened: int) -> bool:
    """Whether a name is still that of an opened file: a lock on one that was removed meanwhile is worth nothing.

    The name is opened, not only looked at: NFS asks its server then, and believes what it remembers otherwise.
    """
    try:
        again = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        try:
            return os.path.samestat(os.fstat(again), os.fstat(opened))
        finally:
            os.close(again)
    except OSError as error:
        if error.errno not in _GONE:
            raise
        return False


if sys.platform == "win32":
    import msvcrt

    def alone(opened: int) -> Answer:
        """Hold a file without anybody else; never waits."""
        return _ranged(opened, 0, _BYTES)

    def together(opened: int) -> Answer:
        """Hold a file with others; never waits."""
        first = os.getpid() // 4 % _BYTES  # process ids are multiples of 4
        places = (*range(first, _BYTES), *range(first))
        return next((found for at in places if (found := _ranged(opened, at, 1)) != "busy"), "busy")

    def _ranged(opened: int, at: int, length: int) -> Answer:
        os.lseek(opened, at, os.SEEK_SET)
        try:
            msvcrt.locking(opened, msvcrt.LK_NBLCK, length)
        except OSError as error:
            return "busy" if error.errno in _BUSY else "none"
        return "held"

else:
    import fcntl

    def alone(opened: int) -> Answer:
        """Hold a file without anybody else; never waits."""
        return _flocked(opened, fcntl.LOCK_EX)

    def together(opened: int) -> Answer:
        """Hold a file with others; never waits."""
        return _flocked(opened, fcntl.LOCK_SH)

    def _flocked(opened: int, kind: int) -> Answer:
        try:
            fcntl.flock(opened, kind | fcntl.LOCK_NB)
        except OSError as error:
            return "busy" if error.errno in _BUSY else "none"
        return "held"
