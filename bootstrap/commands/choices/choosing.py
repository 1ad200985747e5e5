"""From what the project offers and what the machine is to the one offer that is taken, with the reasons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from bootstrap.commands.asked import Asked
from bootstrap.commands.choices.offering import Offering, offering
from bootstrap.errors import AccelerationError, ChoiceError, NotPermittedError, UsageError
from bootstrap.project.model import Project
from bootstrap.project.offers import torch_specifiers
from bootstrap.project.policy import NONE, MachinePolicy
from bootstrap.project.selection import check_conflicts, select, select_groups
from bootstrap.project.sources import activated
from bootstrap.resolver.resolution import Pin
from probes import Machine
from profiles import (
    ALL,
    Choice,
    NoOfferError,
    Offer,
    Rejection,
    Torch,
    Wanted,
    accelerates,
    choose,
    fitting,
    flavour_of,
    index_of,
    read_wanted,
    why_not,
)

__all__ = [
    "Selection",
    "Situation",
    "as_settled",
    "ensure_accelerated",
    "judged_by_lock",
    "newest_that_runs",
    "select_offer",
    "situation_of",
]

_WAY_OUT = "name one with --extra or --variant to install it all the same"


@dataclass(frozen=True, slots=True)
class Situation:
    """What every question about offers is asked for: the machine, the GPUs of it that must work, the Python, and what
    the machine's policy admits.
    """

    machine: Machine
    python: str
    wanted: Wanted
    policy: MachinePolicy = NONE

    def choose(self, offers: Sequence[Offer], torch: Torch) -> Choice:
        """As `profiles.choose`, among the offers that the policy admits."""
        admitted = [each for each in offers if self.policy.admits(each.variant)]
        refused = tuple(Rejection(each.name, self.policy.sentence()) for each in offers if each not in admitted)
        if refused and not admitted:
            raise NoOfferError(refused)
        choice = choose(admitted, self.machine, python=self.python, torch=torch, wanted=self.wanted)
        return replace(choice, rejected=(*choice.rejected, *refused)) if refused else choice

    def reason_for(self, offer: Offer, torch: Torch) -> str:
        """Why an offer that was taken uses the machine's GPU."""
        return choose((offer,), self.machine, python=self.python, torch=torch, wanted=self.wanted).reason

    def ensure_admitted(self, offer: Offer) -> None:
        """Raise NotPermittedError if the policy does not admit an offer that was settled."""
        if not self.policy.admits(offer.variant):
            raise NotPermittedError(f"{offer.name} ({offer.variant}) is not for this machine: {self.policy.sentence()}")

    def accelerates(self, offer: Offer, torch: Torch = None) -> bool:
        """As `profiles.accelerates`."""
        return accelerates(offer, self.machine, python=self.python, torch=torch, wanted=self.wanted)

    def fitting(self, offers: Sequence[Offer], torch: Torch) -> tuple[Offer, ...]:
        """As `profiles.fitting`."""
        return fitting(offers, self.machine, python=self.python, torch=torch, wanted=self.wanted)

    def why_not(self, offer: Offer, torch: Torch) -> str:
        """As `profiles.why_not`."""
        return why_not(offer, self.machine, python=self.python, torch=torch, wanted=self.wanted)


@dataclass(frozen=True, slots=True)
class Selection:
    """What is switched on: the choice, and the extras and groups of the project, aliases already expanded.

    `offers` are all that the project has; in automatic mode the only offer is the variant taken. `candidates` are those
    that were chosen from, `torch` what the project asks of torch with each. `obstacle` says why no variant runs on this
    machine at all, which matters only if torch turns out to be needed.
    """

    choice: Choice
    extras: frozenset[str]
    groups: frozenset[str]
    offers: tuple[Offer, ...]
    situation: Situation
    candidates: tuple[Offer, ...]
    torch: Mapping[str, SpecifierSet]
    obstacle: str | None = None


def select_offer(
    project: Project,
    asked: Asked,
    machine: Machine,
    markers: Mapping[str, str],
    addresses: Iterable[str],
    *,
    policy: MachinePolicy = NONE,
) -> Selection:
    """Take the offer that was asked for, or the best for the machine.

    `addresses` are those of the indexes that were named for packages in general: one of a variant settles the variant.

    Raises UsageError for extras that are unknown or conflict, AccelerationError when a GPU is required and the build
    taken would not use one, ChoiceError when no offer can run here, NotPermittedError when the policy is against it.
    """
    groups = select_groups(project, asked.groups) | project.taken_groups
    extras = activated(project, select(project, asked.extras), groups)
    check_conflicts(project, extras, groups)
    offered = offering(project, asked, extras | groups, markers, addresses)
    specifiers = {each.name: _torch(project, each) for each in offered.candidates}
    situation = situation_of(asked, machine, markers, policy)
    choice, obstacle = _taken(offered, situation, specifiers)
    ensure_accelerated(asked, choice, situation, specifiers)
    if choice.offer.kind == "extra":
        extras |= {choice.offer.name}
    elif choice.offer.kind == "group":
        groups |= {choice.offer.name}
    check_conflicts(project, extras, groups)
    known = (choice.offer,) if all(each.kind == "variant" for each in offered.all_offers) else offered.all_offers
    return Selection(choice, extras, groups, known, situation, offered.candidates, specifiers, obstacle)


