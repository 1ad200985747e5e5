"""From a checked archive to a folder of files, each proved by the hash that RECORD promises while it is written.

One row may be wrong: the one for METADATA. The torch wheels 1.7 to 1.12 and their companions were edited after their
RECORD was made (pytorch/pytorch#47916, #97153). METADATA holds no code, so it is noted, and the true row is kept.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from bootstrap.errors import BadDistributionError
from bootstrap.wheels.contents import Contents, DataFile, Scheme, StoredFile
from bootstrap.wheels.inspection import Plan, Row, inspect, readable

__all__ = ["unpack", "unpacked_size"]

CHUNK = 1024 * 1024
INSTALLER_FILES = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "RECORD.jws", "RECORD.p7s")
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, UnicodeDecodeError, ValueError)


def unpacked_size(archive: Path) -> int | None:
    """The bytes that the archive says its files take, or None if it is no archive."""
    try:
        with zipfile.ZipFile(archive) as opened:
            return sum(each.file_size for each in opened.infolist())
    except (*BROKEN, OSError):
        return None


def unpack(archive: Path, filename: str, tree: Path) -> Contents:
    """Check the wheel and write its files below `tree`, which must not exist yet.

    Raises BadDistributionError with every issue (what is in `tree` then is for the caller to remove) and OSError.
    """
    try:
        opened = zipfile.ZipFile(archive)
    except BROKEN as error:
        raise BadDistributionError(filename, [f"it is not a zip archive that can be read ({error})"]) from error
    with opened:
        plan = inspect(opened, filename, archive.stat().st_size)
        tree.mkdir()
        directories = _directories([each.filename for each in plan.members])
        for folder in directories:
            os.mkdir(f"{tree}/{folder}")  # noqa: PTH102  one string per folder instead of one Path
        issues: list[str] = []
        notes: list[str] = []
        digests: dict[str, tuple[str, int]] = {}
        for member in plan.members:
            row = plan.rows.get(member.filename, Row("", None))
            try:
                digests[member.filename] = _write(opened, member, f"{tree}/{member.filename}", row)
            except BROKEN as error:
                issues.append(f"{member.filename!r}: {readable(error)}")
                continue
            if _differs(row, digests[member.filename]):
                wrong = notes if member.filename == f"{plan.information}/METADATA" else issues
                wrong.append(f"{member.filename!r} is not what RECORD says")
    if issues:
        raise BadDistributionError(filename, issues)
    return _contents(plan, filename, digests, notes)


def _differs(row: Row, found: tuple[str, int]) -> bool:
    return bool(row.digest) and (row.digest != found[0] or row.size not in {None, found[1]})


def _write(opened: zipfile.ZipFile, member: zipfile.ZipInfo, path: str, row: Row) -> tuple[str, int]:
    """Write one member and return its RECORD hash and size. Never writes more than the archive's directory declares."""
    digest = hashlib.new(row.digest.partition("=")[0] or "sha256")
    size = 0
    mode = 0o777 if _executable(member) else 0o666
    target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with opened.open(member) as source, os.fdopen(target, "wb", buffering=0) as file:
        while chunk := source.read(CHUNK):
            size += len(chunk)
            if size > member.file_size:
                raise zipfile.BadZipFile("it is longer than declared")
            digest.update(chunk)
            _write_all(file, chunk)
    encoded = base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()
    return f"{digest.name}={encoded}", size


def _write_all(file: io.RawIOBase, chunk: bytes) -> None:
    written = file.write(chunk) or 0
    while written < len(chunk):
        written += file.write(chunk[written:]) or 0


def _executable(member: zipfile.ZipInfo) -> bool:
    return bool(member.external_attr >> 16 & 0o111)


def _directories(paths: Sequence[str]) -> list[str]:
    """Every folder that the paths need, parents first."""
    found: set[str] = set()
    for parent in {path.rpartition("/")[0] for path in paths}:
        here = parent
        while here and here not in found:
            found.add(here)
            here = here.rpartition("/")[0]
    return sorted(found)


def _contents(plan: Plan, filename: str, digests: dict[str, tuple[str, int]], notes: Sequence[str]) -> Contents:
    owned = {f"{plan.information}/{short}" for short in INSTALLER_FILES}
    data_prefix = plan.data_folder + "/"
    files: list[StoredFile] = []
    data: list[DataFile] = []
    for member in plan.members:
        path = member.filename
        digest, size = digests[path]
        if path in owned:
            continue
        if path.startswith(data_prefix):
            _, scheme, inside = path.split("/", 2)
            data.append(DataFile(cast("Scheme", scheme), inside, path, size, _executable(member), digest))
        else:
            files.append(StoredFile(path, size, _executable(member)))
    record = io.StringIO()
    csv.writer(record, lineterminator="\n").writerows((each.path, *digests[each.path]) for each in files)
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
