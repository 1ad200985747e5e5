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

__all__ = ["Conflict", "Focus", "Index", "Item", "Member", "Project", "Source"]


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

    `reference` is what of a git repository: a revision as in `bootstrap.project.repository`, so that `refs/tags/v1` is
    the tag and no branch of that name. `editable` means nothing there: a commit does not change.
    `extra` and `group` restrict the source to requirements made in that extra or group; `marker` to environments.
    `member` says that the path is that of another member of the workspace.
    """

    index: str | None = None
    url: str | None = None
    path: Path | None = None
    editable: bool = False
    git: str | None = None
    reference: str | None = None
    subdirectory: str | None = None
    lfs: bool = False
    marker: Marker | None = None
    extra: str | None = None
    group: str | None = None
    member: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """One member of a conflict set: an extra or a dependency group of the project."""

    kind: Literal["extra", "group"]
    name: str


Conflict = frozenset[Item]


@dataclass(frozen=True, slots=True)
class Member:
    """One project of a workspace, in the words of the whole (see joined.py); a root without [project] has no name.

    `group` stands for it in the whole, `called` says how its own extras and groups are called there. What is no
    package is not installed, but what it needs is. `is_apart` is one that a conflict keeps from other members.
    `brings` are the groups of such members that it needs. `default_groups` are in its own words.
    """

    name: str | None
    root: Path
    group: str
    dependencies: tuple[Requirement, ...] = ()
    extras: Mapping[str, tuple[Requirement, ...]] = field(default_factory=dict)
    groups: Mapping[str, tuple[Requirement, ...]] = field(default_factory=dict)
    called: Mapping[Item, str] = field(default_factory=dict)
    default_groups: tuple[str, ...] = ()
    aliases: Mapping[Item, frozenset[str]] = field(default_factory=dict)
    is_package: bool = True
    is_needed: bool = False
    editable: bool = True
    is_apart: bool = False
    brings: frozenset[str] = frozenset()

    @property
    def is_virtual(self) -> bool:
        """Does somebody ask for it who gets what it needs, but not itself?"""
        return self.is_needed and not self.is_package


@dataclass(frozen=True, slots=True)
class Focus:
    """The part of a workspace that is installed: groups taken without being asked for, and what words mean in it."""

    taken: frozenset[str]
    extras: Mapping[str, frozenset[str]] = field(default_factory=dict)
    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Project:
    """Everything that resolution needs to know of what is asked for.

    `extras` has alias extras (`gpu = ["this[cu124]"]`) already replaced by what they stand for; `aliases` says which
    extras each alias switches on, `group_aliases` which extras a group does (`dev = ["this[cu124]"]`).
    `hashes` holds the `--hash` options of requirements files, by requirement text.
    `constraints` narrow, `overrides` replace every requirement on their name, both without asking for the package.
    `files` are all files that were read, so that a change in any of them is noticed.
    Of a workspace `members` are its projects, the root's first, and everything else is what they ask for together;
    only `focus` says from which folder it is seen.
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
    members: tuple[Member, ...] = ()
    focus: Focus | None = None

    @property
    def taken_groups(self) -> frozenset[str]:
        """The groups that are taken without being asked for."""
        return frozenset(self.default_groups) if self.focus is None else self.focus.taken
