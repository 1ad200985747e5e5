"""The table of mounts, as /proc/self/mountinfo writes it. https://docs.kernel.org/filesystems/proc.html, 3.5"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["Mount", "mount_of", "parse_mounts"]


class Mount(NamedTuple):
    """One line: where it is mounted, the kind of file system, and whether this mount or the whole of it is closed."""

    path: str
    kind: str
    source: str
    read_only: bool


def parse_mounts(text: str) -> tuple[Mount, ...]:
    """The mounts of a mountinfo table, in its order; lines of another form are passed over."""
    mounts = []
    for line in text.splitlines():
        before, dash, after = line.partition(" - ")
        own, rest = before.split(" "), after.split(" ")
        if not dash or len(own) < 6 or len(rest) < 3:  # noqa: PLR2004 - fields that every line has
            continue
        read_only = "ro" in own[5].split(",") or "ro" in rest[2].split(",")
        mounts.append(Mount(_unescaped(own[4]), rest[0], _unescaped(rest[1]), read_only))
    return tuple(mounts)


def _unescaped(text: str) -> str:
    return re.sub(r"\\(0[0-7]{2}|1[0-7]{2})", lambda match: chr(int(match[1], 8)), text)


def mount_of(path: str, mounts: Iterable[Mount]) -> Mount | None:
    """The mount that a path lies on: the deepest, and of those the last, which hides the others."""
    inside = [each for each in mounts if path == each.path or path.startswith(each.path.rstrip("/") + "/")]
    deepest = max((len(each.path) for each in inside), default=0)
    return next((each for each in reversed(inside) if len(each.path) == deepest), None)
