"""From what the project offers and what the machine is to the one offer that is taken, with the reasons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from bootstrap.commands.asked import Asked
from bootstrap.commands.offering import Offering, offering
from bootstrap.errors import AccelerationError, ChoiceError
from bootstrap.project.model import Project
from bootstrap.project.offers import torch_specifiers
from bootstrap.project.selection import check_conflicts, select, select_groups
from bootstrap.project.sources import activated
from probes import Machine
from profiles import Choice, NoOfferError, Offer, Rejection, accelerates, choose, index_of, why_not

__all__ = ["Selection", "judged_by_lock", "newest_that_runs", "select_offer"]

_WAY_OUT = "name one with --extra or --variant to install it all the same"


@dataclass(frozen=True, slots=True)
class Selection:
    """What is switched on: the choice, and the extras and groups of the project, aliases already expanded.

    `offers` are all that the project has; in automatic mode the only offer is the variant taken. `obstacle` says why no
    variant runs on this machine at all, which matters only if torch turns out to be needed.
    """

    choice: Choice
    extras: frozenset[str]
    groups: frozenset[str]
    offers: tuple[Offer, ...]
    obstacle: str | None = None


def select_offer(
    project: Project, asked: Asked, machine: Machine, markers: Mapping[str, str], addresses: Iterable[str]
) -> Selection:
    """Take the offer that was asked for, or the best for the machine.

    `addresses` are those of the indexes that were named for packages in general: one of a variant settles the variant.

    Raises UsageError for extras that are unknown or conflict, AccelerationError when a GPU is required and the build
    taken would not use one, ChoiceError when no offer can run here.
    """
    groups = select_groups(project, asked.groups) | frozenset(project.default_groups)
    extras = activated(project, select(project, asked.extras), groups)
    check_conflicts(project, extras, groups)
    offered = offering(project, asked, extras | groups, markers, addresses)
    specifiers = {each.name: _torch(project, each) for each in offered.candidates}
    choice, obstacle = _taken(offered, machine, markers["python_version"], specifiers)
    if asked.require == "gpu" and not accelerates(
        choice.offer, machine, python=markers["python_version"], torch=specifiers
    ):
        raise AccelerationError(_no_gpu(choice))
    if choice.offer.kind == "extra":
        extras |= {choice.offer.name}
    elif choice.offer.kind == "group":
        groups |= {choice.offer.name}
    check_conflicts(project, extras, groups)
    known = (choice.offer,) if choice.offer.kind == "variant" else offered.all_offers
    return Selection(choice, extras, groups, known, obstacle)


def judged_by_lock(
    selection: Selection, machine: Machine, markers: Mapping[str, str], torch: Version, require: str | None
) -> Selection:
    """The selection with reason and warnings for the torch that is locked, which may be another than was expected.

    Raises AccelerationError when a GPU is required and this torch would not use it.
    """
    choice, python = selection.choice, markers["python_version"]
    exactly = SpecifierSet(f"=={torch.public}")
    if not accelerates(choice.offer, machine, python=python, torch=exactly):
        expected = accelerates(choice.offer, machine, python=python)
        sentence = why_not(choice.offer, machine, python=python, torch=exactly)
        if require == "gpu":
            raise AccelerationError(f"a gpu is required, but torch {torch} is locked, and with it {sentence}")
        if expected and choice.torch is not None:
            remedy = "`torchstrap lock --upgrade` or an older torch in the project would change that"
            warning = (
                f"torch {torch} is locked and computes on the CPU here, although an older one would not: {sentence}"
            )
            choice = replace(choice, warnings=(*choice.warnings, f"{warning}; {remedy}"))
        return replace(selection, choice=replace(choice, torch=torch.public))
    if choice.torch is not None:
        choice = replace(choice, reason=choose((choice.offer,), machine, python=python, torch=exactly).reason)
    return replace(selection, choice=replace(choice, torch=torch.public))


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


def _taken(
    offered: Offering, machine: Machine, python: str, specifiers: Mapping[str, SpecifierSet]
) -> tuple[Choice, str | None]:
    """The choice, and what stands in the way of torch altogether."""
    if offered.settled is not None:
        return _as_settled(offered, offered.settled, machine, python, specifiers), None
    try:
        return choose(offered.candidates, machine, python=python, torch=specifiers), None
    except NoOfferError as error:
        if not offered.is_automatic:
            raise ChoiceError(f"{error}\n{_WAY_OUT}") from error
        # Nobody has said yet that this project needs torch.
        plain = Offer("cpu", "cpu", index_of("cpu"), "variant")
        return Choice(plain, "no build of torch runs on this machine"), f"{error}\n{_WAY_OUT}"


def _torch(project: Project, offer: Offer) -> SpecifierSet:
    return torch_specifiers(project, offer.name if offer.kind != "variant" else None)


def _as_settled(
    offered: Offering, reason: str, machine: Machine, python: str, specifiers: Mapping[str, SpecifierSet]
) -> Choice:
    """The one offer there is: taken whatever the machine is, with a warning where a GPU then has nothing to do."""
    (offer,) = offered.candidates
    others = [each for each in offered.all_offers if each != offer]
    choice = Choice(offer, reason, tuple(Rejection(each.name, f"{offer.name} is settled: {reason}") for each in others))
    if accelerates(offer, machine, python=python, torch=specifiers):
        return choice
    sentence = why_not(offer, machine, python=python, torch=specifiers)
    if offer.variant not in {"cpu", "default"}:
        return replace(choice, warnings=(f"taken because {reason}, but {sentence}",))
    if any(gpu.visible for gpu in machine.gpus):
        gpus = " and ".join(str(gpu.name) for gpu in machine.gpus if gpu.visible)
        warning = f"{gpus} will have nothing to do: {offer.name} computes on the CPU, and it is taken because {reason}"
        return replace(choice, warnings=(warning,))
    return choice


def _no_gpu(choice: Choice) -> str:
    lines = [f"a gpu is required, but {choice.offer.name} would compute on the CPU here: {choice.reason}"]
    lines += [f"  {each.offer}: {each.reason}" for each in choice.rejected]
    return "\n".join([*lines, *choice.warnings])
