"""Source distributions and files from addresses, kept below the cache in folders named by the hash of their bytes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bootstrap.errors import HashMismatchError, UnreachableError
from bootstrap.index.addresses import without_credentials
from bootstrap.index.client import Client
from bootstrap.index.files import File
from bootstrap.resolver.resolution import Direct
from bootstrap.wheels.disk import writing

__all__ = ["Archives", "sha256_in"]

_OK = 200
_STRONG = ("sha256", "sha384", "sha512")


@dataclass(frozen=True, slots=True)
class Archives:
    """What has been fetched, below one folder, which need not exist yet."""

    root: Path
    client: Client

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
        beside = self.root / f".{os.getpid()}-{name}"
        with writing(f"fetching {name}", self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            try:
                sha256 = self._arrived(what.url, beside, name, what.hashes)
                place = self.root / sha256 / name
                place.parent.mkdir(exist_ok=True)
                beside.replace(place)
            finally:
                beside.unlink(missing_ok=True)
        return place

    def _arrived(self, url: str, beside: Path, name: str, promised: Mapping[str, str]) -> str:
        """Write the bytes and return their sha256, if they are the ones that were promised."""
        digests = {algorithm: hashlib.new(algorithm) for algorithm in _STRONG if algorithm in {"sha256", *promised}}
        with self.client.stream(url) as answer, beside.open("wb") as file:
            if answer.status != _OK:
                problem = f"the server answers {answer.status} where {name} should be"
                raise UnreachableError(without_credentials(url), problem)
            for chunk in answer.chunks:
                file.write(chunk)
                for digest in digests.values():
                    digest.update(chunk)
        for algorithm, digest in digests.items():
            if promised.get(algorithm, digest.hexdigest()) != digest.hexdigest():
                raise HashMismatchError(name, promised[algorithm], digest.hexdigest(), algorithm)
        return digests["sha256"].hexdigest()


def sha256_in(archive: Path) -> str:
    """The hash of an archive that `fetch` returned."""
    return archive.parent.name
