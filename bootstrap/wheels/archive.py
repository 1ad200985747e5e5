"""The members of a zip archive, each proved to be where and what the directory says, and their contents.

    local header, data, descriptor │ local header, data │ … │ central directory …
    0                              └ no gap, no overlap ┘   └ the directory's start

Whoever reads such an archive from the front sees the same members as who reads it from the end. A descriptor (sizes
and checksum behind the data, from tools that write to a pipe) has four possible lengths; the next member says which.
"""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

from bootstrap.wheels.directory import BrokenArchiveError, Directory, Entry, extra_fields, wide
from bootstrap.wheels.inflating import BrokenStreamError, crc32, inflater

__all__ = ["Member", "Reader", "content", "expected", "members", "proved", "reader_of", "whole_content"]

LOCAL = struct.Struct("<4s5H3L2H")
PACKED, UNPACKED = 256 * 1024, 1024 * 1024  # bytes that are taken at once
USUAL_EXTRA = 64  # bytes of extra fields that are read together with a header
STORED, DEFLATED = 0, 8
ENCRYPTED, DESCRIBED, UTF8 = 0x0001, 0x0008, 0x0800
SECRET = ENCRYPTED | 0x0040 | 0x2000  # strong encryption, masked headers
MEANINGFUL = SECRET | DESCRIBED
FULL_32 = 0xFFFFFFFF
UNKNOWN = -1
DESCRIPTORS = {  # what it may be, by its length
    12: struct.Struct("<3L"),
    16: struct.Struct("<4x3L"),
    20: struct.Struct("<L2Q"),
    24: struct.Struct("<4xL2Q"),
}

Reader = Callable[[int, int], bytes]
"""The bytes from a start up to (not including) an end; fewer where the archive is over. Threads may share it."""


class Member(NamedTuple):
    """A member to read: its data starts at `start`, where that is known, and the next thing at `limit`."""

    entry: Entry
    start: int
    limit: int


class _Header(NamedTuple):
    """What a local header says, and where the data behind it starts. Sizes may be 0 if there is a descriptor."""

    name: bytes
    flags: int
    method: int
    numbers: tuple[int, ...]
    start: int


def reader_of(file: BinaryIO) -> Reader:
    """Reads an opened file, at any place and by any thread."""
    descriptor = file.fileno()
    if hasattr(os, "pread"):
        return lambda start, end: os.pread(descriptor, end - start, start)
    lock = threading.Lock()

    def read(start: int, end: int) -> bytes:
        with lock:
            file.seek(start)
            return file.read(end - start)

    return read


def expected(directory: Directory) -> tuple[list[Member], list[str]]:
    """The members in the archive's order, none of them looked at, and what is wrong with the directory by itself."""
    ordered = sorted(directory.entries, key=lambda each: each.offset)
    limits = [*(each.offset for each in ordered[1:]), directory.start]
    found = [Member(entry, UNKNOWN, limit) for entry, limit in zip(ordered, limits, strict=True)]
    before = ordered[0].offset if ordered else 0
    return found, [f"{before} bytes before the first file belong to nothing"] if before else []


def members(read: Reader, directory: Directory) -> tuple[list[Member], list[str]]:
    """The members in the archive's order, and what is wrong with them or between them, a phrase each."""
    unseen, issues = expected(directory)
    found: list[Member] = []
    for each in unseen:
        try:
            member, wrong = _looked_at(read, each)
        except BrokenArchiveError as error:
            issues.append(str(error))
            continue
        found.append(member)
        issues += wrong
    return found, issues


def proved(read: Reader, member: Member) -> Member:
    """An expected member that is as expected. Raises BrokenArchiveError."""
    if member.start != UNKNOWN:
        return member
    found, issues = _looked_at(read, member)
    if issues:
        raise BrokenArchiveError("; ".join(issues))
    return found


def _looked_at(read: Reader, member: Member) -> tuple[Member, list[str]]:
    entry = member.entry
    header = _header(read, entry, member.limit)
    issues = _unpackable(entry) or _disagreements(entry, header)
    issues += _surroundings(read, entry, header.start + entry.compressed, member.limit)
    return Member(entry, header.start, member.limit), issues


