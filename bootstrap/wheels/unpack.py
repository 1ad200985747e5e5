"""From a checked archive to a folder of files, each proved by the hash that RECORD promises while it is written.

One row may be wrong: the one for METADATA. The torch wheels 1.7 to 1.12 and their companions were edited after their
RECORD was made (pytorch/pytorch#47916, #97153). METADATA holds no code, so it is noted, and the true row is kept.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from bootstrap.wheels.archive import reader_of
from bootstrap.wheels.contents import Contents, DataFile, StoredFile
from bootstrap.wheels.directory import BrokenArchiveError, read_directory
from bootstrap.wheels.filling import Supply, Whole, Written, executable, filled
from bootstrap.wheels.halfway import Ledger, Nothing
from bootstrap.wheels.inspection import Plan, inspect, refused
from bootstrap.wheels.preflight import ensure_room
from bootstrap.wheels.record import INSTALLER_FILES

if TYPE_CHECKING:
    from bootstrap.wheels.contents import Scheme

__all__ = ["fill", "unpack", "unpacked_size"]


def unpacked_size(archive: Path) -> int | None:
    """The bytes that the archive says its files take, or None if it is no archive."""
    try:
        with archive.open("rb") as file:
            return sum(each.size for each in read_directory(file).entries)
    except (BrokenArchiveError, OSError):
        return None


def unpack(archive: Path, filename: str, tree: Path, ledger: Ledger | None = None) -> Contents:
    """Check the wheel and write its files below `tree`, which must not exist yet unless a `ledger` knows of it.

    Raises BadDistributionError with every issue (what is in `tree` then is for the caller to remove) and OSError.
    """
    with archive.open("rb") as file:
        return fill(inspect(file, filename), Whole(reader_of(file)), filename, tree, ledger or Nothing())


def fill(plan: Plan, supply: Supply, filename: str, tree: Path, ledger: Ledger) -> Contents:
    """Write the files of a wheel that was inspected, or outlined.

    Raises as `unpack`, CannotWriteError where there is no room for all of it, and what the supply raises.
    """
    done = ledger.taken(plan, tree)
    needed = plan.size - sum(each.size for each in done.values())
    needed += sum(end - start for start, end in supply.missing())
    ensure_room(((tree.parent, needed),), f"unpacking {filename}")
    for folder in _directories(each.entry.filename for each in plan.members):
        with contextlib.suppress(FileExistsError):  # two spellings of one, where case does not count
            os.mkdir(f"{tree}/{folder}")  # noqa: PTH102  one string per folder instead of one Path
    issues: list[str] = []
    notes = list(plan.notes)
    written: dict[str, Written] = {}
    outcomes = filled(supply, plan, str(tree), done=done, note=ledger.note)
    for member in (*plan.members, *plan.folders):
        name = member.entry.filename
        outcome = outcomes.get(name)
        if isinstance(outcome, str):
            issues.append(outcome)
        elif outcome is not None:
            written[name] = outcome
            if not outcome.as_promised:
                wrong = notes if name == f"{plan.information}/METADATA" else issues
                wrong.append(f"{name!r} is not what RECORD says")
    if issues:
        raise refused(filename, issues)
    return _contents(plan, filename, written, notes)


def _directories(paths: Iterable[str]) -> list[str]:
    """Every folder that the paths need, parents first."""
    found: set[str] = set()
    for parent in {path.rpartition("/")[0] for path in paths}:
        here = parent
        while here and here not in found:
            found.add(here)
            here = here.rpartition("/")[0]
    return sorted(found)


def _contents(plan: Plan, filename: str, written: Mapping[str, Written], notes: Sequence[str]) -> Contents:
    owned = {f"{plan.information}/{short}" for short in INSTALLER_FILES}
    data_prefix = plan.data_folder + "/"
    files: list[StoredFile] = []
    data: list[DataFile] = []
    for member in plan.members:
        path, is_program = member.entry.filename, executable(member.entry)
        digest, _, size = written[path]
        if path in owned:
            continue
        if path.startswith(data_prefix):
            _, scheme, inside = path.split("/", 2)
            data.append(DataFile(cast("Scheme", scheme), inside, path, size, is_program, digest))
        else:
            files.append(StoredFile(path, size, is_program))
    record = io.StringIO()
    rows = ((each.path, written[each.path].digest, each.size) for each in files)
    csv.writer(record, lineterminator="\n").writerows(rows)
    return Contents(
        filename=filename,
        name=plan.name,
        version=plan.version,
        information=plan.information,
        pure=plan.pure,
        size=plan.size,
        paths=[each.path for each in files],
        sizes=[each.size for each in files],
        executables=frozenset(each.path for each in files if each.executable),
        directories=_directories([each.path for each in files]),
        data=data,
        entry_points=plan.entry_points,
        record=record.getvalue(),
        notes=tuple(notes),
    )
