"""Packages that a person added to an environment, carried over into the next one: files, by their RECORD, and no more.

A guest never writes over a file of the lock's, and never brings what the lock alone decides: the torch family. Its
programs keep working as they are, because they name the stable path of the environment.
"""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bootstrap.environment.installed import Distribution
from bootstrap.environment.layout import Layout
from bootstrap.wheels.disk import writing

__all__ = ["Carried", "carry"]


@dataclass(frozen=True, slots=True)
class Carried:
    """The packages that came along, and a sentence for each that did not, or not as a whole."""

    packages: tuple[Distribution, ...]
    warnings: tuple[str, ...]


def carry(guests: Sequence[Distribution], old: Layout, new: Layout, refused: Callable[[str], bool]) -> Carried:
    """Copy packages from one environment into another; `old` and `new` are layouts of the new one's Python.

    `refused` says by normalized name who may not come. Raises CannotWriteError or NotPermittedError.
    """
    came: list[Distribution] = []
    warnings: list[str] = []
    for each in guests:
        reason = _obstacle(each, old, new, refused)
        if reason:
            warnings.append(f"{each.name} {each.version} was not carried over: {reason}")
            continue
        with writing(f"carrying {each.name} over", new.root):
            left = tuple(_copied(each, old, new))
        came.append(each)
        if left:
            files = ", ".join(left)
            warnings.append(f"{each.name} {each.version} came without {files}: the lock has files of that name")
    return Carried(tuple(came), tuple(warnings))


def _obstacle(guest: Distribution, old: Layout, new: Layout, refused: Callable[[str], bool]) -> str:
    if refused(guest.normalized):
        return "it is of the torch family, which the lock decides"
    if not guest.record:
        return "it has no RECORD, so nobody knows its files"
    if guest.folder.parent not in old.site_packages:
        return "the environment has another Python now"
    site = new.root / guest.folder.parent.relative_to(old.root)
    return "the lock has that version itself" if (site / guest.folder.name).exists() else ""


def _copied(guest: Distribution, old: Layout, new: Layout) -> Iterator[str]:
    """Copy what RECORD lists; yields what was not, because something is there already."""
    site = guest.folder.parent
    root = os.path.realpath(old.root)
    with (guest.folder / "RECORD").open(encoding="utf-8", newline="") as file:
        listed = [row[0] for row in csv.reader(file) if row]
    for name in listed:
        source = os.path.normpath(os.path.join(os.path.realpath(site), name))  # noqa: PTH118 - "..", taken literally
        if not source.startswith(f"{root}{os.sep}") or not os.path.isfile(source):  # noqa: PTH113
            continue
        target = new.root / os.path.relpath(source, root)
        if os.path.lexists(target):
            yield name
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
