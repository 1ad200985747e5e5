"""Is this archive a wheel that may be unpacked? Answered from its directory and its small files; nothing is written.

What is checked, and every issue found is reported at once:

    the archive     one way to read it, not encrypted, of a believable size   (directory.py, archive.py)
    member names    relative, inside, printable, unique, plain files          (names.py)
    identity        one dist-info folder, and file name, folder and METADATA agree on name and version
    RECORD          a row with a good hash for every file                     (record.py)
    .data           known schemes, nothing that is the environment's own      (reserved.py)
    programs        plain names for module:function                           (entry_points.py)
"""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from bootstrap.errors import BadDistributionError
from bootstrap.wheels.archive import Member, Reader, expected, members, proved, reader_of, whole_content
from bootstrap.wheels.directory import BrokenArchiveError, Directory, Entry, read_directory
from bootstrap.wheels.disk import size_text
from bootstrap.wheels.entry_points import programs
from bootstrap.wheels.names import bad_names
from bootstrap.wheels.record import Row, absent, rows_of, unproved
from bootstrap.wheels.reserved import is_reserved

__all__ = ["Plan", "damaged", "inspect", "outline", "refused"]

# A wheel may be this many times its archive, or at least ROOM; past that it is taken for a decompression bomb.
# Real wheels stay below 20 (debug symbols, tables of zeros); deflate itself ends near 1030.
EXPANSION = 300
ROOM = 256 * 1024 * 1024
LARGEST = 256 * 1024**3
MOST = 1_000_000  # files; the largest real wheels have fifty thousand
SMALL_FILE = 64 * 1024 * 1024
SHOWN = 8  # issues of one wheel

SCHEMES = frozenset({"purelib", "platlib", "headers", "scripts", "data"})
RECORDED = frozenset({"purelib", "platlib", "data"})  # schemes through which site-packages can be reached
LINUX = ("linux", "manylinux", "musllinux")
LINES = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Plan:
    """An archive that passed: what to unpack and how to prove each file. `members` excludes its `folders`.

    `notes` are mistakes that are let pass.
    """

    name: str
    version: str
    information: str
    pure: bool
    size: int
    members: tuple[Member, ...]
    folders: tuple[Member, ...]
    rows: Mapping[str, Row]
    entry_points: str
    notes: tuple[str, ...]

    @property
    def data_folder(self) -> str:
        return self.information.removesuffix(".dist-info") + ".data"


@dataclass(frozen=True, slots=True)
class _Promise:
    """What the file name says. `linux_only`: no other system takes this wheel."""

    name: str
    version: Version
    linux_only: bool


def refused(filename: str, issues: Sequence[str]) -> BadDistributionError:
    """The error for a wheel; one that is all wrong is not described in full, and nothing of it moves a cursor."""
    more = [f"and {len(issues) - SHOWN} more like these"] if len(issues) > SHOWN else []
    return BadDistributionError(filename, [_plain(each) for each in (*issues[:SHOWN], *more)])


def _plain(text: str) -> str:
    return text if text.isprintable() else "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def damaged(error: Exception) -> str:
    """What a broken archive did, in a few words."""
    return f"the archive is damaged ({str(error) or type(error).__name__})"


_Look = Callable[[Reader, Directory], tuple[list[Member], list[str]]]


def inspect(file: BinaryIO, filename: str) -> Plan:
    """Check an opened archive against its file name. Raises BadDistributionError with everything that is wrong."""
    return _inspected(file, reader_of(file), filename, members)


def outline(file: BinaryIO, read: Reader, filename: str) -> Plan:
    """The same for an archive that is still arriving: what stands before each member's data is for later to prove."""
    return _inspected(file, read, filename, lambda _read, directory: expected(directory))


