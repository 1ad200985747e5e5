"""A resolution in which something is built with what is being resolved.

    kernels 1 says that it requires torch<2.8 only when it is built, and its build imports torch

    outline    resolve as if kernels required what it says without a build: torch 2.9.0
    round 1    built with torch 2.9.0, kernels requires torch<2.8: torch 2.7.1
    round 2    built with torch 2.7.1, kernels requires torch<2.8: torch 2.7.1, as before, so this is it

What a build says on this machine is believed of other machines, too. Where there is no end in a few rounds, it is a
dead end, and the error says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

from bootstrap.commands.builds.surroundings import UnsettledError
from bootstrap.errors import BuildError
from bootstrap.index.files import File
from bootstrap.index.metadata import Metadata
from bootstrap.resolver.resolution import Direct, Pin, Resolution
from profiles import Offer

if TYPE_CHECKING:
    from bootstrap.commands.session import Session
    from bootstrap.resolver.memory import Memory
    from bootstrap.resolver.request import Request

__all__ = ["resolved"]

ROUNDS = 4
BUILT_WITH = "build-with"

Read = Callable[[File | Direct], Metadata]


def resolved(session: Session, request: Request, offer: Offer, read: Read, memory: Memory | None) -> Resolution:
    """As `resolve`, with builds that get what is resolved. `read` reads source distributions for the request's target.

    Raises BuildError for a dead end, and whatever `resolve` raises.
    """
    from bootstrap.resolver.resolve import resolve  # noqa: PLC0415 - a locked run resolves nothing

    workshop = session.workshop
    workshop.know(request.direct)
    workshop.settle(request.index_for, offer)
    is_own, key = request.target is session.target, (offer, tuple(request.roots))
    if is_own or key not in workshop.rounds:
        try:
            return resolve(request, session.catalogue, metadata_of_sdist=read, memory=memory)
        except UnsettledError:
            found = _in_rounds(session, replace(request, target=session.target), offer, memory)
            workshop.rounds[key] = found.pins
            if is_own:
                return found
    workshop.settle(request.index_for, offer, workshop.rounds[key])
    return resolve(request, session.catalogue, metadata_of_sdist=read, memory=memory)


def _in_rounds(session: Session, request: Request, offer: Offer, memory: Memory | None) -> Resolution:
    """The resolution for this machine that its own builds agree with; the workshop is settled for it."""
    from bootstrap.resolver.resolve import resolve  # noqa: PLC0415 - a locked run resolves nothing

    workshop = session.workshop
    outline = replace(request, roots={**request.roots, BUILT_WITH: _added(session)})
    before = resolve(outline, session.catalogue, metadata_of_sdist=workshop.reading.outline, memory=memory)
    for _ in range(ROUNDS):
        workshop.settle(request.index_for, offer, before.pins)
        found = resolve(request, session.catalogue, metadata_of_sdist=workshop.metadata, memory=memory)
        if workshop.stands(found.pins):
            return found
        before, earlier = found, before
    raise BuildError(_dead_end(earlier.pins, found.pins), "")


def _added(session: Session) -> tuple[Requirement, ...]:
    """What builds get is in the environment, or they cannot get it; so it is resolved with the rest."""
    return tuple(Requirement(each.requirement) for each in session.settings.build_with if each.matches)


def _dead_end(earlier: tuple[Pin, ...], later: tuple[Pin, ...]) -> str:
    versions: Mapping[str, Pin] = {pin.name: pin for pin in earlier}
    changed = [pin for pin in later if pin.name in versions and versions[pin.name].version != pin.version]
    changed.sort(key=lambda pin: pin.name != "torch")
    built = " and ".join(sorted(pin.name for pin in later if pin.direct or (pin.files and not pin.files[0].is_wheel)))
    first = changed[0] if changed else None
    if first is None:
        return f"what {built} requires changes with every build; give it static metadata (PEP 643)"
    return (
        f"what {built} requires depends on what it is built with, and goes round in a circle: built with "
        f"{first.name} {versions[first.name].version} it leads to {first.name} {first.version}, and built with that "
        f"elsewhere again; pin {first.name} in the project to the one that it is to be built with"
    )
