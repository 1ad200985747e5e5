"""What each pyproject.toml of a workspace says, and how its words are called in the whole (see joined.py)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bootstrap.errors import InputError
from bootstrap.project.model import Conflict, Item, Project
from bootstrap.project.tables import meant

__all__ = ["Names", "Part", "Party", "conflicts_of", "names_of"]


@dataclass(frozen=True, slots=True)
class Party:
    """One member of a conflict set as a file writes it; without a kind it is all of a package."""

    package: str
    item: Item | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One pyproject.toml of a workspace: what it says for itself, and of whom its conflicts speak.

    `packaged` is what it says itself of being installed; None leaves it to whether somebody needs it.
    `default_groups` is what it says of these.
    """

    project: Project
    conflicts: tuple[tuple[Party, ...], ...] = ()
    packaged: bool | None = None
    default_groups: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Names:
    """How extras, groups and members are called in the whole."""

    own: Mapping[tuple[str | None, Item], str]
    members: Mapping[str, str]

    def item(self, package: str | None, item: Item) -> Item:
        return Item(item.kind, self.own.get((package, item), item.name))


def names_of(parts: Sequence[Part]) -> Names:
    """The words of the whole: what conflicts tell apart by package, and members whose name is that of a group."""
    groups = {name for each in parts for name in each.project.groups}
    members = {}
    for each in parts:
        name = each.project.name
        if name is not None:
            members[name] = name if name not in groups else f"{name}-project"
    own: dict[tuple[str | None, Item], str] = {}
    for root in (each.project for each in parts if each.project.name is None):
        others = {name for each in parts if each.project is not root for name in each.project.groups}
        own.update({(None, Item("group", name)): f"workspace-{name}" for name in root.groups if name in others})
    for conflict in (conflict for each in parts for conflict in each.conflicts):
        several = [party for party in conflict if party.item is not None]
        for party in several:
            alike = {other.package for other in several if other.item == party.item}
            if party.item is not None and len(alike) > 1:
                own[party.package, party.item] = f"{party.package}-{party.item.name}"
    return Names(own, members)


def conflicts_of(parts: Sequence[Part], names: Names) -> Iterator[Conflict]:
    """The conflict sets of all parts. Raises InputError for one that names what is not there."""
    known = {each.project.name: each.project for each in parts}
    for part in parts:
        for parties in part.conflicts:
            conflict = frozenset(_party(each, known, names, part.project.root / "pyproject.toml") for each in parties)
            if len(conflict) > 1:
                yield conflict


def _party(party: Party, known: Mapping[str | None, Project], names: Names, file: Path) -> Item:
    project = known.get(party.package or None)
    if project is None:
        members = sorted(filter(None, known))
        raise InputError(
            file, f"conflicts name `{party.package}`, no member of the workspace; {meant(party.package, members)}"
        )
    if party.item is None:
        return Item("group", names.members[party.package])
    table = project.extras if party.item.kind == "extra" else project.groups
    if party.item.name not in table:
        raise InputError(
            file,
            f"conflicts name the {party.item.kind} `{party.item.name}` of `{party.package}`, which is missing; "
            f"{meant(party.item.name, table)}",
        )
    return names.item(party.package or None, party.item)
