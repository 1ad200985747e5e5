"""From a project and a choice to a resolution: resolved once, kept in the lock, used until the question changes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from bootstrap.commands.asked import is_lock
from bootstrap.commands.choices.choosing import Selection, newest_that_runs
from bootstrap.commands.locks.bundled import from_bundle
from bootstrap.commands.locks.keeping import digest_of, found_in, merged, preferences, speaking_of
from bootstrap.commands.locks.lock_file import any_lock
from bootstrap.commands.locks.pinned import Pinned, as_another_wrote_it, without_its_project
from bootstrap.commands.locks.reliefs import relieving
from bootstrap.commands.locks.resolving import resolution_of, selected
from bootstrap.commands.session import Session
from bootstrap.errors import InputError, NoCompatibleFileError
from bootstrap.lock.model import Lock
from bootstrap.lock.pylock_read import ensure_agreement, not_replaced
from bootstrap.lock.selection import fits, select
from bootstrap.resolver.resolution import Pin, Resolution

__all__ = ["Locked", "decided", "lock_for", "locked_pins"]


@dataclass(frozen=True, slots=True)
class Locked:
    """The lock, the resolution of one offer in it, whether either is new, and the file of ours that it was in."""

    lock: Lock
    resolution: Resolution
    is_new: bool
    source: Path | None = None


def decided(session: Session) -> tuple[Selection, Locked]:
    """The choice and what is locked for it, in the order that the lock asks for.

    The project's own lock follows the choice. Of a lock that is installed as it is, the choice follows (pinned.py); so
    it is with `--frozen` where the variant is left open and the lock lacks the one that would be taken.

    Raises what choosing and `lock_for` raise, and InputError for another tool's lock without `--frozen`.
    """
    if session.bundle is not None:
        return _as_it_is(from_bundle(session, session.bundle), session.bundle.lock_path)
    present = any_lock(session)
    is_named = any(map(is_lock, session.asked.requirements))
    if isinstance(present, Lock) or present is None:
        if present is not None and is_named:
            return _as_it_is(without_its_project(session, present), session.lock_path)
        selection = session.select()
        if present is not None and _is_left_to(present, session, selection):
            _compare(session, present, digest_of(session))
            pinned = without_its_project(session, present)
            session.warn(f"{session.lock_path.name} has no {selection.choice.offer.name}, which would be first here")
            return _as_it_is(pinned, session.lock_path)
        return selection, lock_for(session, selection, present)
    if not is_named and not session.asked.frozen:
        raise not_replaced(session.lock_path, present)
    return _as_it_is(as_another_wrote_it(session, present))


def _is_left_to(present: Lock, session: Session, selection: Selection) -> bool:
    """With `--frozen` and nobody having named a variant: is the best one for this machine among those not locked?"""
    offer = selection.choice.offer
    is_open = offer.kind == "variant" and len(selection.candidates) > 1
    if not session.asked.frozen or not is_open or all(each.kind != "variant" for each in present.offers):
        return False
    bound = newest_that_runs(selection)
    return found_in(present, selected(session, selection, offer, (bound,) if bound else ())) is None


def lock_for(session: Session, selection: Selection, present: Lock | None) -> Locked:
    """The locked resolution for a choice; resolved and written if the lock has none that still stands.

    Raises InputError with `--frozen` and no lock, NoSolutionError with the proof, UnreachableError.
    """
    frozen, bound = session.asked.frozen, newest_that_runs(selection)
    combination = selected(session, selection, selection.choice.offer, (bound,) if bound else ())
    digest = digest_of(session)
    if frozen and present is not None:
        _compare(session, present, digest)
    standing = present if present is not None and (frozen or present.inputs == digest) else None
    found = found_in(standing, combination) if standing else None
    if standing is not None and found is not None and (frozen or fits(found, session.target)):
        own = speaking_of(standing, combination.offer, found)
        return Locked(own, found, is_new=False, source=session.lock_path)
    where = f"Python {session.target.python_minor} on {session.target.platform}"
    if frozen:
        what = f"has no resolution of {combination} for {where}" if present else "is not there"
        raise InputError(session.lock_path, f"{what}; write it with `torchstrap lock`, or leave --frozen out")
    session.activity.step(f"Resolving {combination} for {where}")
    with relieving(session):
        resolution = resolution_of(session, combination, preferences(present, combination))
    lock = merged(session, selection.offers, standing, (resolution,), digest)
    return Locked(lock, resolution, is_new=True)


def locked_pins(session: Session, selection: Selection, locked: Locked) -> tuple[Pin, ...]:
    """What the lock holds for a choice.

    Raises what `select` raises, with the file's name and the way out, and InputError for a lock whose markers were
    edited by hand.
    """
    offer = selection.choice.offer
    extras = selection.extras | ({offer.name} if offer.kind == "variant" else set())
    try:
        pins = select(locked.lock, extras, selection.groups, session.target)
    except NoCompatibleFileError as error:
        if session.bundle is not None:
            raise NoCompatibleFileError(f"{session.bundle.place} does not fit this machine: {error}") from error
        raise NoCompatibleFileError(
            f"{session.lock_path} does not fit this machine: {error} "
            f"Without --frozen `torchstrap sync` locks for it too, where there are files for it."
        ) from error
    if locked.source is not None:
        ensure_agreement(locked.source, pins, extras, selection.groups, session.target)
    return pins if session.bundle is None else session.bundle.carried(pins, offer.name, session.target)


def _compare(session: Session, present: Lock, digest: str) -> None:
    """Say it if a lock was made for something else. Raises InputError if that is another project altogether."""
    name = canonicalize_name(session.project.name or "")
    if present.project != name and present.project and name:
        raise InputError(
            session.lock_path,
            f"is the lock of {present.project}, and this project is {name}; "
            f"write its own with `torchstrap lock`, or leave --frozen out",
        )
    if present.inputs != digest:
        session.warn(f"{session.lock_path} was made for another pyproject.toml or other settings, and --frozen uses it")


def _as_it_is(pinned: Pinned, source: Path | None = None) -> tuple[Selection, Locked]:
    return pinned.selection, Locked(pinned.lock, pinned.resolution, is_new=False, source=source)
