"""Which environments were made with a cache: one small file each, so that `cache gc` can ask them what they use.

    <cache>/environments/<16 hex digits of the path's hash>    the path, as bytes

A hard link shows by itself that somebody uses an entry of the store; a clone and a copy do not.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from bootstrap.environment import generations
from bootstrap.wheels.disk import put

__all__ = ["forget", "known", "remember"]


def remember(cache: Path, venv: Path) -> None:
    """Note that an environment was made with a cache. A cache that cannot be written is no obstacle."""
    path = os.fsencode(venv)
    note = cache / "environments" / hashlib.sha256(path).hexdigest()[:16]
    with suppress(OSError):
        if not note.exists():
            put(note, path)


def known(cache: Path) -> tuple[Path, ...]:
    """The environments that were made with a cache and still have generations."""
    return tuple(sorted(venv for _, venv in _notes(cache) if generations.listed(venv)))


def forget(cache: Path) -> None:
    """Remove the notes of environments that are gone."""
    for note, venv in _notes(cache):
        if not generations.folder_of(venv).exists():
            with suppress(OSError):
                note.unlink()


def _notes(cache: Path) -> Iterator[tuple[Path, Path]]:
    with suppress(FileNotFoundError, NotADirectoryError):
        for note in sorted((cache / "environments").iterdir()):
            with suppress(OSError):
                if not note.name.startswith("."):
                    yield note, Path(os.fsdecode(note.read_bytes()))
