"""Locks that are installed as they are: another tool's, and one of ours that `-r` names instead of a project.

    pylock.toml by   in a project             named by -r
    torchstrap       locked again if needed   as it is; its offers are chosen from
    another tool     as it is with --frozen   as it is
                     else refused

Another tool's lock says what it pins and not for which machine. So nothing is chosen then: the torch in it tells its
variant, and that is judged as if somebody had asked for it by name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from bootstrap.commands.builds.commits import is_commit
from bootstrap.commands.choices.choosing import Selection, Situation, as_settled, ensure_accelerated, situation_of
from bootstrap.commands.locks.keeping import speaking_of
from bootstrap.commands.session import Session
from bootstrap.errors import InputError, NoCompatibleFileError, UsageError
from bootstrap.lock.canonical import is_folder
from bootstrap.lock.model import Lock, roots_of
from bootstrap.lock.packages import UNSTATED
from bootstrap.lock.selection import resolution_of, select
from bootstrap.project.policy import NONE
from bootstrap.project.repository import read_repository
from bootstrap.resolver.resolution import Pin, Resolution
from profiles import Choice, Offer, flavour_of, index_of, is_family, is_variant, variant_of_index

if TYPE_CHECKING:
    from packaging.pylock import Pylock

__all__ = [
    "CPU",
    "Pinned",
    "as_another_wrote_it",
    "selection_of",
    "situation_here",
    "specifiers_of",
    "with_offer",
    "without_its_project",
]

CPU = Offer("cpu", "cpu", index_of("cpu"), "variant")


@dataclass(frozen=True, slots=True)
class Pinned:
    """What is taken of a lock, and the lock in which that is the resolution of the offer taken."""

    selection: Selection
    lock: Lock
    resolution: Resolution


def as_another_wrote_it(session: Session, document: Pylock) -> Pinned:
    """What another tool's lock at the session's lock path installs here, and what build of torch that is.

    Raises UsageError for extras, groups and a variant that it does not have, NoCompatibleFileError if it has nothing
    for this Python and platform, InputError for what we cannot install: files without sha256, commits that are not
    of git.
    """
    name, author = session.lock_path.name, document.created_by
    stated = _selected(session, document)
    known = _offer_of(stated)
    # What a folder or an archive is may only show when it is built, and that may take the torch that is pinned.
    session.workshop.settle(lambda name: known.index if is_family(name) else None, known, stated)
    pins = tuple(_completed(session, pin, author) for pin in stated)
    offer, torch = _offer_of(pins), {pin.name: pin for pin in pins}.get("torch")
    wanted = session.asked.variant
    if wanted not in {None, offer.variant} and torch is not None:
        raise UsageError(
            f"{name} by {author} has torch {torch.version} ({offer.name}), not the variant {wanted}: "
            f"lock that with {author}, or leave --variant out"
        )
    reason = f"{name}, locked by {author}, has {f'torch {torch.version}' if torch else 'no torch'}"
    situation, specifiers = situation_here(session), specifiers_of([(offer, pins)])
    if torch is None:
        situation = replace(situation, policy=NONE)  # which is about builds of torch
    choice = as_settled(offer, (offer,), reason, situation, specifiers)
    choice = replace(choice, warnings=tuple(f"{each}; lock anew to change that" for each in choice.warnings))
    resolution = Resolution(offer.name, session.target, pins)
    lock = Lock(offers=(offer,), resolutions=(resolution,))
    return Pinned(selection_of(session, choice, (offer,), situation, specifiers), lock, resolution)


def without_its_project(session: Session, lock: Lock) -> Pinned:
    """What a lock of ours installs here, its own offers chosen from as those of a project are.

    Raises UsageError for extras, groups and a variant that it does not have or that exclude each other,
    NoCompatibleFileError if it has nothing for this Python and platform, ChoiceError if no offer runs here.
    """
    extras = frozenset(session.asked.extras)
    groups = frozenset(session.asked.groups) | frozenset(lock.default_groups)
    named = _named(session, lock, roots_of(extras, groups))
    found = _here(session, lock, named or lock.offers, extras, groups)
    situation = situation_here(session)
    specifiers = specifiers_of((offer, each.pins) for offer, each in found.items())
    if len(found) == 1:
        (offer,) = found
        reason = "it was asked for" if named else f"{session.lock_path.name} has no other for this machine"
        choice = as_settled(offer, lock.offers, reason, situation, specifiers)
    else:
        choice = situation.choose(tuple(found), specifiers)
    resolution = found[choice.offer]
    lock = speaking_of(lock, choice.offer, resolution)
    extras, groups = with_offer(choice.offer, extras, groups)
    selection = selection_of(session, choice, tuple(found), situation, specifiers)
    return Pinned(replace(selection, extras=extras, groups=groups, offers=lock.offers), lock, resolution)


def _selected(session: Session, document: Pylock) -> tuple[Pin, ...]:
    """The pins for this machine and the extras and groups asked for; the errors of `select` with the file's name."""
    path, asked = session.lock_path, session.asked
    groups = frozenset(asked.groups) | frozenset(document.default_groups or ())
    try:
        return select(document, asked.extras, groups, session.target, path.parent)
    except (NoCompatibleFileError, UsageError) as error:
        raise type(error)(f"{path.name} by {document.created_by}: {error}") from error


