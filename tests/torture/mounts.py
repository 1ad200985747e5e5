"""Small file systems that come and go; only root can make them, and not everywhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["free", "full_but_for", "kinds", "linkless", "mounted"]

OPTIONS = {
    "ext4": ("-o", "loop"),
    "tmpfs": ("-t", "tmpfs"),
    "exfat": ("-t", "exfat-fuse", "-o", "loop"),
}
MAKERS = {"ext4": ("mkfs.ext4", "-q", "-m", "0"), "exfat": ("mkfs.exfat",)}
LINKLESS = frozenset({"exfat"})


def kinds() -> tuple[str, ...]:
    """Those that can be made here, of those with links of both kinds."""
    return tuple(kind for kind in OPTIONS if kind not in LINKLESS and _works(kind))


def linkless() -> tuple[str, ...]:
    """Those without links of either kind, and without an exchange of names, that can be made here."""
    return tuple(kind for kind in OPTIONS if kind in LINKLESS and _works(kind))


def _works(kind: str) -> bool:
    if os.name == "nt" or not shutil.which("mount"):
        return False
    try:
        with tempfile.TemporaryDirectory() as name, mounted(Path(name), kind, 8):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


@contextmanager
def mounted(folder: Path, kind: str, size: int) -> Iterator[Path]:
    """A file system of so many MiB at a new place below a folder. Raises CalledProcessError where that cannot be."""
    place = folder / f"mount-{kind}-{size}"
    place.mkdir()
    source: tuple[str, ...] = ("-o", f"size={size}m", "none")
    if kind in MAKERS:
        image = folder / f"image-{size}"
        with image.open("wb") as file:
            file.truncate(size << 20)
        words = ("-N", str(size * 256)) if kind == "ext4" else ()
        _run(*MAKERS[kind], *words, str(image))
        source = (str(image),)
    _run("mount", *OPTIONS[kind], *source, str(place))
    try:
        yield place
    finally:
        _run("umount", "--lazy", str(place))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def free(place: Path) -> int:
    """Bytes that may still be written."""
    found = os.statvfs(place)
    return found.f_bavail * found.f_frsize


@contextmanager
def full_but_for(place: Path, room: int) -> Iterator[None]:
    """For the time of the block, a file takes all of the room but so many bytes."""
    ballast = place / "ballast"
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(free(place) - room, 1))
    try:
        yield
    finally:
        ballast.unlink()
