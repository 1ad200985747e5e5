"""The sentences of a choice: why this offer, why not each other, what to watch out for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from probes import Cpu, CudaLibrary, Gpu, Machine, NvidiaDriver, Unknown
from profiles.acceleration import kind_of
from profiles.judge import Verdict, judge
from profiles.question import Question
from profiles.ranking import best
from profiles.wanted import Wanted
from profiles.words import LOOKED_AT, driver_words, folded, gpu_words, gpus_words, joined

__all__ = ["reason_against", "reason_for", "reason_second", "warnings"]

_VENDORS = {"cu": "nvidia", "rocm": "amd", "xpu": "intel", "cpu": "apple"}
_VISIBLE = {"nvidia": "CUDA_VISIBLE_DEVICES", "amd": "HIP_VISIBLE_DEVICES", "intel": "ZE_AFFINITY_MASK"}
"""The variable by which a program is given some of a vendor's GPUs."""
_EXAMPLES = 3
"""Reasons that a warning gives; the rejections give them all."""


def reason_against(verdict: Verdict) -> str:
    """Why an offer would use no GPU, or cannot even be installed."""
    return verdict.obstacle or verdict.use.idle or "nothing is in the way"


def reason_second(verdict: Verdict, taken: Verdict) -> str:
    """Why an offer lost to the one that was taken."""
    second = f"it would run, too, but {taken.offer.name} goes first"
    if not verdict.installs:
        return reason_against(verdict)
    if taken.accelerates and not verdict.accelerates:
        return f"{reason_against(verdict)}, and {taken.offer.name} uses the GPU"
    if not taken.accelerates:
        return verdict.use.idle if taken.flavour == "cpu" != verdict.flavour and verdict.use.idle else second
    left_out = [gpu for gpu in taken.served if gpu not in verdict.served]
    if len(verdict.served) < len(taken.served):
        return f"it would leave out {gpus_words(left_out)}, which {taken.offer.name} does not"
    if verdict.torch and taken.torch and verdict.torch < taken.torch:
        return f"it would run, too, but only with torch {verdict.torch}, and {taken.offer.name} has {taken.torch}"
    return second


def reason_for(verdict: Verdict, question: Question) -> str:
    """What the offer would do on the machine."""
    what = verdict.brings
    assumed = f" ({verdict.assumed})" if verdict.assumed else ""
    if verdict.accelerates and verdict.flavour == "cpu":
        return f"{what} for macOS uses the GPU of {gpus_words(verdict.served)} through Metal{assumed}"
    if verdict.accelerates and not verdict.served:
        return f"{what} runs on the {verdict.flavour.upper()} of this machine{assumed}"
    if verdict.accelerates:
        return f"{what} with {verdict.flavour} runs on {_gpus_used(verdict, question.machine)}{assumed}"
    none = _no_gpu(question)
    if verdict.flavour == "cpu" and verdict.offer.variant == "default":
        return f"{none}, so the default index's build, which is one for the CPU here"
    if verdict.flavour == "cpu":
        return f"{none}, so the CPU build"
    return f"{none} and no offer is a CPU build, so {verdict.flavour}, which can compute on the CPU, too"


def warnings(taken: Verdict, verdicts: Sequence[Verdict], question: Question, ways: Sequence[str]) -> tuple[str, ...]:
    """What to watch out for with the offer taken. `verdicts` are all of them, the best first."""
    cpu = question.machine.cpu
    found = []
    if not taken.accelerates:
        found += _silence_broken(taken, verdicts, question, ways)
    elif left_out := [gpu for gpu in question.gpus() if gpu not in taken.served and not gpu.integrated]:
        found.append(_divided(taken, tuple(left_out), verdicts, question))
    if taken.held_back and taken.torch:
        found.append(f"torch must not be newer than {taken.torch} with {taken.offer.name}: {taken.held_back}")
    if isinstance(cpu, Cpu):
        found += [f"{said} (read from {cpu.source})" for said in _weakness(cpu, taken)]
    return tuple(found)


def _weakness(cpu: Cpu, taken: Verdict) -> Iterator[str]:
    """https://github.com/pytorch/pytorch/issues/116623, https://github.com/pytorch/pytorch/issues/94021"""
    if cpu.level == "x86-64-v1":
        yield "this CPU is below x86-64-v2: torch may end with an illegal instruction"
    elif cpu.level == "x86-64-v2" and not taken.accelerates:
        yield "this CPU is below x86-64-v3: torch is slow on it, and its quantised kernels do not run"


