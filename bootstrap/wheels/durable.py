"""What outlives a power cut: everything of an environment before its marker, and of the store what has its size.

A process that is killed leaves what it wrote; a machine that loses power leaves what had reached the disk, and that is
neither all of it nor in the order of writing. Names and bytes go apart: file systems with a journal (ext4, XFS, btrfs)
keep the order of names, and give a file its size when its bytes are there, so that a file whose bytes were lost has
another size than it should, mostly 0. Hence

    an environment   `settle` has all of its file system on the disk, once, then the marker is written and fsynced, its
                     folder fsynced, the folder renamed to its final name, the folder above fsynced; then only the link
                     is replaced, and the folder it lies in fsynced. A generation with a marker is whole, and `.venv`
                     leads to one with a marker. Without links the journal is fsynced before the first rename, and the
                     names are on the disk before it goes.
    the store        nothing is waited for: a wheel costs no fsync but its description's. The description says in which
                     boot it was made. In the same boot nothing can be lost. In another one the sizes of its files are
                     compared first, once: then they are on the disk, and an empty file `settled` says so.
    an archive's     counts for nothing until all of its bytes have the hash that was promised.
    pieces
    lock, notes      a new file is fsynced before it takes the old one's name (pylock.toml), or can be made again
                     (pages, proofs, stamps: each says whether it is whole).

Source: `man 2 syncfs`, and for what may be lost, Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path

__all__ = ["boot", "settle", "settle_names"]

_BOOT = "/proc/sys/kernel/random/boot_id"


@cache
def boot() -> str:
    """What tells this run of the machine from all others; "" where nothing does (anywhere but Linux)."""
    try:
        return Path(_BOOT).read_text(encoding="ascii").strip()
    except OSError:
        return ""


def settle(folder: Path) -> None:
    """Have all that was written to a folder's file system on the disk before going on. Raises OSError if it is not."""
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - only who builds an environment needs it

        opened = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            library = ctypes.CDLL(None, use_errno=True)
            if hasattr(library, "syncfs") and library.syncfs(opened) != 0:
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number), str(folder))
        finally:
            os.close(opened)
    elif hasattr(os, "sync"):
        os.sync()


def settle_names(folder: Path) -> None:
    """Have the names in a folder on the disk before going on."""
    if os.name == "nt":
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
