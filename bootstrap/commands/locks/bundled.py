"""What is installed of a bundle: its lock as it is, and of the offers in that the ones whose wheels it has.

The machine is asked as ever. What it would take if everything were there tells whether what is there will do:

    serves the machine as well        taken
    runs, but not as well             taken, with a warning; on the CPU although a GPU could be used it is refused
    nothing in it runs                refused, with the offer that the machine needs and those that the bundle has
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from bootstrap.commands.bundles.taking import Taken
from bootstrap.commands.choices.choosing import Situation, as_settled
from bootstrap.commands.locks.keeping import digest_of, speaking_of
from bootstrap.commands.locks.lock_file import any_lock, resolution_key
from bootstrap.commands.locks.pinned import CPU, Pinned, selection_of, situation_here, specifiers_of, with_offer
from bootstrap.commands.session import Session
from bootstrap.errors import ChoiceError, InputError, NoCompatibleFileError
from bootstrap.lock.model import Lock, roots_of
from bootstrap.lock.pylock_read import document, lock_of
from bootstrap.lock.selection import resolution_of
from bootstrap.resolver.resolution import Pin, Resolution
from profiles import Choice, NoOfferError, Offer, automatic_offers

__all__ = ["from_bundle"]


def from_bundle(session: Session, bundle: Taken) -> Pinned:
    """What the session's bundle installs here.

    Raises ChoiceError where it lacks the offer that this machine needs or that was asked for, NoCompatibleFileError
    where it is for other Pythons or platforms, InputError for a project whose lock does not agree, and what choosing
    raises.
    """
    # Folders in it are meant from where the lock of the project is; what is alone has none of them.
    lock, asked = lock_of(document(bundle.lock_path), session.lock_path), session.asked
    extras, groups = frozenset(asked.extras), frozenset(asked.groups) | frozenset(lock.default_groups)
    _ensure_for_here(session, bundle)
    named, found = _found(session, bundle, lock, extras, groups)
    situation, specifiers = situation_here(session), specifiers_of((each, it.pins) for each, it in found.items())
    if len(found) == 1 and (named or not bundle.manifest.offers):
        (offer,) = found
        reason = "it was asked for" if named else f"{bundle.place} is for every machine"
        choice = as_settled(offer, tuple(found), reason, situation, specifiers)
    else:
        choice = _chosen(session, bundle, _question(lock, situation, found))
    resolution = found[choice.offer]
    _ensure_agreement(session, bundle, lock, resolution)
    lock = speaking_of(lock, choice.offer, resolution)
    extras, groups = with_offer(choice.offer, extras, groups)
    selection = selection_of(session, choice, tuple(found), situation, specifiers)
    return Pinned(replace(selection, extras=extras, groups=groups, offers=lock.offers), lock, resolution)


def _ensure_for_here(session: Session, bundle: Taken) -> None:
    target, manifest = session.target, bundle.manifest
    cells = [each for each in manifest.cells if each.platform == target.platform]
    if not cells:
        raise NoCompatibleFileError(
            f"{bundle.place} is for {', '.join(manifest.platforms)}, and this is {target.platform}: make one with "
            f"`torchstrap bundle --platform {target.platform}`"
        )
    if all(each.python != target.python_minor for each in cells):
        raise NoCompatibleFileError(
            f"{bundle.place} is for Python {', '.join(manifest.pythons)}, and {session.interpreter.path} is "
            f"{target.python_minor}: name another with --python, or make a bundle with "
            f"`--python-version {target.python_minor}`"
        )


def _found(
    session: Session, bundle: Taken, lock: Lock, extras: frozenset[str], groups: frozenset[str]
) -> tuple[bool, Mapping[Offer, Resolution]]:
    """Whether offers were asked for by name, and the resolutions of those that the bundle has."""
    target, variant = session.target, session.asked.variant
    names = {each.name for each in bundle.manifest.offered(target.python_minor, target.platform)}
    if not bundle.manifest.offers:
        return False, {CPU: resolution_of(lock, extras, groups, target)}
    roots = roots_of(extras, groups)
    by_switch = tuple(each for each in lock.offers if not lock.offer_switches(each.name).isdisjoint(roots))
    by_variant = tuple(each for each in lock.offers if variant in {each.name, each.variant})
    wanted = by_switch if variant is None else by_variant
    here = [each for each in wanted or lock.offers if each.name in names]
    is_named = bool(wanted) or variant is not None
    if not here or (variant is not None and not wanted):
        word = variant or ", ".join(each.name for each in wanted)
        raise ChoiceError(f"{bundle.place} has no {word}; it has {bundle.manifest.words()}")
    return is_named, {each: resolution_of(lock, *with_offer(each, extras, groups), target) for each in here}


@dataclass(frozen=True, slots=True)
class _Question:
    """What a choice is made from: the offers that are here, those that might be, and the torch of each."""

    situation: Situation
    here: tuple[Offer, ...]
    locked: tuple[Offer, ...]
    published: tuple[Offer, ...]
    torch: Mapping[str, SpecifierSet]

    def choose(self, offers: tuple[Offer, ...]) -> Choice | None:
        """The best of some offers; None if none of them runs here."""
        try:
            return self.situation.choose(offers, self.torch)
        except NoOfferError:
            return None

    def best(self) -> Choice:
        """What this machine would take: of what is locked, unless only something else would use its GPU.

        Raises ChoiceError if nothing at all runs here.
        """
        locked = self.choose((*self.here, *self.locked))
        if locked is not None and self.uses_gpu(locked):
            return locked
        published = self.choose((*self.here, *self.published))
        best = published if published is not None and (locked is None or self.uses_gpu(published)) else locked
        if best is None:
            reasons = "; ".join(self.situation.why_not(each, self.torch) for each in self.here)
            raise ChoiceError(f"no build of torch can be installed on this machine: {reasons}")
        return best

    def uses_gpu(self, choice: Choice) -> bool:
        """Whether it computes on a GPU of this machine."""
        return self.situation.accelerates(choice.offer, self.torch)

    def is_as_good(self, choice: Choice) -> bool:
        """Whether nothing serves this machine better."""
        return choice.offer in self.situation.fitting((*self.here, *self.locked, *self.published), self.torch)


def _question(lock: Lock, situation: Situation, found: Mapping[Offer, Resolution]) -> _Question:
    here, torch = tuple(found), specifiers_of((each, it.pins) for each, it in found.items())
    names = {name for each in here for name in (each.name, each.variant)}
    locked = tuple(each for each in lock.offers if names.isdisjoint({each.name, each.variant}))
    names |= {each.variant for each in locked}
    is_open = all(each.kind == "variant" for each in lock.offers)
    published = tuple(each for each in automatic_offers() if is_open and each.variant not in names)
    any_torch = next(iter(torch.values()))
    known = {**{each.name: any_torch for each in (*locked, *published)}, **torch}
    return _Question(situation, here, locked, published, known)


def _chosen(session: Session, bundle: Taken, question: _Question) -> Choice:
    """The best of what is here, if that will do for this machine."""
    choice, best = question.choose(question.here), question.best()
    if choice is None or (question.uses_gpu(best) and not question.uses_gpu(choice)):
        raise ChoiceError(_lacking(bundle, best, choice))
    if choice.offer != best.offer and not question.is_as_good(choice):
        session.warn(f"{bundle.place} has no {best.offer.name}, which would be first here: {best.reason}")
    return choice


def _lacking(bundle: Taken, best: Choice, choice: Choice | None) -> str:
    has = bundle.manifest
    several = ",".join(dict.fromkeys((*(each.name for each in has.offers), best.offer.name)))
    instead = ""
    if choice is not None:
        instead = f", or take {choice.offer.name} all the same with --variant {choice.offer.variant}"
    return (
        f"{bundle.place} has no {best.offer.name}, which this machine needs: {best.reason}. It has {has.words()}. "
        f"Make one with `torchstrap bundle --variants {several}`{instead}"
    )


def _ensure_agreement(session: Session, bundle: Taken, lock: Lock, resolution: Resolution) -> None:
    """Raise InputError for a project that the bundle is not of, or whose lock says otherwise for this machine."""
    if bundle.is_alone:
        return
    path, name = session.lock_path, canonicalize_name(session.project.name or "")
    if lock.project != name and lock.project and name:
        raise InputError(bundle.place, f"is the bundle of {lock.project}, and the project here is {name}")
    if path.is_file() and path.read_bytes() != bundle.lock_path.read_bytes():
        theirs = any_lock(session)
        found = theirs if isinstance(theirs, Lock) else Lock()
        others = [each for each in found.resolutions if resolution_key(each) == resolution_key(resolution)]
        _compare(session, bundle, resolution, others[0] if others else None)
    if digest_of(session) != lock.inputs and not bundle.has_files(session.project.files, session.lock_path):
        session.warn(f"{bundle.place} was made for another pyproject.toml or other settings than are here")


def _compare(session: Session, bundle: Taken, ours: Resolution, theirs: Resolution | None) -> None:
    path = session.lock_path
    way_out = "make the bundle anew with this lock, or take the lock that is in the bundle"
    if theirs is None:
        offer = ours.offer or "the project"
        raise InputError(
            path, f"has nothing for {offer} here, and {bundle.place} was made of a lock that has: {way_out}"
        )
    here, there = (_identities(each.pins) for each in (theirs, ours))
    different = sorted(name for name in {*here, *there} if here.get(name) != there.get(name))
    if different:
        one = different[0]
        raise InputError(
            path,
            f"does not agree with the lock of {bundle.place}: it has {_said(one, here)}, the bundle "
            f"{_said(one, there)}: {way_out}",
        )


def _identities(pins: tuple[Pin, ...]) -> Mapping[str, tuple[str, frozenset[str]]]:
    """Version and files of each package; where a folder is says nothing."""
    return {pin.name: (str(pin.version), frozenset(_sources(pin))) for pin in pins}


def _sources(pin: Pin) -> Iterator[str]:
    yield from (each.hashes.get("sha256", "") for each in pin.files)
    if pin.direct is not None and pin.direct.path is None:
        yield pin.direct.url


def _said(name: str, identities: Mapping[str, tuple[str, frozenset[str]]]) -> str:
    found = identities.get(name)
    return f"no {name}" if found is None else f"{name} {found[0]}"
