"""From what the project offers and what the machine is to the one offer that is taken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from bootstrap.commands.asked import Asked
from bootstrap.commands.machine import recorded_machine, this_machine
from bootstrap.errors import AccelerationError, ChoiceError, UsageError
from bootstrap.project.model import Project
from bootstrap.project.offers import fixed_offer, offers, torch_specifiers
from bootstrap.project.pyproject import read_project
from bootstrap.project.selection import check_conflicts, select, select_groups
from bootstrap.project.sources import activated
from probes import Machine, Unknown
from profiles import (
    Choice,
    NoOfferError,
    Offer,
    Rejection,
    accelerates,
    automatic_offers,
    choose,
    index_of,
    is_family,
    variant_of_index,
    why_not,
)

__all__ = ["Selection", "choose_for", "newest_that_runs", "select_offer"]

_SYSTEM_MARKERS: Mapping[str, Mapping[str, str]] = {
    "linux": {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"},
    "macos": {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix"},
    "windows": {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt"},
}
# Asking for one of these is asking for no GPU, or for whatever the default index has.
_NEVER_ACCELERATED = frozenset({"cpu", "default"})


@dataclass(frozen=True, slots=True)
class Selection:
    """What is switched on: the choice, and the extras and groups of the project, aliases already expanded.

    `offers` are all that the project has; in automatic mode the only offer is the variant taken.
    """

    choice: Choice
    extras: frozenset[str]
    groups: frozenset[str]
    offers: tuple[Offer, ...]


def select_offer(
    project: Project, asked: Asked, machine: Machine, markers: Mapping[str, str], addresses: Iterable[str]
) -> Selection:
    """Take the offer that was asked for, or the best for the machine.

    `addresses` are those of the indexes that were named for packages in general: one of a variant settles the variant.

    Raises UsageError for extras that are unknown or conflict, AccelerationError when a GPU is required and the build
    taken is for the CPU, ChoiceError when no offer can run here.
    """
    extras = select(project, asked.extras)
    groups = select_groups(project, asked.groups) | frozenset(project.default_groups)
    extras = activated(project, extras, groups)
    check_conflicts(project, extras, groups)
    offered = offers(project, markers, is_family, variant_of_index)
    python = markers["python_version"]
    candidates = _candidates(project, asked, offered, extras | groups, markers=markers, addresses=addresses)
    specifiers = {each.name: _torch(project, each) for each in candidates or offered}
    if candidates is not None and len(candidates) == 1:
        choice = _as_asked(candidates[0], offered, machine, python, specifiers)
    else:
        choice = _best(candidates or offered, machine, python, specifiers)
    if asked.require == "gpu" and not accelerates(choice.offer, machine, python=python, torch=specifiers):
        raise AccelerationError(_no_gpu(choice))
    if choice.offer.kind == "extra":
        extras |= {choice.offer.name}
    elif choice.offer.kind == "group":
        groups |= {choice.offer.name}
    check_conflicts(project, extras, groups)
    return Selection(choice, extras, groups, offered or (choice.offer,))


def choose_for(asked: Asked, machine_file: Path | None, python: str | None) -> Choice:
    """The choice for a project on this machine or, with `machine_file` (a `probe --json`), on another.

    Needs no network. The Python is the one asked for, else the one that runs us.
    """
    project = read_project(asked.project)
    machine = recorded_machine(machine_file) if machine_file else this_machine()
    markers = {**{key: str(value) for key, value in default_environment().items()}, **_markers_on(machine)}
    if python is not None:
        markers |= {"python_version": python, "python_full_version": f"{python}.0"}
    return select_offer(project, asked, machine, markers, ()).choice


def _markers_on(machine: Machine) -> Mapping[str, str]:
    """The PEP 508 variables that tell platforms apart, for a machine that need not be this one."""
    system, architecture = machine.system.os, machine.system.architecture
    names = _SYSTEM_MARKERS.get(system, {})
    if isinstance(architecture, Unknown):
        return names
    spelled = {"linux": {}, "macos": {"aarch64": "arm64"}, "windows": {"x86_64": "AMD64", "aarch64": "ARM64"}}
    return {**names, "platform_machine": spelled.get(system, {}).get(architecture, architecture)}


def _candidates(
    project: Project,
    asked: Asked,
    offered: tuple[Offer, ...],
    selected: frozenset[str],
    *,
    markers: Mapping[str, str],
    addresses: Iterable[str],
) -> tuple[Offer, ...] | None:
    """The offers that the command line leaves to choose from; None means all that the project makes."""
    if asked.variant is not None:
        return _of_variant(asked.variant, offered)
    named = tuple(each for each in offered if each.name in selected)
    if named or offered:
        return named or None
    # Automatic mode: what a source, a version or an index that is asked for everything has settled stays settled.
    fixed = fixed_offer(project, markers, is_family, variant_of_index)
    if fixed is not None:
        return (fixed,)
    pinned = _pinned_variant(project)
    if pinned is not None:
        return _of_variant(pinned, ())
    configured = {variant: each for each in addresses if (variant := variant_of_index(each)) is not None}
    if configured:
        return tuple(Offer(variant, variant, url, "variant") for variant, url in configured.items())
    return automatic_offers()


def _of_variant(variant: str, offered: tuple[Offer, ...]) -> tuple[Offer, ...]:
    if not offered:
        return (Offer(variant, variant, None if variant == "default" else index_of(variant), "variant"),)
    fitting = tuple(each for each in offered if variant in {each.variant, each.name})
    if not fitting:
        has = ", ".join(f"{each.name} ({each.variant})" for each in offered)
        raise UsageError(f"no offer of this project is the variant {variant}; it offers {has}")
    return fitting[:1]


def _pinned_variant(project: Project) -> str | None:
    """The variant that `torch==2.6.0+cu126` names, for projects that say it in the version."""
    for requirement in project.dependencies:
        if is_family(requirement.name):
            for specifier in requirement.specifier:
                local = specifier.version.partition("+")[2]
                if local and specifier.operator in {"==", "==="}:
                    return local
    return None


def _torch(project: Project, offer: Offer) -> SpecifierSet:
    return torch_specifiers(project, offer.name if offer.kind != "variant" else None)


def _best(
    candidates: tuple[Offer, ...], machine: Machine, python: str, specifiers: Mapping[str, SpecifierSet]
) -> Choice:
    try:
        return choose(candidates, machine, python=python, torch=specifiers)
    except NoOfferError as error:
        raise ChoiceError(f"{error}\nname one with --extra or --variant to install it all the same") from error


def _as_asked(
    offer: Offer, offered: tuple[Offer, ...], machine: Machine, python: str, specifiers: Mapping[str, SpecifierSet]
) -> Choice:
    """The offer that was named: taken whatever the machine is, with a warning where it would use none of its GPUs."""
    rejected = tuple(Rejection(each.name, f"{offer.name} was asked for") for each in offered if each != offer)
    choice = Choice(offer, "it was asked for", rejected)
    if offer.variant in _NEVER_ACCELERATED or accelerates(offer, machine, python=python, torch=specifiers):
        return choice
    return replace(
        choice, warnings=(f"taken as asked, but {why_not(offer, machine, python=python, torch=specifiers)}",)
    )


def newest_that_runs(selection: Selection, machine: Machine, markers: Mapping[str, str]) -> Requirement | None:
    """What torch must not be newer than to use this machine's GPU with the offer taken, if that is a limit at all."""
    choice, python = selection.choice, markers["python_version"]
    if choice.torch is None or not accelerates(choice.offer, machine, python=python):
        return None
    newest = Version(choice.torch)
    limit = f"{newest.major}.{newest.minor + 1}"
    if accelerates(choice.offer, machine, python=python, torch=SpecifierSet(f">={limit}")):
        return None
    return Requirement(f"torch<{limit}")


def _no_gpu(choice: Choice) -> str:
    lines = [f"a gpu is required, but {choice.offer.name} would compute on the CPU here: {choice.reason}"]
    lines += [f"  {each.offer}: {each.reason}" for each in choice.rejected]
    return "\n".join([*lines, *choice.warnings])
