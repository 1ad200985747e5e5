"""What there is to choose from, and whether somebody has settled it before the machine is asked.

--variant ─────────────────── that variant
--extra, --group ──────────── that offer of the project
the project's offers ──────── all of them
no offers: automatic mode ─── what a source, a version or an index has settled; else every published variant
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from packaging.utils import canonicalize_name

from bootstrap.commands.asked import Asked
from bootstrap.errors import UsageError
from bootstrap.project.model import Project
from bootstrap.project.offers import fixed_offer, offers
from profiles import Offer, automatic_offers, index_of, is_family, is_variant, variant_of_index

__all__ = ["Offering", "offering"]


@dataclass(frozen=True, slots=True)
class Offering:
    """`candidates` are those to choose from, `all_offers` those of the project (in automatic mode the same).

    `settled` says in words who has decided, where somebody has.
    """

    candidates: tuple[Offer, ...]
    all_offers: tuple[Offer, ...]
    settled: str | None = None

    @property
    def is_automatic(self) -> bool:
        """Is any published variant as good as another, as far as project and person are concerned?"""
        return self.settled is None and all(each.kind == "variant" for each in self.candidates)


def offering(
    project: Project, asked: Asked, selected: frozenset[str], markers: Mapping[str, str], addresses: Iterable[str]
) -> Offering:
    """The offers for an environment; `selected` are extras and groups by name, `addresses` indexes for everything.

    Raises UsageError for a variant that is none, or that the project does not offer.
    """
    found = _offering(project, asked, selected, markers, tuple(addresses))
    return replace(
        found,
        candidates=tuple(_completed(each, addresses) for each in found.candidates),
        all_offers=tuple(_completed(each, addresses) for each in found.all_offers),
    )


def _offering(
    project: Project, asked: Asked, selected: frozenset[str], markers: Mapping[str, str], addresses: tuple[str, ...]
) -> Offering:
    offered = offers(project, markers, is_family, variant_of_index)
    if asked.variant is not None:
        one = _of_variant(asked.variant, offered)
        return Offering((one,), offered or (one,), "it was asked for")
    named = tuple(each for each in offered if each.name in selected)
    if named:
        return Offering(named, offered, "it was asked for" if len(named) == 1 else None)
    if offered:
        return Offering(offered, offered)
    settled = _settled(project, markers, addresses)
    if settled is not None:
        one, reason = settled
        return Offering((one,), (one,), reason)
    everything = automatic_offers()
    return Offering(everything, everything)


def _settled(project: Project, markers: Mapping[str, str], addresses: tuple[str, ...]) -> tuple[Offer, str] | None:
    """In automatic mode: the variant that a source, a version or an index has decided on."""
    fixed = fixed_offer(project, markers, is_family, variant_of_index)
    if fixed is not None:
        return fixed, "the project's source for torch says so"
    for requirement in project.dependencies:
        for specifier in requirement.specifier if is_family(requirement.name) else ():
            local = specifier.version.partition("+")[2]
            if is_variant(local) and specifier.operator in {"==", "==="}:
                return _of_variant(local, ()), f"the project asks for {requirement.name}{specifier}"
    configured = {variant: each for each in addresses if (variant := variant_of_index(each)) is not None}
    if len(configured) == 1:
        ((variant, address),) = configured.items()
        return Offer(variant, variant, address, "variant"), f"the index {address} is configured for everything"
    return None


def _of_variant(variant: str, offered: tuple[Offer, ...]) -> Offer:
    known = {name for each in offered for name in (each.name, each.variant)}
    if variant != "default" and not is_variant(variant) and variant not in known:
        raise UsageError(f"{variant} is no variant of torch; there are cpu, cu126, cu130, rocm6.4, xpu, … and default")
    if not offered:
        return Offer(variant, variant, None if variant == "default" else index_of(variant), "variant")
    fitting = [each for each in offered if variant in {each.variant, each.name}]
    if not fitting:
        has = ", ".join(f"{each.name} ({each.variant})" for each in offered)
        raise UsageError(f"no offer of this project is the variant {variant}; it offers {has}")
    return fitting[0]


def _completed(offer: Offer, addresses: Iterable[str]) -> Offer:
    """With a name that a lock may hold, and for a variant the index that answers for it, if the project names none."""
    index = offer.index
    if index is None and is_variant(offer.variant):
        own = (each for each in addresses if variant_of_index(each) == offer.variant)
        index = next(own, index_of(offer.variant))
    return replace(offer, name=canonicalize_name(offer.name), index=index)
