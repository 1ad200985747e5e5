"""The directory of a zip archive, read in the one way that leaves nothing to interpretation.

    members … │ central directory │ zip64 record, locator (large archives) │ end record, comment │ zeros
              └───── start, size ─────────────┘ <───────────── found from the end

Programs differ in where they look for the end and in which of two contradicting numbers they believe, so an archive
can show one wheel to a scanner and another to an installer. Here every number that is there twice has to agree, and
there may be one end only. Some tools pad archives with a few zeros, which are let pass.

Source: PKWARE APPNOTE.TXT, sections 4.3.12, 4.3.14 to 4.3.16, 4.5.3 and 4.6.9.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

__all__ = ["BrokenArchiveError", "Directory", "Entry", "extra_fields", "read_directory", "wide"]

END = struct.Struct("<4s4H2LH")
END64 = struct.Struct("<4sQ2H2L4Q")
LOCATOR64 = struct.Struct("<4sLQL")
CENTRAL = struct.Struct("<4s6H3L5H2L")
FULL_16, FULL_32 = 0xFFFF, 0xFFFFFFFF  # "the number is in the zip64 field"
LONGEST_COMMENT = 0xFFFF
PADDING = 512  # zeros behind the end
LARGEST = 256 * 1024 * 1024  # bytes of a directory; torch's has one megabyte
ZIP64, UNICODE_PATH = 0x0001, 0x7075  # kinds of extra fields
UTF8 = 0x0800


class BrokenArchiveError(ValueError):
    """What is wrong with an archive, as a phrase that goes on after "it is not a zip archive that can be read"."""


class Entry(NamedTuple):
    """One entry as the directory describes it; `offset` is where its local header starts, `mode` its Unix mode."""

    filename: str
    raw: bytes
    flags: int
    method: int
    crc32: int
    compressed: int
    size: int
    mode: int
    offset: int


@dataclass(frozen=True, slots=True)
class Directory:
    """All entries in the directory's order. Local headers and data fill the archive from 0 to `start`."""

    entries: tuple[Entry, ...]
    start: int


class _End(NamedTuple):
    """What the end records say: the number of entries, and where their directory lies and has to end."""

    total: int
    size: int
    start: int
    limit: int


def read_directory(file: BinaryIO) -> Directory:
    """Read the directory of an opened archive. Raises BrokenArchiveError for anything that can be read in two ways."""
    end = _end(file)
    if end.start + end.size != end.limit:
        raise BrokenArchiveError(
            "its directory is not where its end says; something was put before it or into it after it was made"
        )
    if end.size > LARGEST:
        raise BrokenArchiveError("its directory is unbelievably large")
    central = _bytes_at(file, end.start, end.size)
    entries = tuple(_entries(central))
    if not entries:
        raise BrokenArchiveError("it is empty")
    if len(entries) != end.total:
        raise BrokenArchiveError(f"it has {len(entries)} entries and claims {end.total}")
    return Directory(entries, end.start)


def _bytes_at(file: BinaryIO, start: int, size: int) -> bytes:
    file.seek(start)
    return file.read(size)


def _end(file: BinaryIO) -> _End:
    total = file.seek(0, 2)
    tail_start = max(0, total - END.size - LONGEST_COMMENT - PADDING)
    tail = _bytes_at(file, tail_start, total - tail_start)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < END.size:
        raise BrokenArchiveError("it has no end record")
    _, disk, first_disk, here, count, size, start, comment = END.unpack_from(tail, at)
    padding = tail[at + END.size + comment :]
    if at + END.size + comment > len(tail) or padding.strip(b"\0") or len(padding) > PADDING:
        raise BrokenArchiveError("its end record is not its end; something was put behind it or cut off")
    if _is_in_comment(tail, at):
        raise BrokenArchiveError("it has two end records")
    limit = tail_start + at
    wide_end = _end64(file, limit)
    if wide_end is None:
        if FULL_32 in (size, start):
            raise BrokenArchiveError("its zip64 record is missing")
        found = _End(count, size, start, limit)
    else:
        found = wide_end
        pairs = ((count, found.total, FULL_16), (size, found.size, FULL_32), (start, found.start, FULL_32))
        if any(narrow not in (value, full) for narrow, value, full in pairs):
            raise BrokenArchiveError("its two end records disagree")
    if here != count or disk not in (0, FULL_16) or first_disk not in (0, FULL_16):
        raise BrokenArchiveError("it is a part of several")
    return found


