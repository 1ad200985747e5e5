"""Where things lie in a zip file, read from its end, so that a few kilobytes of a wheel of gigabytes are enough.

    local header, data │ … │ local header, METADATA │ … │ central directory │ (zip64 record, locator) │ end record
                             └──────── offset ──────────────┘ └────────────── offset ────────────────────┘

Values in, values out. What is no zip file raises ValueError with a phrase about it; the caller knows its name.
Source: PKWARE APPNOTE.TXT, sections 4.3.7, 4.3.12, 4.3.14 to 4.3.16, 4.5.3.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Directory", "Member", "content", "directory", "local_size_bound", "members", "metadata_member"]

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_FULL_32, _FULL_16 = 0xFFFFFFFF, 0xFFFF
_STORED, _DEFLATED = 0, 8
_LARGEST = 32 << 20  # bytes of METADATA; more is an attack
_LONGEST_EXTRA = 1024  # bytes; the extra field of a local header may differ from the central one


@dataclass(frozen=True, slots=True)
class Directory:
    """Position and length of the central directory, in bytes."""

    start: int
    size: int


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of the central directory; `offset` is where its local header starts."""

    name: str
    method: int
    crc32: int
    compressed: int
    size: int
    offset: int


def directory(tail: bytes, total: int) -> Directory | None:
    """The central directory, from the last bytes of a file of `total` bytes; None if more of the end is needed."""
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise ValueError("it has no end record")
    entries, size, start = _END.unpack_from(tail, at)[4:7]
    if _FULL_32 not in (size, start) and entries != _FULL_16:
        return _checked(Directory(start, size), total)
    locator = at - _LOCATOR64.size
    if locator < 0:
        return None
    signature, _, record, _ = _LOCATOR64.unpack_from(tail, locator)
    if signature != b"PK\x06\x07":
        return _checked(Directory(start, size), total)
    inside = record - (total - len(tail))
    if inside < 0:
        return None
    if inside + _END64.size > len(tail) or tail[inside : inside + 4] != b"PK\x06\x06":
        raise ValueError("its zip64 record is not where it should be")
    size, start = _END64.unpack_from(tail, inside)[8:10]
    return _checked(Directory(start, size), total)


def members(central: bytes) -> Iterator[Member]:
    """The entries of a central directory."""
    at = 0
    while at + _CENTRAL.size <= len(central):
        fields = _CENTRAL.unpack_from(central, at)
        if fields[0] != b"PK\x01\x02":
            raise ValueError("its directory is damaged")
        method, crc32, compressed, size = fields[4], fields[7], fields[8], fields[9]
        name_length, extra_length, comment_length, offset = fields[10], fields[11], fields[12], fields[16]
        name_at = at + _CENTRAL.size
        name = central[name_at : name_at + name_length].decode("utf-8", "replace")
        if _FULL_32 in (compressed, size, offset):
            extra = central[name_at + name_length : name_at + name_length + extra_length]
            size, compressed, offset = _wide(extra, size, compressed, offset)
        yield Member(name, method, crc32, compressed, size, offset)
        at = name_at + name_length + extra_length + comment_length


def metadata_member(central: bytes, project: str) -> Member:
    """The METADATA of the wheel itself, not of one that it carries inside. `project` is the start of its file name."""
    found = [member for member in members(central) if member.name.endswith(".dist-info/METADATA")]
    top = [member for member in found if member.name.count("/") == 1]
    if len(top) > 1:
        wanted = _plain(project)
        top = [member for member in top if _plain(member.name.partition("-")[0]) == wanted]
    if len(top) != 1:
        raise ValueError("it has no METADATA" if not top else "it has more than one METADATA")
    return top[0]


def local_size_bound(member: Member) -> int:
    """Bytes from the start of the local header that surely hold the header and the data."""
    return _LOCAL.size + len(member.name.encode()) + _LONGEST_EXTRA + member.compressed


def content(local: bytes, member: Member) -> bytes:
    """The unpacked bytes of a member, given the bytes from its local header on."""
    if len(local) < _LOCAL.size or local[:4] != b"PK\x03\x04":
        raise ValueError(f"{member.name} is not where its directory says")
    name_length, extra_length = _LOCAL.unpack_from(local)[9:11]
    start = _LOCAL.size + name_length + extra_length
    packed = local[start : start + member.compressed]
    if member.size > _LARGEST:
        raise ValueError(f"{member.name} is larger than {_LARGEST >> 20} MiB")
    if member.method == _STORED:
        body = packed
    elif member.method == _DEFLATED:
        try:
            body = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, member.size + 1)
        except zlib.error as error:
            raise ValueError(f"{member.name} cannot be unpacked ({error})") from error
    else:
        raise ValueError(f"{member.name} is packed in an unusual way (method {member.method})")
    if len(body) != member.size or zlib.crc32(body) != member.crc32:
        raise ValueError(f"{member.name} is damaged")
    return body


def _checked(found: Directory, total: int) -> Directory:
    if found.start + found.size > total:
        raise ValueError("its directory is said to lie beyond its end")
    return found


def _wide(extra: bytes, size: int, compressed: int, offset: int) -> tuple[int, int, int]:
    """The 64-bit values of an entry: only those that are full in 32 bits are given, in this order."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            data = extra[at + 4 : at + 4 + length]
            wide = iter(struct.unpack(f"<{len(data) // 8}Q", data[: len(data) // 8 * 8]))
            return (
                next(wide, size) if size == _FULL_32 else size,
                next(wide, compressed) if compressed == _FULL_32 else compressed,
                next(wide, offset) if offset == _FULL_32 else offset,
            )
        at += 4 + length
    return size, compressed, offset


def _plain(name: str) -> str:
    return name.lower().replace("-", "_").replace(".", "_")
