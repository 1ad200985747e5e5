"""Is this archive a wheel that may be unpacked? Answered from its directory and its small files; nothing is written.

What is checked, and every issue found is reported at once:

    the archive     a zip that can be read, not encrypted, of a believable size
    member names    relative, inside, printable, unique, plain files
    identity        one dist-info folder, and file name, folder and METADATA agree on name and version
    RECORD          a row with a good hash for every file
    .data           known schemes, nothing that would replace the interpreter or another package's records
"""

from __future__ import annotations

import csv
import re
import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from bootstrap.errors import BadDistributionError
from bootstrap.wheels.disk import size_text

__all__ = ["Plan", "inspect", "readable"]

# A wheel may be this many times its archive, or at least ROOM; past that it is taken for a decompression bomb.
# Real wheels stay below 20 (debug symbols, tables of zeros); deflate itself ends near 1030.
EXPANSION = 300
ROOM = 256 * 1024 * 1024
LARGEST = 256 * 1024**3
SMALL_FILE = 64 * 1024 * 1024
LONGEST_PART = 255  # bytes of one folder or file name; NAME_MAX of the file systems in use

SCHEMES = frozenset({"purelib", "platlib", "headers", "scripts", "data"})
STRONG = {"sha256": 43, "sha384": 64, "sha512": 86}  # algorithm: characters of its digest in a RECORD
RECORDED = frozenset({"purelib", "platlib", "data"})  # schemes through which site-packages can be reached
ENVIRONMENT_FOLDERS = frozenset({("scripts", ""), ("data", ""), ("data", "bin"), ("data", "scripts")})
SIGNATURES = ("RECORD.jws", "RECORD.p7s")
INTERPRETER = re.compile(
    r"(python(\d+(\.\d+)*)?t?w?(\.exe)?|pyvenv\.cfg|activate(\..*)?|activate_this\.py)", re.IGNORECASE
)
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
DRIVE = re.compile(r"[A-Za-z]:")
ENCRYPTED = 0x1


@dataclass(frozen=True, slots=True)
class Row:
    """A row of RECORD: `digest` like "sha256=…" ("" if none is given), `size` in bytes or None."""

    digest: str
    size: int | None


@dataclass(frozen=True, slots=True)
class Plan:
    """An archive that passed: what to unpack and how to prove each file. `members` excludes folders."""

    name: str
    version: str
    information: str
    pure: bool
    size: int
    members: tuple[zipfile.ZipInfo, ...]
    rows: Mapping[str, Row]
    entry_points: str

    @property
    def data_folder(self) -> str:
        return self.information.removesuffix(".dist-info") + ".data"


def readable(error: Exception) -> str:
    """What a broken archive did, in a few words."""
    return f"the archive is damaged ({str(error) or type(error).__name__})"


def inspect(archive: zipfile.ZipFile, filename: str, archive_size: int) -> Plan:
    """Check an opened archive against its file name. Raises BadDistributionError with everything that is wrong."""
    entries = archive.infolist()
    members = tuple(each for each in entries if not each.filename.endswith("/"))
    issues = [*_bad_size(members, archive_size), *_bad_names(entries), *_bad_kinds(entries)]
    if issues:
        raise BadDistributionError(filename, issues)
    names = [each.filename for each in members]
    information = _information(names, filename)
    texts = _small_files(archive, information, filename)
    name, version, identity = _identity(filename, information, texts["METADATA"])
    rows, bad_rows = _record(texts["RECORD"], information)
    pure, bad_wheel = _wheel(texts["WHEEL"])
    issues = [
        *identity,
        *bad_wheel,
        *bad_rows,
        *_unproved(names, rows, information),
        *_bad_data(names, information),
    ]
    if issues:
        raise BadDistributionError(filename, issues)
    size = sum(each.file_size for each in members)
    return Plan(name, version, information, pure, size, members, rows, texts.get("entry_points.txt", ""))


