"""What the operating system says about writing, as sentences: one place turns `OSError` into our errors.

full (ENOSPC, EDQUOT)      -> CannotWriteError, with the file system, its room and the room needed
read-only (EROFS)          -> CannotWriteError
not allowed (EACCES, EPERM) -> NotPermittedError
anything else              -> CannotWriteError with the system's own words
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bootstrap.errors import BootstrapError, CannotWriteError, NotPermittedError

__all__ = ["explained", "file_system", "put", "room", "size_text", "writing"]

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
FORBIDDEN = frozenset({errno.EACCES, errno.EPERM})
UNITS = ("bytes", "kB", "MB", "GB", "TB")
STEP = 1000  # between units
PLAIN = 100  # from here on a decimal says nothing


def size_text(amount: int) -> str:
    """A number of bytes for people: "1.4 GB" (powers of 1000)."""
    value = float(amount)
    for unit in UNITS[:-1]:
        if value < STEP:
            return f"{value:.0f} {unit}" if unit == "bytes" or value >= PLAIN else f"{value:.1f} {unit}"
        value /= STEP
    return f"{value:.1f} {UNITS[-1]}"


def existing(path: Path) -> Path:
    """The path itself or its nearest parent that exists."""
    for each in (path, *path.parents):
        if each.exists():
            return each
    return Path(path.anchor or ".")


def file_system(path: Path) -> Path:
    """Where the file system that holds (or would hold) the path is mounted."""
    here = existing(path.absolute()).resolve()
    device = here.stat().st_dev
    for parent in here.parents:
        if parent.stat().st_dev != device:
            return here
        here = parent
    return here


def room(path: Path) -> int:
    """Bytes that may still be written on the file system that holds (or would hold) the path."""
    return shutil.disk_usage(existing(path.absolute())).free


def explained(error: OSError, what: str, folder: Path, needed: int | None = None) -> BootstrapError:
    """The error to raise in place of an `OSError` met while `what` ("unpacking x.whl") wrote below `folder`.

    `needed` is the room in bytes that the whole of it takes, where that is known.
    """
    if error.errno in FULL:
        wanted = f", and {size_text(needed)} are needed" if needed else ""
        return CannotWriteError(
            f"{what} in {folder}: the file system at {file_system(folder)} is full "
            f"({size_text(room(folder))} free{wanted}); nothing half-done was kept. "
            f"Make room there, or name a folder on another disk."
        )
    if error.errno == errno.EROFS:
        return CannotWriteError(
            f"{what}: {folder} is on a read-only file system ({file_system(folder)}); "
            f"name a folder that can be written."
        )
    where = error.filename or folder
    if error.errno in FORBIDDEN:
        return NotPermittedError(
            f"{what}: the operating system does not permit writing {where!s} "
            f"({os.strerror(error.errno or 0)}); change its owner or mode, or name another folder."
        )
    return CannotWriteError(f"{what}: {where!s} cannot be written ({error.strerror or error}).")


def put(path: Path, content: bytes) -> None:
    """Write a file whole: whoever reads it sees the old one or the new one. Its folder is made where there is none.

    Others may read it as far as this user's umask lets them. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}-{os.urandom(4).hex()}")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


@contextmanager
def writing(what: str, folder: Path, needed: int | None = None) -> Iterator[None]:
    """Turn every `OSError` of the block into CannotWriteError or NotPermittedError."""
    try:
        yield
    except OSError as error:
        raise explained(error, what, folder, needed) from error
