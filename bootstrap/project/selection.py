"""What a user selects of a project: names that exist, with what aliases stand for, and nothing in conflict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Literal

from packaging.utils import canonicalize_name

from bootstrap.errors import UsageError
from bootstrap.project.model import Item, Project
from bootstrap.project.sources import activated
from bootstrap.project.tables import listed, meant

__all__ = ["check_conflicts", "select", "select_groups"]


def select(project: Project, extras: Iterable[str]) -> frozenset[str]:
    """The extras, and those that aliases among them stand for. Raises UsageError for one that does not exist."""
    if project.focus is not None:
        return activated(project, _in_focus(project, "extra", extras, project.focus.extras))
    return activated(project, _known("extra", extras, project.extras))


def select_groups(project: Project, groups: Iterable[str]) -> frozenset[str]:
    """The groups by normalized name. Raises UsageError for one that does not exist."""
    if project.focus is not None:
        members = {each.group: each.brings | {each.group} for each in project.members if each.group}
        return _in_focus(project, "group", groups, {**members, **project.focus.groups})
    return _known("group", groups, project.groups)


def check_conflicts(project: Project, extras: Iterable[str], groups: Iterable[str] = ()) -> None:
    """Raises UsageError that names two selected extras or groups of which only one may be taken."""
    chosen_groups = frozenset(groups)
    chosen = {Item("extra", name) for name in activated(project, frozenset(extras), chosen_groups)}
    chosen |= {Item("group", name) for name in chosen_groups}
    for conflict in project.conflicts:
        both = sorted(conflict & chosen, key=lambda item: (item.kind, item.name))[:2]
        if len(both) > 1 and {each.name for each in both} <= {each.group for each in project.members}:
            named = listed(each.name for each in both)
            raise UsageError(f"the members {named} exclude each other; name the one to install with --project")
        if len(both) > 1:
            first, second = (f"{item.kind} `{item.name}`{_origin(project, item, extras, groups)}" for item in both)
            raise UsageError(f"{first} and {second} exclude each other; leave one of them out")


def _in_focus(
    project: Project, kind: Literal["extra", "group"], names: Iterable[str], known: Mapping[str, frozenset[str]]
) -> frozenset[str]:
    """What names mean in the part of a workspace that is installed. What conflicts decide is decided for all of it."""
    deciding = {item.name for conflict in project.conflicts for item in conflict if item.kind == kind}
    every = {**{name: frozenset({name}) for name in deciding}, **known}
    return frozenset[str]().union(*(every[name] for name in _known(kind, names, every)))


def _origin(project: Project, item: Item, extras: Iterable[str], groups: Iterable[str]) -> str:
    """Who brought an extra in that nobody named."""
    if item.kind == "group" or item.name in extras:
        return ""
    by_extra = [f"extra `{name}`" for name in sorted(extras) if item.name in project.aliases.get(name, ())]
    by_group = [f"group `{name}`" for name in sorted(groups) if item.name in project.group_aliases.get(name, ())]
    return f" (which {(*by_extra, *by_group)[0]} stands for)"


def _way_out(name: str, existing: tuple[str, ...]) -> str:
    return meant(name, existing) if get_close_matches(name, existing) else "take one that exists, or leave it out"


def _known(kind: str, names: Iterable[str], known: Iterable[str]) -> frozenset[str]:
    existing = tuple(known)
    found = frozenset(canonicalize_name(name) for name in names)
    for name in sorted(found):
        if name not in existing:
            all_of_them = f" (there is {listed(existing)})" if existing else ""
            raise UsageError(f"the project has no {kind} `{name}`{all_of_them}: {_way_out(name, existing)}")
    return found
