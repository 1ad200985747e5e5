"""The members of a workspace (bootstrap/project/joined.py) as the resolver has them: roots, and folders by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from packaging.requirements import Requirement

from bootstrap.project.model import Item, Member, Project
from bootstrap.resolver.resolution import Direct, Pin

__all__ = ["member_directs", "member_roots", "virtual_members", "without_virtual"]

Wanted = tuple[Requirement, ...]


def member_roots(project: Project, excluded: frozenset[Item]) -> Mapping[str, Wanted]:
    """What one resolution starts from: every member, its extras and its groups, if nothing of a label is excluded."""
    return {
        "&".join(_label(each) for each in items): requirements
        for member in project.members
        for items, stands_for, requirements in _roots(member)
        if excluded.isdisjoint((*items, *stands_for, *(Item("group", each) for each in member.brings)))
    }


def member_directs(project: Project) -> Mapping[str, Direct]:
    """The folders of the members, whoever asks for them."""
    return {
        each.name: Direct(each.root.as_uri(), path=each.root, editable=each.editable)
        for each in project.members
        if each.name is not None
    }


def virtual_members(project: Project) -> frozenset[str]:
    """Members that somebody asks for and that are no packages: what they need is installed, they are not."""
    return frozenset(each.name for each in project.members if each.name is not None and each.is_virtual)


def without_virtual(project: Project, pins: Sequence[Pin]) -> tuple[Pin, ...]:
    """The pins of what can be installed."""
    gone = virtual_members(project)
    if not gone:
        return tuple(pins)
    kept = (pin for pin in pins if pin.name not in gone)
    return tuple(replace(pin, requires=tuple(name for name in pin.requires if name not in gone)) for pin in kept)


def _roots(member: Member) -> Iterator[tuple[tuple[Item, ...], frozenset[Item], Wanted]]:
    """The items that a label consists of, those that they stand for, and what is asked for."""
    own = (Item("group", member.group),) if member.group else ()
    is_asked = member.name is not None and (member.is_package or member.is_virtual)
    if own:
        yield own, frozenset(), (Requirement(str(member.name)),) if is_asked else member.dependencies
    names = {(item.kind, called): item.name for item, called in member.called.items()}
    for name, requirements in member.extras.items():
        item = Item("extra", name)
        through = (Requirement(f"{member.name}[{names['extra', name]}]"),)
        yield (*own, item), _stands_for(member, item), through if is_asked else requirements
    for name, requirements in member.groups.items():
        item = Item("group", name)
        yield (*own, item), _stands_for(member, item), requirements


def _stands_for(member: Member, item: Item) -> frozenset[Item]:
    return frozenset(Item("extra", each) for each in member.aliases.get(item, ()))


def _label(item: Item) -> str:
    return f"{item.kind}:{item.name}"
