"""What becomes of one offer on one machine: whether it can be installed, and whether it would use a GPU.

    offer ──> each torch release that it may bring ──> obstacle?  platform, Python, C library   (cannot be installed)
                                                  └──> idle?      driver, architecture          (runs, on the CPU only)

Of the releases the one is taken that does most, and of those the newest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from probes import Gpu, Libc, Machine, NvidiaDriver, Unknown
from profiles.coverage import covers
from profiles.offer import Offer
from profiles.tables import Release, Tables
from profiles.variants import cuda_major, is_variant
from profiles.words import driver_words, gpu_words, joined, numbers, platform_of, visible

__all__ = ["Question", "Torch", "Verdict", "judge"]

Torch = SpecifierSet | Mapping[str, SpecifierSet] | None
"""What the project asks of torch: one specifier for all offers, or one for each by the offer's name."""

_PATCHES = 20
"""Patch releases that are tried beyond those in the tables."""


@dataclass(frozen=True, slots=True)
class Question:
    """What every offer is judged by: the machine, the Python, and what the project asks of torch."""

    machine: Machine
    python: str
    torch: Torch
    tables: Tables

    @property
    def platform(self) -> str:
        return platform_of(self.machine.system) or ""

    def specifier(self, offer: Offer) -> SpecifierSet:
        """What the project asks of torch where this offer is taken."""
        asked = self.torch.get(offer.name) if isinstance(self.torch, Mapping) else self.torch
        return SpecifierSet() if asked is None else asked


@dataclass(frozen=True, slots=True)
class Verdict:
    """`obstacle` says why the offer cannot be installed, `idle` why it would use no GPU; None if nothing is in the way.

    `flavour` is what `default` means here. `driver` is the NVIDIA driver that would end the idleness. `held_back` says
    why a newer release that the offer may bring, too, would use no GPU.
    """

    offer: Offer
    flavour: str
    release: Release | None = None
    torch: Version | None = None
    obstacle: str | None = None
    progress: int = 0
    idle: str | None = None
    driver: str | None = None
    uncovered: tuple[Gpu, ...] = ()
    held_back: str | None = None

    @property
    def installs(self) -> bool:
        return self.obstacle is None

    @property
    def accelerates(self) -> bool:
        return self.installs and self.idle is None


def judge(offer: Offer, question: Question) -> Verdict:
    """The verdict on an offer. Never raises."""
    if offer.variant != "default" and not is_variant(offer.variant):
        return Verdict(offer, offer.variant, obstacle=f"{offer.variant} is no variant that is known here")
    architecture = question.machine.system.architecture
    if isinstance(architecture, Unknown):
        return Verdict(offer, offer.variant, obstacle=f"the architecture is not known: {architecture.reason}")
    specifier = question.specifier(offer)
    verdicts = []
    for release, version in _releases(question.tables, specifier, offer.variant):
        flavour = release.flavour(offer.variant, question.platform)
        verdicts.append(_release_verdict(Verdict(offer, flavour, release, version), release, question))
    if not verdicts:
        return Verdict(offer, offer.variant, obstacle=f"no known release of torch is {specifier}")
    best = max(verdicts, key=_worth)
    newer = next((each for each in verdicts if each.installs), best)
    if best.accelerates and not newer.accelerates:
        return replace(best, held_back=newer.idle)
    return best


def _worth(verdict: Verdict) -> tuple[bool, int, bool, int, Version]:
    release = verdict.release.version if verdict.release else Version("0")
    uncovered = len(verdict.uncovered) if verdict.accelerates else 0
    return verdict.installs, verdict.progress, verdict.accelerates, -uncovered, release


def _releases(tables: Tables, specifier: SpecifierSet, variant: str) -> list[tuple[Release, Version]]:
    """Releases that a specifier admits, newest first, each with the newest version that it admits.

    A pin beyond the tables is judged like the newest release that they know.
    """
    known = [(release, _newest(release, specifier, variant)) for release in tables.releases]
    admitted = [(release, version) for release, version in known if version is not None]
    if admitted or not tables.releases:
        return admitted
    newest = tables.releases[0]
    named = [_version(part.version.removesuffix(".*")) for part in specifier]
    beyond = [version for version in named if version is not None and version.release[:2] > newest.version.release[:2]]
    return [(replace(newest, version=version), version) for version in sorted(beyond, reverse=True)[:1]]


def _newest(release: Release, specifier: SpecifierSet, variant: str) -> Version | None:
    later = (Version(f"{release.version}.{patch}") for patch in range(_PATCHES))
    for version in chain(release.versions, later):
        if specifier.contains(version, prereleases=True) or specifier.contains(
            f"{version}+{variant}", prereleases=True
        ):
            return version
    return None


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def _release_verdict(verdict: Verdict, release: Release, question: Question) -> Verdict:
    flavour, machine = verdict.flavour, question.machine
    obstacles = (
        _unpublished(release, flavour, question.platform),
        _python(release, question.python),
        _system(release, flavour, machine),
    )
    for progress, obstacle in enumerate(obstacles):
        if obstacle is not None:
            return replace(verdict, obstacle=obstacle, progress=progress)
    verdict = replace(verdict, progress=len(obstacles))
    if flavour.startswith("cu"):
        return _cuda(verdict, release, question)
    if flavour.startswith("rocm"):
        return _rocm(verdict, machine, question.tables)
    if flavour == "xpu":
        return verdict if visible(machine, "intel") else replace(verdict, idle="no Intel GPU was found")
    return verdict if visible(machine, "apple") else replace(verdict, idle="it is a build for the CPU")


