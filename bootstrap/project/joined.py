"""A workspace as one project: its members are groups of it, and what they share is shared.

    member `train`, extra `cpu`, group `test`          of the whole
    what it needs itself          group:train                        group `train`
    what its extra needs          group:train&extra:cpu              extra `cpu`, which is everybody's `cpu`
    what its group needs          group:train&group:test             group `test`, which is everybody's `test`

All members are resolved together, so each package has one version whoever is installed (package-level `conflicts` keep
members apart). A choice of `cpu` is one for the environment: it counts for every member that has an extra of that name.
Only where a conflict tells extras of one name apart by package they get names of their own (`train-cpu`).

What is installed is in focus: the member from whose folder, or with whose `--project`, torchstrap runs, with what it
needs; in the root of the workspace the root's own project, or every member where it has none. `--group NAME` adds a
member. Constraints, overrides and settings are the root's; sources of the root count where a member has none for a
package; of several sources those of the members that ask for the package count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from bootstrap.errors import InputError
from bootstrap.project.model import Focus, Index, Item, Member, Project, Source
from bootstrap.project.parts import Names, Part, conflicts_of, names_of

__all__ = ["joined"]


def joined(root: Path, parts: Sequence[Part], here: Path) -> Project:
    """The workspace in `root` as one project; the first part is the root's. `here` is the folder that is in focus.

    Raises InputError for conflicts that name what is not there, and for indexes of one name in two places.
    """
    head, file = parts[0].project, root / "pyproject.toml"
    names = names_of(parts)
    conflicts = tuple(conflicts_of(parts, names))
    alone = {each.name for conflict in conflicts for each in conflict if each.kind == "group"}
    members = _with_company(tuple(_member(each, parts, names, alone) for each in parts))
    whole = Project(
        root=root,
        name=head.name,
        requires_python=_requires_python(parts),
        dependencies=_all(each.dependencies for each in members),
        extras=_merged(members, "extra"),
        aliases=_aliases(members),
        groups={**_merged(members, "group"), **{each.group: _needs(each) for each in members if each.group}},
        group_aliases=_group_aliases(members),
        sources=_sources(parts, members, names, alone),
        indexes=tuple(_indexes(parts, file)),
        conflicts=conflicts,
        constraints=head.constraints,
        overrides=head.overrides,
        files=tuple(dict.fromkeys(path for each in parts for path in each.project.files)),
        members=members,
    )
    default = _focus(whole, root)
    return replace(whole, default_groups=tuple(sorted(default.taken)), focus=_focus(whole, here))


def _member(part: Part, parts: Sequence[Part], names: Names, alone: Iterable[str]) -> Member:
    project = part.project
    extras = {names.item(project.name, Item("extra", key)).name: each for key, each in project.extras.items()}
    groups = {names.item(project.name, Item("group", key)).name: each for key, each in project.groups.items()}
    group = names.members.get(project.name or "", "")
    is_needed = project.name is not None and _is_needed(project.name, parts)
    packaged = part.packaged if part.packaged is not None else project.has_build_system or is_needed
    return Member(
        name=project.name,
        root=project.root,
        group=group,
        dependencies=project.dependencies,
        extras=extras,
        groups=groups,
        called={
            Item(kind, key): names.item(project.name, Item(kind, key)).name  # type: ignore[arg-type]
            for kind, several in (("extra", project.extras), ("group", project.groups))
            for key in several
        },
        default_groups=_default_groups(part),
        aliases=_own_aliases(project, parts, names),
        is_package=packaged,
        is_needed=is_needed,
        editable=_is_editable(project.name, parts),
        is_apart=group in set(alone),
    )


def _with_company(members: tuple[Member, ...]) -> tuple[Member, ...]:
    """The members, knowing which of those that conflicts keep apart come with each."""
    by_name = {each.name: each for each in members if each.name is not None}

    def brought(member: Member) -> frozenset[str]:
        seen: dict[str, Member] = {}
        left = [member]
        while left:
            for requirement in left.pop().dependencies:
                other = by_name.get(canonicalize_name(requirement.name))
                if other is not None and other.name not in seen:
                    seen[str(other.name)] = other
                    left.append(other)
        return frozenset(each.group for each in seen.values() if each.is_apart)

    return tuple(replace(each, brings=brought(each)) for each in members)


def _default_groups(part: Part) -> tuple[str, ...]:
    """A root without a project speaks for all members, whose `dev` is a default group as everybody's."""
    project = part.project
    if project.name is None and part.default_groups is None:
        return ("dev",)
    return project.default_groups


def _is_needed(name: str, parts: Sequence[Part]) -> bool:
    return any(source.member for each in parts for source in each.project.sources.get(name, ()) if _other(each, name))


def _is_editable(name: str | None, parts: Sequence[Part]) -> bool:
    said = [source.editable for each in parts for source in each.project.sources.get(name or "", ()) if source.member]
    return all(said)


def _other(part: Part, name: str) -> bool:
    return part.project.name != name


