"""Which offers on which Pythons and platforms a bundle is for, and what the lock has for each; locked if needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from packaging.utils import canonicalize_name

from bootstrap.bundle.manifest import Cell
from bootstrap.commands.asked import is_lock
from bootstrap.commands.locks.environments import environments
from bootstrap.commands.locks.keeping import digest_of, speaking_of
from bootstrap.commands.locks.lock_file import present_lock
from bootstrap.commands.locks.pinned import with_offer
from bootstrap.commands.locks.relocking import lock as lock_anew
from bootstrap.commands.session import Session
from bootstrap.errors import BootstrapError, InputError, NoCompatibleFileError, UsageError
from bootstrap.lock.model import Lock
from bootstrap.lock.pylock_read import read
from bootstrap.lock.selection import resolution_of, select
from bootstrap.resolver.resolution import Pin, Target
from profiles import Offer, is_variant

__all__ = ["Filled", "filled"]

_MISSING = " is not in the lock"  # as `lock` says it (bootstrap/commands/locks/relocking.py)


@dataclass(frozen=True, slots=True)
class Filled:
    """A cell with what is installed in it; `offer` is None for a project that has none."""

    offer: Offer | None
    target: Target
    pins: tuple[Pin, ...]

    @property
    def cell(self) -> Cell:
        return Cell(self.offer.name if self.offer else "", self.target.python_minor, self.target.platform)


def filled(session: Session, names: Sequence[str]) -> tuple[Filled, ...]:
    """The cells for the offers of these names or variants; without any, for the one that this machine takes.

    What the lock lacks is locked first, unless `--frozen` forbids it. Raises UsageError for what the project does not
    offer, NoCompatibleFileError for what cannot be had, InputError for a lock that is missing or cannot be bundled, and
    what locking raises.
    """
    wanted, asked = environments(session), session.asked
    targets = tuple(target for python in wanted.pythons for target in wanted.targets(python))
    is_fixed = asked.frozen or any(map(is_lock, asked.requirements))
    present = read(session.lock_path) if any(map(is_lock, asked.requirements)) else present_lock(session)
    if present is None and asked.frozen:
        raise InputError(session.lock_path, "is not there; write it with `torchstrap lock`, or leave --frozen out")
    if present is not None and (is_fixed or present.inputs == digest_of(session)):
        found = _Found(session, present, targets)
        try:
            found.fill(names)
        except (NoCompatibleFileError, UsageError):
            if is_fixed or not _could_be_locked(present, names):
                raise
        else:
            if is_fixed or not found.problems:
                return found.said()
    reasons = _locked(session, names)
    found = _Found(session, read(session.lock_path), targets)
    try:
        found.fill(names)
    except (NoCompatibleFileError, UsageError) as error:
        raise type(error)("\n".join([str(error), *reasons])) from error
    return found.said()


def _locked(session: Session, names: Sequence[str]) -> tuple[str, ...]:
    """Lock what is wanted; why something is not in the lock.

    What nobody wants in the bundle may be missing there: so Pythons and platforms are not named as `lock` has it.
    """
    asked, settings = session.asked, session.settings
    session.asked = replace(asked, python_versions=(), platforms=())
    session.settings = replace(settings, python_versions=asked.python_versions, platforms=asked.platforms)
    try:
        notes = lock_anew(session).notes
    finally:
        session.asked, session.settings = asked, settings
    about = [each for each in session.warnings if _MISSING in each]
    session.warnings[:] = [each for each in session.warnings if each not in about]
    known = _called(names, read(session.lock_path).offers)
    mine = [each for each in about if not names or each.partition(_MISSING)[0] in known]
    for each in mine:
        session.warn(each)
    return (*mine, *(each for each in notes if " is not locked" in each))


def _called(names: Sequence[str], offers: Sequence[Offer]) -> frozenset[str]:
    """Names as people write them and as a lock does, and what offers of these variants are called."""
    by_variant = (each.name for each in offers if each.variant in names)
    return frozenset({*names, *map(str, map(canonicalize_name, names)), *by_variant})


def _could_be_locked(lock: Lock, names: Sequence[str]) -> bool:
    """Whether locking again may bring offers of these names: in automatic mode no others than published variants."""
    is_open = all(each.kind == "variant" for each in lock.offers)
    return not is_open or all(map(is_variant, names))


@dataclass
class _Found:
    """What a lock has for the targets. `problems` are what an offer that it has somewhere lacks elsewhere."""

    session: Session
    lock: Lock
    targets: tuple[Target, ...]
    cells: list[Filled] = field(default_factory=list)
    problems: list[BootstrapError] = field(default_factory=list)

    def fill(self, names: Sequence[str]) -> None:
        """Cell by cell. Raises NoCompatibleFileError or UsageError for an offer that it has nowhere."""
        for offer in _offers(self.session, self.lock, names) if self.lock.offers else (None,):
            own: list[BootstrapError] = []
            before = len(self.cells)
            for target in self.targets:
                try:
                    self.cells.append(_one(self.session, self.lock, offer, target))
                except (NoCompatibleFileError, UsageError) as error:
                    own.append(error)
            if len(self.cells) == before:
                raise own[0]
            self.problems.extend(own)
        if not self.lock.offers and names:
            path = self.session.lock_path
            self.session.warn(f"{path.name} has no torch in it, so it is the same for {', '.join(names)}")

    def said(self) -> tuple[Filled, ...]:
        """The cells, the problems told as warnings."""
        for each in self.problems:
            self.session.warn(str(each))
        return tuple(self.cells)


def _one(session: Session, lock: Lock, offer: Offer | None, target: Target) -> Filled:
    extras, groups = frozenset(session.asked.extras), frozenset(session.asked.groups) | frozenset(lock.default_groups)
    if offer is None:
        return Filled(None, target, select(lock, extras, groups, target))
    extras, groups = with_offer(offer, extras, groups)
    own = speaking_of(lock, offer, resolution_of(lock, extras, groups, target))
    return Filled(offer, target, select(own, extras, groups, target))


def _offers(session: Session, lock: Lock, names: Sequence[str]) -> tuple[Offer, ...]:
    if not names:
        taken = session.select().choice.offer
        names = (taken.name,)
    found: set[str] = set()
    for name in names:
        fitting = [each for each in lock.offers if name in {each.name, each.variant}]
        if not fitting:
            has = ", ".join(each.name for each in lock.offers)
            raise UsageError(f"--variants {name}: {session.lock_path.name} has no such offer; it has {has}")
        found.update(each.name for each in fitting)
    return tuple(each for each in lock.offers if each.name in found)
