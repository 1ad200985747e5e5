"""Warnings of packages that were resolved together but do not go together: see profiles/clashes.py.

And of a torch that nobody thought of: where the offers of a project are about other packages, one that comes with a
dependency is of the build that belongs to the offer, which need not be the best for the machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from bootstrap.commands.choices.choosing import Selection
from bootstrap.lock.model import Lock, is_switched_on
from bootstrap.resolver.resolution import Pin
from profiles import Offer, automatic_offers
from profiles.clashes import clashes

__all__ = ["clashes_in", "with_clashes"]


def with_clashes(selection: Selection, pins: Iterable[Pin]) -> Selection:
    """The selection whose choice warns of what does not go together in its environment, each time anew."""
    choice, pinned = selection.choice, {pin.name: pin.version for pin in pins}
    found = (*choice.warnings, *clashes(choice.offer.variant, pinned.items()), *_idle_torch(selection, pinned))
    return replace(selection, choice=replace(choice, warnings=found))


def _idle_torch(selection: Selection, pinned: Mapping[str, Version]) -> Iterator[str]:
    offer, torch = selection.choice.offer, pinned.get("torch")
    if offer.packages is None or torch is None:
        return
    build = torch.local or ("cpu" if offer.variant == "cpu" else "default")
    exactly = SpecifierSet(f"=={torch.public}")
    uses = selection.situation.accelerates
    if not uses(Offer(build, build), exactly) and any(uses(each) for each in automatic_offers()):
        yield (
            f"torch {torch}, which another package asks for, does not use the GPU of this machine, because the offers "
            f"of this project are about other packages; name torch among its dependencies, and its build is chosen"
        )


def clashes_in(lock: Lock) -> Iterator[str]:
    """The same for every resolution of a lock, as far as the project itself and the offer ask for packages.

    What other extras would bring clashes only where they are switched on, and `sync` says so there.
    """
    variants = {each.name: each.variant for each in lock.offers}
    default = {f"group:{name}" for name in lock.default_groups}
    for each in lock.resolutions:
        taken = {"", f"extra:{each.offer}", f"group:{each.offer}", *default}
        reached = (pin for pin in each.pins if any(is_switched_on(root, taken) for root in pin.wanted_by))
        pins = ((pin.name, pin.version) for pin in reached)
        for sentence in clashes(variants.get(each.offer, "default"), pins):
            yield f"{each.offer}: {sentence}" if each.offer else sentence
