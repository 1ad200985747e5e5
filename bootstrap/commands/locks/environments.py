"""For which Pythons and platforms a lock is made, and which offers have a build there.

    --python-version, --platform        what was asked for by name
    [tool.torchstrap] python-versions   what the project says, or TORCHSTRAP_PYTHON_VERSION
    [tool.torchstrap] platforms         what the project says, or TORCHSTRAP_PLATFORM
    otherwise                           every minor in requires-python, on the platforms that most machines have

This machine's own Python and platform are among them unless others were named, so that a sync here finds itself in
the lock. What this machine has less of than is usual (an old glibc, musl) is then the measure for its platform.
"""

from __future__ import annotations

from dataclasses import dataclass

from packaging.specifiers import SpecifierSet

from bootstrap.commands.locks.combinations import Combination
from bootstrap.commands.session import Session
from bootstrap.environment.discovery import MissingPythonError, find
from bootstrap.errors import ConfigurationError, UsageError
from bootstrap.project.offers import torch_specifiers
from bootstrap.resolver import targets
from bootstrap.resolver.resolution import Target
from bootstrap.resolver.targets import PYTHONS, Platform
from probes import Libc, Machine, System, Unknown
from profiles import NoOfferError, Offer, choose, is_variant

__all__ = ["USUAL", "Environments", "environments", "torch_of", "without_build"]

USUAL = ("linux_x86_64", "linux_aarch64", "macos_arm64", "windows_x86_64")
"""The platforms that a lock is for where nobody names any."""

OURS = "[tool.torchstrap]"

_NOBODY = Unknown("a lock is for every machine of a platform")


@dataclass(frozen=True, slots=True)
class Environments:
    """Every Python, newest first, and every platform; `named` are those that somebody asked for in this very run."""

    pythons: tuple[str, ...]
    platforms: tuple[Platform, ...]
    named: frozenset[str]
    requires_python: SpecifierSet
    here: Target

    def targets(self, python: str) -> tuple[Target, ...]:
        """All platforms for one Python."""
        return tuple(self._target(python, each) for each in self.platforms)

    def is_named(self, target: Target) -> bool:
        """Did somebody ask for this Python or this platform?"""
        return not self.named.isdisjoint((target.python_minor, target.platform))

    def _target(self, python: str, where: Platform) -> Target:
        made = targets.target(python, where, self.requires_python)
        is_here = (python, where.name) == (self.here.python_minor, self.here.platform)
        # Another implementation, or a Python without the global lock.
        return self.here if is_here and not targets.serves(made, self.here) else made


def environments(session: Session) -> Environments:
    """What this run locks. Raises UsageError, or ConfigurationError for a setting, that says what may stand there."""
    asked, requires_python, here = session.asked, session.project.requires_python, _here(session)
    pythons = _pythons(asked.python_versions, session.settings.python_versions, requires_python, here.python_minor)
    platforms = _platforms(asked.platforms, session.settings.platforms, here)
    named = frozenset((*asked.python_versions, *(each.partition(":")[0] for each in asked.platforms)))
    return Environments(pythons, platforms, named, requires_python, here)


def _here(session: Session) -> Target:
    """What we run on; where no Python here is for the project, any will do to lock it for others.

    Raises BootstrapError for a `--python` that does not fit.
    """
    if session.asked.python is None and "interpreter" not in session.__dict__:
        try:
            session.interpreter = find(None, session.project.requires_python, session.cache)
        except MissingPythonError:  # and none is installed only to write a lock
            session.interpreter = find(None, SpecifierSet(), session.cache)
    return session.target


def without_build(offer: Offer, target: Target, torch: SpecifierSet) -> str | None:
    """Why no build of torch for an offer is published for a target, as far as the tables know; None if one is."""
    if not is_variant(offer.variant):
        return None
    try:
        choose((offer,), _machine(target), python=target.python_minor, torch=torch)
    except NoOfferError as error:
        return error.rejected[0].reason
    return None


def torch_of(session: Session, combination: Combination) -> SpecifierSet:
    """What the project asks of torch where an offer is taken."""
    offer = combination.offer
    extra = offer.name if offer.kind != "variant" else None
    return torch_specifiers(session.project, extra, combination.target.markers)


def _pythons(
    named: tuple[str, ...], configured: tuple[str, ...], requires_python: SpecifierSet, here: str
) -> tuple[str, ...]:
    place, error = ("--python-version", UsageError) if named else (f"{OURS} python-versions", ConfigurationError)
    found = []
    for text in named or configured:
        try:
            minor = targets.minor_of(text)
        except ValueError as problem:
            raise error(f"{place} is {text!r}, but must be {problem}") from problem
        if minor not in {*PYTHONS, here}:
            raise error(f"{place} {minor} is not known here; there are {', '.join(PYTHONS)}")
        if not targets.admits(requires_python, minor):
            raise error(f"{place} {minor} is outside of the project's requires-python {requires_python}")
        found.append(minor)
    newest_first = sorted(set(found), key=lambda each: int(each.partition(".")[2]), reverse=True)
    return tuple(newest_first) or targets.pythons(requires_python, here)


def _platforms(named: tuple[str, ...], configured: tuple[str, ...], here: Target) -> tuple[Platform, ...]:
    words = named or configured or (USUAL if here.platform in USUAL else (*USUAL, here.platform))
    place, error = ("--platform", UsageError) if named else (f"{OURS} platforms", ConfigurationError)
    found: dict[str, Platform] = {}
    for word in words:
        try:
            one = _platform(word, here)
        except ValueError as problem:
            raise error(f"{place} is {word!r}, but must be {problem}") from problem
        if found.setdefault(one.name, one) != one:
            raise error(f"{place} names {one.name} for two C libraries, and a lock is for one: name the older")
    return tuple(found.values())


def _platform(word: str, here: Target) -> Platform:
    if word == here.platform and word not in targets.PLATFORMS:
        return targets.platform_like(here)
    found = targets.platform(word)
    if word != here.platform:
        return found
    own = targets.platform_like(here)
    return found if set(found.tags) <= set(own.tags) else own


def _machine(target: Target) -> Machine:
    """A machine of which only the platform is known."""
    system, _, architecture = target.platform.partition("_")
    musl = any("-musllinux_" in tag for tag in target.tags)
    libc = Libc("musl", _NOBODY, "wheel tags") if musl else None
    return Machine(System(system, _NOBODY, _NOBODY, architecture, "the platform's name"), libc, _NOBODY)