def _gpus_used(verdict: Verdict, machine: Machine) -> str:
    unknown = any(
        isinstance(gpu.compute_capability, Unknown) or isinstance(gpu.target, Unknown) for gpu in verdict.served
    )
    words = gpus_words(verdict.served)
    if kind_of(verdict.flavour) == "cu" and isinstance(machine.driver, NvidiaDriver):
        words += f" with NVIDIA driver {driver_words(machine.driver)}"
        words += _newer_libcuda(machine.driver)
    return words + (" (what it can compute could not be read: assumed to be enough)" if unknown else "")


def _newer_libcuda(driver: NvidiaDriver) -> str:
    library = driver.library
    if isinstance(library, CudaLibrary) and isinstance(library.cuda, str) and "compat" in library.source:
        return f" and the libcuda of cuda-compat for CUDA {library.cuda} (read from {library.source})"
    return ""


def _no_gpu(question: Question) -> str:
    gpus = question.gpus()
    if gpus:
        return f"no offer can use {gpus_words(gpus)}"
    return f"no GPU was found ({LOOKED_AT.get(question.machine.system.os, 'nothing is known of this system')})"


def _divided(taken: Verdict, left_out: Sequence[Gpu], verdicts: Sequence[Verdict], question: Question) -> str:
    """What to tell the owner of several GPUs that no build serves together."""
    sentence = f"{taken.offer.name} cannot use {gpus_words(left_out)}"
    same_vendor = any(gpu.vendor == taken.served[0].vendor for gpu in left_out)
    if same_vendor:
        sentence += f": give programs {_given(taken.served, question.machine)}"
    places = frozenset(place for place, gpu in enumerate(question.machine.gpus) if gpu in left_out)
    alone = replace(question, wanted=Wanted(places=places))
    other = best([judge(verdict.offer, alone) for verdict in verdicts], alone)
    if other is not None and other.accelerates:
        sentence += f"; {other.offer.name} with {other.brings}, in an environment of its own, would"
        if same_vendor:
            sentence += f" with {_given(other.served, question.machine)}"
    return sentence


def _given(gpus: Sequence[Gpu], machine: Machine) -> str:
    """The variable by which a program is given some GPUs: by UUID where all have one, else by place on the bus."""
    vendor = gpus[0].vendor
    if all(gpu.uuid for gpu in gpus):
        return f"{_VISIBLE[vendor]}={','.join(str(gpu.uuid) for gpu in gpus)}"
    same = [gpu for gpu in machine.gpus if gpu.visible and gpu.vendor == vendor]
    places = ",".join(str(place) for place, gpu in enumerate(same) if gpu in gpus)
    return f"{'CUDA_DEVICE_ORDER=PCI_BUS_ID ' if vendor == 'nvidia' else ''}{_VISIBLE[vendor]}={places}"


def _silence_broken(taken: Verdict, verdicts: Sequence[Verdict], question: Question, ways: Sequence[str]) -> list[str]:
    """What to tell the owner of a GPU whose environment will compute on the CPU."""
    machine, gpus = question.machine, question.gpus()
    kept = [gpu for gpu in machine.gpus if not gpu.visible]
    if not gpus and machine.driver is None and not kept:
        return []
    seen = f"this machine has {gpus_words(gpus)}, but" if gpus else f"{_kept_away(kept, machine)}, so"
    sentence = f"{seen} {taken.offer.name} will compute on the CPU"
    vendors = {gpu.vendor for gpu in gpus}
    against = folded(
        (each.offer.name, each.use.idle)
        for each in verdicts
        if each.installs and each.use.idle and _VENDORS[kind_of(each.flavour)] in vendors
    )
    return ["; ".join((sentence, *against[:_EXAMPLES], *(ways if gpus else machine.notes)))]


def _kept_away(gpus: Sequence[Gpu], machine: Machine) -> str:
    barred = [f"{gpu_words(gpu)} cannot be opened ({gpu.closed})" for gpu in gpus if gpu.closed]
    hidden = [gpu for gpu in gpus if not gpu.closed]
    if barred or hidden:
        return joined([*barred, *([f"{gpus_words(hidden)}, hidden from programs here"] if hidden else [])])
    driver = machine.driver
    words = f"NVIDIA driver {driver_words(driver)}" if isinstance(driver, NvidiaDriver) else "signs of an NVIDIA driver"
    return f"this machine has {words}, but no GPU that can be opened"
