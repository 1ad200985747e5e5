"""Which of a project's extras and groups decide about torch, and which variant each of them means.

    a conflict set whose members want the torch family from different places    every member with torch is an offer
    no such set     every extra or group with a torch source of its own, or named like a variant (`cpu`, `cu124`)
                    or like an accelerator (`gpu`) while it asks for a package of the family
    no torch        what bootstrap/project/split_offers.py finds: `cuda12 = ["jax[cuda12]"]`, `cpu = ["jax"]`

Which extras are offers does not depend on the environment, so that one lock can serve all of them; which variant an
offer means does. An alias (`gpu = ["this[cu124]"]`) is no offer of its own: it stands for one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from bootstrap.project.model import Conflict, Index, Item, Project, Source
from bootstrap.project.places import DEFAULT_INDEX
from bootstrap.project.sources import place_of, sources_for
from bootstrap.project.split_offers import split_offers
from profiles.offer import Offer

__all__ = ["fixed_offer", "offers", "torch_specifiers"]

Family = Callable[[str], bool]
VariantOfIndex = Callable[[str], "str | None"]

_VARIANT = re.compile(r"(?:^|[^a-z0-9])(cpu|cu\d{2,3}|xpu|rocm\d+(?:[.-]\d+)*)(?![a-z0-9])")
_ACCELERATOR = re.compile(r"(?:^|-)(gpu|cuda\d*|accel[a-z]*|nvidia|amd|rocm|mps|metal)(?:$|-)")


def offers(
    project: Project, markers: Mapping[str, str], is_family: Family, variant_of_index: VariantOfIndex
) -> tuple[Offer, ...]:
    """The offers in the order of the project's file, extras before groups. `markers` is the PEP 508 environment.

    `is_family` knows the torch family's names, `variant_of_index` which variant an index serves.
    Raises ConfigurationError where two sources apply to one package at once.
    """
    reading = _Reading(project, markers, is_family, variant_of_index)
    found = tuple(reading.offer(item) for item in reading.items())
    return found or (split_offers(project, markers, is_family) if reading.leaves_torch_alone() else ())


def fixed_offer(
    project: Project, markers: Mapping[str, str], is_family: Family, variant_of_index: VariantOfIndex
) -> Offer | None:
    """The variant that an unlimited source of the torch family settles, None where the project leaves it open."""
    reading = _Reading(project, markers, is_family, variant_of_index)
    source = reading.family_source(sources_for(project, frozenset(), frozenset(), markers))
    if source is None:
        return None
    variant, index = reading.variant(source, "")
    return Offer(variant, variant, index, "variant")


def torch_specifiers(project: Project, extra: str | None, markers: Mapping[str, str] | None = None) -> SpecifierSet:
    """What the base and one extra (or the group of that name) ask of torch directly, with constraints.

    Overrides replace all of it. With `markers` only requirements that apply there count.
    """
    name = canonicalize_name(extra) if extra is not None else ""
    asked = (*project.dependencies, *project.extras.get(name, ()), *project.constraints)
    if name not in project.extras:
        asked = (*asked, *project.groups.get(name, ()))
    overrides = [each for each in project.overrides if canonicalize_name(each.name) == "torch"]
    found = SpecifierSet()
    for requirement in overrides or asked:
        applies = markers is None or requirement.marker is None or requirement.marker.evaluate(dict(markers))
        if canonicalize_name(requirement.name) == "torch" and applies:
            found &= requirement.specifier
    return found


@dataclass(frozen=True, slots=True)
class _Reading:
    """A project, seen with what is known of torch."""

    project: Project
    markers: Mapping[str, str]
    is_family: Family
    variant_of_index: VariantOfIndex

    def items(self) -> list[Item]:
        """The extras and groups that are offers, in file order."""
        everything = [Item("extra", name) for name in self.project.extras]
        everything += [Item("group", name) for name in self.project.groups]
        members = {Item("group", each.group) for each in self.project.members}
        conflicts = [self._without_aliases(conflict) for conflict in self.project.conflicts]
        deciding = [conflict for conflict in conflicts if self._decides(conflict)]
        if deciding:
            decided = frozenset[Item]().union(*deciding)
            return [item for item in everything if item in decided and self._has_torch(item)]
        own = [item for item in everything if item not in members]
        candidates = [item for item in own if self._own_sources(item) or self._named_for_torch(item)]
        extras = {item.name for item in candidates if item.kind == "extra"}
        return [item for item in candidates if self._own_sources(item) or not self._stands_for(item) & extras]

    def leaves_torch_alone(self) -> bool:
        """Whether neither the base asks for the family nor any source says where it comes from."""
        return not self._asks(self.project.dependencies) and not any(map(self.is_family, self.project.sources))

    def offer(self, item: Item) -> Offer:
        extras = frozenset({item.name}) if item.kind == "extra" else frozenset[str]()
        groups = frozenset({item.name}) if item.kind == "group" else frozenset[str]()
        source = self.family_source(sources_for(self.project, extras, groups, self.markers))
        variant, index = self.variant(source, item.name) if source else (self.pinned(item) or "default", None)
        return Offer(item.name, variant, index, item.kind)

    def family_source(self, sources: Mapping[str, Source]) -> Source | None:
        """The source that speaks for the family: torch's own, or else the first of another member."""
        names = sorted((name for name in sources if self.is_family(name)), key=lambda name: (name != "torch", name))
        return sources[names[0]] if names else None

    def variant(self, source: Source, offer: str) -> tuple[str, str | None]:
        """What a source means: a variant and the index that serves it.

        An index that nobody knows (a lab's mirror) means what its name, or the offer's, says.
        """
        if source.index is not None:
            index = self._index(source.index)
            if index.url == DEFAULT_INDEX:
                return "default", None
            words = (index.name or "", offer)
            return self.variant_of_index(index.url) or _variant_in(*words) or "default", index.url
        place = (source.url or str(source.path or source.git)).replace("%2B", "+").replace("%2b", "+")
        return self.variant_of_index(place) or _variant_in(place.rpartition("+")[2], offer) or "default", None

    def pinned(self, item: Item) -> str | None:
        """The variant that the requirements spell out: `torch==2.5.1+cpu`, or `torch @ https://.../torch-2.5.1+cpu-...`."""
        for requirement in (*self._requirements(item), *self.project.dependencies):
            if self.is_family(canonicalize_name(requirement.name)):
                for text in (requirement.url or "", *(each.version for each in requirement.specifier)):
                    _, plus, label = text.replace("%2B", "+").partition("+")
                    if plus and _variant_in(label):
                        return _variant_in(label)
        return None

    def _index(self, name: str) -> Index:
        return next((index for index in self.project.indexes if index.name == name), Index(DEFAULT_INDEX))

    def _own_sources(self, item: Item) -> frozenset[tuple[str, Source, str]]:
        """Family sources that only this extra or group has: package, place and where it applies."""
        return frozenset(
            (package, place_of(source), str(source.marker))
            for package, sources in self.project.sources.items()
            if self.is_family(package)
            for source in sources
            if item.name == (source.extra if item.kind == "extra" else source.group)
        )

    def _stands_for(self, item: Item) -> frozenset[str]:
        aliases = self.project.aliases if item.kind == "extra" else self.project.group_aliases
        return aliases.get(item.name, frozenset())

    def _without_aliases(self, conflict: Conflict) -> Conflict:
        """An alias without torch sources of its own makes way for those that it stands for and that have some."""
        found: set[Item] = set()
        for item in conflict:
            others = {Item("extra", name) for name in self._stands_for(item)}
            sourced = {other for other in others if self._own_sources(other)}
            found |= sourced if sourced and not self._own_sources(item) else {item}
        return frozenset(found)

    def _decides(self, conflict: Conflict) -> bool:
        """Whether members want the family from different places. Where markers apply does not matter here."""
        return len({self._own_sources(item) for item in conflict}) > 1

    def _has_torch(self, item: Item) -> bool:
        asked = (*self.project.dependencies, *self._requirements(item))
        return bool(self._own_sources(item)) or self._asks(asked) or _speaks_of_torch(item.name)

    def _named_for_torch(self, item: Item) -> bool:
        return _speaks_of_torch(item.name) and self._asks(self._requirements(item))

    def _asks(self, requirements: tuple[Requirement, ...]) -> bool:
        return any(self.is_family(canonicalize_name(each.name)) for each in requirements)

    def _requirements(self, item: Item) -> tuple[Requirement, ...]:
        by_name = self.project.extras if item.kind == "extra" else self.project.groups
        return by_name.get(item.name, ())


def _variant_in(*texts: str) -> str | None:
    """A variant's name within other words: `pytorch-cu124`, `rocm6-4` (an extra's name has no dots)."""
    for text in texts:
        found = _VARIANT.search(text.lower())
        if found:
            return found[1].replace("-", ".")
    return None


def _speaks_of_torch(name: str) -> bool:
    return _variant_in(name) is not None or _ACCELERATOR.search(name) is not None
