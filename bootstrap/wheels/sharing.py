"""A cache that a group of people shares: what one of them brings in, the others can use, add to, and clear away.

An administrator says so by the mode of its folder, once, and nothing else has to be set:

    install -d -m 2775 -g lab /srv/torchstrap       # the group's bit, and setgid, so that all below is the group's

Everything that is put there may then be written by the group, whatever the umask of who puts it. It has to be so:
Linux (fs.protected_hardlinks) lets a person link only files that the person could write, and without links each
environment would be a copy. Who does not trust the group with that gives everybody a cache of their own; on btrfs and
XFS, whose clones need no such right, a cache that only the administrator can write serves all the same.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

__all__ = ["hand_over", "is_shared", "prepare"]

_SHARED = stat.S_ISGID | stat.S_IWGRP
_FOLDER = 0o2070  # setgid, and all of it for the group
_FILE = 0o060
_FOLDERS = ("building", "builds", "environments", "incoming", "interpreters", "locks", "probes", "proofs", "templates")
_SHELVED = ("metadata", "pages", "wheels")  # have a folder for each first byte of a hash
_LOCKS = ("store.lock",)


def is_shared(root: Path) -> bool:
    """Whether a folder is its group's: setgid, and writable by the group."""
    try:
        mode = root.stat().st_mode
    except OSError:
        return False
    return os.name != "nt" and mode & _SHARED == _SHARED


def prepare(root: Path) -> None:
    """Make the folders that everybody writes into, so that nobody's umask decides who may; does so once."""
    last = root / _SHELVED[-1] / "ff"
    if not is_shared(root) or is_shared(last):
        return
    with suppress(OSError):  # somebody who is not of the group, or a store that is read-only: it serves as it is
        for folder in _folders(root):
            folder.mkdir(exist_ok=True)
            _widen(folder, _FOLDER)
        for name in _LOCKS:
            os.close(os.open(root / name, os.O_WRONLY | os.O_CREAT, 0o666))
            _widen(root / name, _FILE)


def hand_over(tree: Path) -> None:
    """Let the group write a folder and all that is in it. Raises OSError."""
    for place, _, files in os.walk(tree):
        _widen(Path(place), _FOLDER)
        for name in files:  # a wheel holds no links
            _widen(Path(place, name), _FILE)


def _folders(root: Path) -> Iterator[Path]:
    yield from (root / name for name in _FOLDERS)
    for name in _SHELVED:
        yield root / name
        yield from (root / name / f"{number:02x}" for number in range(256))


def _widen(path: Path, bits: int) -> None:
    mode = stat.S_IMODE(path.lstat().st_mode)
    if mode & bits != bits:
        with suppress(PermissionError):  # somebody else's, who has done it or never will
            path.chmod(mode | bits)
