"""What a wheel holds, as values, and how that is kept in the store.

A `Contents` is everything that installing needs to know without looking into the folder again:

    files        paths below site-packages, with their sizes and executable bits, in the archive's order; kept as
                 columns, because an environment has tens of thousands of them and is linked by path
    directories  the folders that these need, parents first
    data         files of `NAME-VERSION.data/`, by scheme
    record       the wheel's own RECORD rows for `files`, ready to be written again

Files that an installer owns (INSTALLER, REQUESTED, direct_url.json) are in none of them, even if the wheel brings some.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, cast

__all__ = ["SCHEMA", "Contents", "DataFile", "Scheme", "StoredFile"]

SCHEMA = 1
"""Of the JSON document; a newer one is for newer programs."""

Scheme = Literal["purelib", "platlib", "headers", "scripts", "data"]


class StoredFile(NamedTuple):
    """One file below site-packages; `size` in bytes."""

    path: str
    size: int
    executable: bool


class DataFile(NamedTuple):
    """One file of the `.data` folder: `source` is its path in the wheel, `path` the one inside its scheme.

    `digest` is its RECORD hash ("sha256=…").
    """

    scheme: Scheme
    path: str
    source: str
    size: int
    executable: bool
    digest: str


@dataclass(frozen=True, slots=True)
class Contents:
    """The contents of one wheel. `information` is the name of its dist-info folder; `notes` are mistakes let pass."""

    filename: str
    name: str
    version: str
    information: str
    pure: bool
    size: int
    paths: Sequence[str]
    sizes: Sequence[int]
    executables: frozenset[str]
    directories: Sequence[str]
    data: Sequence[DataFile]
    entry_points: str
    record: str
    notes: Sequence[str] = ()

    @property
    def files(self) -> Sequence[StoredFile]:
        """The files one by one."""
        return [
            StoredFile(path, size, path in self.executables) for path, size in zip(self.paths, self.sizes, strict=True)
        ]

    def to_json(self) -> Mapping[str, Any]:
        """The JSON document of the store."""
        return {
            "schema": SCHEMA,
            "filename": self.filename,
            "name": self.name,
            "version": self.version,
            "information": self.information,
            "pure": self.pure,
            "size": self.size,
            "files": list(self.paths),
            "sizes": list(self.sizes),
            "executables": [number for number, path in enumerate(self.paths) if path in self.executables],
            "directories": list(self.directories),
            "data": [list(each) for each in self.data],
            "entry_points": self.entry_points,
            "record": self.record,
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Contents:
        """Read what `to_json` wrote. Raises LookupError, TypeError or ValueError when it is something else."""
        paths, sizes = cast("list[str]", document["files"]), cast("list[int]", document["sizes"])
        if len(paths) != len(sizes):
            raise ValueError("files and sizes differ in length")
        return cls(
            filename=document["filename"],
            name=document["name"],
            version=document["version"],
            information=document["information"],
            pure=document["pure"],
            size=document["size"],
            paths=paths,
            sizes=sizes,
            executables=frozenset([paths[number] for number in document["executables"]]),
            directories=cast("list[str]", document["directories"]),
            data=[DataFile(*row) for row in document["data"]],
            entry_points=document["entry_points"],
            record=document["record"],
            notes=cast("list[str]", document["notes"]),
        )
