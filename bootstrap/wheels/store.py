"""The store: unpacked wheels on disk, addressed by the hash of their archive, append-only.

    <root>/wheels/<aa>/<sha256>/wheel.json    what is in it (bootstrap/wheels/contents.py)
    <root>/wheels/<aa>/<sha256>/tree/         its files
    <root>/wheels/<aa>/<sha256>/settled       empty: they are on the disk for certain (bootstrap/wheels/durable.py)
    <root>/building/<sha256>-<pid>-<random>/  an entry in the making, held by its maker (making.py), or on its way out
    <root>/incoming/                          archives on their way (bootstrap/wheels/download.py)
    <root>/store.lock                         held by who links entries and by who removes them (holding.py)

An entry appears by one rename of a finished folder and disappears by one, so whoever sees it sees all of it. If two
processes make the same entry, the first rename wins and the other takes that one. Readers need no permission to write.
An entry that a power cut has damaged is as good as none, and whoever makes it again takes its place.
A removed entry harms no environment: links and copies keep their files, and what is wanted again is fetched again.
"""

from __future__ import annotations

import base64
import csv
import errno
import hashlib
import io
import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from bootstrap.errors import HashMismatchError, InputError, NewerError
from bootstrap.wheels import holding, sharing
from bootstrap.wheels.contents import SCHEMA, Contents
from bootstrap.wheels.disk import writing
from bootstrap.wheels.durable import boot
from bootstrap.wheels.making import made_beside, remove, sweep

__all__ = ["DOWNLOADS_KEPT", "Store", "StoredWheel", "sha256_of"]