def _header(read: Reader, entry: Entry, limit: int) -> _Header:
    name = entry.filename
    if entry.offset + LOCAL.size > limit:
        raise BrokenArchiveError(f"{name!r} overlaps what comes after it")
    head = read(entry.offset, min(limit, entry.offset + LOCAL.size + len(entry.raw) + USUAL_EXTRA))
    if head[:4] != b"PK\x03\x04":
        raise BrokenArchiveError(f"{name!r} is not where the directory says")
    _, _, flags, method, _, _, checksum, compressed, size, name_length, extra_length = LOCAL.unpack_from(head)
    start = entry.offset + LOCAL.size + name_length + extra_length
    if start + entry.compressed > limit:
        raise BrokenArchiveError(f"{name!r} overlaps what comes after it")
    if start - entry.offset > len(head):
        head = read(entry.offset, start)
    raw = head[LOCAL.size : LOCAL.size + name_length]
    extra = head[LOCAL.size + name_length : start - entry.offset]
    sizes = wide(extra_fields(extra, raw, name), name, size, compressed) if extra else (size, compressed)
    return _Header(raw, flags, method, (checksum, *sizes), start)


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


def _surroundings(read: Reader, entry: Entry, end: int, limit: int) -> list[str]:
    """What lies between a member's data and the next thing: its descriptor, if it has one, and nothing else."""
    if not entry.flags & DESCRIBED:
        return [f"{limit - end} bytes behind {entry.filename!r} belong to nothing"] if limit > end else []
    form = DESCRIPTORS.get(limit - end)
    if form is None:
        return [f"{entry.filename!r} has no descriptor, which it announces"]
    found = read(end, limit)
    signed = form.size in (16, 24)
    if form.unpack(found) != (entry.crc32, entry.compressed, entry.size) or (signed and found[:4] != b"PK\x07\x08"):
        return [f"{entry.filename!r}: its descriptor and the directory disagree"]
    return []


def content(read: Reader, member: Member) -> Iterator[bytes]:
    """The unpacked bytes of a proved member, in chunks: never more than the directory says, and of its checksum.

    Raises BrokenArchiveError if they are others.
    """
    entry = member.entry
    chunks = _stored(read, member) if entry.method == STORED else _inflated(read, member)
    size = checksum = 0
    for chunk in chunks:
        size += len(chunk)
        if size > entry.size:
            raise BrokenArchiveError("it is longer than declared")
        checksum = crc32(chunk, checksum)
        yield chunk
    _ensure_as_declared(entry, size, checksum)


def whole_content(read: Reader, member: Member) -> bytes:
    """`content` at once, for what is small."""
    entry = member.entry
    packed = read(member.start, member.start + entry.compressed)
    if len(packed) < entry.compressed:
        raise BrokenArchiveError("it is cut off")
    found = packed if entry.method == STORED else _inflated_at_once(packed, entry.size)
    _ensure_as_declared(entry, len(found), crc32(found))
    return found


def _ensure_as_declared(entry: Entry, size: int, checksum: int) -> None:
    if size != entry.size:
        raise BrokenArchiveError("it is shorter than declared")
    if checksum != entry.crc32:
        raise BrokenArchiveError("its checksum is wrong")


def _stored(read: Reader, member: Member) -> Iterator[bytes]:
    here, end = member.start, member.start + member.entry.compressed
    while here < end:
        chunk = read(here, min(end, here + PACKED))
        if not chunk:
            raise BrokenArchiveError("it is cut off")
        here += len(chunk)
        yield chunk


def _inflated_at_once(packed: bytes, size: int) -> bytes:
    stream = inflater()
    try:
        found = stream.decompress(packed, size + 1)
    except BrokenStreamError as error:
        raise BrokenArchiveError(f"it cannot be unpacked ({error})") from error
    if len(found) > size:
        raise BrokenArchiveError("it is longer than declared")
    if not stream.eof:
        raise BrokenArchiveError("its packed data is cut off")
    if stream.unused_data:
        raise BrokenArchiveError("something lies behind its packed data")
    return found


def _inflated(read: Reader, member: Member) -> Iterator[bytes]:
    """The stream has to end where the packed data ends: nothing can hide behind it."""
    stream = inflater()
    try:
        for packed in _stored(read, member):
            waiting = packed
            while waiting and not stream.eof:
                yield stream.decompress(waiting, UNPACKED)
                waiting = stream.unconsumed_tail
            if stream.unused_data or (waiting and stream.eof):
                raise BrokenArchiveError("something lies behind its packed data")
        while not stream.eof:
            rest = stream.decompress(b"", UNPACKED)
            if not rest:
                break
            yield rest
    except BrokenStreamError as error:
        raise BrokenArchiveError(f"it cannot be unpacked ({error})") from error
    if not stream.eof:
        raise BrokenArchiveError("its packed data is cut off")