def _completed(session: Session, pin: Pin, author: str) -> Pin:
    """The pin with the version that a folder or an archive turns out to be. Raises InputError for what has no proof."""
    direct, path = pin.direct, session.lock_path
    if direct is not None and direct.commit:
        try:
            read_repository(direct.url)
        except ValueError as error:
            raise InputError(path, f"takes {pin.name} from what git cannot fetch: {error}") from error
    hashes = pin.files[0].hashes if pin.files else direct.hashes if direct else {}
    if "sha256" not in hashes and not is_folder(direct) and not is_commit(direct):
        raise InputError(path, f"has no sha256 for {pin.name} {pin.version}: lock it with {author} again, with hashes")
    if direct is None or pin.version != UNSTATED:
        return pin
    return replace(pin, version=Version(session.workshop.metadata(direct).version))


def _offer_of(pins: Sequence[Pin]) -> Offer:
    """The build of torch among the pins as an offer: by its local version, its index, or what was locked beside it."""
    torch = next((pin for pin in pins if pin.name == "torch"), None)
    if torch is None:
        return Offer("default", "default", None, "variant")
    index = next((each.index for each in torch.files if each.index), None)
    folders = (each.url.rpartition("/")[0] for each in torch.files)
    local = torch.version.local or ""
    found = next(filter(None, (variant_of_index(each) for each in (index or "", *folders))), None)
    variant = local if is_variant(local) else found
    if variant is not None:
        return Offer(variant, variant, index or index_of(variant), "variant")
    flavour = flavour_of(f"{pin.name}=={pin.version}" for pin in pins if pin is not torch)
    return Offer(flavour or "default", flavour or "default", index, "variant")


def _named(session: Session, lock: Lock, roots: Collection[str]) -> tuple[Offer, ...]:
    """The offers that were asked for by name."""
    variant = session.asked.variant
    if variant is None:
        return tuple(each for each in lock.offers if not lock.offer_switches(each.name).isdisjoint(roots))
    found = tuple(each for each in lock.offers if variant in {each.name, each.variant})
    if not found:
        has = ", ".join(each.name for each in lock.offers) or "none"
        raise UsageError(f"{session.lock_path.name} has no variant {variant}; it has: {has}")
    return found


def _here(
    session: Session, lock: Lock, offers: Sequence[Offer], extras: frozenset[str], groups: frozenset[str]
) -> Mapping[Offer, Resolution]:
    """Those of the offers that the lock has resolved for this machine; a project without any is the same with all."""
    if not offers:
        return {CPU: resolution_of(lock, extras, groups, session.target)}
    found: dict[Offer, Resolution] = {}
    problems: list[NoCompatibleFileError | UsageError] = []
    for offer in offers:
        try:
            found[offer] = resolution_of(lock, *with_offer(offer, extras, groups), session.target)
        except (NoCompatibleFileError, UsageError) as error:
            problems.append(error)
    if not found:
        raise problems[0]
    return found


def with_offer(offer: Offer, extras: frozenset[str], groups: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Extras and groups with those that take the offer."""
    return (extras, groups | {offer.name}) if offer.kind == "group" else (extras | {offer.name}, groups)


def situation_here(session: Session) -> Situation:
    """What offers are judged by here."""
    return situation_of(session.asked, session.machine, session.target.markers, session.machine_policy)


def specifiers_of(found: Iterable[tuple[Offer, Iterable[Pin]]]) -> Mapping[str, SpecifierSet]:
    """The torch that is locked for each offer, which may have none."""
    torches = ((offer.name, next((pin for pin in pins if pin.name == "torch"), None)) for offer, pins in found)
    return {name: SpecifierSet(f"=={torch.version.public}" if torch else "") for name, torch in torches}


def selection_of(
    session: Session, choice: Choice, offers: tuple[Offer, ...], situation: Situation, torch: Mapping[str, SpecifierSet]
) -> Selection:
    """A choice among what is locked. Raises AccelerationError when a GPU is required and it would not use one."""
    ensure_accelerated(session.asked, choice, situation, torch)
    return Selection(choice, frozenset(), frozenset(), offers, situation, offers, torch)
