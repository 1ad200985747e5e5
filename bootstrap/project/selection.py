"""What a user selects of a project: names that exist, with what aliases stand for, and nothing in conflict."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from packaging.utils import canonicalize_name

from bootstrap.errors import UsageError
from bootstrap.project.model import Item, Project
from bootstrap.project.sources import activated
from bootstrap.project.tables import listed, meant

__all__ = ["check_conflicts", "select", "select_groups"]


def select(project: Project, extras: Iterable[str]) -> frozenset[str]:
    """The extras, and those that aliases among them stand for. Raises UsageError for one that does not exist."""
    return activated(project, _known("extra", extras, project.extras))


def select_groups(project: Project, groups: Iterable[str]) -> frozenset[str]:
    """The groups by normalized name. Raises UsageError for one that does not exist."""
    return _known("group", groups, project.groups)


def check_conflicts(project: Project, extras: Iterable[str], groups: Iterable[str] = ()) -> None:
    """Raises UsageError that names two selected extras or groups of which only one may be taken."""
    chosen_groups = frozenset(groups)
    chosen = {Item("extra", name) for name in activated(project, frozenset(extras), chosen_groups)}
    chosen |= {Item("group", name) for name in chosen_groups}
    for conflict in project.conflicts:
        both = sorted(conflict & chosen, key=lambda item: (item.kind, item.name))[:2]
        if len(both) > 1:
            first, second = (f"{item.kind} `{item.name}`{_origin(project, item, extras, groups)}" for item in both)
            raise UsageError(f"{first} and {second} exclude each other; leave one of them out")


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
