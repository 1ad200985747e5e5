"""From a project and a choice to a resolution: resolved once, kept in the lock, used until the question changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from packaging.version import Version

from bootstrap.commands.choosing import Selection, newest_that_runs
from bootstrap.commands.lock_file import present_lock, resolution_key
from bootstrap.commands.resolving import resolution_of
from bootstrap.commands.session import Session
from bootstrap.commands.workshop import description_of
from bootstrap.errors import InputError, UnreachableError
from bootstrap.lock.digest import inputs_digest
from bootstrap.lock.model import Lock
from bootstrap.project.model import Item
from bootstrap.resolver.resolution import Resolution
from profiles import Offer

__all__ = ["Locked", "lock_all", "lock_for"]


@dataclass(frozen=True, slots=True)
class Locked:
    """The lock, the resolution of one offer in it, and whether either is new."""

    lock: Lock
    resolution: Resolution
    is_new: bool


def lock_for(session: Session, selection: Selection) -> Locked:
    """The locked resolution for a choice; resolved and written if the lock has none that still stands.

    Raises InputError with `--frozen` and no lock, NoSolutionError with the proof, UnreachableError.
    """
    offer = selection.choice.offer
    digest = _digest(session, selection)
    present = present_lock(session)
    if present is not None and (session.asked.frozen or present.inputs == digest):
        resolution = _find(present, offer, session)
        if resolution is not None:
            return Locked(present, resolution, is_new=False)
    if session.asked.frozen:
        what = f"has no resolution of {offer.name} for {_place(session)}" if present else "is not there"
        raise InputError(session.lock_path, f"{what}; write it with `torchstrap lock`, or leave --frozen out")
    bound = newest_that_runs(selection, session.machine, session.target.markers)
    resolution = resolution_of(session, selection, offer, _preferences(present, offer), (bound,) if bound else ())
    lock = _merged(session, selection, present, (resolution,), digest)
    return Locked(lock, resolution, is_new=True)


def lock_all(session: Session, selection: Selection) -> Lock:
    """Every offer of the project, for this Python on this platform, with versions aligned to those locked before.

    The chosen offer is resolved first and the others follow its versions. An offer whose index cannot be reached is
    left out with a warning, unless it is the chosen one.
    """
    digest = _digest(session, selection)
    present = None if session.asked.upgrade else present_lock(session)
    aligned: dict[str, Version] = {}
    offers = sorted(selection.offers, key=lambda each: each != selection.choice.offer)
    resolutions = []
    for offer in offers:
        try:
            resolution = resolution_of(session, selection, offer, {**aligned, **_preferences(present, offer)})
        except UnreachableError as error:
            if offer == selection.choice.offer:
                raise
            session.warn(f"{offer.name} is not in the lock: {error}")
            continue
        resolutions.append(resolution)
        aligned = {**{pin.name: pin.version for pin in resolution.pins}, **aligned}
    return _merged(session, selection, present, tuple(resolutions), digest)


def _digest(session: Session, selection: Selection) -> str:
    """What the lock was made for: the project, the settings that matter, and the conflict members that are on."""
    offered = {each.name for each in selection.offers}
    extras = sorted(name for conflict in session.project.conflicts for name in _on(conflict, selection) - offered)
    folders = {
        source.path.as_posix(): description_of(source.path)
        for several in session.project.sources.values()
        for source in several
        if source.path is not None and source.path.is_dir()
    }
    settings = {**session.settings_that_matter(), "conflicting": extras, "folders": folders}
    return inputs_digest(session.project, settings)


def _on(conflict: frozenset[Item], selection: Selection) -> set[str]:
    return {item.name for item in conflict if item.name in selection.extras | selection.groups}


def _find(lock: Lock, offer: Offer, session: Session) -> Resolution | None:
    return next(
        (
            each
            for each in lock.resolutions
            if each.offer == offer.name
            and each.target.python_minor == session.target.python_minor
            and each.target.platform == session.target.platform
        ),
        None,
    )


def _preferences(lock: Lock | None, offer: Offer) -> Mapping[str, Version]:
    """Versions that are locked already, the offer's own before those of others: they are kept where they fit."""
    resolutions = sorted(lock.resolutions if lock else (), key=lambda each: each.offer == offer.name)
    return {pin.name: pin.version for each in resolutions for pin in each.pins}


def _merged(
    session: Session, selection: Selection, present: Lock | None, new: tuple[Resolution, ...], digest: str
) -> Lock:
    """The new resolutions beside those that still stand: same inputs, another offer, Python or platform."""
    project = session.project
    made = {resolution_key(each) for each in new}
    kept = tuple(
        each
        for each in (present.resolutions if present and present.inputs == digest else ())
        if resolution_key(each) not in made
    )
    return Lock(
        requires_python=project.requires_python,
        offers=_offers(selection, present, kept),
        extras=tuple(sorted(project.extras)),
        groups=tuple(sorted(project.groups)),
        default_groups=project.default_groups,
        resolutions=tuple(sorted((*kept, *new), key=resolution_key)),
        inputs=digest,
        aliases=project.aliases,
    )


def _offers(selection: Selection, present: Lock | None, kept: tuple[Resolution, ...]) -> tuple[Offer, ...]:
    """Those of the project; in automatic mode, those variants that some machine has taken so far."""
    names = {each.offer for each in kept}
    earlier = tuple(each for each in (present.offers if present else ()) if each.name in names)
    return (*selection.offers, *(each for each in earlier if each not in selection.offers))


def _place(session: Session) -> str:
    return f"Python {session.target.python_minor} on {session.target.platform}"
