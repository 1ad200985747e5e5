"""What a project can be asked for on each platform: its offers and none, or the variants where it names none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from packaging.requirements import Requirement

from bootstrap.commands.choices.offering import Offering, offering
from bootstrap.commands.locks.combinations import NONE, Combination, choices, combination_of
from bootstrap.commands.session import Session
from bootstrap.project import indexes
from bootstrap.resolver.resolution import Resolution, Target
from profiles import Offer, is_family
from profiles.tables import tables

__all__ = ["Offered"]


@dataclass
class Offered:
    """The offers of one project; every target is looked at once."""

    session: Session
    _offerings: dict[tuple[str, str], Offering] = field(default_factory=dict)
    _meanings: dict[str, list[Offer]] = field(default_factory=dict)

    def is_automatic(self, target: Target) -> bool:
        """Does the project leave the variant open?"""
        return self._offering(target).is_automatic

    def plain(self, target: Target) -> Iterator[Combination]:
        """What needs no other resolution to be known: the project's offers, and none.

        Where a variant is settled, "none" means it too. In automatic mode none is all there is at first.
        """
        there = self._offering(target)
        offers = () if there.is_automatic else there.all_offers
        settled = [replace(each, name="") for each in offers if each.kind == "variant"]
        yield from self._combinations(target, (*offers, *(settled[:1] or (NONE,))))

    def variants(self, target: Target, plain: Resolution | None) -> Iterator[Combination]:
        """In automatic mode: the variants of the torch that the project gets without any, if it gets one at all."""
        pins = () if plain is None else plain.pins
        if not self.is_automatic(target) or not any(is_family(pin.name) for pin in pins):
            return
        torch = next((pin.version for pin in pins if pin.name == "torch"), None)
        newest_first = tables().releases
        release = next((each for each in newest_first if torch and each.version <= torch), newest_first[0])
        published = release.variants.get(target.platform, ())
        offers = [each for each in self._offering(target).all_offers if each.variant in published]
        bounds = (Requirement(f"torch=={torch.major}.{torch.minor}.*"),) if torch else ()
        yield from self._combinations(target, offers, bounds)

    def every(self) -> tuple[Offer, ...]:
        """Every offer once; one that means several things by platform, as what it means where it is a variant."""
        order = list(dict.fromkeys(each.name for known in self._offerings.values() for each in known.all_offers))
        names = sorted(self._meanings, key=order.index)
        return tuple(max(self._meanings[name], key=lambda each: each.variant != "default") for name in names)

    def _offering(self, target: Target) -> Offering:
        """Sources with markers make an offer another thing on another platform."""
        key = (target.python_minor, target.platform)
        if key not in self._offerings:
            session = self.session
            addresses = indexes.named_addresses(session.project, session.settings)
            self._offerings[key] = offering(session.project, session.asked, frozenset(), target.markers, addresses)
        return self._offerings[key]

    def _combinations(
        self, target: Target, offers: Iterable[Offer], bounds: tuple[Requirement, ...] = ()
    ) -> Iterator[Combination]:
        """The offers, each with what may be taken beside it. Variants exclude nothing of the project."""
        offers, project = tuple(offers), self.session.project
        for each in offers:
            if each.name:
                self._meanings.setdefault(each.name, []).append(each)
        own = tuple(each for each in self._offering(target).all_offers if each.kind != "variant")
        for taken, also in choices(project, own):
            for offer in offers:
                if offer == taken or (taken is None and offer.kind == "variant"):
                    yield combination_of(project, own, offer, also, target, bounds=bounds)
