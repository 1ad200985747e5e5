"""How `.venv` becomes another generation: a link that is replaced, or, without links, folders that change places.

    linked       .venv -> .venv.generations/<key>       one rename() puts the next link over it
    journaled    .venv is the generation itself         told in .venv.generations/switching.json, then
                                                        .venv.generations/<new> <-> .venv, and what was there gets its
                                                        own name in .venv.generations; then the journal goes

Whoever runs or finds `.venv` finds the same either way: scripts, activation and `pyvenv.cfg` name `.venv`, never what
is behind it. What was considered, by what the file system allows:

    a link, replaced       POSIX: atomic on every file system with symbolic links (ext4, XFS, btrfs, APFS, tmpfs,
                           overlayfs, NFS), the old environment keeps its path for who still runs in it, and it can be
                           put over another any number of times. The first choice. Windows: needs a privilege or
                           developer mode, and rename() does not put a link over a link to a folder: not used there.
    an exchange            renameat2(RENAME_EXCHANGE): atomic, any folders; Linux, and there not on NFS, FUSE or CIFS.
                           The old environment loses its path. Second choice: what `journaled` does where it can.
    two renames            works everywhere, with a journal for who dies between them. What `journaled` does elsewhere.
    an NTFS junction       needs no privilege, but names its target absolutely (a project could not be moved) and is
                           not replaced in one step either: nothing is won over two renames.
    a bind mount           atomic with move_mount(), but for root alone and gone after the next start.
    changing in place      what pip and uv do: a mixture, when it is interrupted.

Nobody who comes through this program sees anything but the old environment or the new one: a sync holds the lock of
the generations, and who gets that lock next undoes what it finds half-done (`mend`) before looking. An outsider (an
editor, a shell) sees the same with a link and with an exchange. With two renames, for the moment between them, and
after a kill in that moment until our program is called again, there is no `.venv`; there is never half of one.

What stands at `.venv` is its own memory of which way was taken. A link is tried on the very folder whenever an
environment is switched to by a sync, unless `no-symlink` (TORCHSTRAP_NO_SYMLINK) says that there is to be none: for
tools that do not follow links, as some backup programs and editors. A folder that is in use cannot be renamed on
Windows: it is tried again for a second, as virus scanners let go of what they read, and then it is said.
"""

from __future__ import annotations

import errno
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bootstrap.environment.marker import KEY, folder_of, is_complete, key_in, key_of, used
from bootstrap.errors import CannotWriteError
from bootstrap.wheels.durable import settle_names
from bootstrap.wheels.making import remove as discard

__all__ = [
    "JOURNAL",
    "Way",
    "as_it_stands",
    "current",
    "exchange",
    "is_unfinished",
    "journaled",
    "linked",
    "mend",
    "take_away",
]

Way = Callable[[Path, Path], None]
"""Makes a generation the environment, once and for all or not at all. Raises OSError, CannotWriteError."""

JOURNAL = "switching.json"
NO_LINKS = frozenset({errno.EPERM, errno.EACCES, errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})
IN_USE = frozenset({5, 32})  # ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION
TRIES, PAUSE = 10, 0.1  # seconds between two tries
HERE = -100  # AT_FDCWD of linux/fcntl.h
EXCHANGE = 2  # RENAME_EXCHANGE of linux/fs.h


def current(venv: Path) -> Path | None:
    """The generation that the environment is (at `venv` itself if that is a folder), or None if there is none of ours.

    Who is not to see a switch half-done looks under the lock of the generations.
    """
    try:
        target = Path(os.readlink(venv))  # noqa: PTH115 - one step, not to the end
    except OSError:
        return venv if key_in(venv) else None
    found = venv.parent / target
    ours = found.parent.absolute() == folder_of(venv).absolute()
    return folder_of(venv) / found.name if ours and is_complete(found) else None


def exchange(first: Path, second: Path) -> bool:
    """Have two names change places in one step. False where that cannot be done, and then nothing has changed."""
    if sys.platform != "linux":
        return False
    import ctypes  # noqa: PLC0415 - nobody needs it where there are links

    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "renameat2"):
        return False
    return bool(library.renameat2(HERE, os.fsencode(first), HERE, os.fsencode(second), EXCHANGE) == 0)


def linked(venv: Path, generation: Path) -> None:
    """Have a link lead to a generation; where no link can be made, `journaled`."""
    if current(venv) == generation:
        return
    for each in _passing(venv):  # left by killed processes: we are alone here
        with suppress(OSError):
            each.unlink()
    link = venv.with_name(f"{venv.name}.switching-{os.getpid()}")
    if sys.platform == "win32" or not _made(link, Path(folder_of(venv).name, generation.name)):
        journaled(venv, generation)
        return
    try:
        _make_room(venv)
        if _is_folder(venv):
            with _told(venv, generation):
                _put(link, venv, exchange)
        else:
            link.replace(venv)
    finally:
        if link.is_symlink():
            link.unlink()
    settle_names(venv.parent)


