"""Everything that a project can be asked for, in one lock: every offer and none, with every member of other conflict
sets and none, for every Python and every platform (see combinations.py and environments.py).

Without offers of its own a project gets the variants as offers: those of the torch release that it resolves to without
any. What the lock has already and still stands is not resolved again. Of the rest:

    no build of torch is published for it       it is left out, and the summary says so
    no solution, no hash, no index, no build    an error if it was asked for by name or is for this very machine, else a
                                                warning, so that one odd corner does not keep a team without a lock; for
                                                "no offer" and for variants, which nobody asked for, always a warning
    nothing is left, no offer of the project
    where one was asked for by name, no index
    of any offer for this machine answers       an error
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from packaging.utils import canonicalize_name
from packaging.version import Version

from bootstrap.commands.choices.offered import Offered
from bootstrap.commands.locks.aligning import Aligned, Versions
from bootstrap.commands.locks.combinations import NONE, Combination, Key
from bootstrap.commands.locks.environments import Environments, environments, torch_of, without_build
from bootstrap.commands.locks.keeping import digest_of, found_in, merged, preferences
from bootstrap.commands.locks.resolving import is_here, resolution_of
from bootstrap.commands.session import Session
from bootstrap.errors import (
    BadDistributionError,
    BootstrapError,
    BuildError,
    ChoiceError,
    NoCompatibleFileError,
    NoSolutionError,
    UnreachableError,
    UsageError,
)
from bootstrap.lock.model import Lock
from bootstrap.lock.selection import fits
from bootstrap.resolver.memory import Memory
from bootstrap.resolver.resolution import Resolution

__all__ = ["Left", "Matrix", "lock_all"]

FORGIVEN = (
    BadDistributionError,
    BuildError,
    NoCompatibleFileError,
    NoSolutionError,
    UnreachableError,
    UsageError,  # a package without one of the --hash options that others have
)
"""What is wrong with one combination and says nothing of the others."""


@dataclass(frozen=True, slots=True)
class Left:
    """A combination that is not in the lock: the error, or the sentence why there is no build of torch for it."""

    combination: Combination
    reason: BootstrapError | str


@dataclass(frozen=True, slots=True)
class Matrix:
    """The lock of all combinations, those that are not in it, and how many had to be resolved."""

    lock: Lock
    left: tuple[Left, ...]
    new: int


def lock_all(session: Session, present: Lock | None) -> Matrix:
    """Lock everything, with versions aligned to each other and to those locked before. Raises as the module says."""
    wanted, digest = environments(session), digest_of(session)
    standing = present if present is not None and present.inputs == digest else None
    work = _Work(session, wanted, Offered(session), present, standing, _upgraded(session, present))
    for python in wanted.pythons:
        work.lock(python)
    work.complain()
    lock = merged(session, work.offered.every(), standing, work.found.values(), digest)
    return Matrix(lock, tuple(work.left.values()), work.new)


def _upgraded(session: Session, present: Lock | None) -> frozenset[str]:
    """The names of `--upgrade-package`. Raises UsageError for one that no lock that is there has."""
    names = frozenset(map(canonicalize_name, session.asked.upgrade_packages))
    known = {pin.name for each in (present.resolutions if present else ()) for pin in each.pins}
    unknown = sorted(names - known) if present else []
    if unknown:
        raise UsageError(f"--upgrade-package {unknown[0]}: there is no such package in {session.lock_path.name}")
    return names


@dataclass
class _Work:
    """One run: what was found so far, and what was left out. `standing` is the present lock if it still holds."""

    session: Session
    wanted: Environments
    offered: Offered
    present: Lock | None
    standing: Lock | None
    upgraded: frozenset[str]
    new: int = 0
    found: dict[Key, Resolution] = field(default_factory=dict)
    left: dict[Key, Left] = field(default_factory=dict)
    _versions: dict[str, Version] = field(default_factory=dict)
    _memory: Memory = field(default_factory=Memory)

    def lock(self, python: str) -> None:
        """All combinations of one Python."""
        targets = self.wanted.targets(python)
        self.session.activity.step(f"Resolving for Python {python} on {', '.join(each.platform for each in targets)}")
        aligned = Aligned(self._resolved, self._locked, dict(self._versions))
        for combination in _led([each for target in targets for each in self.offered.plain(target)]):
            self._take(aligned, combination)
        plain = {target.platform: aligned.found.get(Combination(NONE, target).key) for target in targets}
        variants = [each for target in targets for each in self.offered.variants(target, plain[target.platform])]
        for combination in _led(variants):
            self._take(aligned, combination)
        aligned.settle()
        self.found.update(aligned.found)
        self._versions = dict(aligned.versions)

    def complain(self) -> None:
        """Raise what stands in the way if nothing is left, or nothing offered where that was asked for by name."""
        if not self.found:
            raise self._nothing("", self.left.values())
        offers = [each for each in self.left.values() if self._is_offer(each.combination)]
        for name in sorted(self.wanted.named):
            left = [each for each in offers if name in each.combination.key]
            if left and not any(name in key and key[0] for key in self.found):
                raise self._nothing(f" for {name}", left)
        here = [each for each in offers if is_here(self.session, each.combination)]
        silent = [each for each in here if isinstance(each.reason, UnreachableError)]
        if silent and not any(key[0] and key[2:] == silent[0].combination.key[2:] for key in self.found):
            raise self._nothing("", silent)

    def _is_offer(self, combination: Combination) -> bool:
        """Is it an offer of the project: neither none nor a variant that nobody asked for?"""
        return bool(combination.offer.name) and not self.offered.is_automatic(combination.target)

    @staticmethod
    def _nothing(where: str, left: Iterable[Left]) -> BootstrapError:
        reasons = {f"{each.combination.offer.name}: {each.reason}": each.reason for each in left}
        errors = [each for each in reasons.values() if isinstance(each, BootstrapError)]
        return errors[0] if errors else ChoiceError(f"nothing can be locked{where}: {'; '.join(reasons)}")

    def _take(self, aligned: Aligned, combination: Combination) -> None:
        kept = self._kept(combination)
        if kept is not None:
            aligned.keep(combination, kept)
            return
        unbuilt = without_build(combination.offer, combination.target, torch_of(self.session, combination))
        if unbuilt is not None and not self.wanted.is_named(combination.target):
            self.left[combination.key] = Left(combination, unbuilt)
            return
        try:
            aligned.add(combination)
        except FORGIVEN as error:
            if unbuilt is None and self._is_owed(combination, error):
                raise
            self.left[combination.key] = Left(combination, unbuilt or error)

    def _kept(self, combination: Combination) -> Resolution | None:
        """What is locked already, unless it is to be upgraded, or was made for another machine than it is meant for."""
        if self.standing is None or self.session.asked.upgrade:
            return None
        found = found_in(self.standing, combination)
        if found is None or any(pin.name in self.upgraded for pin in found.pins):
            return None
        return found if found.offer == combination.offer.name and fits(found, combination.target) else None

    def _is_owed(self, combination: Combination, error: BootstrapError) -> bool:
        """Did somebody ask for it by name, or is it what a sync on this machine needs?"""
        is_whole_project = self.offered.is_automatic(combination.target) and not combination.offer.name
        here = is_here(self.session, combination) and not isinstance(error, UnreachableError)
        return (is_whole_project or self._is_offer(combination)) and (here or self.wanted.is_named(combination.target))

    def _resolved(self, combination: Combination, versions: Versions) -> Resolution:
        self.new += 1
        return resolution_of(self.session, combination, versions, self._memory)

    def _locked(self, combination: Combination) -> Versions:
        if self.session.asked.upgrade:
            return {}
        known = preferences(self.present, combination)
        return {name: version for name, version in known.items() if name not in self.upgraded}


def _led(combinations: Iterable[Combination]) -> list[Combination]:
    """One after the other on all platforms: the first offer leads, and in each the platform that comes first."""
    found = list(combinations)
    order = list(dict.fromkeys((each.offer.name, each.roots) for each in found))
    return sorted(found, key=lambda each: order.index((each.offer.name, each.roots)))
