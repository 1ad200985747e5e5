"""What a lock has already: found again, preferred where it fits, and kept beside what is new."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from packaging.utils import canonicalize_name
from packaging.version import Version

from bootstrap.commands.builds.workshop import description_of
from bootstrap.commands.locks.combinations import Combination, members
from bootstrap.commands.locks.lock_file import is_served, joined_offers, resolution_key
from bootstrap.commands.session import Session
from bootstrap.lock.digest import inputs_digest
from bootstrap.lock.model import ALWAYS, Lock, python_key
from bootstrap.resolver.resolution import Resolution
from profiles import Offer, is_family

__all__ = ["digest_of", "found_in", "merged", "preferences", "speaking_of"]


def digest_of(session: Session) -> str:
    """What a lock is made for: the project, and the settings that matter."""
    folders = {
        source.path.as_posix(): description_of(source.path)
        for several in session.project.sources.values()
        for source in several
        if source.path is not None and source.path.is_dir()
    }
    return inputs_digest(session.project, {**session.settings_that_matter(), "folders": folders})


def found_in(lock: Lock, combination: Combination) -> Resolution | None:
    """What a lock has for a combination.

    A project that needs no torch is the same with any variant, so then the resolution without one serves them all.
    """
    known = {resolution_key(each): each for each in lock.resolutions}
    found = known.get(combination.key)
    if found is None and combination.offer.kind == "variant":
        plain = known.get((ALWAYS, *combination.key[1:]))
        return None if plain is None or any(is_family(pin.name) for pin in plain.pins) else plain
    return found


def speaking_of(lock: Lock, offer: Offer, resolution: Resolution) -> Lock:
    """The lock in which a resolution that serves several offers is the one of this offer."""
    if resolution.offer == offer.name:
        return lock
    own = replace(resolution, offer=offer.name)
    others = (each for each in lock.resolutions if each is not resolution)
    return replace(lock, offers=joined_offers(lock.offers, (offer,)), resolutions=(own, *others))


def preferences(lock: Lock | None, combination: Combination) -> Mapping[str, Version]:
    """Versions that are locked already, to be kept where they fit: its own, then those of its Python, then others."""

    def nearness(resolution: Resolution) -> tuple[bool, bool, bool, tuple[int, ...]]:
        python = resolution.target.python_minor
        return (
            resolution_key(resolution) == combination.key,
            python == combination.target.python_minor,
            resolution.offer == combination.offer.name,
            python_key(python),
        )

    resolutions = sorted(lock.resolutions if lock else (), key=nearness)
    return {pin.name: pin.version for each in resolutions for pin in each.pins}


def merged(
    session: Session, offers: Iterable[Offer], standing: Lock | None, new: Iterable[Resolution], digest: str
) -> Lock:
    """The new resolutions beside those of a lock that still stands: another offer, Python or platform."""
    project, new, offers = session.project, tuple(new), tuple(offers)
    made = {resolution_key(each) for each in new}
    kept = tuple(
        each
        for each in (standing.resolutions if standing else ())
        if resolution_key(each) not in made and not is_served(each, made, offers)
    )
    names = {each.offer for each in kept}
    earlier = tuple(each for each in (standing.offers if standing else ()) if each.name in names)
    every = joined_offers(offers, earlier)
    return Lock(
        requires_python=project.requires_python,
        offers=every,
        extras=tuple(sorted(project.extras)),
        groups=tuple(sorted(project.groups)),
        default_groups=project.default_groups,
        resolutions=tuple(sorted((*kept, *new), key=resolution_key)),
        inputs=digest,
        aliases=project.aliases,
        members=tuple(sorted(f"{each.kind}:{each.name}" for each in members(project, every))),
        project=canonicalize_name(project.name or ""),
    )
