"""From a checked archive to a folder of files, each proved by the hash that RECORD promises while it is written.

One row may be wrong: the one for METADATA. The torch wheels 1.7 to 1.12 and their companions were edited after their
RECORD was made (pytorch/pytorch#47916, #97153). METADATA holds no code, so it is noted, and the true row is kept.
"""

from __future__ import annotations

import base64
import contextlib
import csv
import hashlib
import io
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from bootstrap.wheels.archive import Member, content
from bootstrap.wheels.contents import Contents, DataFile, Scheme, StoredFile
from bootstrap.wheels.directory import BrokenArchiveError, Entry, read_directory
from bootstrap.wheels.inspection import Plan, damaged, inspect, refused
from bootstrap.wheels.record import INSTALLER_FILES, Row

__all__ = ["unpack", "unpacked_size"]

_LARGE = 16 << 20
"""Bytes of files from which it takes longer to unpack a wheel than to start threads for it."""
_WORKERS = min(4, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


class _Written(NamedTuple):
    """A file as it is now: its RECORD hash, whether it is the one that was promised, and its size in bytes."""

    digest: str
    as_promised: bool
    size: int


def unpacked_size(archive: Path) -> int | None:
    """The bytes that the archive says its files take, or None if it is no archive."""
    try:
        with archive.open("rb") as file:
            return sum(each.size for each in read_directory(file).entries)
    except (BrokenArchiveError, OSError):
        return None


def unpack(archive: Path, filename: str, tree: Path) -> Contents:
    """Check the wheel and write its files below `tree`, which must not exist yet.

    Raises BadDistributionError with every issue (what is in `tree` then is for the caller to remove) and OSError.
    """
    with archive.open("rb") as file:
        plan = inspect(file, filename)
        tree.mkdir()
        for folder in _directories(each.entry.filename for each in plan.members):
            with contextlib.suppress(FileExistsError):  # two spellings of one, where case does not count
                os.mkdir(f"{tree}/{folder}")  # noqa: PTH102  one string per folder instead of one Path
        return _filled(archive, file, plan, filename, str(tree))


def _filled(archive: Path, file: BinaryIO, plan: Plan, filename: str, tree: str) -> Contents:
    issues: list[str] = []
    notes = list(plan.notes)
    written: dict[str, _Written] = {}
    outcomes = _outcomes(archive, file, plan, tree)
    for member in plan.members:
        name = member.entry.filename
        outcome = outcomes[name]
        if isinstance(outcome, str):
            issues.append(outcome)
            continue
        written[name] = outcome
        if not outcome.as_promised:
            wrong = notes if name == f"{plan.information}/METADATA" else issues
            wrong.append(f"{name!r} is not what RECORD says")
    if issues:
        raise refused(filename, issues)
    return _contents(plan, filename, written, notes)


def _outcomes(archive: Path, file: BinaryIO, plan: Plan, tree: str) -> Mapping[str, _Written | str]:
    """Each member as it was written, or what is wrong with it. Inflating and hashing leave the other cores free, so a
    large wheel is unpacked by several threads, its largest members first.
    """
    if plan.size < _LARGE or _WORKERS == 1:
        return {each.entry.filename: _tried(file, each, plan, tree) for each in plan.members}
    own = threading.local()
    with ExitStack() as opened, ThreadPoolExecutor(_WORKERS) as workers:

        def one(member: Member) -> _Written | str:
            if not hasattr(own, "file"):
                own.file = opened.enter_context(archive.open("rb", buffering=0))
            return _tried(own.file, member, plan, tree)

        largest_first = sorted(plan.members, key=lambda each: -each.entry.size)
        try:
            done = list(workers.map(one, largest_first))
        except BaseException:
            workers.shutdown(wait=True, cancel_futures=True)
            raise
        return {each.entry.filename: outcome for each, outcome in zip(largest_first, done, strict=True)}


def _tried(file: BinaryIO, member: Member, plan: Plan, tree: str) -> _Written | str:
    name = member.entry.filename
    try:
        return _write(file, member, f"{tree}/{name}", plan.rows.get(name, Row("", None)))
    except BrokenArchiveError as error:
        return f"{name!r}: {damaged(error)}"
    except FileExistsError:
        return f"{name!r} is taken for another of its files by the file system of {tree}"


def _write(file: BinaryIO, member: Member, path: str, row: Row) -> _Written:
    """Write one member. Never writes more than the archive's directory declares."""
    own = hashlib.sha256()
    algorithm = row.digest.partition("=")[0] or "sha256"
    promised = own if algorithm == "sha256" else hashlib.new(algorithm)
    mode = 0o777 if _executable(member.entry) else 0o666
    target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
    with os.fdopen(target, "wb", buffering=0) as made:
        for chunk in content(file, member):
            own.update(chunk)
            if promised is not own:
                promised.update(chunk)
            _write_all(made, chunk)
    size = member.entry.size
    as_promised = not row.digest or (
        row.digest == f"{algorithm}={_encoded(promised.digest())}" and row.size in {None, size}
    )
    return _Written(f"sha256={_encoded(own.digest())}", as_promised, size)


def _encoded(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _write_all(file: io.RawIOBase, chunk: bytes) -> None:
    written = file.write(chunk) or 0
    while written < len(chunk):
        written += file.write(chunk[written:]) or 0


def _executable(entry: Entry) -> bool:
    return bool(entry.mode & 0o111)


def _directories(paths: Iterable[str]) -> list[str]:
    """Every folder that the paths need, parents first."""
    found: set[str] = set()
    for parent in {path.rpartition("/")[0] for path in paths}:
        here = parent
        while here and here not in found:
            found.add(here)
            here = here.rpartition("/")[0]
    return sorted(found)


def _contents(plan: Plan, filename: str, written: Mapping[str, _Written], notes: Sequence[str]) -> Contents:
    owned = {f"{plan.information}/{short}" for short in INSTALLER_FILES}
    data_prefix = plan.data_folder + "/"
    files: list[StoredFile] = []
    data: list[DataFile] = []
    for member in plan.members:
        path, executable = member.entry.filename, _executable(member.entry)
        digest, _, size = written[path]
        if path in owned:
            continue
        if path.startswith(data_prefix):
            _, scheme, inside = path.split("/", 2)
            data.append(DataFile(cast("Scheme", scheme), inside, path, size, executable, digest))
        else:
            files.append(StoredFile(path, size, executable))
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
