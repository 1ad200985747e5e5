"""Folders and the file systems below them: room, kind, and whether files can be shared between them without a copy.

What two folders can share is tried and then removed, never inferred: hard links fail between two mounts of one file
system, and on some network drives; a clone needs a file system that knows it on both sides.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from itertools import permutations
from pathlib import Path
from typing import NamedTuple

from probes.documents import writable
from probes.host import Host, LocalHost
from probes.machine import Unknown
from probes.mounts import Mount, mount_of, parse_mounts

__all__ = ["Folder", "Sharing", "Storage", "probe_storage"]

_CLONE = 0x40049409
"""FICLONE of linux/fs.h. https://man7.org/linux/man-pages/man2/ioctl_ficlone.2.html"""
_MOUNTS = "/proc/self/mountinfo"


class Folder(NamedTuple):
    """A folder, and the file system below it.

    field       type     what                                                     source
    purpose     text     what it is for: `cache`, `environment`, `temporary`       whoever asked
    path        text     the folder, absolute                                     the same
    looked_at   text     it, or the nearest folder above it that exists
    free        number   bytes that this user may still write                     statvfs
    kind        text     of the file system: `ext4`, `nfs4`, `overlay`            /proc/self/mountinfo
    read_only   bool     whether it is mounted so that nothing can be written     /proc/self/mountinfo
    """

    purpose: str
    path: str
    looked_at: str
    free: int | Unknown
    kind: str | Unknown
    read_only: bool | Unknown


class Sharing(NamedTuple):
    """Whether a file in one folder can be had in another without a copy of its bytes.

    field       type   what                                                        source
    origin      text   where the file is, by the purpose of its folder
    target      text   where it is wanted, by the purpose of its folder
    hard_link   bool   whether it can be had as another name of the same file      the attempt
    reflink     bool   whether it can be had as a clone that shares its blocks     the attempt
    """

    origin: str
    target: str
    hard_link: bool | Unknown
    reflink: bool | Unknown


class Storage(NamedTuple):
    """All folders that were asked about, and every ordered pair of them."""

    folders: tuple[Folder, ...]
    sharing: tuple[Sharing, ...]


def probe_storage(folders: Mapping[str, Path], host: Host | None = None) -> Storage:
    """The file systems below folders, which are given by their purpose.

    Tries a file of one byte in each, which is gone afterwards. Never raises.
    """
    host = LocalHost() if host is None else host
    table = host.read_text(_MOUNTS, 4 << 20)
    mounts = parse_mounts(table) if isinstance(table, str) else ()
    places = {purpose: Path(os.path.abspath(path)) for purpose, path in folders.items()}
    nearest = {purpose: _nearest(path) for purpose, path in places.items()}
    described = tuple(_folder(purpose, path, nearest[purpose], mounts) for purpose, path in places.items())
    tried = {purpose: _written(str(folder)) for purpose, folder in nearest.items()}
    try:
        sharing = tuple(
            Sharing(
                origin,
                target,
                _tried(os.link, tried[origin], tried[target]),
                _tried(_clone, tried[origin], tried[target]),
            )
            for origin, target in permutations(places, 2)
        )
    finally:
        for name in tried.values():
            _remove(name)
    return Storage(described, sharing)


def _nearest(path: Path) -> Path:
    return next((each for each in (path, *path.parents) if os.path.isdir(each)), Path(path.anchor))


def _folder(purpose: str, path: Path, at: Path, mounts: tuple[Mount, ...]) -> Folder:
    shown = writable(str(at))
    try:
        free: int | Unknown = _free(at)
    except OSError as problem:
        free = Unknown(f"{shown} does not tell its room ({problem.strerror})")
    mount = mount_of(os.path.realpath(at), mounts)
    unknown = Unknown(f"no table of mounts names the one of {shown}")
    kind, read_only = (unknown, unknown) if mount is None else (mount.kind, mount.read_only)
    return Folder(purpose, writable(str(path)), shown, free, kind, read_only)


def _free(folder: Path) -> int:
    if not hasattr(os, "statvfs"):
        from shutil import disk_usage  # noqa: PLC0415 - only where there is no such call

        return disk_usage(folder).free
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def _written(folder: str) -> str | Unknown:
    """A file of one byte in a folder."""
    name = _new_name(folder)
    try:
        with open(name, "xb") as stream:
            stream.write(b"x")
    except OSError as problem:
        _remove(name)
        return Unknown(f"{writable(folder)} cannot be written ({problem.strerror})")
    return name


def _tried(way: Callable[[str, str], None], source: str | Unknown, beside: str | Unknown) -> bool | Unknown:
    """Whether a way to share a file works into the folder of another one."""
    if isinstance(source, Unknown):
        return source
    if isinstance(beside, Unknown):
        return beside
    target = _new_name(os.path.dirname(beside))
    try:
        way(source, target)
    except NotImplementedError as problem:
        return Unknown(str(problem))
    except OSError:
        return False
    finally:
        _remove(target)
    return True


def _new_name(folder: str) -> str:
    return os.path.join(folder, f".torchstrap-{os.urandom(8).hex()}")


def _remove(name: str | Unknown) -> None:
    if isinstance(name, str):
        with contextlib.suppress(OSError):
            os.unlink(name)


def _clone(source: str, target: str) -> None:
    try:
        from fcntl import ioctl  # noqa: PLC0415 - not on every system
    except ImportError:
        raise NotImplementedError("clones are tried on Linux only") from None
    if not os.uname().sysname == "Linux":
        raise NotImplementedError("clones are tried on Linux only")
    with open(source, "rb") as one, open(target, "xb") as other:
        ioctl(other.fileno(), _CLONE, one.fileno())
