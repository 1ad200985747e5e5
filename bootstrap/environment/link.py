"""Files of the store into an environment, by the cheapest way that the file system has.

    clone      a second file that shares its blocks until one is changed (btrfs, XFS): cheap, and edits stay apart
    hardlink   a second name for the same file: cheaper still, and everywhere, but within one file system only
    copy       the rest

Which one works is tried once with a file of the store. A single file that resists (a link count at its limit) is
copied. Work goes in lists of names, not in walks over folders: the store knows what a wheel holds.

A thread takes a whole parcel, its folders and then its files, so that threads seldom wait for each other; what is too
much for one thread (torch) is shared out once all folders are there.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import sys
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

__all__ = ["Method", "Parcel", "carry_out", "clone", "copy", "hardlink", "method_between"]

FICLONE = 0x40049409  # include/uapi/linux/fs.h
SHARE = 1000  # files handed to a thread at once
UNLINKABLE = frozenset({errno.EMLINK, errno.EPERM, errno.EXDEV, errno.EOPNOTSUPP, errno.EACCES})


class Parcel(NamedTuple):
    """Files that keep their names: `paths` below `source` are to be had below `target`, which has to be there.

    `folders`, below `target` too, are all that this takes, parents first. They may be those of other parcels as well.
    """

    source: str
    target: str
    folders: Sequence[str]
    paths: Sequence[str]
    executables: Collection[str]


Method = Callable[[str, str, bool], None]


def clone(source: str, target: str, executable: bool) -> None:
    """A file of its own that shares the other's blocks. Raises OSError where the file system cannot."""
    # Only POSIX has it, and only this function needs it.
    import fcntl  # noqa: PLC0415

    given = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        made = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o777 if executable else 0o666)
        try:
            fcntl.ioctl(made, FICLONE, given)
        finally:
            os.close(made)
    finally:
        os.close(given)


def hardlink(source: str, target: str, executable: bool) -> None:
    """Another name for the file; a copy where this one file cannot have one more."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in UNLINKABLE:
            raise
        copy(source, target, executable)


def copy(source: str, target: str, executable: bool) -> None:
    """A file of its own. Raises FileExistsError rather than writing into another file."""
    made = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o777 if executable else 0o666)
    with os.fdopen(made, "wb") as target_file, open(source, "rb") as source_file:  # noqa: PTH123 - strings, for speed
        shutil.copyfileobj(source_file, target_file, 1024 * 1024)


def method_between(sample: str, folder: Path) -> Method:
    """The cheapest way from the store, which `sample` is a file of, into a folder."""
    trial = f"{folder}/.torchstrap-{os.getpid()}-{secrets.token_hex(4)}"
    methods: tuple[Method, ...] = (clone, os_link) if sys.platform == "linux" else (os_link,)
    for method in methods:
        try:
            method(sample, trial, False)
        except OSError:
            continue
        else:
            return hardlink if method is os_link else method
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(trial)  # noqa: PTH108
    return copy


def os_link(source: str, target: str, executable: bool) -> None:  # noqa: ARG001 - one shape for all methods
    """A hard link or an error."""
    os.link(source, target)


def carry_out(parcels: Sequence[Parcel], method: Method, workers: int) -> None:
    """Make all folders and files. Raises OSError; the caller removes what was made."""
    # The large ones first: at the end no thread should be left alone with much to do.
    ordered = sorted(parcels, key=lambda each: -len(each.paths))
    first = [each._replace(paths=each.paths[:SHARE]) for each in ordered]
    surplus = [
        each._replace(folders=(), paths=each.paths[start : start + SHARE])
        for each in ordered
        for start in range(SHARE, len(each.paths), SHARE)
    ]
    with ThreadPoolExecutor(max_workers=workers) as pool:
        for some in (first, surplus):
            for done in [pool.submit(_fill, each, method) for each in some]:
                done.result()


def _fill(parcel: Parcel, method: Method) -> None:
    source, target, folders, paths, executables = parcel
    for folder in folders:
        with contextlib.suppress(FileExistsError):
            os.mkdir(f"{target}/{folder}")  # noqa: PTH102
    for path in paths:
        method(f"{source}/{path}", f"{target}/{path}", path in executables)
