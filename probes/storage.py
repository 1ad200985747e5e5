"""Folders and the file systems below them: room, kind, and whether files can be shared between them without a copy.

What two folders can share is tried and then removed, never inferred: hard links fail between two mounts of one file
system, and on some network drives; a clone needs a file system that knows it on both sides.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

from probes.host import Host, LocalHost
from probes.machine import Unknown
from probes.mounts import mount_of, parse_mounts

__all__ = ["Folder", "Sharing", "Storage", "probe_storage"]

_CLONE = 0x40049409
"""FICLONE of linux/fs.h. https://man7.org/linux/man-pages/man2/ioctl_ficlone.2.html"""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that was asked about. `looked_at` is it, or the nearest above it that exists; `free` is in bytes."""

    path: Path
    looked_at: Path
    free: int | Unknown
    kind: str | Unknown
    read_only: bool | Unknown


@dataclass(frozen=True, slots=True)
class Sharing:
    """Whether a file in `source` can be had in `target` by a hard link, and by a clone (reflink)."""

    source: Path
    target: Path
    hard_link: bool | Unknown
    reflink: bool | Unknown


@dataclass(frozen=True, slots=True)
class Storage:
    """All folders, and every ordered pair of them."""

    folders: tuple[Folder, ...]
    sharing: tuple[Sharing, ...]


def probe_storage(folders: Sequence[Path], host: Host | None = None) -> Storage:
    """The file systems below folders. Tries files of one byte in each, which are gone afterwards. Never raises."""
    host = LocalHost() if host is None else host
    described = tuple(_folder(Path(os.path.abspath(path)), host) for path in dict.fromkeys(folders))  # noqa: PTH100
    return Storage(described, tuple(_sharing(one, other) for one, other in permutations(described, 2)))


def _folder(path: Path, host: Host) -> Folder:
    at = next((each for each in (path, *path.parents) if each.is_dir()), Path(path.anchor))
    try:
        free: int | Unknown = shutil.disk_usage(at).free
    except OSError as problem:
        free = Unknown(f"{at} does not tell its room ({problem.strerror})")
    table = host.read_text("/proc/self/mountinfo", 4 << 20)
    mount = mount_of(os.path.realpath(at), parse_mounts(table)) if isinstance(table, str) else None
    if mount is None:
        unknown = Unknown(f"no table of mounts names the one of {at}")
        return Folder(path, at, free, unknown, unknown)
    return Folder(path, at, free, mount.kind, mount.read_only)


def _sharing(source: Folder, target: Folder) -> Sharing:
    try:
        descriptor, name = tempfile.mkstemp(prefix=".torchstrap-", dir=source.looked_at)
    except OSError as problem:
        unknown = Unknown(f"{source.looked_at} cannot be written ({problem.strerror})")
        return Sharing(source.path, target.path, unknown, unknown)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(b"x")
        return Sharing(
            source.path, target.path, _tried(os.link, name, target.looked_at), _tried(_clone, name, target.looked_at)
        )
    except OSError as problem:
        unknown = Unknown(f"{source.looked_at} cannot be written ({problem.strerror})")
        return Sharing(source.path, target.path, unknown, unknown)
    finally:
        with contextlib.suppress(OSError):
            Path(name).unlink()


def _tried(way: Callable[[str, str], None], source: str, target: Path) -> bool | Unknown:
    """Whether a way to share a file with a folder works."""
    try:
        place = tempfile.mkdtemp(prefix=".torchstrap-", dir=target)
    except OSError as problem:
        return Unknown(f"{target} cannot be written ({problem.strerror})")
    try:
        way(source, str(Path(place, "shared")))
    except NotImplementedError as problem:
        return Unknown(str(problem))
    except OSError:
        return False
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return True


def _clone(source: str, target: str) -> None:
    try:
        from fcntl import ioctl  # noqa: PLC0415 - not on every system
    except ImportError:
        raise NotImplementedError("clones are tried on Linux only") from None
    if not os.uname().sysname == "Linux":
        raise NotImplementedError("clones are tried on Linux only")
    with open(source, "rb") as one, open(target, "wb") as other:  # noqa: PTH123 - descriptors, not paths
        ioctl(other.fileno(), _CLONE, one.fileno())