CHUNK = 1024 * 1024
DIGEST = re.compile(r"[0-9a-f]{64}")
TAKEN = frozenset({errno.ENOTEMPTY, errno.EEXIST})
SETTLED = "settled"
DOWNLOADS_KEPT = 14 * 86400.0
"""Seconds for which the beginning of a download waits in `incoming` for somebody to come back to it."""


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

    @property
    def workplace(self) -> Path:
        """Where entries are made."""
        return self.root / "building"

    def folder_of(self, sha256: str) -> Path:
        """Where an entry is or would be."""
        return self.root / "wheels" / sha256[:2] / sha256

    def find(self, sha256: str) -> StoredWheel | None:
        """The entry of an archive's hash (64 hex digits), or None, also where a power cut has taken files of it.

        Raises InputError if its description is damaged, NewerError if it says more than we understand.
        """
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
            document = json.loads(text)
            if document["schema"] > SCHEMA:
                raise NewerError(folder, document["schema"], SCHEMA, "name another cache with --cache-dir")
            wheel = StoredWheel(sha256, folder, Contents.from_json(document))
            made_in = document.get("boot", "")
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            problem = "is damaged; `torchstrap cache verify` takes it out, and the next sync makes it again"
            raise InputError(folder / "wheel.json", problem) from error
        return wheel if (made_in and made_in == boot()) or self._outlived(wheel) else None

    def _outlived(self, wheel: StoredWheel) -> bool:
        """Whether what was made before the machine was started is whole; looked at once, where that can be noted."""
        note = f"{wheel.folder}/{SETTLED}"
        if os.path.exists(note):  # noqa: PTH110 - an environment asks for hundreds
            return True
        if self.damage(wheel):
            return False
        if boot():  # what can be read after a start is on the disk
            with suppress(OSError):
                os.close(os.open(note, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666))
        return True

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
        with (
            writing(f"unpacking {filename}", self.root, unpacked_size(archive)),
            made_beside(self.workplace, sha256[:16]) as building,
        ):
            return self.keep(building, unpack(archive, filename, building / "tree"), sha256)

    def keep(self, building: Path, contents: Contents, sha256: str) -> StoredWheel:
        """Give its place to a wheel whose files are in `building`/tree already. Raises OSError."""
        folder = self.folder_of(sha256)
        self._describe(building, contents)
        if sharing.is_shared(self.root):
            sharing.hand_over(building)
        folder.parent.mkdir(parents=True, exist_ok=True)
        if not _put(building, folder) and self.find(sha256) is None:
            remove(self.set_aside(folder))
            _put(building, folder)
        return self.find(sha256) or StoredWheel(sha256, folder, contents)

    def sweep(self) -> None:
        """Remove what killed processes were making."""
        sweep(self.workplace)

    @staticmethod
    def _describe(building: Path, contents: Contents) -> None:
        with (building / "wheel.json").open("w", encoding="utf-8") as file:
            document = {**contents.to_json(), "boot": boot()}
            json.dump(document, file, ensure_ascii=False, separators=(",", ":"))
            file.flush()
            os.fsync(file.fileno())

    def __iter__(self) -> Iterator[str]:
        """The hashes of all entries."""
        for shelf in sorted((self.root / "wheels").glob("[0-9a-f][0-9a-f]")):
            yield from sorted(each.name for each in shelf.iterdir() if DIGEST.fullmatch(each.name))

    def in_use(self) -> AbstractContextManager[None]:
        """For the time in which entries are found and linked: none of them is removed meanwhile."""
        return holding.together(self.root / "store.lock")

    def alone(self, limit: float) -> AbstractContextManager[bool]:
        """For taking entries out while nobody links any; False where the file system cannot promise that.

        `limit` in seconds; raises TryAgainError when it has passed, CannotWriteError or NotPermittedError.
        """
        return holding.alone(self.root / "store.lock", limit)

    def is_linked(self, wheel: StoredWheel) -> bool:
        """Whether a file of an entry has a second name somewhere, as in an environment. Copies do not show."""
        tree = str(wheel.tree)
        return any(_links(f"{tree}/{path}") > 1 for path in _paths(wheel))

    def made(self, sha256: str) -> float:
        """The moment at which an entry was made, in seconds since 1970. Raises OSError if it is gone."""
        return self.folder_of(sha256).joinpath("wheel.json").stat().st_mtime

    def damage(self, wheel: StoredWheel) -> tuple[str, ...]:
        """The files of an entry that are gone or have another size, as after a power cut or an edit in place."""
        tree = str(wheel.tree)
        listed = [(each.path, each.size) for each in wheel.contents.files]
        listed += [(each.source, each.size) for each in wheel.contents.data]
        return tuple(path for path, size in listed if _size(f"{tree}/{path}") != size)

    def altered(self, wheel: StoredWheel) -> tuple[str, ...]:
        """The files of an entry whose bytes are not those that its RECORD promises. Reads everything that is there."""
        rows = [(row[0], row[1]) for row in csv.reader(io.StringIO(wheel.contents.record)) if len(row) > 1]
        rows += [(each.source, each.digest) for each in wheel.contents.data]
        gone = self.damage(wheel)
        promised = ((path, digest) for path, digest in rows if digest and path not in gone)
        return (*gone, *(path for path, digest in promised if _record_hash(wheel.tree / path, digest) != digest))

    def take_out(self, sha256: str) -> Path:
        """An entry loses its place, at once. Returns the folder in which its files wait to be removed."""
        return self.set_aside(self.folder_of(sha256))

    def set_aside(self, folder: Path) -> Path:
        """Anything below the root loses its place, at once. Returns where it waits to be removed."""
        leaving = self.root / "building" / f"{folder.name[:16]}.removing-{os.getpid()}-{secrets.token_hex(4)}"
        with writing(f"removing {folder.name[:16]}", self.root):
            leaving.parent.mkdir(parents=True, exist_ok=True)
            folder.rename(leaving)
        return leaving

    def remove(self, sha256: str) -> None:
        """Take an entry away; environments that were linked from it keep their files."""
        leaving = self.take_out(sha256)
        with writing(f"removing {sha256[:16]}", self.root):
            remove(leaving)


def _paths(wheel: StoredWheel) -> Iterator[str]:
    yield from wheel.contents.paths
    yield from (each.source for each in wheel.contents.data)


def _links(path: str) -> int:
    try:
        return os.stat(path).st_nlink  # noqa: PTH116
    except OSError:
        return 0


def _record_hash(path: Path, promised: str) -> str | None:
    """The hash of a file in the way that RECORD spells the promised one; None where that cannot be made."""
    algorithm = promised.partition("=")[0]
    try:
        digest = hashlib.new(algorithm)
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    except (OSError, ValueError):
        return None
    return f"{algorithm}={base64.urlsafe_b64encode(digest.digest()).rstrip(b'=').decode()}"


def _size(path: str) -> int | None:
    try:
        return os.stat(path).st_size  # noqa: PTH116  one string per file instead of one Path
    except OSError:
        return None


def _put(building: Path, folder: Path) -> bool:
    """Move the finished entry to its place; False, and the place left, to whoever was first."""
    try:
        building.rename(folder)
    except OSError as error:
        if error.errno not in TAKEN:
            raise
        return False
    return True
