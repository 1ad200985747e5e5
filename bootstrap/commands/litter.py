"""What gathers in the cache besides wheels, and how long it may lie there: a table, and who may take it away when.

    litter   nobody comes for it, or whoever does makes it anew: it goes whenever `cache gc` comes by
    idle     somebody may be about to use it: it loses its place while no sync is at work, as entries of the store do

Ages count from the last change; what is used again (environments for builds, archives, programs) is touched then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from bootstrap.wheels.making import is_abandoned
from bootstrap.wheels.store import DOWNLOADS_KEPT

__all__ = ["idle", "litter"]

_DAY = 86400.0  # seconds
_IDLE = 30 * _DAY
_DIGEST = re.compile(r"[0-9a-f]{16,64}")


class _Kind(NamedTuple):
    folder: str
    pattern: str
    age: float  # seconds


_LITTER = (
    _Kind("incoming", "*", DOWNLOADS_KEPT),
    _Kind("pages", "*/*", 90 * _DAY),
    _Kind("metadata", "*/*", 90 * _DAY),
    _Kind("bundles", "*", 90 * _DAY),
    _Kind("proofs", "*", 180 * _DAY),
    _Kind("probes", "*", 180 * _DAY),
    # Files that were to be renamed when they are complete.
    *(_Kind(name, ".*", _DAY) for name in ("archives", "environments", "interpreters", "proofs", "templates")),
    *(_Kind(name, "*/.*", _DAY) for name in ("pages", "metadata")),
    _Kind("probes", "*.part", _DAY),
    _Kind("git/built", "*", 90 * _DAY),
    *(_Kind(f"git/{name}", ".*", _DAY) for name in ("mirrors", "checkouts/*")),
)
_MAKING = ("building/*", "builds/building-*")
_REUSED = ("builds", "archives")
_OF_GIT = ("git/mirrors/*", "git/checkouts/*/*")
_PROGRAMS = ("programs/*",)


def litter(root: Path, now: float) -> tuple[Path, ...]:
    """Files and folders below a cache that nobody comes for."""
    old = {
        each for kind in _LITTER for each in (root / kind.folder).glob(kind.pattern) if _is_older(each, now - kind.age)
    }
    left = {each for pattern in _MAKING for each in root.glob(pattern) if is_abandoned(each)}
    return tuple(sorted(old | left))


def idle(root: Path, now: float) -> Iterator[Path]:
    """What may be used again: builds' environments, archives with notes of what was built, git's, unpacked programs."""
    for name in _REUSED:
        for each in sorted((root / name).glob("*")):
            if _DIGEST.fullmatch(each.name) and _is_older(each, now - _IDLE):
                yield each
    for pattern in (*_OF_GIT, *_PROGRAMS):
        yield from (each for each in sorted(root.glob(pattern)) if _is_older(each, now - _IDLE))


def _is_older(path: Path, moment: float) -> bool:
    with suppress(OSError):
        return path.lstat().st_mtime < moment
    return False
