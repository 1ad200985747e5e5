"""A zip file as bytes, written without compressing anything: what is in it decides every byte of it.

Python's own writer compresses with whatever zlib it was built with, and so two machines make two files. Here a member
is either plain, or was compressed by somebody else and is copied as it is.

Source: PKWARE APPNOTE.TXT, sections 4.3.7, 4.3.12, 4.3.16, 4.4.2, 4.4.6.
"""

from __future__ import annotations

import struct
import time
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["EARLIEST", "Member", "archive", "members_of", "plain"]

EARLIEST = 315532800.0
"""The first second that a zip file can name: 1980 began, in seconds since 1970."""

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_UNIX, _VERSION, _UTF8 = 3 << 8, 20, 0x800
_FILE_MODE = 0o100644 << 16
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive: `data` as it lies in it, `size` and `crc` of what it becomes."""

    name: str
    data: bytes = field(repr=False)
    size: int
    crc: int
    method: int = zipfile.ZIP_STORED

    def content(self) -> bytes:
        """What it becomes."""
        return self.data if self.method == zipfile.ZIP_STORED else zlib.decompress(self.data, -zlib.MAX_WBITS)


def plain(name: str, content: bytes) -> Member:
    """A member that is not compressed."""
    return Member(name, content, len(content), zlib.crc32(content))


def members_of(path: Path) -> Iterator[Member]:
    """The files of an archive, as they lie in it, in its order. Raises zipfile.BadZipFile, ValueError for odd ones."""
    with zipfile.ZipFile(path) as opened, path.open("rb") as file:
        for info in opened.infolist():
            if info.is_dir():
                continue
            if info.compress_type not in _METHODS or info.flag_bits & 1:
                raise ValueError(f"{info.filename} is compressed in a way that not every Python knows")
            file.seek(info.header_offset)
            *_, name_length, extra_length = _LOCAL.unpack(file.read(_LOCAL.size))
            file.seek(name_length + extra_length, 1)
            yield Member(info.filename, file.read(info.compress_size), info.file_size, info.CRC, info.compress_type)


def archive(members: Sequence[Member], moment: float, prefix: bytes = b"") -> bytes:
    """The bytes of a zip file behind `prefix`; every member gets the same time, in seconds since 1970 (UTC).

    The order is the given one: what is looked for first stands best at the beginning.
    """
    day, clock = _times(moment)
    body, directory = bytearray(prefix), bytearray()
    for each in members:
        name = each.name.encode()
        flags = 0 if each.name.isascii() else _UTF8
        common = (flags, each.method, clock, day, each.crc, len(each.data), each.size, len(name), 0)
        directory += _CENTRAL.pack(b"PK\1\2", _UNIX | _VERSION, _VERSION, *common, 0, 0, 0, _FILE_MODE, len(body))
        directory += name
        body += _LOCAL.pack(b"PK\3\4", _VERSION, *common)
        body += name + each.data
    end = _END.pack(b"PK\5\6", 0, 0, len(members), len(members), len(directory), len(body), 0)
    return bytes(body + directory + end)


def _times(moment: float) -> tuple[int, int]:
    """Day and time of day as a zip file has them, in steps of two seconds."""
    year, month, day, hour, minute, second, *_ = time.gmtime(max(moment, EARLIEST))
    return (year - 1980) << 9 | month << 5 | day, hour << 11 | minute << 5 | second // 2
