"""What generations an environment has: facts about each, read from what the syncs left there, and our trust in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bootstrap import stamp
from bootstrap.environment import generations, marker
from bootstrap.environment.marker import marker_of
from bootstrap.errors import InputError

__all__ = [
    "Footprint",
    "distrust",
    "footprint",
    "is_distrusted",
    "marker_of",
    "named",
    "previous",
    "site_packages",
    "used",
]

DISTRUSTED = "distrusted"


@dataclass(frozen=True, slots=True)
class Footprint:
    """How much lies in a folder, in bytes: `own`, and `shared` where files have other names elsewhere (hard links).

    What a clone shares (btrfs, XFS) cannot be seen from outside and counts as own.
    """

    own: int
    shared: int

    def to_json(self) -> Mapping[str, Any]:
        """As `env list --json` says it."""
        return {"own": self.own, "shared": self.shared}


def footprint(folder: Path) -> Footprint:
    """Walk through a folder; what disappears meanwhile does not count."""
    own = shared = 0
    waiting = [str(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                        continue
                    status = entry.stat(follow_symlinks=False)
                    if status.st_nlink > 1:
                        shared += status.st_size
                    else:
                        own += status.st_size
        except OSError:
            continue
    return Footprint(own, shared)


def distrust(generation: Path) -> None:
    """Remember that a generation is not what was built, where it can be written: the next sync builds it again."""
    with suppress(OSError):
        (generation / DISTRUSTED).touch()
        (generation / stamp.FILE).unlink(missing_ok=True)


def is_distrusted(generation: Path) -> bool:
    """Whether somebody found that a generation is not what was built."""
    return (generation / DISTRUSTED).exists()


def site_packages(generation: Path) -> tuple[Path, ...]:
    """The folders of packages in a generation, whatever Python it was made for; `lib64` is a link to `lib` mostly."""
    found = sorted(generation.glob("lib*/python*/site-packages")) or [generation / "Lib" / "site-packages"]
    distinct = {each.resolve(): each for each in reversed(found)}
    return tuple(reversed(distinct.values()))


def used(generation: Path) -> float:
    """When a generation was switched to last, or found to be the right one; seconds since 1970."""
    return marker.used(generation) / 1e9


def previous(venv: Path) -> Path:
    """The generation that was the environment before. Raises InputError if there is none."""
    current = generations.current(venv)
    others = [each for each in generations.listed(venv) if each != current]
    if not others:
        raise InputError(venv, "has no other generation to go back to; `torchstrap env list` shows what there is")
    return others[0]


def named(venv: Path, key: str) -> Path:
    """The generation of a key or of the beginning of one that only one has. Raises InputError."""
    keys = {generations.key_of(each): each for each in generations.listed(venv)}
    fitting = [key] if key in keys else [each for each in keys if key and each.startswith(key)]
    if len(fitting) == 1:
        return keys[fitting[0]]
    problem = f"{key!r} begins the names of {len(fitting)}" if fitting else f"there is no generation {key!r}"
    raise InputError(generations.folder_of(venv), f"{problem}; there are {', '.join(sorted(keys)) or 'none'}")