def _inspected(file: BinaryIO, read: Reader, filename: str, look: _Look) -> Plan:
    promise = _promise(filename)
    try:
        directory = read_directory(file)
    except BrokenArchiveError as error:
        raise refused(filename, [f"it is not a zip archive that can be read ({error})"]) from error
    entries = directory.entries
    issues = [
        *_bad_size(entries, file.seek(0, 2)),
        *bad_names((each.filename for each in entries), linux_only=promise.linux_only),
        *_bad_kinds(entries),
    ]
    found, broken = look(read, directory)
    if issues or broken:
        raise refused(filename, [*issues, *broken])
    return _planned(read, filename, promise, found)


def _planned(read: Reader, filename: str, promise: _Promise, found: Iterable[Member]) -> Plan:
    """The second half: an archive that can be read may still be no wheel."""
    files, folders = _sorted(found)
    names = [each.entry.filename for each in files]
    information = _information(names, filename)
    texts = _small_files(read, files, information, filename)
    name, version, identity = _identity(promise, information, texts["METADATA"])
    rows, bad_rows = rows_of(texts["RECORD"], information)
    pure, notes, bad_wheel = _wheel(texts["WHEEL"])
    entry_points = texts.get("entry_points.txt", "")
    issues = [
        *identity,
        *bad_wheel,
        *bad_rows,
        *unproved(names, rows, information),
        *_bad_targets(names, information),
        *programs(entry_points)[1],
    ]
    if issues:
        raise refused(filename, issues)
    size = sum(each.entry.size for each in files)
    notes += absent(names, rows, information)
    return Plan(name, version, information, pure, size, files, folders, rows, entry_points, tuple(notes))


def _sorted(found: Iterable[Member]) -> tuple[tuple[Member, ...], tuple[Member, ...]]:
    files: list[Member] = []
    folders: list[Member] = []
    for each in found:
        (folders if each.entry.filename.endswith("/") else files).append(each)
    return tuple(files), tuple(folders)


def _promise(filename: str) -> _Promise:
    try:
        name, version, _, tags = parse_wheel_filename(filename)
    except InvalidWheelFilename as error:
        issue = "its file name is no wheel's name (NAME-VERSION-PYTHON-ABI-PLATFORM.whl)"
        raise refused(filename, [issue]) from error
    return _Promise(name, version, all(tag.platform.startswith(LINUX) for tag in tags))


def _bad_size(entries: Sequence[Entry], archive_size: int) -> Iterator[str]:
    total = sum(each.size for each in entries)
    bound = min(max(ROOM, EXPANSION * archive_size), LARGEST)
    if total > bound:
        yield (
            f"it would unpack to {size_text(total)} from {size_text(archive_size)}, "
            f"which is more than any real wheel (the bound is {size_text(bound)})"
        )
    if len(entries) > MOST:
        yield f"it has {len(entries)} files, which is more than any real wheel (the bound is {MOST})"


def _bad_kinds(entries: Iterable[Entry]) -> Iterator[str]:
    for entry in entries:
        kind = stat.S_IFMT(entry.mode)
        is_folder = entry.filename.endswith("/")
        if kind == stat.S_IFLNK:
            yield f"{entry.filename!r} is a symbolic link"
        elif kind not in {0, stat.S_IFREG, stat.S_IFDIR} or (kind == stat.S_IFDIR and not is_folder):
            yield f"{entry.filename!r} is no plain file"
        elif is_folder and entry.size:
            yield f"{entry.filename!r} is a folder with {entry.size} bytes of content"


def _information(names: Iterable[str], filename: str) -> str:
    """The one dist-info folder. Another spelling of it is another one, which some file systems take for the same."""
    tops = {name.partition("/")[0] for name in names if "/" in name}
    found = sorted(each for each in tops if each.lower().endswith(".dist-info"))
    if len(found) != 1:
        listed = f" ({', '.join(found)})" if found else ""
        raise refused(filename, [f"it has {len(found) or 'no'} dist-info folders{listed}, not one"])
    return found[0]