def journaled(venv: Path, generation: Path, swap: Callable[[Path, Path], bool] = exchange) -> None:
    """Have a folder be a generation. `swap` is `exchange`, or what stands in for it where that is to be tried."""
    if generation == venv:
        return
    with _told(venv, generation):
        _make_room(venv)
        _put(generation, venv, swap)
        settle_names(folder_of(venv))
        settle_names(venv.parent)


def as_it_stands(venv: Path, generation: Path) -> None:
    """The way that was taken last: `journaled` if there is a folder of ours, else `linked`."""
    (journaled if current(venv) == venv else linked)(venv, generation)


def is_unfinished(venv: Path) -> bool:
    """Whether somebody is switching, or was killed while doing so."""
    return os.path.lexists(folder_of(venv) / JOURNAL)


def mend(venv: Path) -> None:
    """Undo a switch that was not finished, unless the new environment is there already; to be called under the lock.

    A journal that cannot be read, or that names what is not there, says at least that somebody was at it: then the
    generation that was made or used last is the environment. Raises OSError, CannotWriteError.
    """
    if not is_unfinished(venv):
        return
    folder = folder_of(venv)
    for each in (*folder.iterdir(), *_passing(venv)):
        named = KEY.fullmatch(each.name.lstrip("."))
        if named and (each.is_symlink() or key_in(each) not in {None, each.name}):
            _retire(each, folder)
    if not os.path.lexists(venv):
        for each in _candidates(folder):
            with suppress(OSError):
                _rename(each, venv)
                break
    settle_names(folder)
    settle_names(venv.parent)
    (folder / JOURNAL).unlink(missing_ok=True)


def take_away(generation: Path, folder: Path) -> None:
    """A generation is whole or gone: it loses its name first. `folder` is that of the generations. Raises OSError."""
    leaving = folder / f"{key_of(generation).lstrip('.')}.removing-{os.getpid()}-{os.urandom(4).hex()}"
    _rename(generation, leaving)
    discard(leaving)


@contextmanager
def _told(venv: Path, generation: Path) -> Iterator[None]:
    """There is a journal for the time of the block; if the block fails, what it has done is undone."""
    before = current(venv)
    keys = {"from": key_of(before) if before else None, "to": key_of(generation)}
    journal = folder_of(venv) / JOURNAL
    try:
        with journal.open("w", encoding="utf-8") as file:
            json.dump({"schema": 1, **keys}, file)
            file.flush()
            os.fsync(file.fileno())
        settle_names(journal.parent)
        yield
    except BaseException:
        with suppress(OSError, CannotWriteError):  # what is wrong is said by the error that brought us here
            mend(venv)
        raise
    journal.unlink()


def _put(coming: Path, venv: Path, swap: Callable[[Path, Path], bool]) -> None:
    """Have `venv` be what is coming; what was there goes to its place among the generations."""
    if swap(coming, venv):
        _retire(coming, folder_of(venv))
    else:
        _retire(venv, folder_of(venv))
        _rename(coming, venv)


def _retire(place: Path, folder: Path) -> None:
    """Have a generation lie under its key, a link go, and so what does not say what it is."""
    if place.is_symlink():
        place.unlink()
    elif place.exists():
        key = key_in(place)
        if key is None or (folder / key).exists():
            take_away(place, folder)
        else:
            _rename(place, folder / key)


def _candidates(folder: Path) -> Iterator[Path]:
    """What may be the environment that a switch began with, the likeliest first."""
    document: Any = None
    with suppress(OSError, ValueError):
        document = json.loads((folder / JOURNAL).read_bytes())
    told = [document.get(each) for each in ("from", "to")] if isinstance(document, dict) else []
    every = [each for each in folder.iterdir() if KEY.fullmatch(each.name) and is_complete(each)]
    yield from (each for name in told for each in every if each.name == name)
    yield from sorted(every, key=used, reverse=True)


def _made(link: Path, target: Path) -> bool:
    """Make a link to a folder; False where there are no links. Raises OSError where nothing can be made."""
    try:
        link.symlink_to(target, target_is_directory=True)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        return False
    return True


def _make_room(venv: Path) -> None:
    """An empty folder is none of anybody's."""
    if _is_folder(venv) and not any(venv.iterdir()):
        venv.rmdir()


def _is_folder(venv: Path) -> bool:
    return venv.is_dir() and not venv.is_symlink()


def _passing(venv: Path) -> Iterable[Path]:
    name = re.sub(r"([*?\[])", r"[\1]", venv.name)
    return venv.parent.glob(f"{name}.switching-*")


def _rename(source: Path, target: Path) -> None:
    """Rename a folder. Windows does not while somebody uses it, be it a virus scanner: it is tried for a second."""
    for attempt in range(1, TRIES + 1):
        try:
            source.rename(target)
        except PermissionError as error:
            if getattr(error, "winerror", None) not in IN_USE:
                raise
            if attempt == TRIES:
                raise CannotWriteError(
                    f"{source} is in use, and Windows does not rename such a folder: close what runs from it or has "
                    f"it open (Python, a terminal, an editor) and try again; the environment is as it was."
                ) from error
            time.sleep(PAUSE)
        else:
            return