def _unpublished(release: Release, flavour: str, platform: str) -> str | None:
    published = release.variants.get(platform)
    if published is None:
        return f"torch {release.version} is not published for {platform}"
    return None if flavour in published else f"torch {release.version} has no {flavour} build for {platform}"


def _python(release: Release, python: str) -> str | None:
    asked = _version(python.rstrip("t"))
    oldest, newest = release.python
    if asked is None:
        return f"{python!r} is no Python version"
    if oldest.release[:2] <= asked.release[:2] <= newest.release[:2]:
        return None
    return f"torch {release.version} is built for Python {oldest} to {newest}, not for {python}"


def _system(release: Release, flavour: str, machine: Machine) -> str | None:
    libc, system = machine.libc, machine.system
    if system.os == "macos":
        version = numbers(system.version) if isinstance(system.version, str) else ()
        old = version and version < release.macos.release[:1]
        return f"torch {release.version} needs macOS {release.macos}; this is {system.version}" if old else None
    if not isinstance(libc, Libc):
        return None
    if libc.family != "glibc":
        return f"torch is published for glibc only; this machine has {libc.family} (read from {libc.source})"
    needed = release.oldest_glibc(flavour)
    if isinstance(libc.version, Unknown) or numbers(libc.version) >= needed.release:
        return None
    has = f"this machine has {libc.version} (read from {libc.source})"
    return f"torch {release.version} needs glibc {needed} or newer; {has}"


def _cuda(verdict: Verdict, release: Release, question: Question) -> Verdict:
    machine, tables, platform = question.machine, question.tables, question.platform
    gpus = visible(machine, "nvidia")
    if not gpus:
        return replace(verdict, idle=_no_nvidia(machine))
    system = "windows" if machine.system.is_wsl else machine.system.os
    major = cuda_major(verdict.flavour) or 0
    oldest = tables.oldest_driver(major, system)
    if oldest is None:
        return replace(verdict, idle=f"the driver that CUDA {major} needs is not known here")
    lacking = _lacking_driver(machine, gpus, oldest)
    codes = tables.capabilities(verdict.flavour, release, platform)
    if codes is None:
        what = f"{verdict.flavour} of torch {release.version} for {platform}"
        return replace(verdict, idle=f"the GPUs that {what} holds code for are not known here")
    uncovered = tuple(
        gpu for gpu in gpus if isinstance(gpu.compute_capability, tuple) and not covers(codes, gpu.compute_capability)
    )
    if len(uncovered) == len(gpus):
        held = ", ".join(f"{major}.{minor}" for major, minor in codes)
        what = f"its torch {release.version} holds no code for {joined(map(gpu_words, gpus))}, only for {held}"
        return replace(verdict, idle=what, uncovered=uncovered)
    return replace(verdict, idle=lacking, driver=oldest if lacking else None, uncovered=uncovered)


def _no_nvidia(machine: Machine) -> str:
    if isinstance(machine.driver, NvidiaDriver):
        return f"no NVIDIA GPU can be opened, though there is driver {driver_words(machine.driver)}"
    if isinstance(machine.driver, Unknown):
        return f"whether there is an NVIDIA GPU is not known: {machine.driver.reason}"
    return "no NVIDIA GPU was found"


def _lacking_driver(machine: Machine, gpus: tuple[Gpu, ...], oldest: str) -> str | None:
    needs = f"needs NVIDIA driver {oldest} or newer"
    if machine.driver is None:
        return f"{needs}; no driver is loaded for {joined(map(gpu_words, gpus))}"
    if isinstance(machine.driver, Unknown):
        return (
            f"{needs}; this machine's could not be read ({machine.driver.reason}), TORCHSTRAP_CUDA_DRIVER can name it"
        )
    if numbers(machine.driver.version) >= numbers(oldest):
        return None
    return f"{needs}; this machine has {driver_words(machine.driver)}"


def _rocm(verdict: Verdict, machine: Machine, tables: Tables) -> Verdict:
    gpus = visible(machine, "amd")
    if not gpus:
        return replace(verdict, idle="no AMD GPU was found")
    targets = tables.targets.get(verdict.flavour)
    if targets is None:
        return replace(verdict, idle=f"the GPUs that {verdict.flavour} holds code for are not known here")
    uncovered = tuple(gpu for gpu in gpus if isinstance(gpu.target, str) and gpu.target not in targets)
    if len(uncovered) < len(gpus):
        return replace(verdict, uncovered=uncovered)
    what = f"holds no code for {joined(map(gpu_words, gpus))}, only for {', '.join(sorted(targets))}"
    return replace(verdict, idle=what, uncovered=uncovered)
