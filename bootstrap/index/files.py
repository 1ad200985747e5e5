"""What an index lists: files, grouped by version."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from packaging.version import Version

__all__ = ["File", "Listing"]


@dataclass(frozen=True, slots=True)
class File:
    """One distribution file as an index lists it (PEP 503, PEP 691, PEP 700).

    `hashes` maps algorithm to hex digest and may be empty. `metadata` is the hash of the PEP 658 metadata file
    (algorithm to digest, empty if it is offered without one) or None where the index offers none.
    `yanked` is the reason, or None. `size` is in bytes. `index` is the address of the index that listed it.
    """

    filename: str
    url: str
    index: str
    hashes: Mapping[str, str]
    requires_python: str | None = None
    metadata: Mapping[str, str] | None = None
    yanked: str | None = None
    size: int | None = None
    upload_time: str | None = None

    @property
    def is_wheel(self) -> bool:
        return self.filename.endswith(".whl")


@dataclass(frozen=True, slots=True)
class Listing:
    """Every file of one project that may be used, by version, newest version first. `indexes` says who listed them."""

    name: str
    versions: Mapping[Version, tuple[File, ...]]
    indexes: tuple[str, ...] = ()

    def matching(self, version: Version, wanted: Callable[[str], bool]) -> Iterator[File]:
        """The files of a version whose names are wanted. Where pages are read lazily, the others are not even read."""
        return (file for file in self.versions[version] if wanted(file.filename))

    def only(self, versions: Iterable[Version]) -> Listing:
        """A listing of nothing but these versions; the others are not looked at."""
        return Listing(self.name, {version: self.versions[version] for version in versions}, self.indexes)
