"""The members of a zip archive, each proved to be where and what the directory says, and their contents.

    local header, data, descriptor │ local header, data │ … │ central directory …
    0                              └ no gap, no overlap ┘   └ the directory's start

Whoever reads such an archive from the front sees the same members as who reads it from the end. A descriptor (sizes
and checksum behind the data, from tools that write to a pipe) has four possible lengths; the next member says which.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from bootstrap.wheels.directory import BrokenArchiveError, Directory, Entry, extra_fields, wide

__all__ = ["Member", "content", "members"]

LOCAL = struct.Struct("<4s5H3L2H")
CHUNK = 1024 * 1024
STORED, DEFLATED = 0, 8
ENCRYPTED, DESCRIBED, UTF8 = 0x0001, 0x0008, 0x0800
SECRET = ENCRYPTED | 0x0040 | 0x2000  # strong encryption, masked headers
MEANINGFUL = SECRET | DESCRIBED
FULL_32 = 0xFFFFFFFF
DESCRIPTORS = {  # what it may be, by its length
    12: struct.Struct("<3L"),
    16: struct.Struct("<4x3L"),
    20: struct.Struct("<L2Q"),
    24: struct.Struct("<4xL2Q"),
}


class Member(NamedTuple):
    """A member to read: its data starts at `start`."""

    entry: Entry
    start: int


class _Header(NamedTuple):
    """What a local header says, and where the data behind it starts. Sizes may be 0 if there is a descriptor."""

    name: bytes
    flags: int
    method: int
    numbers: tuple[int, ...]
    start: int


def members(file: BinaryIO, directory: Directory) -> tuple[list[Member], list[str]]:
    """The members in the archive's order, and what is wrong with them or between them, a phrase each."""
    found: list[Member] = []
    issues: list[str] = []
    ordered = sorted(directory.entries, key=lambda each: each.offset)
    limits = [*(each.offset for each in ordered[1:]), directory.start]
    if ordered and ordered[0].offset:
        issues.append(f"{ordered[0].offset} bytes before the first file belong to nothing")
    for entry, limit in zip(ordered, limits, strict=True):
        try:
            header = _header(file, entry, limit)
        except BrokenArchiveError as error:
            issues.append(str(error))
            continue
        found.append(Member(entry, header.start))
        issues += _unpackable(entry) or _disagreements(entry, header)
        issues += _surroundings(file, entry, header.start + entry.compressed, limit)
    return found, issues


def _header(file: BinaryIO, entry: Entry, limit: int) -> _Header:
    name = entry.filename
    if entry.offset + LOCAL.size > limit:
        raise BrokenArchiveError(f"{name!r} overlaps what comes after it")
    file.seek(entry.offset)
    fixed = file.read(LOCAL.size)
    if fixed[:4] != b"PK\x03\x04":
        raise BrokenArchiveError(f"{name!r} is not where the directory says")
    _, _, flags, method, _, _, crc32, compressed, size, name_length, extra_length = LOCAL.unpack(fixed)
    raw = file.read(name_length)
    extra = file.read(extra_length)
    start = entry.offset + LOCAL.size + name_length + extra_length
    if start + entry.compressed > limit:
        raise BrokenArchiveError(f"{name!r} overlaps what comes after it")
    sizes = wide(extra_fields(extra, raw, name), name, size, compressed) if extra else (size, compressed)
    return _Header(raw, flags, method, (crc32, *sizes), start)


def _unpackable(entry: Entry) -> list[str]:
    """Why its data cannot be read here."""
    if entry.flags & SECRET:
        return [f"{entry.filename!r} is encrypted"]
    if entry.method not in (STORED, DEFLATED):
        return [f"{entry.filename!r} is packed in an unusual way (method {entry.method}, not deflated or stored)"]
    if entry.method == STORED and entry.size != entry.compressed:
        return [f"{entry.filename!r} is stored as it is and claims two sizes"]
    return []


def _disagreements(entry: Entry, header: _Header) -> list[str]:
    """Where the local header contradicts the directory."""
    meaning = MEANINGFUL if entry.raw.isascii() else MEANINGFUL | UTF8
    said, known = header.numbers, (entry.crc32, entry.size, entry.compressed)
    if header.flags & DESCRIBED:  # the numbers come later, and some tools write them twice
        said = tuple(true if number in (0, FULL_32) else number for number, true in zip(said, known, strict=True))
    pairs = {
        "name": (header.name, entry.raw),
        "flags": (header.flags & meaning, entry.flags & meaning),
        "method": (header.method, entry.method),
        "checksum": (said[0], known[0]),
        "size": (said[1], known[1]),
        "packed size": (said[2], known[2]),
    }
    differing = [what for what, (local, central) in pairs.items() if local != central]
    if not differing:
        return []
    return [f"{entry.filename!r}: its own header and the directory disagree about its {' and '.join(differing)}"]


def _surroundings(file: BinaryIO, entry: Entry, end: int, limit: int) -> list[str]:
    """What lies between a member's data and the next thing: its descriptor, if it has one, and nothing else."""
    if not entry.flags & DESCRIBED:
        return [f"{limit - end} bytes behind {entry.filename!r} belong to nothing"] if limit > end else []
    form = DESCRIPTORS.get(limit - end)
    if form is None:
        return [f"{entry.filename!r} has no descriptor, which it announces"]
    file.seek(end)
    found = file.read(limit - end)
    signed = form.size in (16, 24)
    if form.unpack(found) != (entry.crc32, entry.compressed, entry.size) or (signed and found[:4] != b"PK\x07\x08"):
        return [f"{entry.filename!r}: its descriptor and the directory disagree"]
    return []


def content(file: BinaryIO, member: Member) -> Iterator[bytes]:
    """The unpacked bytes of a member, in chunks: never more than the directory says, and proved by its checksum.

    Raises BrokenArchiveError if they are others.
    """
    entry = member.entry
    chunks = _stored(file, member) if entry.method == STORED else _inflated(file, member)
    size = crc32 = 0
    for chunk in chunks:
        size += len(chunk)
        if size > entry.size:
            raise BrokenArchiveError("it is longer than declared")
        crc32 = zlib.crc32(chunk, crc32)
        yield chunk
    if size != entry.size:
        raise BrokenArchiveError("it is shorter than declared")
    if crc32 != entry.crc32:
        raise BrokenArchiveError("its checksum is wrong")


def _stored(file: BinaryIO, member: Member) -> Iterator[bytes]:
    file.seek(member.start)
    left = member.entry.compressed
    while left:
        chunk = file.read(min(left, CHUNK))
        if not chunk:
            raise BrokenArchiveError("it is cut off")
        left -= len(chunk)
        yield chunk


def _inflated(file: BinaryIO, member: Member) -> Iterator[bytes]:
    """The stream has to end where the packed data ends: nothing can hide behind it."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for packed in _stored(file, member):
            waiting = packed
            while waiting and not inflater.eof:
                yield inflater.decompress(waiting, CHUNK)
                waiting = inflater.unconsumed_tail
            if inflater.unused_data or (waiting and inflater.eof):
                raise BrokenArchiveError("something lies behind its packed data")
        while not inflater.eof:
            rest = inflater.decompress(b"", CHUNK)
            if not rest:
                break
            yield rest
    except zlib.error as error:
        raise BrokenArchiveError(f"it cannot be unpacked ({error})") from error
    if not inflater.eof:
        raise BrokenArchiveError("its packed data is cut off")