def _own_aliases(project: Project, parts: Sequence[Part], names: Names) -> Mapping[Item, frozenset[str]]:
    """The extras that an extra or a group switches on, in its own project or in another member's."""
    members = {each.project.name: each.project for each in parts if each.project.name is not None}
    found: dict[Item, frozenset[str]] = {}
    tables = (("extra", project.extras, project.aliases), ("group", project.groups, project.group_aliases))
    for kind, asked, aliases in tables:
        for key, requirements in asked.items():
            item = names.item(project.name, Item(kind, key))  # type: ignore[arg-type]
            stands_for = {names.item(project.name, Item("extra", each)).name for each in aliases.get(key, ())}
            for requirement in requirements:
                other = members.get(canonicalize_name(requirement.name))
                if other is not None:
                    stands_for |= set(_switched(other, requirement.extras, names))
            stands_for -= {item.name} if kind == "extra" else set()
            if stands_for:
                found[item] = frozenset(stands_for)
    return found


def _switched(project: Project, extras: Iterable[str], names: Names) -> Iterator[str]:
    for extra in map(canonicalize_name, extras):
        for each in (extra, *project.aliases.get(extra, ())):
            if each in project.extras:
                yield names.item(project.name, Item("extra", each)).name


def _requires_python(parts: Sequence[Part]) -> SpecifierSet:
    found = SpecifierSet()
    for each in dict.fromkeys(str(part.project.requires_python) for part in parts):
        found &= SpecifierSet(each)
    return found


def _all(several: Iterable[Iterable[Requirement]]) -> tuple[Requirement, ...]:
    return tuple(dict.fromkeys(each for requirements in several for each in requirements))


def _merged(members: Iterable[Member], kind: str) -> Mapping[str, tuple[Requirement, ...]]:
    """Everybody's extras (or groups), those of one name together."""
    found: dict[str, tuple[Requirement, ...]] = {}
    for member in members:
        for name, requirements in (member.extras if kind == "extra" else member.groups).items():
            found[name] = tuple(dict.fromkeys((*found.get(name, ()), *requirements)))
    return found


def _aliases(members: Iterable[Member]) -> Mapping[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for member in members:
        for item, names in member.aliases.items():
            if item.kind == "extra":
                found[item.name] = found.get(item.name, frozenset()) | names
    return found


def _group_aliases(members: Iterable[Member]) -> Mapping[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for member in members:
        for item, names in member.aliases.items():
            if item.kind == "group":
                found[item.name] = found.get(item.name, frozenset()) | names
    return found


def _needs(member: Member) -> tuple[Requirement, ...]:
    """What stands for a member: the package, or what it needs where it is none."""
    return (Requirement(member.name),) if member.is_package and member.name else member.dependencies


def _sources(
    parts: Sequence[Part], members: Sequence[Member], names: Names, alone: Iterable[str]
) -> Mapping[str, tuple[Source, ...]]:
    """By package: those of the members that ask for it themselves; where nobody does, everybody's."""
    shared, apart = parts[0].project.sources, set(alone)
    every = dict.fromkeys(name for part in parts for name in part.project.sources)
    found: dict[str, tuple[Source, ...]] = {}
    for package in every:
        asking = [each for each in zip(parts, members, strict=True) if package in _asked(each[0].project)]
        sources = [
            _within(source, member, names, apart)
            for part, member in (asking or zip(parts, members, strict=True))
            for source in part.project.sources.get(package, shared.get(package, ()))
        ]
        found[package] = tuple(dict.fromkeys(sources))
    return found


def _asked(project: Project) -> frozenset[str]:
    several = (project.dependencies, *project.extras.values(), *project.groups.values())
    return frozenset(canonicalize_name(each.name) for requirements in several for each in requirements)


def _within(source: Source, member: Member, names: Names, apart: Iterable[str]) -> Source:
    """A source in the words of the whole. One of a member that others exclude counts with this member only."""
    extra = source.extra and names.item(member.name, Item("extra", source.extra)).name
    group = source.group and names.item(member.name, Item("group", source.group)).name
    if extra is None and group is None and member.group in apart and not source.member:
        group = member.group
    return replace(source, extra=extra, group=group)


def _indexes(parts: Sequence[Part], file: Path) -> Iterator[Index]:
    """The root's, then those that members name for their own sources."""
    known: dict[str | None, Index] = {}
    for number, part in enumerate(parts):
        for index in part.project.indexes:
            if number and index.name is None:
                continue  # only a source could name it
            before = known.setdefault(index.name, index)
            if number and before.url != index.url:
                raise InputError(
                    part.project.root / "pyproject.toml",
                    f"has an index of the name `{index.name}`, as {file} has with another address; rename one",
                )
            if number == 0 or before is index:
                yield index if number == 0 else replace(index, explicit=True, default=False)


def _focus(whole: Project, here: Path) -> Focus:
    """What is installed from a folder without anything being asked for, and what words mean there.

    Groups of a root without a project are everybody's, but for members that have one of the same name.
    """
    root = whole.members[0]
    inside = [each for each in whole.members if each.root == here and each.name is not None]
    chosen = inside or list(whole.members)
    words: dict[Item, set[str]] = {}
    for member in chosen:
        for item, name in member.called.items():
            words.setdefault(item, set()).add(name)
    for item, name in root.called.items() if root.name is None else ():
        words.setdefault(item, {name})
    groups = {item.name: frozenset(names) for item, names in words.items() if item.kind == "group"}
    defaults = (groups.get(each, frozenset()) for leader in inside or [root] for each in leader.default_groups)
    own = {each.group for each in chosen if each.group}
    taken = frozenset[str]().union(own, *(each.brings for each in chosen), *defaults)
    extras = {item.name: frozenset(names) for item, names in words.items() if item.kind == "extra"}
    return Focus(taken, extras, groups)
