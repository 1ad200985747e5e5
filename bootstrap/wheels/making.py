"""Folders in the making: each is held by its maker, so that everybody can tell what a killed process has left.

    <folder>/<name>-<pid>-<random>/        until it is renamed or removed
    <folder>/<name>-<pid>-<random>.held    an empty file that its maker has locked
    <folder>/<name>.removing-…/            on its way out, anybody's to remove

The kernel drops the lock with the process, whatever namespace that lived in; a number in a name would mean another
process in the next container. Where nothing can be locked (some network drives) age has to do: a day.

Machines that share a folder over NFS (tried: Linux 6.1 on both sides, NFS 4.2, two clients) need three things more. The
lock is on a file, as folders are locked for one machine alone. The file goes before its lock does, so that a lock on
one that still has its name means a maker that was killed. And what is removed is renamed first: a client remembers for
a minute what a name was of, and would remove the files of what was renamed to its final place meanwhile.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bootstrap.wheels import locks

if sys.platform != "win32":
    import fcntl

__all__ = ["alone_in", "clear", "folder_in", "is_abandoned", "made_beside", "remove", "sweep"]

DAY = 86400.0  # seconds
_HELD = ".held"


@contextmanager
def made_beside(parent: Path, name: str) -> Iterator[Path]:
    """A new folder, held for the block; what is still there under its name afterwards is removed.

    Raises OSError where it cannot be made.
    """
    parent.mkdir(parents=True, exist_ok=True)
    folder, held = _begun(parent, name)
    try:
        yield folder
    finally:
        clear(folder)
        os.close(held)
        _forget(folder)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Have nobody else in a block like this one for a folder that exists; where folders cannot be locked, maybe."""
    held = _lock(folder)
    try:
        yield
    finally:
        if held is not None:
            os.close(held)


def is_abandoned(folder: Path) -> bool:
    """Whether nobody is at work in a folder any more, as far as can be seen; over NFS that is not all at once."""
    with _claimed(folder, _is_folder) as is_free:
        return is_free


def folder_in(path: Path) -> Path:
    """The folder that a path is of: itself, or what the file beside it is for."""
    return path.with_name(path.name.removesuffix(_HELD))


def clear(folder: Path) -> None:
    """Remove a folder that nobody is at work in, and what held it; what cannot be removed stays for another time."""
    leaving = _leaving(folder)
    with suppress(OSError):
        folder.rename(leaving)
        shutil.rmtree(leaving, ignore_errors=True)
    _forget(folder)


def sweep(parent: Path, pattern: str = "*") -> None:
    """Remove the folders in the making whose makers are gone."""
    for folder in sorted({folder_in(each) for each in parent.glob(pattern)}):
        with _claimed(folder, _is_on_its_way_out) as is_free:
            if is_free:
                clear(folder)
        if is_free:
            _forget(folder)


def remove(folder: Path) -> None:
    """Remove a folder that others may be removing too, as they may what is on its way out. Raises OSError."""
    with suppress(FileNotFoundError):
        leaving = _leaving(folder)
        folder.rename(leaving)
        while leaving.exists():
            with suppress(FileNotFoundError):
                shutil.rmtree(leaving)


def _begun(parent: Path, name: str) -> tuple[Path, int]:
    """A new folder, and the opened file that holds it. Raises OSError."""
    while True:
        folder = parent / f"{name}-{os.getpid()}-{os.urandom(4).hex()}"
        held = os.open(_note(folder), os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
        try:
            if locks.alone(held) != "busy" and locks.is_at(_note(folder), held):  # else a sweeper was quicker
                folder.mkdir()
                return folder, held
        except OSError:
            os.close(held)
            clear(folder)
            raise
        _forget(folder)
        os.close(held)


@contextmanager
def _claimed(folder: Path, unheld: Callable[[Path], bool]) -> Iterator[bool]:
    """Whether nobody is at work in a folder; then nobody else can claim it for the time of the block.

    `unheld` judges a folder without a file beside it.
    """
    note = _note(folder_in(folder))
    held = _opened(note, os.O_RDWR, os.O_RDONLY)
    if held is None:
        yield unheld(folder)
        return
    try:
        answer = locks.alone(held)
        yield locks.is_at(note, held) if answer == "held" else answer == "none" and _is_old(note)
    finally:
        os.close(held)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _is_on_its_way_out(folder: Path) -> bool:
    """Or so old that it does not matter why nothing holds it: the next machine's file may not be seen at once."""
    return _is_folder(folder) and (".removing-" in folder.name or _is_old(folder))


def _leaving(folder: Path) -> Path:
    return folder.with_name(f"{folder.name.partition('.removing-')[0]}.removing-{os.getpid()}-{os.urandom(4).hex()}")


def _note(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}{_HELD}")


def _forget(folder: Path) -> None:
    """The file goes; again after it was closed, as Windows removes none that is open."""
    with suppress(OSError):
        _note(folder).unlink()


def _lock(folder: Path) -> int | None:
    """Wait for a folder to be ours alone; None where there are no such locks."""
    held = _opened(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    if held is not None and sys.platform != "win32":
        with suppress(OSError):
            fcntl.flock(held, fcntl.LOCK_EX)
    return held


def _opened(path: Path, *several: int) -> int | None:
    for flags in several:
        with suppress(OSError):
            return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0))
    return None


def _is_old(path: Path) -> bool:
    try:
        return path.lstat().st_mtime < time.time() - DAY
    except OSError:
        return False
