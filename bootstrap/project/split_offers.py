"""Offers of projects that leave torch alone: extras that ask for other packages of which there is one per accelerator.

    a conflict set whose members are for different accelerators     every member with such a package, or named like one
    no such set      extras named like an accelerator (`cuda12`, `gpu`, `cpu`), if those for accelerators are all about
                     the same package, so that they stand for one another

Where none of them is for the CPU, the project as it is stands beside them: nobody without a GPU gets what is for one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bootstrap.project.model import Item, Project
from profiles.offer import Offer
from profiles.splits import Split, split_of

__all__ = ["split_offers"]

_ACCELERATOR = re.compile(
    r"(?:^|-)(?:cpu|gpu|cuda|cu|rocm|tpu|xpu|nvidia|amd|intel|directml|openvino|accel[a-z]*)(?:\d+x?)?(?:$|-)", re.ASCII
)
_CPU = re.compile(r"(?:^|-)cpu(?:$|-)")


def split_offers(project: Project, markers: Mapping[str, str], is_family: Callable[[str], bool]) -> tuple[Offer, ...]:
    """The offers in the order of the project's file, extras before groups; `markers` is the PEP 508 environment.

    Which extras are offers does not depend on the environment, only their variants do.
    """
    extras = [_Candidate.of(project, Item("extra", name)) for name in project.extras]
    members = {each.group for each in project.members}
    groups = [_Candidate.of(project, Item("group", name)) for name in project.groups if name not in members]
    everything = [each for each in (*extras, *groups) if not any(is_family(name) for name in each.names)]
    found = _conflicting(project, everything) or _alternatives(project, everything)
    if not any(each.accelerators for each in found):
        return ()
    offers = tuple(each.offer(markers) for each in found)
    if any(each.is_for_cpu for each in found):
        return offers
    return (Offer("cpu", "cpu", kind="variant", packages=()), *offers)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An extra or group, and what it asks for."""

    item: Item
    requirements: tuple[Requirement, ...]

    @classmethod
    def of(cls, project: Project, item: Item) -> _Candidate:
        asked = project.extras if item.kind == "extra" else project.groups
        return cls(item, asked[item.name])

    @property
    def names(self) -> frozenset[str]:
        return frozenset(canonicalize_name(each.name) for each in self.requirements)

    @property
    def accelerators(self) -> frozenset[str]:
        """The variants that it asks for wherever, other than `cpu`."""
        return frozenset(split.variant for _, split in self.splits()) - {"cpu"}

    @property
    def products(self) -> frozenset[str]:
        """What those that are for accelerators are builds of."""
        return frozenset(split.product for _, split in self.splits() if split.accelerator != "cpu")

    @property
    def is_for_cpu(self) -> bool:
        return not self.accelerators

    @property
    def is_concerned(self) -> bool:
        return self.is_named or any(True for _ in self.splits())

    @property
    def is_named(self) -> bool:
        return _ACCELERATOR.search(self.item.name) is not None

    def splits(self, markers: Mapping[str, str] | None = None) -> Iterator[tuple[Requirement, Split]]:
        """The packages with builds of their own, with `markers` only those that are asked for there."""
        for each in self.requirements:
            split = split_of(each.name, each.extras, each.specifier)
            applies = markers is None or each.marker is None or each.marker.evaluate(dict(markers))
            if split is not None and split.accelerator not in {"torch", "libraries"} and applies:
                yield each, split

    def offer(self, markers: Mapping[str, str]) -> Offer:
        found = list(self.splits(markers))
        variants = [split.variant for _, split in found if split.accelerator != "cpu"]
        packages = tuple(f"{split}{each.specifier}" for each, split in found)
        return Offer(self.item.name, variants[0] if variants else "cpu", None, self.item.kind, packages)


def _conflicting(project: Project, everything: Sequence[_Candidate]) -> list[_Candidate]:
    """The members of conflict sets in which at least two are concerned and not all with the same accelerators."""
    deciding: set[Item] = set()
    for conflict in project.conflicts:
        concerned = [each for each in everything if each.item in conflict and each.is_concerned]
        if len(concerned) > 1 and len({each.accelerators for each in concerned}) > 1:
            deciding |= {each.item for each in concerned}
    return [each for each in everything if each.item in deciding]


def _alternatives(project: Project, everything: Sequence[_Candidate]) -> list[_Candidate]:
    """Extras named like accelerators that stand for one another, and the one named like the CPU."""
    accelerated = [each for each in everything if each.is_named and each.accelerators]
    names = {each.item.name for each in accelerated if each.item.kind == "extra"}
    accelerated = [each for each in accelerated if not _stands_for(project, each.item) & names]
    if not accelerated or not frozenset.intersection(*(each.products for each in accelerated)):
        return []
    plain = [each for each in everything if each.is_for_cpu and _CPU.search(each.item.name)]
    return [each for each in everything if each in (*accelerated, *plain)]


def _stands_for(project: Project, item: Item) -> frozenset[str]:
    aliases = project.aliases if item.kind == "extra" else project.group_aliases
    return aliases.get(item.name, frozenset())
