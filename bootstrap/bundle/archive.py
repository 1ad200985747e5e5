"""The one file: an uncompressed tar archive whose first member is the manifest. Wheels are compressed already.

    header  torchstrap-bundle.json     header  member  header  member  …  two empty blocks
            └─ says where each member's bytes begin, counted from here

The same content gives the same bytes: members in a fixed order, one fixed moment, no names of users. So a copy that
broke off can be gone on with (`rsync --partial`, `curl -C -`, ranges), wherever the beginning came from, and a bundle
that was made twice is known by its hash to be the same. Any tar unpacks it:

    tar -xOf lab.bundle torchstrap.pyz > torchstrap.pyz        the program alone, from a machine that has nothing yet
    tar -xf lab.bundle -C /srv/lab                             a folder that pip and uv can use (pages.py)

Of an archive that somebody hands us nothing is unpacked; but it must be what its manifest says, member by member.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from bootstrap.bundle.manifest import FILE, Manifest, Member, bad_name, read, text
from bootstrap.errors import InputError

__all__ = ["arranged", "ensure_whole", "head", "length", "write"]

BLOCK = tarfile.BLOCKSIZE
LARGEST_MANIFEST = 64 << 20  # bytes
MOMENT = 315532800  # 1 January 1980, the first that a zip file can name
CHUNK = 1 << 20  # bytes
END = b"\0" * (2 * BLOCK)

Reader = Callable[[int, int], bytes]
"""Reads bytes from a start up to (not including) an end, or fewer where there are no more."""


def arranged(manifest: Manifest) -> Manifest:
    """The manifest with the offset of every member."""
    position, members = 0, []
    for each in manifest.members:
        position += len(_header(each.path, each.size))
        members.append(replace(each, offset=position))
        position += _padded(each.size)
    return replace(manifest, members=tuple(members))


def length(manifest: Manifest) -> int:
    """Bytes of the whole archive of an arranged manifest."""
    size = len(text(manifest))
    return len(_header(FILE, size)) + _padded(size) + _data_length(manifest) + len(END)


def write(
    target: BinaryIO,
    manifest: Manifest,
    opened: Callable[[Member], AbstractContextManager[BinaryIO]],
    advanced: Callable[[int], None] = lambda _count: None,
) -> str:
    """Write the archive of an arranged manifest and return its sha256; `advanced` is told of bytes as they are written.

    Raises InputError for a member that is not what the manifest says, and OSError.
    """
    sink = _Sink(target)
    content = text(manifest)
    sink.put(_header(FILE, len(content)) + content + _padding(len(content)))
    for each in manifest.members:
        sink.put(_header(each.path, each.size))
        with opened(each) as source:
            for chunk in _proved(source, each):
                sink.put(chunk)
                advanced(len(chunk))
        sink.put(_padding(each.size))
    sink.put(END)
    return sink.digest.hexdigest()


def head(read_bytes: Reader, place: str) -> tuple[Manifest, bytes, int]:
    """The manifest of an archive, its very bytes, and where the members begin.

    Raises InputError for what is no bundle, and for a manifest that is not to be trusted.
    """
    block = read_bytes(0, BLOCK)
    try:
        first = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.TarError as error:
        raise InputError(place, _NO_BUNDLE) from error
    if first.name != FILE or not first.isreg():
        raise InputError(place, _NO_BUNDLE)
    if first.size > LARGEST_MANIFEST:
        raise InputError(place, f"its {FILE} has {first.size} bytes, which no bundle of ours needs")
    content = read_bytes(BLOCK, BLOCK + first.size)
    if len(content) < first.size:
        raise InputError(place, f"ends within its {FILE}: go on with the copy, or copy it again")
    return read(content, place), content, BLOCK + _padded(first.size)


def ensure_whole(path: Path, manifest: Manifest, start: int, place: str) -> None:
    """Raise InputError unless the archive holds the files of its manifest and nothing else. Reads headers only."""
    ensure_length(path.stat().st_size, manifest, start, place)
    expected = {each.path: each for each in manifest.members}
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                if member.name == FILE and member.offset == 0:
                    continue
                _ensure_listed(member, expected.pop(member.name, None), start, place)
    except (tarfile.TarError, ValueError, EOFError) as error:
        raise InputError(place, f"is damaged ({error}): copy it again") from error
    if expected:
        raise InputError(place, f"lacks {min(expected)}, which its {FILE} lists: copy it again")


def ensure_length(size: int, manifest: Manifest, start: int, place: str) -> None:
    """Raise InputError if the archive ends before its last member does."""
    needed = start + _data_length(manifest)
    if size < needed:
        raise InputError(
            place,
            f"is cut off: {size} of {needed} bytes are there; go on with the copy (`curl -C -`, `rsync --append`)",
        )


_NO_BUNDLE = (
    f"is no bundle: a tar archive that begins with {FILE} was expected, as `torchstrap bundle` makes it; what was "
    f"packed anew by another program is used from its unpacked folder"
)


class _Sink:
    """A file that is hashed as it is written."""

    def __init__(self, target: BinaryIO) -> None:
        self.target, self.digest = target, hashlib.sha256()

    def put(self, chunk: bytes) -> None:
        self.digest.update(chunk)
        self.target.write(chunk)


def _ensure_listed(found: tarfile.TarInfo, member: Member | None, start: int, place: str) -> None:
    problem = bad_name(found.name)
    if problem is not None:
        raise InputError(place, f"holds {found.name!r}, which {problem}: do not unpack it")
    if not found.isreg():
        raise InputError(place, f"holds {found.name!r}, which is no plain file but {_kind(found)}: do not unpack it")
    if member is None:
        raise InputError(place, f"holds {found.name!r}, which its {FILE} does not list, or lists once: do not trust it")
    if (found.size, found.offset_data) != (member.size, start + member.offset):
        raise InputError(place, f"has {found.name} where its {FILE} does not say: copy it again")


def _kind(found: tarfile.TarInfo) -> str:
    if found.issym() or found.islnk():
        return f"a link to {found.linkname!r}"
    return "a folder" if found.isdir() else "a device or a pipe"


def _proved(source: BinaryIO, member: Member) -> Iterator[bytes]:
    digest, left = hashlib.sha256(), member.size
    while left and (chunk := source.read(min(CHUNK, left))):
        digest.update(chunk)
        left -= len(chunk)
        yield chunk
    if left or digest.hexdigest() != member.sha256:
        raise InputError(member.path, "was changed while it was being put into the bundle: try again")


def _header(path: str, size: int) -> bytes:
    member = tarfile.TarInfo(path)
    member.size, member.mtime = size, MOMENT
    member.mode = 0o755 if path.endswith(".pyz") else 0o644
    return member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _data_length(manifest: Manifest) -> int:
    return max((each.offset + _padded(each.size) for each in manifest.members), default=0)


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _padding(size: int) -> bytes:
    return b"\0" * (_padded(size) - size)
