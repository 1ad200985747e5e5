"""Folders in the making: each is locked by its maker, so that everybody can tell what a killed process has left.

    <folder>/<name>-<pid>-<random>/     held by a lock on the folder itself until it is renamed or removed

The kernel drops the lock with the process, whatever namespace that lived in; a number in a name would mean another
process in the next container. Where folders cannot be locked (Windows, some network drives) age has to do: a day.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl

__all__ = ["is_abandoned", "made_beside", "remove", "sweep"]

DAY = 86400.0  # seconds
_BUSY = frozenset({errno.EACCES, errno.EAGAIN})


@contextmanager
def made_beside(parent: Path, name: str) -> Iterator[Path]:
    """A new folder, held for the block; what is still there under its name afterwards is removed.

    Raises OSError where it cannot be made.
    """
    while True:
        folder = parent / f"{name}-{os.getpid()}-{os.urandom(4).hex()}"
        folder.mkdir(parents=True)
        held = _lock(folder)
        if folder.is_dir() if held is None else _is(folder, held):  # else somebody swept it before it was held
            break
        if held is not None:
            os.close(held)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if held is not None:
            os.close(held)


def is_abandoned(folder: Path) -> bool:
    """Whether nobody is at work in a folder any more."""
    held = _opened(folder)
    if held is None:
        return _is_old(folder)
    try:
        return _is_free(held, folder)
    finally:
        os.close(held)


def sweep(parent: Path, pattern: str = "*") -> None:
    """Remove the folders in the making whose makers are gone; what cannot be removed stays for another time."""
    for folder in sorted(parent.glob(pattern)):
        held = _opened(folder)
        if held is None:
            continue
        try:
            if _is_free(held, folder):
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(held)


def remove(folder: Path) -> None:
    """Remove a folder that others may be removing too, as they may what is on its way out. Raises OSError."""
    while folder.exists():
        with suppress(FileNotFoundError):
            shutil.rmtree(folder)


def _lock(folder: Path) -> int | None:
    """Wait for a folder to be ours alone; None where there are no such locks."""
    held = _opened(folder)
    if held is not None and sys.platform != "win32":
        with suppress(OSError):
            fcntl.flock(held, fcntl.LOCK_EX)
    return held


def _opened(folder: Path) -> int | None:
    if sys.platform == "win32":
        return None
    try:
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None


def _is_free(held: int, folder: Path) -> bool:
    """Whether the lock can be had; then it is ours until `held` is closed."""
    if sys.platform == "win32":
        return _is_old(folder)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _BUSY and _is_old(folder)
    return True


def _is(folder: Path, held: int) -> bool:
    try:
        return os.path.samestat(folder.stat(), os.fstat(held))
    except FileNotFoundError:
        return False


def _is_old(folder: Path) -> bool:
    try:
        return folder.lstat().st_mtime < time.time() - DAY
    except OSError:
        return False
