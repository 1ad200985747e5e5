"""Is there room for what is about to be written? Asked before it is, of the file systems that will really be written.

    the store          every wheel unpacked, and the largest archive beside them while it arrives
    the environment    the files once more, if it lies on another file system, where nothing can be linked

Before the first byte a wheel counts with the size of its archive, which is the least that it takes; the directory of a
large one arrives first (ahead.py) and says the rest, before the rest has come. Nothing large is ever written elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from bootstrap.errors import CannotWriteError
from bootstrap.wheels.disk import existing, file_system, room, size_text

__all__ = ["ensure_room", "needs_of"]


def needs_of(sizes: Sequence[int], store: Path, environment: Path | None) -> tuple[tuple[Path, int], ...]:
    """Which folder takes at least how many bytes, for archives of these sizes in bytes."""
    total = sum(sizes)
    needs = [(store, total + max(sizes, default=0))]
    if environment is not None and _device(environment) != _device(store):
        needs.append((environment, total))
    return tuple(needs)


def ensure_room(needs: Sequence[tuple[Path, int]], what: str, free: Callable[[Path], int] = room) -> None:
    """Raise CannotWriteError if a folder, of those that need so many bytes for `what`, lacks the room."""
    for folder, needed in needs:
        there = free(folder)
        if needed > there:
            raise CannotWriteError(
                f"{what}: {folder} is on the file system {file_system(folder)}, which has {size_text(there)} free, "
                f"and at least {size_text(needed)} are needed. Nothing was written there for it. Make room "
                f"(`torchstrap cache gc` removes what no environment uses), or name a folder on another disk "
                f"(--cache-dir, --venv)."
            )


def _device(folder: Path) -> int:
    return existing(folder.absolute()).stat().st_dev
