"""Wheels that lie: recipes for archives in which every field can say what it should not.

A recipe is a function that writes one wheel to a path. Those above `Piece` go wrong in what they hold and are made by
the standard library; those below are put together byte by byte, because no library writes such archives.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.making import metadata_text, record_hash, write_wheel

__all__ = [
    "FILENAME",
    "INFORMATION",
    "WHEEL",
    "Members",
    "Piece",
    "Recipe",
    "archive",
    "damaged",
    "entry_points",
    "pieces",
    "raw",
    "recorded",
    "replaced",
    "spoiled",
    "twice",
    "usual",
    "with_entry",
    "with_member",
    "with_zip64",
    "without",
    "zip64",
]

INFORMATION = "tool-1.0.dist-info"
FILENAME = "tool-1.0-py3-none-any.whl"
WHEEL = b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"

Members = dict[str, bytes]
Recipe = Callable[[Path], None]


def usual(**more: bytes) -> Members:
    """What a correct wheel has besides RECORD."""
    return {
        "tool.py": b"x = 1\n",
        f"{INFORMATION}/METADATA": metadata_text("tool", "1.0").encode(),
        f"{INFORMATION}/WHEEL": WHEEL,
        **more,
    }


def with_member(*names: str, content: bytes = b"bad\n") -> Recipe:
    """A wheel with more files, properly recorded."""

    def make(path: Path) -> None:
        write_wheel(path, {**usual(), **dict.fromkeys(names, content)}, record=f"{INFORMATION}/RECORD")

    return make


def without(name: str) -> Recipe:
    """A wheel that lacks a file; RECORD too if that is it."""

    def make(path: Path) -> None:
        members = usual()
        members.pop(name, None)
        if name.endswith("/RECORD"):
            with zipfile.ZipFile(path, "w") as target:
                for each, content in members.items():
                    target.writestr(each, content)
        else:
            write_wheel(path, members, record=f"{INFORMATION}/RECORD")

    return make


def replaced(name: str, content: bytes) -> Recipe:
    """A wheel in which one file is another, properly recorded."""
    return with_member(name, content=content)


def entry_points(line: str) -> Recipe:
    """A wheel with a program."""
    return replaced(f"{INFORMATION}/entry_points.txt", f"[console_scripts]\n{line}\n".encode())


def recorded(change: Callable[[str], str], members: Mapping[str, bytes] | None = None) -> Recipe:
    """A wheel whose RECORD was changed."""

    def make(path: Path) -> None:
        contents = dict(members or usual())
        rows = [f"{name},{record_hash(content)},{len(content)}" for name, content in contents.items()]
        text = change("\n".join([*rows, f"{INFORMATION}/RECORD,,"]) + "\n")
        with zipfile.ZipFile(path, "w") as target:
            for name, content in contents.items():
                target.writestr(name, content)
            target.writestr(f"{INFORMATION}/RECORD", text)

    return make


def raw(content: bytes) -> Recipe:
    """Any bytes."""

    def make(path: Path) -> None:
        path.write_bytes(content)

    return make


def spoiled(change: Callable[[bytes], bytes]) -> Recipe:
    """A correct wheel whose bytes were changed."""

    def make(path: Path) -> None:
        write_wheel(path, usual(), record=f"{INFORMATION}/RECORD")
        path.write_bytes(change(path.read_bytes()))

    return make


def with_entry(name: str, mode: int) -> Recipe:
    """A wheel with a member of a special kind."""

    def make(path: Path) -> None:
        write_wheel(path, usual(), record=f"{INFORMATION}/RECORD")
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        with zipfile.ZipFile(path, "a") as target:
            target.writestr(info, b"/etc/passwd")

    return make


def twice(path: Path) -> None:
    """One name, two contents."""
    write_wheel(path, usual(), record=f"{INFORMATION}/RECORD")
    with zipfile.ZipFile(path, "a") as target, pytest.warns(UserWarning, match="Duplicate"):
        target.writestr("tool.py", b"x = 2\n")


def damaged(path: Path) -> None:
    """A file whose packed bytes were overwritten."""
    write_wheel(path, usual(**{"big.bin": bytes(range(256)) * 4096}), record=f"{INFORMATION}/RECORD")
    content = bytearray(path.read_bytes())
    place = content.index(b"big.bin") + 1000
    content[place : place + 64] = b"\0" * 64
    path.write_bytes(content)


LOCAL = struct.Struct("<4s5H3L2H")
CENTRAL = struct.Struct("<4s6H3L5H2L")
END = struct.Struct("<4s4H2LH")


@dataclass(frozen=True)
class Piece:
    """One member of an archive. What `local` and `central` name is written there instead of the truth.

    They know: flags, method, crc32, compressed, size, name, extra, and (`central` alone) attributes, offset, comment.
    `packed` replaces the packed bytes, `behind` follows them (a descriptor), `before` precedes the local header.
    """

    name: str
    content: bytes
    flags: int = 0
    method: int = 8
    packed: bytes | None = None
    before: bytes = b""
    behind: bytes = b""
    local: Mapping[str, int | bytes] = field(default_factory=dict)
    central: Mapping[str, int | bytes] = field(default_factory=dict)

    def data(self) -> bytes:
        """The packed bytes."""
        if self.packed is not None:
            return self.packed
        if self.method != 8:
            return self.content
        packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        return packer.compress(self.content) + packer.flush()

    def truth(self, offset: int) -> dict[str, int | bytes]:
        """What both headers should say."""
        name = self.name.encode()
        return {
            "flags": self.flags | (0 if name.isascii() else 0x800),
            "method": self.method,
            "crc32": zlib.crc32(self.content),
            "compressed": len(self.data()),
            "size": len(self.content),
            "name": name,
            "extra": b"",
            "attributes": 0o100644 << 16,
            "offset": offset,
            "comment": b"",
        }


def pieces(*changed: Piece, members: Mapping[str, bytes] | None = None) -> list[Piece]:
    """A correct wheel as pieces, RECORD last; those in `changed` are added, or stand in for those of their names."""
    contents = dict(members or usual())
    contents |= {each.name: each.content for each in changed}
    rows = [f"{name},{record_hash(content)},{len(content)}" for name, content in contents.items()]
    record = f"{INFORMATION}/RECORD"
    contents[record] = "\n".join([*rows, f"{record},,"]).encode()
    found = {each.name: each for each in changed}
    return [found.get(name, Piece(name, content)) for name, content in contents.items()]


def archive(
    parts: Sequence[Piece],
    *,
    between: bytes = b"",
    tail: bytes = b"",
    comment: bytes = b"",
    end: Mapping[str, int] | None = None,
) -> Recipe:
    """A zip of the pieces. `between` lies before the directory, `tail` before the end record.

    `end` changes what the end record says: count, size, start.
    """

    def make(path: Path) -> None:
        body, central = b"", b""
        for each in parts:
            body += each.before
            truth = each.truth(len(body))
            body += _header(LOCAL, b"PK\x03\x04", {**truth, **each.local}) + each.data() + each.behind
            central += _header(CENTRAL, b"PK\x01\x02", {**truth, **each.central})
        body += between
        said = {"count": len(parts), "size": len(central), "start": len(body), **(end or {})}
        count = said["count"]
        record = END.pack(b"PK\x05\x06", 0, 0, count, count, said["size"], said["start"], len(comment))
        path.write_bytes(body + central + tail + record + comment)

    return make


def _header(form: struct.Struct, signature: bytes, said: Mapping[str, int | bytes]) -> bytes:
    name, extra, comment = (said[key] for key in ("name", "extra", "comment"))
    assert isinstance(name, bytes)
    assert isinstance(extra, bytes)
    assert isinstance(comment, bytes)
    middle = (20, said["flags"], said["method"], 0, 0x5821, said["crc32"], said["compressed"], said["size"])
    if form is LOCAL:
        return form.pack(signature, *middle, len(name), len(extra)) + name + extra
    last = (len(name), len(extra), len(comment), 0, 0, said["attributes"], said["offset"])
    return form.pack(signature, 0x0314, *middle, *last) + name + extra + comment


def zip64(*, count: int, size: int, start: int, record_at: int) -> bytes:
    """A zip64 record and its locator."""
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, start)
    return record + struct.pack("<4sLQL", b"PK\x06\x07", 0, record_at, 1)


def with_zip64(parts: Sequence[Piece], *, count: int = 0, moved: int = 0, full: bool = True) -> Recipe:
    """An archive with a zip64 record that is `moved` from where its locator says and claims `count` more files.

    With `full` the end record leaves all numbers to it, as it should.
    """

    def make(path: Path) -> None:
        archive(parts)(path)
        plain = path.read_bytes()
        *_, known, size, start, _ = END.unpack(plain[-END.size :])
        wide = zip64(count=known + count, size=size, start=start, record_at=start + size + moved)
        said = {"count": 0xFFFF, "size": 0xFFFFFFFF, "start": 0xFFFFFFFF} if full else {}
        archive(parts, tail=wide, end=said)(path)

    return make
