"""What may be switched on together: at most one offer, at most one member of every conflict set, or none of them.

    conflicts = [[cpu, cu126], [old, new]]     torch is in cpu and cu126: they are offers, old and new are members

    cpu          cpu old        cpu new
    cu126        cu126 old      cu126 new
    (none)       (none) old     (none) new

Everything else of the project excludes nothing, so it is in every resolution.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from packaging.requirements import Requirement

from bootstrap.project.model import Conflict, Item, Project
from bootstrap.resolver.resolution import Target
from profiles import Offer

__all__ = ["NONE", "Combination", "Key", "choices", "combination_of", "members"]

NONE = Offer("", "default", None, "variant")
"""No offer at all: what a plain installer gets, from the default index."""

Key = tuple[str, tuple[str, ...], str, str]


@dataclass(frozen=True, slots=True)
class Combination:
    """One thing to resolve. `also` are the conflict members taken, `excluded` those and the offers that are not.

    `bounds` narrow what may be chosen without being the project's words.
    """

    offer: Offer
    target: Target
    also: frozenset[Item] = frozenset()
    excluded: frozenset[Item] = frozenset()
    bounds: tuple[Requirement, ...] = ()

    @property
    def roots(self) -> tuple[str, ...]:
        """The members taken, as a lock names them."""
        return tuple(sorted(f"{each.kind}:{each.name}" for each in self.also))

    @property
    def key(self) -> Key:
        """What tells the resolutions of one lock apart: offer, members, Python, platform."""
        return (self.offer.name, self.roots, self.target.python_minor, self.target.platform)

    def __str__(self) -> str:
        names = [self.offer.name or "no offer", *(each.name for each in sorted(self.also, key=_order))]
        return " with ".join(names if self.offer.name or self.also else ["the project"])


def members(project: Project, offers: Iterable[Offer]) -> frozenset[Item]:
    """The members of conflict sets that are no offers."""
    return frozenset[Item]().union(*_sets(project)) - _items(offers)


def combination_of(
    project: Project,
    offers: Sequence[Offer],
    offer: Offer,
    on: frozenset[Item],
    target: Target,
    *,
    bounds: tuple[Requirement, ...] = (),
) -> Combination:
    """What `on` and the offer mean together; `offers` are all of the project."""
    others = members(project, offers)
    also = on & others
    excluded = (others | _items(offers)) - also - _items((offer,))
    return Combination(offer, target, also, excluded, bounds)


def choices(project: Project, offers: Sequence[Offer]) -> Iterator[tuple[Offer | None, frozenset[Item]]]:
    """Every offer and none, each with every set of members that may be taken beside it; the plain ones first."""
    sets = _sets(project)
    others = sorted(members(project, offers), key=_order)
    for taken in sorted(_compatible(others, sets), key=lambda each: (len(each), sorted(map(_order, each)))):
        for offer in (*offers, None):
            if _admitted(taken | _items(() if offer is None else (offer,)), sets):
                yield offer, taken


def _compatible(items: Sequence[Item], sets: Sequence[Conflict]) -> list[frozenset[Item]]:
    found: list[frozenset[Item]] = [frozenset()]
    for item in items:
        found += [taken for each in found if _admitted(taken := each | {item}, sets)]
    return found


def _admitted(taken: frozenset[Item], sets: Sequence[Conflict]) -> bool:
    return all(len(conflict & taken) <= 1 for conflict in sets)


def _sets(project: Project) -> tuple[Conflict, ...]:
    """The conflict sets, where an alias of one extra makes way for that extra."""
    return tuple(frozenset(_meant(project, item) for item in conflict) for conflict in project.conflicts)


def _meant(project: Project, item: Item) -> Item:
    aliases = project.aliases if item.kind == "extra" else project.group_aliases
    stands_for = aliases.get(item.name, frozenset())
    return Item("extra", next(iter(stands_for))) if len(stands_for) == 1 else item


def _items(offers: Iterable[Offer]) -> frozenset[Item]:
    return frozenset(Item(each.kind, each.name) for each in offers if each.kind != "variant")


def _order(item: Item) -> tuple[str, str]:
    return (item.kind, item.name)
