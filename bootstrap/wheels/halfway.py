"""What was unpacked of a wheel before its run broke off, and which of it the next run takes as it is.

    incoming/<sha256>.tree/tree/   the files so far; in the end that folder becomes the entry of the store
    incoming/<sha256>.files        which of them are whole:

    {"format": 1, "boot": "5f1c…"}
    [["torch/__init__.py", "sha256=…", 93021], …]
    …

Both belong to who holds the part beside them. A line is added after its files were handed to the operating system: a
kill takes nothing of them back, and what a power cut takes back nobody can tell without reading it, so what was noted
before this start of the machine is thrown away. A file stays if RECORD, read anew from the archive, promises the very
hash that it had when it was written. So it is what the archive holds, as soon as the archive proves to be the right
one, whatever bytes the first run had been sent.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Mapping
from io import FileIO
from pathlib import Path
from typing import NamedTuple, Protocol

from bootstrap.wheels.archive import Member
from bootstrap.wheels.durable import boot
from bootstrap.wheels.filling import WORTH, Written, executable
from bootstrap.wheels.inspection import Plan

__all__ = ["Halfway", "Ledger", "Nothing", "wiped"]

FORMAT = 1


class Ledger(Protocol):
    """Who remembers which files of a wheel are written."""

    def taken(self, plan: Plan, tree: Path) -> dict[str, Written]:
        """The files below `tree` that can stay; there are no others any more. Raises OSError."""

    def note(self, outcomes: Mapping[str, Written | str]) -> None:
        """These were written. Raises OSError."""


class Nothing:
    """For a tree that nobody comes back to."""

    def taken(self, plan: Plan, tree: Path) -> dict[str, Written]:
        del plan
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(tree)
        tree.mkdir()
        return {}

    def note(self, outcomes: Mapping[str, Written | str]) -> None: ...


class _Present(NamedTuple):
    """A file that lies there."""

    size: int
    is_executable: bool


class Halfway:
    """The notes at `path`, which need not exist yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: FileIO | None = None

    def taken(self, plan: Plan, tree: Path) -> dict[str, Written]:
        """Raises OSError. A wheel that is written in a moment is not worth notes."""
        tree.mkdir(parents=True, exist_ok=True)
        os.utime(tree.parent)
        noted, present = _read(self._path), _files_below(str(tree))
        kept = {
            each.entry.filename: noted[each.entry.filename]
            for each in plan.members
            if each.entry.filename in noted and _stays(each, noted[each.entry.filename], plan, present)
        }
        for name in present.keys() - kept.keys():
            os.unlink(f"{tree}/{name}")  # noqa: PTH108  thousands of them
        if plan.size >= WORTH:
            self._begin()
            self.note(kept)
        return kept

    def note(self, outcomes: Mapping[str, Written | str]) -> None:
        rows = [
            [name, each.digest, each.size]
            for name, each in outcomes.items()
            if isinstance(each, Written) and each.as_promised
        ]
        if self._file is not None and rows:
            self._file.write(json.dumps(rows).encode() + b"\n")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _begin(self) -> None:
        """Notes in place of the old ones. Those are gone first: they may speak of files that are not there now."""
        self.close()
        self._path.unlink(missing_ok=True)
        self._file = FileIO(self._path, "ab")
        self._file.write(json.dumps({"format": FORMAT, "boot": boot()}).encode() + b"\n")


def wiped(folder: Path, notes: Path) -> None:
    """Nothing is left of either. Raises OSError."""
    notes.unlink(missing_ok=True)
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)


def _read(path: Path) -> Mapping[str, Written]:
    """What was noted since the machine was started, up to the first line that makes no sense."""
    found: dict[str, Written] = {}
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
        first, *lines = path.read_bytes().split(b"\n")
        head = json.loads(first)
        if head["format"] != FORMAT or not boot() or head["boot"] != boot():
            return {}
        for line in lines[:-1]:  # what follows the last line end was cut off
            found |= {str(name): Written(str(digest), True, int(size)) for name, digest, size in json.loads(line)}
    return found


def _stays(member: Member, noted: Written, plan: Plan, present: Mapping[str, _Present]) -> bool:
    name = member.entry.filename
    row = plan.rows.get(name)
    return (
        row is not None
        and row.digest == noted.digest
        and row.size in {None, noted.size}
        and present.get(name) == (noted.size, executable(member.entry))
        and noted.size == member.entry.size
    )


def _files_below(folder: str, prefix: str = "") -> dict[str, _Present]:
    """Everything but folders, by its path as the file system spells it."""
    found: dict[str, _Present] = {}
    with os.scandir(folder) as entries:
        for each in entries:
            if each.is_dir(follow_symlinks=False):
                found |= _files_below(each.path, f"{prefix}{each.name}/")
            else:
                status = each.stat(follow_symlinks=False)
                found[prefix + each.name] = _Present(status.st_size, bool(status.st_mode & 0o111))
    return found