def situation_of(asked: Asked, machine: Machine, markers: Mapping[str, str], policy: MachinePolicy = NONE) -> Situation:
    """What offers are judged by. Raises UsageError for `--gpus` that say nothing or name GPUs that are not there."""
    return Situation(machine, markers["python_version"], _wanted(asked, machine), policy)


def ensure_accelerated(asked: Asked, choice: Choice, situation: Situation, torch: Torch) -> None:
    """Raise AccelerationError when a GPU is required and the build taken would not use one."""
    if asked.require == "gpu" and not situation.accelerates(choice.offer, torch):
        raise AccelerationError(_no_gpu(choice))


def judged_by_lock(selection: Selection, pins: Iterable[Pin], require: str | None) -> Selection:
    """The selection with reason and warnings for the torch that is locked, which may be another than was expected.

    The default index's build is judged by what it requires. Raises AccelerationError when a GPU is required and this
    torch would not use it.
    """
    by_name = {pin.name: pin for pin in pins}
    torch = by_name["torch"]
    choice, situation = selection.choice, selection.situation
    locked, exactly = _really(choice.offer, torch, by_name), SpecifierSet(f"=={torch.version.public}")
    if not situation.accelerates(locked, exactly):
        sentence = situation.why_not(locked, exactly)
        if require == "gpu":
            raise AccelerationError(f"a gpu is required, but torch {torch.version} is locked, and with it {sentence}")
        if situation.accelerates(choice.offer) and choice.torch is not None:
            remedy = "`torchstrap lock --upgrade` or an older torch in the project would change that"
            warning = (
                f"torch {torch.version} is locked and computes on the CPU here, although an older one would not: "
                f"{sentence}; {remedy}"
            )
            choice = replace(choice, warnings=(*choice.warnings, warning))
    elif choice.torch is not None:
        choice = replace(choice, reason=situation.reason_for(locked, exactly))
    return replace(selection, choice=replace(choice, torch=torch.version.public))


def _really(offer: Offer, torch: Pin, pins: Mapping[str, Pin]) -> Offer:
    """An offer of the default index, by the variant that the locked torch turns out to be: its requirements tell."""
    if offer.variant != "default":
        return offer
    found = flavour_of(f"{name}=={pins[name].version}" for name in torch.requires if name in pins)
    return offer if found is None else replace(offer, variant=found)


def newest_that_runs(selection: Selection) -> Requirement | None:
    """What torch must not be newer than to use this machine's GPUs with the offer taken, if that is a limit at all."""
    bound = selection.choice.bound
    return None if bound is None else Requirement(f"torch<{bound}")


def _wanted(asked: Asked, machine: Machine) -> Wanted:
    """What `--gpus` says. Raises UsageError for words that say nothing, and for places where no GPU is."""
    try:
        wanted = ALL if asked.gpus is None else read_wanted(asked.gpus)
    except ValueError as error:
        raise UsageError(f"--gpus {error}") from error
    beyond = sorted(wanted.places - set(range(len(machine.gpus))))
    if beyond:
        has = f"0 to {len(machine.gpus) - 1}" if machine.gpus else "none"
        raise UsageError(f"--gpus names GPU {beyond[0]}, but this machine has {has}; `torchstrap probe` lists them")
    return wanted


def _taken(
    offered: Offering, situation: Situation, specifiers: Mapping[str, SpecifierSet]
) -> tuple[Choice, str | None]:
    """The choice, and what stands in the way of torch altogether."""
    if offered.settled is not None:
        (offer,) = offered.candidates
        return as_settled(offer, offered.all_offers, offered.settled, situation, specifiers), None
    try:
        return situation.choose(offered.candidates, specifiers), None
    except NoOfferError as error:
        if not offered.is_automatic:
            raise ChoiceError(f"{error}\n{_WAY_OUT}") from error
        # Nobody has said yet that this project needs torch.
        plain = Offer("cpu", "cpu", index_of("cpu"), "variant")
        return Choice(plain, "no build of torch runs on this machine"), f"{error}\n{_WAY_OUT}"


def _torch(project: Project, offer: Offer) -> SpecifierSet:
    return torch_specifiers(project, offer.name if offer.kind != "variant" else None)


def as_settled(offer: Offer, every: Iterable[Offer], reason: str, situation: Situation, torch: Torch) -> Choice:
    """The one offer there is: taken whatever the machine is, with a warning where a GPU then has nothing to do.

    Raises NotPermittedError if the machine's policy does not admit it.
    """
    situation.ensure_admitted(offer)
    others = [each for each in every if each != offer]
    choice = Choice(offer, reason, tuple(Rejection(each.name, f"{offer.name} is settled: {reason}") for each in others))
    if situation.accelerates(offer, torch):
        return choice
    sentence = situation.why_not(offer, torch)
    if offer.variant not in {"cpu", "default"}:
        return replace(choice, warnings=(f"taken because {reason}, but {sentence}",))
    machine = situation.machine
    if any(gpu.visible for gpu in machine.gpus):
        gpus = " and ".join(str(gpu.name) for gpu in machine.gpus if gpu.visible)
        warning = f"{gpus} will have nothing to do: {offer.name} computes on the CPU, and it is taken because {reason}"
        return replace(choice, warnings=(warning,))
    return choice


def _no_gpu(choice: Choice) -> str:
    lines = [f"a gpu is required, but {choice.offer.name} would compute on the CPU here: {choice.reason}"]
    lines += [f"  {each.offer}: {each.reason}" for each in choice.rejected]
    return "\n".join([*lines, *choice.warnings])