def _bad_size(members: Iterable[zipfile.ZipInfo], archive_size: int) -> Iterator[str]:
    total = sum(each.file_size for each in members)
    bound = min(max(ROOM, EXPANSION * archive_size), LARGEST)
    if total > bound:
        yield (
            f"it would unpack to {size_text(total)} from {size_text(archive_size)}, "
            f"which is more than any real wheel (the bound is {size_text(bound)})"
        )


def _bad_names(entries: Iterable[zipfile.ZipInfo]) -> Iterator[str]:
    seen: set[str] = set()
    files: set[str] = set()
    for entry in entries:
        # `filename` ends at a NUL; the original name shows it.
        issue = _bad_name(entry.orig_filename)
        if issue:
            yield f"{entry.orig_filename!r} {issue}"
        elif entry.filename in seen:
            yield f"{entry.filename!r} is in it twice"
        seen.add(entry.filename)
        if not entry.filename.endswith("/"):
            files.add(entry.filename)
    for path in files:
        for parent in PurePosixPath(path).parents:
            if str(parent) in files:
                yield f"{str(parent)!r} is both a file and a folder"


def _bad_name(name: str) -> str:
    parts = name.removesuffix("/").split("/")
    checks = (
        (CONTROL.search(name) is not None, "has a control character in its name"),
        ("\\" in name, "has a backslash in its name"),
        (name.startswith("/"), "is an absolute path"),
        (DRIVE.match(name) is not None, "names a drive"),
        (".." in parts, "leaves the folder"),
        ("" in parts or "." in parts, "is not a plain path"),
        (
            any(len(part.encode("utf-8", "replace")) > LONGEST_PART for part in parts),
            "has a part longer than 255 bytes",
        ),
    )
    return next((sentence for wrong, sentence in checks if wrong), "")


def _bad_kinds(entries: Iterable[zipfile.ZipInfo]) -> Iterator[str]:
    for entry in entries:
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind == stat.S_IFLNK:
            yield f"{entry.filename!r} is a symbolic link"
        elif kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
            yield f"{entry.filename!r} is no plain file"
        if entry.flag_bits & ENCRYPTED:
            yield f"{entry.filename!r} is encrypted"


def _information(names: Iterable[str], filename: str) -> str:
    """The one dist-info folder."""
    found = sorted({name.split("/", 1)[0] for name in names if name.split("/", 1)[0].endswith(".dist-info")})
    if len(found) != 1:
        listed = f" ({', '.join(found)})" if found else ""
        raise BadDistributionError(filename, [f"it has {len(found) or 'no'} dist-info folders{listed}, not one"])
    return found[0]


def _small_files(archive: zipfile.ZipFile, information: str, filename: str) -> Mapping[str, str]:
    texts: dict[str, str] = {}
    issues: list[str] = []
    for short in ("METADATA", "WHEEL", "RECORD", "entry_points.txt"):
        path = f"{information}/{short}"
        try:
            entry = archive.getinfo(path)
        except KeyError:
            if short != "entry_points.txt":
                issues.append(f"{path} is missing")
            continue
        if entry.file_size > SMALL_FILE:
            issues.append(f"{path} is unbelievably large ({size_text(entry.file_size)})")
            continue
        try:
            texts[short] = archive.read(entry).decode("utf-8", "replace" if short == "METADATA" else "strict")
        except UnicodeDecodeError:
            issues.append(f"{path} is not UTF-8 text")
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError) as error:
            issues.append(f"{path}: {readable(error)}")
    if issues:
        raise BadDistributionError(filename, issues)
    return texts


