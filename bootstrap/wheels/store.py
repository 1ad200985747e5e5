"""The store: unpacked wheels on disk, addressed by the hash of their archive, append-only.

    <root>/wheels/<aa>/<sha256>/wheel.json    what is in it (bootstrap/wheels/contents.py)
    <root>/wheels/<aa>/<sha256>/tree/         its files
    <root>/building/<sha256>-<pid>-<random>/  an entry in the making
    <root>/incoming/                          archives on their way (bootstrap/wheels/download.py)

An entry appears by one rename of a finished folder, so whoever sees it sees all of it. If two processes make the same
entry, the first rename wins and the other takes that one. Readers need no lock and no permission to write.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bootstrap.errors import HashMismatchError, InputError
from bootstrap.wheels.contents import Contents
from bootstrap.wheels.disk import writing

__all__ = ["Store", "StoredWheel", "sha256_of"]

CHUNK = 1024 * 1024
DIGEST = re.compile(r"[0-9a-f]{64}")
TAKEN = frozenset({errno.ENOTEMPTY, errno.EEXIST})


@dataclass(frozen=True, slots=True)
class StoredWheel:
    """One entry: `tree` holds the files that `contents` lists."""

    sha256: str
    folder: Path
    contents: Contents = field(repr=False)

    @property
    def tree(self) -> Path:
        return self.folder / "tree"

    @property
    def name(self) -> str:
        return self.contents.name

    @property
    def version(self) -> str:
        return self.contents.version

    @property
    def filename(self) -> str:
        return self.contents.filename


def sha256_of(file: Path) -> str:
    """The hash of a file's bytes, as 64 hex digits."""
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while chunk := opened.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Store:
    """The wheels below one folder, which need not exist yet."""

    root: Path

    @property
    def incoming(self) -> Path:
        return self.root / "incoming"

    def folder_of(self, sha256: str) -> Path:
        """Where an entry is or would be."""
        return self.root / "wheels" / sha256[:2] / sha256

    def find(self, sha256: str) -> StoredWheel | None:
        """The entry of an archive's hash (64 hex digits), or None. Raises InputError if the entry is damaged."""
        sha256 = sha256.lower()
        if not DIGEST.fullmatch(sha256):
            return None
        folder = self.folder_of(sha256)
        try:
            with open(f"{folder}/wheel.json", "rb") as file:  # noqa: PTH123 - an environment asks for hundreds
                text = file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            return StoredWheel(sha256, folder, Contents.from_json(json.loads(text)))
        except (ValueError, LookupError, TypeError) as error:
            raise InputError(folder / "wheel.json", "is damaged; remove its folder, it will be made again") from error

    def add(self, archive: Path, filename: str, sha256: str | None = None) -> StoredWheel:
        """Hash, check and unpack a wheel's archive, which stays where it is.

        Raises HashMismatchError if `sha256` was promised and is another, BadDistributionError if the archive is no
        wheel to trust, CannotWriteError or NotPermittedError; nothing half-done stays behind.
        """
        with writing(f"reading {filename}", archive):
            actual = sha256_of(archive)
        if sha256 is not None and actual != sha256.lower():
            raise HashMismatchError(filename, sha256, actual)
        return self.adopt(archive, filename, actual)

    def adopt(self, archive: Path, filename: str, sha256: str) -> StoredWheel:
        """Like `add` for an archive whose hash the caller measured while writing it."""
        from bootstrap.wheels.unpack import unpack, unpacked_size  # noqa: PLC0415 - a warm run unpacks nothing

        found = self.find(sha256)
        if found is not None:
            return found
        folder = self.folder_of(sha256)
        building = self.root / "building" / f"{sha256[:16]}-{os.getpid()}-{secrets.token_hex(4)}"
        with writing(f"unpacking {filename}", self.root, unpacked_size(archive)):
            try:
                building.mkdir(parents=True)
                contents = unpack(archive, filename, building / "tree")
                self._describe(building, contents)
                folder.parent.mkdir(parents=True, exist_ok=True)
                _settle(building, folder)
            finally:
                shutil.rmtree(building, ignore_errors=True)
        return self.find(sha256) or StoredWheel(sha256, folder, contents)

    @staticmethod
    def _describe(building: Path, contents: Contents) -> None:
        with (building / "wheel.json").open("w", encoding="utf-8") as file:
            json.dump(contents.to_json(), file, ensure_ascii=False, separators=(",", ":"))
            file.flush()
            os.fsync(file.fileno())

    def __iter__(self) -> Iterator[str]:
        """The hashes of all entries."""
        for shelf in sorted((self.root / "wheels").glob("[0-9a-f][0-9a-f]")):
            yield from sorted(each.name for each in shelf.iterdir() if DIGEST.fullmatch(each.name))

    def damage(self, wheel: StoredWheel) -> tuple[str, ...]:
        """The files of an entry that are gone or have another size, as after a power cut or an edit in place."""
        tree = str(wheel.tree)
        listed = [(each.path, each.size) for each in wheel.contents.files]
        listed += [(each.source, each.size) for each in wheel.contents.data]
        return tuple(path for path, size in listed if _size(f"{tree}/{path}") != size)

    def remove(self, sha256: str) -> None:
        """Take an entry away; environments that were linked from it keep their files."""
        folder = self.folder_of(sha256)
        leaving = self.root / "building" / f"{sha256[:16]}-{os.getpid()}-{secrets.token_hex(4)}"
        with writing(f"removing {sha256[:16]}", self.root):
            leaving.parent.mkdir(parents=True, exist_ok=True)
            folder.rename(leaving)
            shutil.rmtree(leaving)


def _size(path: str) -> int | None:
    try:
        return os.stat(path).st_size  # noqa: PTH116  one string per file instead of one Path
    except OSError:
        return None


def _settle(building: Path, folder: Path) -> None:
    """Move the finished entry to its place, or leave the place to whoever was first."""
    try:
        building.rename(folder)
    except OSError as error:
        if error.errno not in TAKEN:
            raise
