"""What a project asks for, as values: nothing here reads a file.

A `Project` is the same thing whether it came from a pyproject.toml or from `-r requirements.txt`.
Names of projects, extras and groups are normalized (PEP 503, PEP 685, PEP 735) everywhere below this line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

__all__ = ["Conflict", "Index", "Item", "Project", "Source"]


@dataclass(frozen=True, slots=True)
class Index:
    """An index as configured. `flat` is a folder or page of links (`find-links`) instead of a PEP 503 tree.

    `explicit` serves only packages whose source names it. `default` replaces the default index.
    """

    url: str
    name: str | None = None
    explicit: bool = False
    default: bool = False
    flat: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """Where the project wants one package from. Exactly one of index, url, path and git is set.

    `extra` and `group` restrict the source to requirements made in that extra or group; `marker` to environments.
    """

    index: str | None = None
    url: str | None = None
    path: Path | None = None
    editable: bool = False
    git: str | None = None
    reference: str | None = None
    subdirectory: str | None = None
    marker: Marker | None = None
    extra: str | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One member of a conflict set: an extra or a dependency group of the project."""

    kind: Literal["extra", "group"]
    name: str


Conflict = frozenset[Item]


@dataclass(frozen=True, slots=True)
class Project:
    """Everything that resolution needs to know of what is asked for.

    `extras` has alias extras (`gpu = ["this[cu124]"]`) already replaced by what they stand for; `aliases` says which
    extras each alias switches on, `group_aliases` which extras a group does (`dev = ["this[cu124]"]`).
    `hashes` holds the `--hash` options of requirements files, by requirement text.
    `constraints` narrow, `overrides` replace every requirement on their name, both without asking for the package.
    `files` are all files that were read, so that a change in any of them is noticed.
    """

    root: Path
    name: str | None = None
    version: str | None = None
    requires_python: SpecifierSet = field(default_factory=SpecifierSet)
    dependencies: tuple[Requirement, ...] = ()
    extras: Mapping[str, tuple[Requirement, ...]] = field(default_factory=dict)
    aliases: Mapping[str, frozenset[str]] = field(default_factory=dict)
    groups: Mapping[str, tuple[Requirement, ...]] = field(default_factory=dict)
    default_groups: tuple[str, ...] = ()
    sources: Mapping[str, tuple[Source, ...]] = field(default_factory=dict)
    indexes: tuple[Index, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    constraints: tuple[Requirement, ...] = ()
    overrides: tuple[Requirement, ...] = ()
    hashes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    has_build_system: bool = False
    files: tuple[Path, ...] = ()
    group_aliases: Mapping[str, frozenset[str]] = field(default_factory=dict)
