"""Which offer a machine should take, and one sentence for each that it should not.

A build that uses a GPU goes before one that does not, always. Among those: the one that leaves the fewest GPUs out,
then the newest torch, then the highest variant. Never the highest variant first: an old torch on a new CUDA helps
nobody. Without a GPU: the CPU build, else the default index's build, else whatever runs.
Pure: values in, values out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from packaging.version import Version

from probes import Cpu, Machine, NvidiaDriver, Unknown
from profiles.judge import Question, Torch, Verdict, judge
from profiles.offer import Choice, Offer, Rejection
from profiles.tables import Tables
from profiles.tables import tables as own_tables
from profiles.variants import BASE, index_of, order
from profiles.words import LOOKED_AT, driver_words, gpu_words, joined, numbers, visible

__all__ = ["NoOfferError", "Torch", "accelerates", "automatic_offers", "choose", "why_not"]

_KINDS = ("cu", "rocm", "xpu")
_PREFIX = {"nvidia": "cu", "amd": "ro", "intel": "xp", "apple": "cp"}
"""How the variants for a vendor's GPUs begin."""
_EXAMPLES = 3
"""Offers whose failure a warning explains; the rejections explain them all."""


class NoOfferError(Exception):
    """No offer can be installed on the machine at all; `rejected` says why, offer by offer."""

    def __init__(self, rejected: Sequence[Rejection]) -> None:
        reasons = "; ".join(f"{each.offer}: {each.reason}" for each in rejected)
        super().__init__(f"no build of torch can be installed on this machine: {reasons or 'nothing is offered'}")
        self.rejected = tuple(rejected)


def choose(
    offers: Sequence[Offer],
    machine: Machine,
    *,
    python: str = "3.12",
    torch: Torch = None,
    tables: Tables | None = None,
) -> Choice:
    """The best offer for a machine. Raises NoOfferError if none of them can be installed there.

    `Choice.torch` is the newest version that is expected to run; where `warnings` say so, a newer one would not.
    """
    question = Question(machine, python, torch, tables or own_tables())
    verdicts = [judge(offer, question) for offer in offers]
    possible = [verdict for verdict in verdicts if verdict.installs]
    if not possible:
        raise NoOfferError([Rejection(each.offer.name, _reason_against(each)) for each in verdicts])
    taken = max(possible, key=_worth)  # the first of equals
    others = [verdict for verdict in verdicts if verdict is not taken]
    return Choice(
        taken.offer,
        _reason_for(taken, machine),
        tuple(Rejection(each.offer.name, _compared(each, taken)) for each in others),
        str(taken.torch) if taken.torch else None,
        tuple(_warnings(taken, verdicts, question)),
    )


def why_not(
    offer: Offer, machine: Machine, *, python: str = "3.12", torch: Torch = None, tables: Tables | None = None
) -> str:
    """One sentence on what keeps an offer from using a machine's GPU, or that nothing does. Never raises."""
    verdict = judge(offer, Question(machine, python, torch, tables or own_tables()))
    if verdict.accelerates:
        return f"{offer.name}: nothing is in the way, {_reason_for(verdict, machine)}"
    return f"{offer.name}: {_reason_against(verdict)}"


def accelerates(
    offer: Offer, machine: Machine, *, python: str = "3.12", torch: Torch = None, tables: Tables | None = None
) -> bool:
    """Whether an offer would use a GPU of the machine: the question of `--require gpu`."""
    return judge(offer, Question(machine, python, torch, tables or own_tables())).accelerates


def automatic_offers(base: str = BASE, tables: Tables | None = None) -> tuple[Offer, ...]:
    """Every published variant as an offer, for projects that name none; the best last."""
    names = sorted((tables or own_tables()).variants, key=order)
    return tuple(Offer(name, name, index_of(name, base), "variant") for name in names)


def _worth(verdict: Verdict) -> tuple[object, ...]:
    explicit = verdict.offer.variant != "default"
    release = verdict.torch or Version("0")
    if verdict.accelerates:
        kind = next((len(_KINDS) - rank for rank, kind in enumerate(_KINDS) if verdict.flavour.startswith(kind)), 0)
        return (2, kind, -len(verdict.uncovered), release, order(verdict.flavour), explicit)
    if verdict.flavour == "cpu":
        return (1, 2, 0, release, order("cpu"), explicit)
    return (1, 0 if explicit else 1, 0, release, order(verdict.flavour), explicit)


def _reason_against(verdict: Verdict) -> str:
    return verdict.obstacle or verdict.idle or "nothing is in the way"


def _compared(verdict: Verdict, taken: Verdict) -> str:
    """Why an offer lost to the one that was taken."""
    if not verdict.installs:
        return _reason_against(verdict)
    if taken.accelerates and not verdict.accelerates:
        return f"{_reason_against(verdict)}, and {taken.offer.name} uses the GPU"
    if not taken.accelerates:
        return verdict.idle if taken.flavour == "cpu" != verdict.flavour and verdict.idle else _second(taken)
    if len(verdict.uncovered) > len(taken.uncovered):
        return f"it would leave out {joined(map(gpu_words, verdict.uncovered))}, which {taken.offer.name} does not"
    if verdict.torch != taken.torch and verdict.torch and taken.torch and verdict.torch < taken.torch:
        return f"it would run, too, but only with torch {verdict.torch}, and {taken.offer.name} has {taken.torch}"
    return _second(taken)


