"""A folder in which wheel files stay beside their unpacked form, for who asks for it: `--keep-wheels DIR`.

It ends up with the wheel of every package that was fetched for the environment, also of those that the store had: their
files are fetched for it. It serves as `--find-links DIR` somewhere without a network. Nothing is ever removed from it.
"""

from __future__ import annotations

import contextlib
import errno
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from bootstrap.wheels.store import sha256_of

__all__ = ["Wheelhouse"]


@dataclass(frozen=True, slots=True)
class Wheelhouse:
    """The folder, which need not exist yet."""

    folder: Path

    def has(self, filename: str, sha256: str | None) -> bool:
        """Whether a wheel is in it, and is the promised one."""
        path = self.folder / filename
        try:
            return path.is_file() and (sha256 is None or sha256_of(path) == sha256.lower())
        except OSError:
            return False

    def take(self, archive: Path, filename: str) -> None:
        """Move a wheel into it, whole or not at all. Raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        place = self.folder / filename
        try:
            archive.replace(place)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            self._copy(archive, place)

    @staticmethod
    def _copy(archive: Path, place: Path) -> None:
        beside = place.with_name(f".{place.name}-{secrets.token_hex(4)}")
        try:
            shutil.copyfile(archive, beside)
            beside.replace(place)
        finally:
            with contextlib.suppress(FileNotFoundError):
                beside.unlink()