def _identity(filename: str, information: str, metadata: str) -> tuple[str, str, list[str]]:
    """Name and version as METADATA writes them, and where it, the folder and the file name disagree."""
    fields = _headers(metadata)
    name, version = fields.get("name", ""), fields.get("version", "")
    try:
        expected_name, expected_version, _, _ = parse_wheel_filename(filename)
    except InvalidWheelFilename:
        return name, version, ["its file name is no wheel's name (NAME-VERSION-PYTHON-ABI-PLATFORM.whl)"]
    folder_name, _, folder_version = information.removesuffix(".dist-info").rpartition("-")
    issues = []
    for where, has_name, has_version in ((information, folder_name, folder_version), ("METADATA", name, version)):
        if canonicalize_name(has_name) != expected_name:
            issues.append(f"{where} is about {has_name or 'nothing'!r}, the file name about {expected_name!r}")
        elif not _same(has_version, expected_version):
            issues.append(f"{where} has version {has_version or 'none'}, the file name {expected_version}")
    return name, version, issues


def _headers(text: str) -> Mapping[str, str]:
    fields: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip():
            break
        key, colon, value = line.partition(":")
        if colon and not line[0].isspace():
            fields.setdefault(key.strip().lower(), value.strip())
    return fields


def _same(text: str, version: Version) -> bool:
    try:
        return Version(text) == version
    except InvalidVersion:
        return False


def _wheel(text: str) -> tuple[bool, list[str]]:
    fields = _headers(text)
    version = fields.get("wheel-version", "")
    issues = [] if re.fullmatch(r"1\.\d+", version) else [f"its Wheel-Version is {version or 'missing'}, not 1.x"]
    return fields.get("root-is-purelib", "").lower() == "true", issues


def _record(text: str, information: str) -> tuple[dict[str, Row], list[str]]:
    """The rows by path. Weak and malformed ones are issues; rows of files that are not there are nobody's harm."""
    rows: dict[str, Row] = {}
    issues: list[str] = []
    try:
        parsed = [row for row in csv.reader(text.splitlines()) if row]
    except csv.Error as error:
        return rows, [f"RECORD cannot be read ({error})"]
    for row in parsed:
        path, digest, size = (*row, "", "")[:3]
        if path in rows:
            issues.append(f"RECORD lists {path!r} twice")
        algorithm, _, encoded = digest.partition("=")
        if digest and len(encoded.rstrip("=")) != STRONG.get(algorithm):
            issues.append(f"RECORD has no usable hash for {path!r} ({algorithm or 'none'})")
        if size and not size.isdecimal():
            issues.append(f"RECORD has no number as the size of {path!r}")
            size = ""
        rows[path] = Row(digest.rstrip("="), int(size) if size else None)
    if rows.get(f"{information}/RECORD", Row("", None)).digest:
        issues.append("RECORD claims to hash itself")
    return rows, issues


def _unproved(names: Iterable[str], rows: Mapping[str, Row], information: str) -> Iterator[str]:
    exempt = {f"{information}/{short}" for short in ("RECORD", *SIGNATURES)}
    for name in names:
        if name in exempt:
            continue
        row = rows.get(name)
        if row is None:
            yield f"RECORD does not list {name!r}"
        elif not row.digest:
            yield f"RECORD has no hash for {name!r}"


def _bad_data(names: Iterable[str], information: str) -> Iterator[str]:
    own = information.removesuffix(".dist-info") + ".data"
    for name in names:
        folder, _, rest = name.partition("/")
        scheme, _, inside = rest.partition("/")
        if not folder.endswith(".data") or not rest:
            continue
        if folder != own:
            yield f"{name!r} is in the data folder of something else"
        elif not inside or scheme not in SCHEMES:
            yield f"{name!r} belongs to no known install scheme"
        else:
            yield from _bad_target(name, scheme, inside)


def _bad_target(name: str, scheme: str, inside: str) -> Iterator[str]:
    folder, _, rest = inside.lower().rpartition("/")
    if (scheme, folder) in ENVIRONMENT_FOLDERS and INTERPRETER.fullmatch(rest):
        yield f"{name!r} would replace a file of the environment itself"
    if scheme in RECORDED and any(part.endswith(".dist-info") for part in inside.lower().split("/")[:-1]):
        yield f"{name!r} would forge the records of another package"