def _second(taken: Verdict) -> str:
    return f"it would run, too, but {taken.offer.name} goes first"


def _reason_for(verdict: Verdict, machine: Machine) -> str:
    what = f"torch {verdict.torch}"
    if verdict.accelerates and verdict.flavour == "cpu":
        return f"{what} for macOS uses the GPU of {joined(map(gpu_words, visible(machine, 'apple')))} through Metal"
    if verdict.accelerates:
        return f"{what} with {verdict.flavour} runs on {_gpus_used(verdict, machine)}"
    if verdict.flavour == "cpu" and verdict.offer.variant == "default":
        return f"{_no_gpu(machine)}, so the default index's build, which is one for the CPU here"
    if verdict.flavour == "cpu":
        return f"{_no_gpu(machine)}, so the CPU build"
    return f"{_no_gpu(machine)} and no offer is a CPU build, so {verdict.flavour}, which can compute on the CPU, too"


def _gpus_used(verdict: Verdict, machine: Machine) -> str:
    vendor = next(vendor for vendor, prefix in _PREFIX.items() if verdict.flavour.startswith(prefix))
    gpus = [gpu for gpu in visible(machine, vendor) if gpu not in verdict.uncovered]
    unknown = any(isinstance(gpu.compute_capability, Unknown) or isinstance(gpu.target, Unknown) for gpu in gpus)
    words = joined(map(gpu_words, gpus))
    if vendor == "nvidia" and isinstance(machine.driver, NvidiaDriver):
        words += f" with NVIDIA driver {driver_words(machine.driver)}"
    return words + (" (what it can compute could not be read: assumed to be enough)" if unknown else "")


def _no_gpu(machine: Machine) -> str:
    seen = [gpu for gpu in machine.gpus if gpu.visible]
    if seen:
        return f"no offer can use {joined(map(gpu_words, seen))}"
    return f"no GPU was found ({LOOKED_AT.get(machine.system.os, 'nothing is known of this system')})"


def _warnings(taken: Verdict, verdicts: Sequence[Verdict], question: Question) -> list[str]:
    cpu = question.machine.cpu
    warnings = []
    if not taken.accelerates:
        warnings += _silence_broken(taken, verdicts, question)
    if taken.accelerates and taken.uncovered:
        warnings.append(f"{taken.offer.name} cannot use {joined(map(gpu_words, taken.uncovered))}")
    if taken.held_back and taken.torch:
        warnings.append(f"torch must not be newer than {taken.torch} with {taken.offer.name}: {taken.held_back}")
    if isinstance(cpu, Cpu) and cpu.level == "x86-64-v1":
        warnings.append(
            f"this CPU is below x86-64-v2 (read from {cpu.source}): torch may end with an illegal instruction"
        )
    return warnings


def _silence_broken(taken: Verdict, verdicts: Sequence[Verdict], question: Question) -> list[str]:
    """What to tell the owner of a GPU whose environment will compute on the CPU."""
    machine = question.machine
    gpus = [gpu for gpu in machine.gpus if gpu.visible]
    barred = [f"{gpu_words(gpu)} cannot be opened ({gpu.closed})" for gpu in machine.gpus if gpu.closed]
    if not gpus and machine.driver is None and not barred:
        return []
    seen = (
        f"this machine has {joined(map(gpu_words, gpus))}, but" if gpus else f"{joined(barred) or _closed(machine)}, so"
    )
    sentence = f"{seen} {taken.offer.name} will compute on the CPU"
    kinds = {_PREFIX[gpu.vendor] for gpu in gpus}
    against = [
        f"{each.offer.name}: {each.idle}"
        for each in sorted(verdicts, key=_worth, reverse=True)
        if each.installs and each.idle and each.flavour[:2] in kinds
    ]
    way_out = _way_out(verdicts, question) if gpus else list(machine.notes)
    return ["; ".join((sentence, *against[:_EXAMPLES], *way_out))]


def _closed(machine: Machine) -> str:
    driver = machine.driver
    words = f"NVIDIA driver {driver_words(driver)}" if isinstance(driver, NvidiaDriver) else "signs of an NVIDIA driver"
    return f"this machine has {words}, but no GPU that can be opened"


def _way_out(verdicts: Sequence[Verdict], question: Question) -> list[str]:
    """What would let a GPU that lies idle be used."""
    anything = replace(question, torch=None) if isinstance(question.torch, Mapping) else question
    published = [judge(offer, anything) for offer in automatic_offers(tables=question.tables)]
    usable = [verdict for verdict in published if verdict.accelerates]
    offered = [verdict for verdict in verdicts if verdict.installs and verdict.driver]
    waiting = offered or [verdict for verdict in published if not usable and verdict.installs and verdict.driver]
    by_driver = {verdict.driver or "": verdict.offer.name for verdict in sorted(waiting, key=_worth)}
    ways = [
        f"NVIDIA driver {driver} or newer would allow {by_driver[driver]}" for driver in sorted(by_driver, key=numbers)
    ]
    if usable:
        best = max(usable, key=_worth)
        ways.append(f"an offer of {best.offer.variant} ({best.offer.index}) would use it")
    return ways or ["no published build of torch supports it"]