def _small_files(read: Reader, files: Iterable[Member], information: str, filename: str) -> Mapping[str, str]:
    by_name = {each.entry.filename: each for each in files if each.entry.filename.startswith(f"{information}/")}
    texts: dict[str, str] = {}
    issues: list[str] = []
    for short in ("METADATA", "WHEEL", "RECORD", "entry_points.txt"):
        path = f"{information}/{short}"
        member = by_name.get(path)
        if member is None:
            if short != "entry_points.txt":
                issues.append(f"{path} is missing")
            continue
        if member.entry.size > SMALL_FILE:
            issues.append(f"{path} is unbelievably large ({size_text(member.entry.size)})")
            continue
        try:
            text = whole_content(read, proved(read, member))
            texts[short] = text.decode("utf-8", "replace" if short == "METADATA" else "strict")
        except UnicodeDecodeError:
            issues.append(f"{path} is not UTF-8 text")
        except BrokenArchiveError as error:
            issues.append(f"{path}: {damaged(error)}")
    if issues:
        raise refused(filename, issues)
    return texts


def _identity(promise: _Promise, information: str, metadata: str) -> tuple[str, str, list[str]]:
    """Name and version as METADATA writes them, and where it, the folder and the file name disagree."""
    fields, issues = _headers(metadata, "METADATA", ("name", "version"))
    name, version = fields.get("name", ""), fields.get("version", "")
    folder_name, _, folder_version = information.removesuffix(".dist-info").rpartition("-")
    for where, has_name, has_version in ((information, folder_name, folder_version), ("METADATA", name, version)):
        if canonicalize_name(has_name) != promise.name:
            issues.append(f"{where} is about {has_name or 'nothing'!r}, the file name about {promise.name!r}")
        elif not _same(has_version, promise.version):
            issues.append(f"{where} has version {has_version or 'none'}, the file name {promise.version}")
    return name, version, issues


def _headers(text: str, where: str, single: Sequence[str]) -> tuple[Mapping[str, str], list[str]]:
    """The fields before the first empty line, the first of each name; issues where a `single` one is there twice."""
    fields: dict[str, str] = {}
    issues: list[str] = []
    for line in LINES.split(text):
        if not line.strip():
            break
        key, colon, value = line.partition(":")
        if not colon or line[0].isspace():
            continue
        key = key.strip().lower()
        if key in fields and key in single:
            issues.append(f"{where} has two fields {key.title()!r}")
        fields.setdefault(key, value.strip())
    return fields, issues


def _same(text: str, version: Version) -> bool:
    try:
        return Version(text) == version
    except InvalidVersion:
        return False


def _wheel(text: str) -> tuple[bool, list[str], list[str]]:
    """Whether its files are for purelib, notes, and issues."""
    fields, issues = _headers(text, "WHEEL", ("wheel-version", "root-is-purelib"))
    version = fields.get("wheel-version", "")
    pure = fields.get("root-is-purelib", "false").lower()
    notes: list[str] = []
    if not re.fullmatch(r"1\.\d{1,9}", version):
        issues.append(f"its Wheel-Version is {version or 'missing'}, not 1.x")
    elif int(version.partition(".")[2]) > 0:
        notes.append(f"its Wheel-Version is {version}, newer than 1.0, and what is new in it is not done")
    if pure not in {"true", "false"}:
        issues.append(f"its Root-Is-Purelib is {pure!r}, not true or false")
    return pure == "true", notes, issues


def _bad_targets(names: Iterable[str], information: str) -> Iterator[str]:
    """Files that would land where they have no business."""
    own = information.removesuffix(".dist-info") + ".data"
    for name in names:
        folder, _, rest = name.partition("/")
        scheme, _, inside = rest.partition("/")
        if not folder.lower().endswith(".data") or not rest:
            if is_reserved("", name):
                yield f"{name!r} would replace a file of the environment itself"
        elif folder != own:
            yield f"{name!r} is in the data folder of something else"
        elif not inside or scheme not in SCHEMES:
            yield f"{name!r} belongs to no known install scheme"
        elif is_reserved(scheme, inside):
            yield f"{name!r} would replace a file of the environment itself"
        elif scheme in RECORDED and any(part.endswith(".dist-info") for part in inside.lower().split("/")[:-1]):
            yield f"{name!r} would forge the records of another package"
