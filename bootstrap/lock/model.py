"""What a lock holds: every resolution of a project, and the words by which one of them is picked.

    Lock ── offers       what may be chosen: at most one at a time
         ├─ members      what else excludes something: extras and groups in conflict sets without torch
         ├─ resolutions  one graph per offer, members, Python and platform; offer "" is the graph without any offer
         ├─ extras, groups, default_groups, aliases   what else may be switched on, in every resolution alike
         ├─ project      the name of the project, "" if it has none
         └─ inputs       digest of what was asked for, so that a change is noticed

A *root* is what reaches a pin: "" for the project's own dependencies, "extra:NAME", "group:NAME", and in a workspace
"group:MEMBER&extra:NAME", which is switched on by both together.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from packaging.specifiers import SpecifierSet

from bootstrap.resolver.resolution import Resolution
from profiles.offer import Offer

__all__ = ["ALWAYS", "Lock", "is_switched_on", "parts_of", "python_key", "roots_of"]

ALWAYS = ""


@dataclass(frozen=True, slots=True)
class Lock:
    """All resolutions of a project. `inputs` is a digest as `bootstrap.lock.digest` makes it.

    `environments` are PEP 508 markers; empty stands for "exactly the environments of the resolutions".
    `aliases` maps an extra to the extras that it switches on (`gpu = ["this[cu124]"]`). `members` are roots.
    """

    requires_python: SpecifierSet = field(default_factory=SpecifierSet)
    offers: tuple[Offer, ...] = ()
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    default_groups: tuple[str, ...] = ()
    resolutions: tuple[Resolution, ...] = ()
    inputs: str = ""
    environments: tuple[str, ...] = ()
    aliases: Mapping[str, frozenset[str]] = field(default_factory=dict)
    members: tuple[str, ...] = ()
    project: str = ""

    def offer(self, name: str) -> Offer | None:
        """The offer of that name; None for "", the resolution without an offer."""
        return next((each for each in self.offers if each.name == name), None)

    def switches(self, root: str) -> frozenset[str]:
        """Every root whose selection switches this one on: itself, and the alias extras that stand for it."""
        kind, _, name = root.partition(":")
        if kind != "extra":
            return frozenset({root})
        return frozenset({root} | {f"extra:{alias}" for alias, names in self.aliases.items() if name in names})

    def offer_switches(self, name: str) -> frozenset[str]:
        """Every root whose selection takes the offer. A variant of automatic mode is an extra named by the variant."""
        offer = self.offer(name)
        if offer is None:
            return frozenset()
        return self.switches(f"{'group' if offer.kind == 'group' else 'extra'}:{offer.name}")

    def members_among(self, roots: Collection[str]) -> tuple[str, ...]:
        """The conflict members that a selection of roots takes."""
        return tuple(each for each in self.members if not self.switches(each).isdisjoint(roots))

    @property
    def all_extras(self) -> tuple[str, ...]:
        """Every name that `--extra` may take, sorted: extras, their aliases, and the offers that are no groups."""
        offered = {each.name for each in self.offers if each.kind != "group"}
        return tuple(sorted({*self.extras, *self.aliases, *offered}))

    @property
    def all_groups(self) -> tuple[str, ...]:
        """Every name that `--group` may take, sorted."""
        return tuple(sorted({*self.groups, *(each.name for each in self.offers if each.kind == "group")}))


def roots_of(extras: Collection[str], groups: Collection[str]) -> frozenset[str]:
    """What a selection of extras and groups switches on, the project's own dependencies included."""
    return frozenset({ALWAYS, *(f"extra:{name}" for name in extras), *(f"group:{name}" for name in groups)})


def parts_of(root: str) -> tuple[str, ...]:
    """What a root is switched on by together: itself, unless it is of a member of a workspace."""
    return tuple(root.split("&"))


def is_switched_on(root: str, selected: Collection[str]) -> bool:
    """Whether a selection of simple roots switches a root on."""
    return all(part in selected for part in parts_of(root))


def python_key(version: str) -> tuple[int, ...]:
    """What sorts "3.9" before "3.10"."""
    return tuple(int(part) for part in version.split(".")[:2])
