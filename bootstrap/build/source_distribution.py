"""Source distributions: unpacked without trusting them, and what they say of themselves (PEP 643).

An archive is checked as a whole before its first byte is written. Files and folders are written first, links last and
only if all of them stay inside, so nothing is ever written through a link of the archive.

    refused: absolute names, "..", drives, devices, pipes, links that lead out, two top folders, a file below a file
    dropped: owners, setuid and its like, write permission for others
"""

from __future__ import annotations

import email.parser
import gzip
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import IO, Literal

from bootstrap.errors import BadDistributionError
from bootstrap.wheels.disk import writing

__all__ = ["stated_metadata", "static_metadata", "unpack"]

Kind = Literal["file", "folder", "link", "copy", "other"]

# From this version on "not called dynamic" means "the same in every wheel" (PEP 643).
STATIC_SINCE = (2, 2)
DECISIVE = frozenset({"requires-dist", "requires-python", "provides-extra"})
LIMIT = 64 * 1024 * 1024  # bytes of PKG-INFO; real ones have some thousand
CHUNK = 1024 * 1024
UNREADABLE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    LZMAError,
    EOFError,
    NotImplementedError,  # a compression that zipfile does not know
)


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of an archive. `target` is what a link points at, or what a hard link repeats."""

    name: str
    kind: Kind
    size: int = 0
    executable: bool = False
    target: str = ""
    handle: tarfile.TarInfo | zipfile.ZipInfo | None = None


@dataclass(frozen=True, slots=True)
class Archive:
    """An open .tar.* or .zip."""

    opened: tarfile.TarFile | zipfile.ZipFile
    file: str

    def members(self) -> Iterator[Member]:
        if isinstance(self.opened, zipfile.ZipFile):
            for entry in self.opened.infolist():
                yield _from_zip(entry, self.opened)
        else:
            for member in self.opened:
                yield _from_tar(member)
            # A tar ends before its compression does, and only the end of that has the checksum.
            while self.opened.fileobj.read(CHUNK):
                pass

    def content(self, member: Member) -> IO[bytes]:
        """The bytes of a file."""
        if isinstance(self.opened, zipfile.ZipFile) and isinstance(member.handle, zipfile.ZipInfo):
            return self.opened.open(member.handle)
        if isinstance(self.opened, tarfile.TarFile) and isinstance(member.handle, tarfile.TarInfo):
            content = self.opened.extractfile(member.handle)
            if content is not None:
                return content
        raise BadDistributionError(self.file, [f"{member.name} has no content"])


def unpack(archive: Path, into: Path) -> Path:
    """Unpack into a folder and return the one folder at the top, where the source is.

    Raises BadDistributionError with every issue if the archive cannot be trusted or read, CannotWriteError if the
    disk refuses; what was written below `into` until then is left to its owner, who made `into`.
    """
    with writing(f"unpacking {archive.name}", into), _opened(archive) as source:
        members = list(source.members())
        issues = [issue for member in members for issue in _issues(member)]
        tops = {PurePosixPath(member.name).parts[0] for member in members if PurePosixPath(member.name).parts}
        if not issues and len(tops) != 1:
            issues.append(f"it should hold one folder, and holds {', '.join(sorted(tops)) or 'nothing'}")
        if issues:
            raise BadDistributionError(archive.name, issues)
        _write(source, members, into)
    root = into / tops.pop()
    if not root.is_dir():
        raise BadDistributionError(archive.name, ["it holds no folder"])
    return root


def static_metadata(archive: Path) -> bytes | None:
    """The PKG-INFO of a source distribution if every wheel of it will say the same of its requirements (PEP 643).

    None if only a build can tell. Raises BadDistributionError if the archive cannot be read.
    """
    content = stated_metadata(archive)
    return content if _is_static(content) else None


def stated_metadata(archive: Path) -> bytes:
    """The PKG-INFO of a source distribution, whether a build will say the same or not; empty where it has none.

    Raises BadDistributionError if the archive cannot be read.
    """
    with _opened(archive) as source:
        for member in source.members():
            parts = PurePosixPath(member.name).parts
            if member.kind == "file" and len(parts) == 2 and parts[1] == "PKG-INFO":  # noqa: PLR2004 - NAME-VERSION/PKG-INFO
                return source.content(member).read(LIMIT)
    return b""


def _is_static(content: bytes) -> bool:
    headers = email.parser.BytesParser().parsebytes(content, headersonly=True)
    try:
        version = tuple(int(part) for part in str(headers.get("Metadata-Version", "")).strip().split("."))
    except ValueError:
        return False
    dynamic = {str(value).strip().lower() for value in headers.get_all("Dynamic", [])}
    return version >= STATIC_SINCE and dynamic.isdisjoint(DECISIVE)


@contextmanager
def _opened(archive: Path) -> Iterator[Archive]:
    """The archive, with everything that reading it can raise turned into one error."""
    if not archive.is_file():
        raise BadDistributionError(archive.name, ["it is not there"])
    try:
        if archive.name.endswith(".zip"):
            with zipfile.ZipFile(archive) as opened_zip:
                yield Archive(opened_zip, archive.name)
        else:
            with tarfile.open(archive, "r:*") as opened_tar:
                yield Archive(opened_tar, archive.name)
    except UNREADABLE as error:
        reason = str(error).partition("\n")[0].rstrip(":")  # tarfile adds a line for each kind that it has tried
        raise BadDistributionError(archive.name, [f"it cannot be read as an archive ({reason})"]) from error
    except RuntimeError as error:  # what zipfile raises for an encrypted member
        raise BadDistributionError(archive.name, [str(error)]) from error


def _from_tar(member: tarfile.TarInfo) -> Member:
    kind: Kind = "other"
    if member.isreg():
        kind = "file"
    elif member.isdir():
        kind = "folder"
    elif member.issym():
        kind = "link"
    elif member.islnk():
        kind = "copy"
    return Member(member.name, kind, member.size, bool(member.mode & stat.S_IXUSR), member.linkname, member)


def _from_zip(entry: zipfile.ZipInfo, opened: zipfile.ZipFile) -> Member:
    mode = entry.external_attr >> 16
    form = stat.S_IFMT(mode)
    name, size, executable = entry.filename, entry.file_size, bool(mode & stat.S_IXUSR)
    if entry.is_dir():
        return Member(name, "folder")
    if form == stat.S_IFLNK:
        return Member(name, "link", target=opened.read(entry).decode("utf-8", "replace"))
    return Member(name, "file" if form in {0, stat.S_IFREG} else "other", size, executable, handle=entry)


def _issues(member: Member) -> Iterator[str]:
    """What is wrong with an entry, one sentence each."""
    if _leads_out(member.name):
        yield f"the name {member.name!r} leads out of the archive"
    if member.kind == "other":
        yield f"{member.name!r} is neither a file nor a folder nor a link"
    if member.kind == "link" and _leads_out(str(PurePosixPath(member.name).parent), member.target):
        yield f"the link {member.name!r} leads out of the archive, to {member.target!r}"
    if member.kind == "copy" and _leads_out(member.target):
        yield f"the link {member.name!r} leads out of the archive, to {member.target!r}"


def _leads_out(*parts: str) -> bool:
    """Whether a name, or a link seen from its folder, names something outside, on any system.

    Also refused: a link that climbs out and comes back, or passes ".." after a name that may itself be a link.
    """
    name = parts[-1]
    if "\\" in name or "\0" in name or name.startswith("/") or name[1:2] == ":":
        return True
    depth = len(PurePosixPath(parts[0]).parts) if len(parts) > 1 else 0
    steps = PurePosixPath(name).parts
    climbs = len([step for step in steps if step == ".."])
    return any(step == ".." for step in steps[climbs:]) or climbs > max(depth - 1, 0)


def _write(source: Archive, members: list[Member], into: Path) -> None:
    """Folders and files, then the hard links as copies, then the links."""
    for member in members:
        path = into / member.name
        if member.kind == "folder":
            _folder(path, source)
        elif member.kind == "file":
            _folder(path.parent, source)
            _file(source, member, path)
    for member in members:
        if member.kind == "copy":
            _copy(source, into / member.target, into / member.name)
    links = [member for member in members if member.kind == "link"]
    for member in links:  # while there is none, so that no folder is made through one
        _folder((into / member.name).parent, source)
    for member in links:
        _link(source, member, into)
    for member in links:
        _check_link(source, member, into)


def _folder(path: Path, source: Archive) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise BadDistributionError(source.file, [f"{path.name} is a file and a folder"]) from error


def _file(source: Archive, member: Member, path: Path) -> None:
    if path.is_dir():
        raise BadDistributionError(source.file, [f"{member.name} is a file and a folder"])
    path.unlink(missing_ok=True)  # the last of two entries of one name counts, as in tar
    with source.content(member) as content, path.open("xb") as file:
        shutil.copyfileobj(content, file, CHUNK)
        written = file.tell()
    if written != member.size:
        raise BadDistributionError(source.file, [f"{member.name} has {written} bytes in place of {member.size}"])
    path.chmod(0o755 if member.executable else 0o644)


def _copy(source: Archive, target: Path, path: Path) -> None:
    if not target.is_file() or path.exists():
        raise BadDistributionError(source.file, [f"{path.name} repeats {target.name}, which is not a file before it"])
    _folder(path.parent, source)
    shutil.copy(target, path)


def _link(source: Archive, member: Member, into: Path) -> None:
    path = into / member.name
    if path.exists() or path.is_symlink():
        raise BadDistributionError(source.file, [f"{member.name} is a link and something else"])
    path.symlink_to(member.target)


def _check_link(source: Archive, member: Member, into: Path) -> None:
    """With all links in place, where this one really leads: a last look, since links may pass through links."""
    try:
        inside = (into / member.name).resolve().is_relative_to(into.resolve())
    except (OSError, RuntimeError):  # links in a circle
        inside = False
    if not inside:
        (into / member.name).unlink()
        raise BadDistributionError(source.file, [f"the link {member.name!r} leads out of the archive"])
