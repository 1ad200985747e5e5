"""For whom a graph is resolved, and the graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from packaging.version import Version

from bootstrap.index.files import File

__all__ = ["Direct", "Pin", "Resolution", "Target"]


@dataclass(frozen=True, slots=True)
class Target:
    """One Python on one platform.

    `python` is the full version ("3.11.7"), `platform` one of our names ("linux_x86_64"), `markers` the PEP 508
    environment, `tags` the wheel tags that it accepts, best first ("cp311-cp311-manylinux_2_36_x86_64").
    """

    python: str
    platform: str
    markers: Mapping[str, str]
    tags: tuple[str, ...]

    @property
    def python_minor(self) -> str:
        """Major and minor, as locks speak of Python: "3.11"."""
        return ".".join(self.python.split(".")[:2])


@dataclass(frozen=True, slots=True)
class Direct:
    """A distribution that no index was asked for (PEP 610): an archive, a folder or a commit.

    Of a git repository `url` is all of `git+https://host/path@revision#subdirectory=…`. Once it is settled which
    commit that is, `commit` is it and stands in the place of the revision, which is then kept in `revision`.
    """

    url: str
    path: Path | None = None
    editable: bool = False
    hashes: Mapping[str, str] = field(default_factory=dict)
    commit: str | None = None
    subdirectory: str | None = None
    revision: str | None = None


@dataclass(frozen=True, slots=True)
class Pin:
    """One package of a resolution. Among `files` the best for the target comes first.

    `requires` names what it needs in this resolution (extras of a package are folded into the package);
    `wanted_by` holds the roots that reach it: "" for the project's own dependencies, "extra:NAME", "group:NAME".
    """

    name: str
    version: Version
    files: tuple[File, ...] = ()
    direct: Direct | None = None
    requires: tuple[str, ...] = ()
    wanted_by: frozenset[str] = frozenset()

    @property
    def index(self) -> str | None:
        """The address of the index that the chosen file comes from."""
        return self.files[0].index if self.files else None


@dataclass(frozen=True, slots=True)
class Resolution:
    """One graph of pinned packages for one offer, one Python, one platform; pins are sorted by name.

    `also` are the members of other conflict sets that are taken in it: "extra:NAME", "group:NAME", sorted.
    """

    offer: str
    target: Target
    pins: tuple[Pin, ...]
    also: tuple[str, ...] = ()
