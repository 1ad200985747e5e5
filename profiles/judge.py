"""What becomes of one offer on one machine: whether it can be installed, and which GPUs it would use.

    offer ──> each torch release that it may bring ──> obstacle?  platform, Python, C library   (cannot be installed)
                                                  └──> use        driver, architecture          (idle: on the CPU only)

Of the releases the one is taken that does most, and of those the newest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from probes import Gpu, Libc, Machine, Unknown
from profiles.acceleration import NO_USE, Use, use_of
from profiles.offer import Offer
from profiles.question import Question
from profiles.split_verdicts import split_verdict
from profiles.tables import Release, Tables
from profiles.variants import is_variant
from profiles.words import gpus_words, numbers

__all__ = ["Verdict", "judge"]

_PATCHES = 20
"""Patch releases that are tried beyond those in the tables, where the project names some."""
_PUBLISHED = 2
"""Progress of a build that exists: what is in its way is the Python or the system."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`obstacle` says why the offer cannot be installed; None if nothing is in the way.

    `flavour` is what `default` means here. `held_back` says why a newer release that the offer may bring, too, would
    use fewer GPUs, `out_of_reach` why a newer one cannot be installed. `assumed` says what is not known of the release,
    but taken to be so.
    """

    offer: Offer
    flavour: str
    release: Release | None = None
    torch: Version | None = None
    obstacle: str | None = None
    progress: int = 0
    use: Use = NO_USE
    held_back: str | None = None
    out_of_reach: str | None = None
    assumed: str | None = None

    @property
    def installs(self) -> bool:
        return self.obstacle is None

    @property
    def accelerates(self) -> bool:
        return self.installs and self.use.idle is None

    @property
    def brings(self) -> str:
        """What the offer is about, in words: `torch 2.15.0`, or the packages of an offer that is not about torch."""
        packages = self.offer.packages
        return f"torch {self.torch}" if packages is None else ", ".join(packages) or "the project"

    @property
    def served(self) -> tuple[Gpu, ...]:
        """The GPUs that would work."""
        return self.use.covered if self.accelerates else ()


def judge(offer: Offer, question: Question) -> Verdict:
    """The verdict on an offer. Never raises."""
    if offer.packages is None and offer.variant != "default" and not is_variant(offer.variant):
        return Verdict(offer, offer.variant, obstacle=f"{offer.variant} is no variant that is known here")
    architecture = question.machine.system.architecture
    if isinstance(architecture, Unknown):
        return Verdict(offer, offer.variant, obstacle=f"the architecture is not known: {architecture.reason}")
    if offer.packages is not None:
        found = split_verdict(offer, question)
        return Verdict(offer, offer.variant, obstacle=found.obstacle, use=found.use, assumed=found.assumed)
    specifier, platform = question.specifier(offer), question.platform
    verdicts = [
        _release_verdict(offer, release, version, platform, question)
        for release, version in _releases(question.tables, specifier, offer.variant)
    ]
    if not verdicts:
        return Verdict(offer, offer.variant, obstacle=f"no known release of torch is {specifier}")
    best = max(verdicts, key=lambda verdict: _worth(verdict, question))
    newest = next((each for each in verdicts if each.installs), best)
    barred = next((each for each in verdicts if each.progress >= _PUBLISHED), best)
    return replace(
        best,
        held_back=_loss(best, newest) if best.accelerates else None,
        out_of_reach=barred.obstacle if best.installs else None,
    )


def _loss(best: Verdict, newest: Verdict) -> str | None:
    """What the newest release would not do that an older one does."""
    lost = [gpu for gpu in best.served if gpu not in newest.served]
    if not lost:
        return None
    release = newest.release.version if newest.release else "of the newest release"
    return newest.use.idle or f"torch {release} holds no code for {gpus_words(lost)}"


def _worth(verdict: Verdict, question: Question) -> tuple[object, ...]:
    served = len(verdict.served) if question.wanted.every else 0
    release = verdict.release.version if verdict.release else Version("0")
    return verdict.installs, verdict.progress, verdict.accelerates, served, release


def _releases(tables: Tables, specifier: SpecifierSet, variant: str) -> list[tuple[Release, Version]]:
    """Releases that a specifier admits, newest first, each with the newest version that it admits.

    Where it admits none that the tables know, the newest that it names may be beyond them.
    """
    # Only what names a local version can tell variants apart.
    local = f"+{variant}" if "+" in str(specifier) else ""
    known = [(release, _newest_of(release.version, release.versions, specifier, local)) for release in tables.releases]
    admitted = [(release, version) for release, version in known if version is not None]
    if admitted:
        return admitted
    named = [version for part in specifier if (version := _version(part.version.removesuffix(".*"))) is not None]
    beyond = [(release, version) for version in named if (release := tables.release_for(version)) and release.assumed]
    return sorted(beyond, key=lambda pair: pair[1], reverse=True)[:1]


@lru_cache(maxsize=4096)
def _newest_of(minor: Version, versions: tuple[Version, ...], specifier: SpecifierSet, local: str) -> Version | None:
    named = f"{minor}." in str(specifier)
    later = (Version(f"{minor}.{patch}") for patch in range(_PATCHES if named else 0))
    for version in chain(versions, later):
        if any(specifier.contains(f"{version}{label}", prereleases=True) for label in dict.fromkeys(("", local))):
            return version
    return None


@lru_cache(maxsize=256)
def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def _release_verdict(offer: Offer, release: Release, version: Version, platform: str, question: Question) -> Verdict:
    flavour, use = release.flavour(offer.variant, platform), NO_USE
    progress, obstacle = _in_the_way(release, flavour, platform, question)
    if obstacle is None:
        use = use_of(flavour, release, question)
    return Verdict(offer, flavour, release, version, obstacle, progress, use, assumed=release.assumed)


def _in_the_way(release: Release, flavour: str, platform: str, question: Question) -> tuple[int, str | None]:
    """The first obstacle, and how many others were passed before it."""
    found = _foreign(question.machine)
    if found is not None:
        return 0, found
    found = _unpublished(release, flavour, platform)
    if found is not None:
        return 1, found
    found = _python(release, question.python, platform)
    if found is not None:
        return _PUBLISHED, found
    found = _system(release, flavour, platform, question.machine)
    return (_PUBLISHED + 1, found) if found is not None else (_PUBLISHED + 2, None)


def _foreign(machine: Machine) -> str | None:
    """What no release and no Python would change."""
    libc = machine.libc
    if isinstance(libc, Libc) and libc.family != "glibc":
        return f"torch is published for glibc only; this machine has {libc.family} (read from {libc.source})"
    return None


def _unpublished(release: Release, flavour: str, platform: str) -> str | None:
    if platform not in release.variants:
        return f"torch {release.version} is not published for {platform}"
    if release.publishes(flavour, platform) is False:
        return f"torch {release.version} has no {flavour} build for {platform}"
    return None


def _python(release: Release, python: str, platform: str) -> str | None:
    if _version(python.rstrip("t")) is None:
        return f"{python!r} is no Python version"
    pythons = release.python_on(platform)
    return (
        None if pythons.admits(python) else f"torch {release.version} is built for Python {pythons}, not for {python}"
    )


def _system(release: Release, flavour: str, platform: str, machine: Machine) -> str | None:
    libc, system = machine.libc, machine.system
    if system.os == "macos":
        needs = release.oldest_macos(platform)
        version = numbers(system.version) if isinstance(system.version, str) else ()
        old = version and version < needs.release[: len(version)]
        return f"torch {release.version} needs macOS {needs}; this is {system.version}" if old else None
    if not isinstance(libc, Libc):
        return None
    needed = release.oldest_glibc(flavour, platform)
    if isinstance(libc.version, Unknown) or numbers(libc.version) >= needed.release:
        return None
    has = f"this machine has {libc.version} (read from {libc.source})"
    return f"torch {release.version} needs glibc {needed} or newer; {has}"
