"""Source distributions and files from addresses, kept below the cache in folders named by the hash of their bytes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from bootstrap.errors import HashMismatchError
from bootstrap.index.files import File
from bootstrap.resolver.resolution import Direct
from bootstrap.wheels.disk import writing

if TYPE_CHECKING:
    from bootstrap.wheels.transfer import Source

__all__ = ["Archives", "sha256_in"]

_STRONGER = frozenset({"sha384", "sha512"})
_CHUNK = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Archives:
    """What has been fetched, below one folder, which need not exist yet."""

    root: Path
    client: Source

    def fetch(self, what: File | Direct) -> Path:
        """The file, fetched unless it is here; its folder's name is its sha256.

        Every hash that was promised is checked on the bytes. Raises HashMismatchError, UnreachableError,
        CannotWriteError, NotPermittedError.
        """
        name = what.filename if isinstance(what, File) else unquote(urlsplit(what.url).path).rsplit("/", 1)[-1]
        promised = what.hashes.get("sha256")
        if promised is not None and (self.root / promised / name).is_file():
            with suppress(OSError):
                os.utime(self.root / promised)  # `cache gc` goes by it
            return self.root / promised / name
        # A warm run fetches nothing.
        from bootstrap.wheels.loading import loaded  # noqa: PLC0415
        from bootstrap.wheels.transfer import Download  # noqa: PLC0415

        download = Download(what.url, name, promised, what.size if isinstance(what, File) else None)
        # Beside the wheels that are on their way: whoever looks after those looks after these.
        incoming = self.root.parent / "incoming"
        with writing(f"fetching {name}", self.root), loaded(download, self.client, incoming) as (part, sha256):
            place = self.root / sha256 / name
            _ensure_promised(part, name, what.hashes)
            place.parent.mkdir(parents=True, exist_ok=True)
            part.replace(place)
        return place


def _ensure_promised(archive: Path, name: str, promised: Mapping[str, str]) -> None:
    """Check the stronger hashes that were promised; loading has checked the usual one. Nothing wrong is kept."""
    for algorithm in _STRONGER & promised.keys():
        digest = hashlib.new(algorithm)
        with archive.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
        if digest.hexdigest() != promised[algorithm].lower():
            from bootstrap.wheels.parts import forget  # noqa: PLC0415 - as above

            forget(archive)
            raise HashMismatchError(name, promised[algorithm], digest.hexdigest(), algorithm)


def sha256_in(archive: Path) -> str:
    """The hash of an archive that `fetch` returned."""
    return archive.parent.name