def _is_in_comment(tail: bytes, last: int) -> bool:
    """Whether an earlier end record has a comment that reaches to the end, with the last one inside."""
    whole = len(tail.rstrip(b"\0"))
    at = tail.find(b"PK\x05\x06")
    while at != last:
        if len(tail) - at >= END.size and whole <= at + END.size + END.unpack_from(tail, at)[7] <= len(tail):
            return True
        at = tail.find(b"PK\x05\x06", at + 1)
    return False


def _end64(file: BinaryIO, limit: int) -> _End | None:
    """What the zip64 record says, if there is a locator before the end record at `limit`."""
    locator_at = limit - LOCATOR64.size
    if locator_at < 0:
        return None
    signature, disk, record_at, disks = LOCATOR64.unpack(_bytes_at(file, locator_at, LOCATOR64.size))
    if signature != b"PK\x06\x07":
        return None
    if record_at + END64.size > locator_at:
        raise BrokenArchiveError("its zip64 record is not where it should be")
    record = END64.unpack(_bytes_at(file, record_at, END64.size))
    signature, length, *_, here_disk, first_disk, here, count, size, start = record
    if signature != b"PK\x06\x06" or record_at + 12 + length != locator_at:
        raise BrokenArchiveError("its zip64 record is not where it should be")
    if disk or disks > 1 or here_disk or first_disk or here != count:
        raise BrokenArchiveError("it is a part of several")
    return _End(count, size, start, record_at)


def _entries(central: bytes) -> Iterator[Entry]:
    at = 0
    while at < len(central):
        if len(central) - at < CENTRAL.size:
            raise BrokenArchiveError("its directory is damaged")
        fields = CENTRAL.unpack_from(central, at)
        signature, _, _, flags, method, _, _, crc32, compressed, size = fields[:10]
        name_length, extra_length, comment_length, disk, _, attributes, offset = fields[10:]
        name_at = at + CENTRAL.size
        extra_at = name_at + name_length
        at = extra_at + extra_length + comment_length
        if signature != b"PK\x01\x02" or at > len(central):
            raise BrokenArchiveError("its directory is damaged")
        if disk not in (0, FULL_16):
            raise BrokenArchiveError("it is a part of several")
        raw = central[name_at:extra_at]
        name = _decoded(raw, flags)
        if extra_length:
            extra = extra_fields(central[extra_at : extra_at + extra_length], raw, name)
            size, compressed, offset = wide(extra, name, size, compressed, offset)
        elif FULL_32 in (size, compressed, offset):
            raise BrokenArchiveError(f"{name!r} has no zip64 field for its sizes")
        yield Entry(name, raw, flags, method, crc32, compressed, size, attributes >> 16, offset)


def _decoded(raw: bytes, flags: int) -> str:
    """The name; where it is not plain ASCII the archive has to say that it is UTF-8, or every program guesses."""
    try:
        return raw.decode("utf-8" if flags & UTF8 else "ascii")
    except UnicodeDecodeError as error:
        raise BrokenArchiveError(f"the name {raw!r} is not marked as UTF-8, or is not UTF-8") from error


def extra_fields(extra: bytes, raw: bytes, name: str) -> bytes | None:
    """The zip64 field of an entry's extra fields. Raises BrokenArchiveError if they give the entry a second name."""
    found: bytes | None = None
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        content = extra[at + 4 : at + 4 + length]
        if len(content) < length:
            raise BrokenArchiveError(f"{name!r} has damaged extra fields")
        if kind == ZIP64:
            if found is not None:
                raise BrokenArchiveError(f"{name!r} has two zip64 fields")
            found = content
        elif kind == UNICODE_PATH and content[5:] != raw:
            raise BrokenArchiveError(f"{name!r} has a second name ({content[5:].decode('utf-8', 'replace')!r})")
        at += 4 + length
    return found


def wide(field: bytes | None, name: str, *numbers: int) -> tuple[int, ...]:
    """The numbers with those that are full replaced by the zip64 field's, in its order; it has to hold just enough."""
    wanted = numbers.count(FULL_32)
    if not wanted:
        return numbers
    if field is None or len(field) < 8 * wanted:
        raise BrokenArchiveError(f"{name!r} has no zip64 field for its sizes")
    values = iter(struct.unpack_from(f"<{wanted}Q", field))
    return tuple(next(values) if each == FULL_32 else each for each in numbers)
