"""Generations: complete environments side by side, of which one is `.venv`; they are built, kept, and thrown away here.

    .venv -> .venv.generations/<key>                    the current one; without links it is .venv itself
    .venv.generations/<key>/generation.json             written last: what is here is complete; its time: last used
    .venv.generations/<key>/distrusted                  somebody found other bytes in it than it was built with
    .venv.generations/<key>.building-<pid>-<random>/    one in the making, renamed to <key> when it is complete
    .venv.generations/<key>.removing-<pid>-<random>/    one on its way out
    .venv.generations/lock                              held while anything of this is changed
    .venv.generations/switching.json                    while folders change places: from which key to which
    .venv.switching-<pid>                               the next link, for the moment before it takes its place

How `.venv` changes from one to the next, and why so, is told in switching.py. What a killed process leaves has one of
the passing names above and counts for nothing; whoever changes the environment next removes it. What a power cut leaves
is told in bootstrap/wheels/durable.py.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from bootstrap.environment import switching
from bootstrap.environment.marker import (
    KEY,
    MARKER,
    SCHEMA,
    ensure_known,
    folder_of,
    is_complete,
    key_in,
    key_of,
    mark,
    use,
    used,
)
from bootstrap.environment.switching import current
from bootstrap.errors import BootstrapError, CannotWriteError, InputError, TryAgainError
from bootstrap.wheels import locks
from bootstrap.wheels.disk import writing
from bootstrap.wheels.durable import settle, settle_names
from bootstrap.wheels.making import clear, folder_in, is_abandoned, made_beside

__all__ = [
    "MARKER",
    "build",
    "current",
    "ensure_ours",
    "find",
    "folder_of",
    "key_of",
    "listed",
    "litter",
    "locked",
    "remove",
    "remove_all",
    "settled",
    "switch",
]

KEPT = 3
POLL = 0.05  # seconds between two looks at a lock that somebody holds
UNFINISHED = re.compile(r".*\.(?:building|removing)-[0-9a-f-]+")
OURS = re.compile(r"^torchstrap *=", re.MULTILINE)  # in pyvenv.cfg


def listed(venv: Path) -> tuple[Path, ...]:
    """All complete generations, the one used last first."""
    found: list[tuple[int, str, Path]] = []
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for each in folder_of(venv).iterdir():
            with contextlib.suppress(OSError):
                if KEY.fullmatch(each.name):
                    found.append((used(each), each.name, each))
    if current(venv) == venv:
        with contextlib.suppress(OSError):
            found.append((used(venv), key_of(venv), venv))
    return tuple(path for _, _, path in sorted(found, reverse=True))


def find(venv: Path, key: str) -> Path | None:
    """The complete generation of a key, or None."""
    generation = folder_of(venv) / _checked(key)
    if current(venv) == venv and key_of(venv) == key:
        return venv
    return generation if is_complete(generation) else None


def ensure_ours(venv: Path) -> None:
    """Raise CannotWriteError if something stands at `venv` that this program did not make. Changes nothing.

    Raises NewerError if a newer torchstrap made it, or a generation of it.
    """
    for each in listed(venv):
        ensure_known(each)
    if venv.is_symlink():
        target = Path(os.readlink(venv))  # noqa: PTH115
        if (venv.parent / target).parent.absolute() != folder_of(venv).absolute():
            raise CannotWriteError(
                f"{venv} is a link to {target}, which torchstrap did not make; "
                f"move it away or name another with --venv."
            )
    elif key_in(venv) or _says_ours(venv / "pyvenv.cfg"):
        return
    elif (venv / "pyvenv.cfg").exists():
        raise CannotWriteError(
            f"{venv} is an environment that torchstrap did not make; move it away or name another with --venv."
        )
    elif venv.exists() and not (venv.is_dir() and not any(venv.iterdir())):
        raise CannotWriteError(f"{venv} exists and is no environment; move it away or name another with --venv.")


def _says_ours(settings: Path) -> bool:
    try:
        return OURS.search(settings.read_text(encoding="utf-8", errors="replace")) is not None
    except OSError:
        return False


def settled(venv: Path, *, limit: float) -> None:
    """Wait for a switch that is under way, and undo one that was killed, for who only looks.

    `limit` in seconds; raises TryAgainError. Who may not write sees what is there.
    """
    if switching.is_unfinished(venv):
        try:
            with locked(venv, limit=limit):
                return
        except TryAgainError:
            raise
        except BootstrapError:
            return


@contextlib.contextmanager
def locked(venv: Path, *, limit: float, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the environment for changing it; a switch that was killed is undone. `waiting` is called if others hold it.

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
        with writing(f"undoing a switch of {venv.name} that was not finished", folder):
            switching.mend(venv)
        yield
    finally:
        os.close(held)


def _acquire(held: int, venv: Path, limit: float, waiting: Callable[[], None]) -> None:
    until = time.monotonic() + limit
    told = False
    while locks.alone(held) == "busy":  # a file system without locks: the renames below still keep environments whole
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
            clear(each)
        if (folder / key).exists():
            switching.take_away(folder / key, folder)  # without a marker: somebody has been at it
        with made_beside(folder, f"{key}.building") as building:
            told = fill(building)
            settle(building)
            mark(building, {"schema": SCHEMA, "key": key, **(told or {})})
            building.rename(folder / key)
            settle_names(folder)
    return folder / key


def switch(venv: Path, key: str, way: switching.Way = switching.as_it_stands) -> Path:
    """Make the generation of a key the environment, at once; to be called under `locked`. Returns where it lies now.

    Generations beyond the newest three are removed afterwards. Raises InputError if there is no such generation,
    CannotWriteError if something stands at `venv` that is not ours, or is in use (Windows).
    """
    generation = find(venv, key)
    if generation is None:
        raise InputError(folder_of(venv), f"there is no complete generation {key}")
    ensure_ours(venv)
    with writing(f"switching {venv.name}", venv.parent):
        way(venv, generation)
        generation = current(venv) or generation
        use(generation, listed(venv))
        old = [each for each in listed(venv)[KEPT:] if each != generation]
    for each in old:
        with contextlib.suppress(OSError, CannotWriteError):  # the switch is done; there will be another time for this
            switching.take_away(each, folder_of(venv))
    return generation


def remove(venv: Path, key: str) -> None:
    """Remove a generation. Raises CannotWriteError if it is the current one, InputError if there is none."""
    generation = find(venv, key)
    if generation is None:
        raise InputError(folder_of(venv), f"there is no complete generation {key}")
    if current(venv) == generation:
        raise CannotWriteError(f"{key} is what {venv} is now; switch to another generation first.")
    with _removing(venv):
        switching.take_away(generation, folder_of(venv))


def remove_all(venv: Path) -> None:
    """Have no environment, and none to go back to; to be called under `locked`. What is current goes first, at once.

    Raises CannotWriteError if something stands at `venv` that is not ours.
    """
    ensure_ours(venv)
    with _removing(venv):
        if venv.is_symlink():
            venv.unlink()
        for each in sorted(listed(venv), key=lambda generation: generation != venv):
            switching.take_away(each, folder_of(venv))


def _removing(venv: Path) -> AbstractContextManager[None]:
    return writing(f"removing a generation of {venv.name}", folder_of(venv))


def _checked(key: str) -> str:
    if not KEY.fullmatch(key):
        raise ValueError(f"{key!r} is no name for a generation")
    return key


def litter(venv: Path) -> tuple[Path, ...]:
    """What processes that are no more have left among the generations; the next build removes it."""
    try:
        every = sorted(folder_of(venv).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return ()
    folders = dict.fromkeys(map(folder_in, every))
    return tuple(each for each in folders if UNFINISHED.fullmatch(each.name) and is_abandoned(each))
