"""Generations: `.venv` is a link to one complete environment, and changes by replacing the link.

    .venv -> .venv.generations/<key>                    the current one
    .venv.generations/<key>/generation.json             written last: what is here is complete; its time: last used
    .venv.generations/<key>/distrusted                  somebody found other bytes in it than it was built with
    .venv.generations/<key>.building-<pid>-<random>/    one in the making, renamed to <key> when it is complete
    .venv.generations/<key>.removing-<pid>-<random>/    one on its way out
    .venv.generations/lock                              held while anything of this is changed
    .venv.switching-<pid>                               the next link, for the moment before it takes its place

Other ways were considered. Changing an environment in place (pip, uv) leaves a mixture when it is interrupted.
Exchanging two folders (renameat2 with RENAME_EXCHANGE) is atomic, but only on Linux and not on every file system there.
A link is replaced by rename() on every POSIX system, the old environment stays whole for who still runs in it, and
going back is the same one step. The price is that `.venv` is a link, which a few tools have to follow.

What a killed process leaves has one of the passing names above and counts for nothing; whoever changes the environment
next removes it. What a power cut leaves is told in bootstrap/wheels/durable.py.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from bootstrap.errors import CannotWriteError, InputError, TryAgainError
from bootstrap.wheels.disk import writing
from bootstrap.wheels.durable import settle, settle_names
from bootstrap.wheels.making import is_abandoned, made_beside
from bootstrap.wheels.making import remove as discard

if sys.platform != "win32":
    import fcntl

__all__ = [
    "MARKER",
    "build",
    "current",
    "ensure_ours",
    "find",
    "folder_of",
    "listed",
    "litter",
    "locked",
    "remove",
    "switch",
]

MARKER = "generation.json"
KEPT = 3
POLL = 0.05  # seconds between two looks at a lock that somebody holds
KEY = re.compile(r"(?!.*\.(?:building|removing)-)[A-Za-z0-9][A-Za-z0-9._+-]*")
UNFINISHED = re.compile(r".*\.(?:building|removing)-[0-9a-f-]+")
BUSY = frozenset({errno.EACCES, errno.EAGAIN})


def folder_of(venv: Path) -> Path:
    """Where the generations of an environment are: beside it."""
    return venv.parent / f"{venv.name}.generations"


def current(venv: Path) -> Path | None:
    """The generation that the environment is, or None if there is none of ours."""
    try:
        target = Path(os.readlink(venv))  # noqa: PTH115 - one step, not to the end
    except OSError:
        return None
    found = venv.parent / target
    ours = found.parent.absolute() == folder_of(venv).absolute()
    return folder_of(venv) / found.name if ours and (found / MARKER).is_file() else None


def listed(venv: Path) -> tuple[Path, ...]:
    """All complete generations, the one used last first."""
    found: list[tuple[int, str, Path]] = []
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for each in folder_of(venv).iterdir():
            with contextlib.suppress(OSError):
                if KEY.fullmatch(each.name):
                    found.append(((each / MARKER).stat().st_mtime_ns, each.name, each))
    return tuple(path for _, _, path in sorted(found, reverse=True))


def find(venv: Path, key: str) -> Path | None:
    """The complete generation of a key, or None."""
    generation = folder_of(venv) / _checked(key)
    return generation if (generation / MARKER).is_file() else None


def ensure_ours(venv: Path) -> None:
    """Raise CannotWriteError if something stands at `venv` that this program did not make. Changes nothing."""
    if venv.is_symlink():
        target = Path(os.readlink(venv))  # noqa: PTH115
        if (venv.parent / target).parent.absolute() != folder_of(venv).absolute():
            raise CannotWriteError(
                f"{venv} is a link to {target}, which torchstrap did not make; "
                f"move it away or name another with --venv."
            )
    elif (venv / "pyvenv.cfg").exists():
        raise CannotWriteError(
            f"{venv} is an environment that torchstrap did not make; move it away or name another with --venv."
        )
    elif venv.exists() and not (venv.is_dir() and not any(venv.iterdir())):
        raise CannotWriteError(f"{venv} exists and is no environment; move it away or name another with --venv.")


@contextlib.contextmanager
def locked(venv: Path, *, limit: float, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the environment for changing it. `waiting` is called once if somebody else does.

    `limit` in seconds; raises TryAgainError when it has passed, CannotWriteError or NotPermittedError if the folder of
    the generations cannot be made.
    """
    folder = folder_of(venv)
    with writing(f"preparing {folder.name}", folder.parent):
        folder.mkdir(parents=True, exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
        held = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
    try:
        _acquire(held, venv, limit, waiting)
        yield
    finally:
        os.close(held)


def _acquire(held: int, venv: Path, limit: float, waiting: Callable[[], None]) -> None:
    if sys.platform == "win32":
        return
    until = time.monotonic() + limit
    told = False
    while True:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in BUSY:
                return  # a file system without locks: the renames below still keep environments whole
        else:
            return
        if time.monotonic() >= until:
            raise TryAgainError(
                f"another torchstrap has been changing {venv} for {limit:.0f} seconds; try again when it is done."
            )
        if not told:
            told = True
            waiting()
        time.sleep(POLL)


def build(venv: Path, key: str, fill: Callable[[Path], Mapping[str, Any] | None]) -> Path:
    """The complete generation of a key: the one that exists, or a new one that `fill` is given an empty folder for.

    To be called under `locked`. If `fill` raises, its folder is removed and the error goes on. If the process is
    killed, the folder stays under a name that nothing takes for a generation, and the next build removes it. What
    `fill` returns is kept as JSON in the generation (`marker_of`). Raises CannotWriteError or NotPermittedError.
    """
    folder = folder_of(venv)
    found = find(venv, key)
    if found is not None:
        return found
    with writing(f"building {venv.name}", folder):
        folder.mkdir(parents=True, exist_ok=True)
        for each in litter(venv):
            shutil.rmtree(each, ignore_errors=True)
        if (folder / key).exists():
            _remove(folder / key)  # without a marker: somebody has been at it
        with made_beside(folder, f"{key}.building") as building:
            told = fill(building)
            settle(building)
            _mark(building, {"schema": 1, "key": key, **(told or {})})
            building.rename(folder / key)
            settle_names(folder)
    return folder / key


def switch(venv: Path, key: str) -> tuple[Path, ...]:
    """Make the generation of a key the environment, at once; to be called under `locked`. Returns those removed.

    Generations beyond the newest three are removed afterwards. Raises InputError if there is no such generation,
    CannotWriteError if something stands at `venv` that is not ours.
    """
    generation = find(venv, key)
    if generation is None:
        raise InputError(folder_of(venv), f"there is no complete generation {key}")
    ensure_ours(venv)
    with writing(f"switching {venv.name}", venv.parent):
        if current(venv) != generation:
            _replace(venv, generation)
        _use(venv, generation)
        old = [each for each in listed(venv)[KEPT:] if each != generation]
    for each in old:
        with contextlib.suppress(OSError):  # the switch is done; what cannot be removed now is removed another time
            _remove(each)
    return tuple(each for each in old if not each.exists())


def remove(venv: Path, key: str) -> None:
    """Remove a generation. Raises CannotWriteError if it is the current one, InputError if there is none."""
    generation = find(venv, key)
    if generation is None:
        raise InputError(folder_of(venv), f"there is no complete generation {key}")
    if current(venv) == generation:
        raise CannotWriteError(f"{key} is what {venv} is now; switch to another generation first.")
    with _removing(venv):
        _remove(generation)


def _removing(venv: Path) -> AbstractContextManager[None]:
    return writing(f"removing a generation of {venv.name}", folder_of(venv))


def _checked(key: str) -> str:
    if not KEY.fullmatch(key):
        raise ValueError(f"{key!r} is no name for a generation")
    return key


def _replace(venv: Path, generation: Path) -> None:
    for each in venv.parent.glob(f"{_escaped(venv.name)}.switching-*"):  # left by killed processes: we are alone here
        with contextlib.suppress(OSError):
            each.unlink()
    link = venv.with_name(f"{venv.name}.switching-{os.getpid()}")
    link.symlink_to(Path(folder_of(venv).name, generation.name), target_is_directory=True)
    try:
        if venv.is_dir() and not venv.is_symlink():
            venv.rmdir()  # empty: `ensure_ours` has looked
        link.replace(venv)
    except OSError:
        link.unlink()
        raise
    settle_names(venv.parent)


def _escaped(name: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", name)


def _use(venv: Path, generation: Path) -> None:
    """Make it the one used last, whatever the clock has done meanwhile and however coarse the file system's is."""
    newest = max((each / MARKER).stat().st_mtime_ns for each in listed(venv))
    moment = max(time.time_ns(), newest + 1)
    os.utime(generation / MARKER, ns=(moment, moment))


def _mark(building: Path, document: Mapping[str, Any]) -> None:
    with (building / MARKER).open("w", encoding="utf-8") as file:
        json.dump(document, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    settle_names(building)


def litter(venv: Path) -> tuple[Path, ...]:
    """What processes that are no more have left among the generations; the next build removes it."""
    try:
        every = sorted(folder_of(venv).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return ()
    return tuple(each for each in every if UNFINISHED.fullmatch(each.name) and is_abandoned(each))


def _remove(generation: Path) -> None:
    """A generation is whole or gone: it loses its name first."""
    leaving = generation.with_name(f"{generation.name}.removing-{os.getpid()}-{os.urandom(4).hex()}")
    generation.rename(leaving)
    discard(leaving)
