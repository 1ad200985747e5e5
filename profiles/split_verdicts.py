"""Would a package other than torch use a GPU of the machine? In the words that torch's builds are judged by.

    offer about packages ──> each of them ──> obstacle?  platform, Python, C library     (cannot be installed)
                                         └──> use        driver, compute capability      (idle: CPU only)

An offer uses a GPU if every package in it that is for GPUs can use that one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from probes import Gpu, Libc, Machine, Unknown
from profiles.acceleration import Use, cannot_start, lacking_driver, no_nvidia
from profiles.coverage import TEGRA
from profiles.offer import Offer
from profiles.question import Question
from profiles.splits import Split, split_of
from profiles.tables import Tables
from profiles.wanted import ALL
from profiles.words import gpu_words, joined, numbers

__all__ = ["SplitVerdict", "judge_split", "split_verdict"]

_TPU = "Google TPU"
"""How probes/others.py calls one in a machine's notes."""


@dataclass(frozen=True, slots=True)
class SplitVerdict:
    """`obstacle` says why the packages cannot be installed, `assumed` what was not read anywhere but taken to be so."""

    obstacle: str | None
    use: Use
    assumed: str | None = None


def judge_split(split: Split, machine: Machine, python: str, tables: Tables) -> str | None:
    """None if a package would use every visible GPU of its kind, else why it would use none, in one sentence.

    A package that runs on what torch runs on has no verdict of its own, unless its own code needs a newer GPU.
    """
    question = Question(machine, python, None, tables, ALL)
    return _obstacle(split, question) or _use(split, question).idle


def split_verdict(offer: Offer, question: Question) -> SplitVerdict:
    """The verdict on an offer that is about packages other than torch. Never raises.

    An offer without such a package is the project as it is, on the CPU.
    """
    found = [split for text in offer.packages or () if (split := _split(text)) is not None]
    obstacle = next(filter(None, (_obstacle(split, question) for split in found)), None)
    accelerated = [split for split in found if split.accelerator != "cpu"]
    use = _together([_use(split, question) for split in accelerated])
    assumed = joined(f"{split}: {split.assumed}" for split in accelerated if split.assumed)
    return SplitVerdict(obstacle, use, assumed if assumed != "none" else None)


def _split(text: str) -> Split | None:
    from packaging.requirements import Requirement  # noqa: PLC0415 - most projects are about torch

    requirement = Requirement(text)
    return split_of(requirement.name, requirement.extras, requirement.specifier)


def _together(uses: Sequence[Use]) -> Use:
    """What packages do in one environment: a GPU works if it works for all."""
    if not uses:
        return Use(idle="it is for the CPU")
    uncovered = tuple(dict.fromkeys(gpu for use in uses for gpu in use.uncovered))
    covered = tuple(gpu for gpu in uses[0].covered if all(gpu in use.covered for use in uses))
    idle = next((use.idle for use in uses if use.idle is not None), None)
    drivers = sorted((use.driver for use in uses if use.driver is not None), key=numbers)
    return Use(covered, uncovered, idle, drivers[-1] if drivers else None)


def _obstacle(split: Split, question: Question) -> str | None:
    return _unpublished(split, question) or _python(split, question.python) or _libc(split, question.machine)


def _unpublished(split: Split, question: Question) -> str | None:
    if not split.platforms or question.platform in split.platforms:
        return None
    here = question.platform or "an architecture that could not be read"
    return f"{split} is published for {joined(sorted(split.platforms))}, not for {here}"


def _python(split: Split, python: str) -> str | None:
    try:
        asked = Version(python.rstrip("t"))
    except InvalidVersion:
        return f"{python!r} is no Python version"
    if split.python is None or asked.release[:2] >= split.python.release[:2]:
        return None
    return f"{split} is built for Python {split.python} and newer, not for {python}"


def _libc(split: Split, machine: Machine) -> str | None:
    libc = machine.libc
    if split.accelerator == "cpu" or not isinstance(libc, Libc):
        return None
    source = f"(read from {libc.source})"
    if libc.family != "glibc":
        return f"{split} is published for glibc only; this machine has {libc.family} {source}"
    if split.glibc is None or isinstance(libc.version, Unknown) or numbers(libc.version) >= split.glibc.release:
        return None
    return f"{split} needs glibc {split.glibc} or newer; this machine has {libc.version} {source}"


def _use(split: Split, question: Question) -> Use:
    return _RULES[split.accelerator](split, question)


def _cuda(split: Split, question: Question) -> Use:
    machine, gpus = question.machine, question.gpus("nvidia")
    if not gpus:
        return Use(idle=no_nvidia(machine))
    uncovered = tuple(gpu for gpu in gpus if _too_old(split, gpu) or _is_tegra(gpu, machine))
    covered = tuple(gpu for gpu in gpus if gpu not in uncovered)
    if not covered:
        return Use(uncovered=uncovered, idle=_uncovered_words(split, uncovered, machine))
    system = "windows" if machine.system.is_wsl else machine.system.os
    oldest = split.drivers.get(system) or question.tables.oldest_driver(split.cuda or 0, system)
    if oldest is None:
        what = f"CUDA {split.cuda}" if split.cuda else f"this version of {split}"
        return Use(covered, uncovered, f"the driver that {what} needs is not known here")
    lacking = lacking_driver(machine, gpus, split.cuda or 0, oldest)
    if lacking is not None:
        return Use(covered, uncovered, f"{split} {lacking}", oldest)
    return Use(covered, uncovered, cannot_start(machine))


def _too_old(split: Split, gpu: Gpu) -> bool:
    known = gpu.compute_capability
    return split.capability is not None and isinstance(known, tuple) and known < split.capability


def _is_tegra(gpu: Gpu, machine: Machine) -> bool:
    """NVIDIA's boards before Thor have a CUDA of their own, which no wheel for servers is made for."""
    return machine.system.architecture == "aarch64" and gpu.compute_capability in TEGRA


def _uncovered_words(split: Split, gpus: tuple[Gpu, ...], machine: Machine) -> str:
    words = joined(map(gpu_words, gpus))
    if any(_is_tegra(gpu, machine) for gpu in gpus):
        return f"{split} holds no code for {words}: boards of this kind need builds of their own"
    lowest = ".".join(map(str, split.capability or ()))
    return f"{split} needs compute capability {lowest} or higher; this machine has {words}"


def _rocm(split: Split, question: Question) -> Use:
    gpus = question.gpus("amd")
    return Use(gpus) if gpus else Use(idle=f"{split} is for AMD GPUs, and no AMD GPU was found")


def _tpu(split: Split, question: Question) -> Use:
    seen = any(_TPU in note for note in question.machine.notes)
    return Use() if seen else Use(idle=f"{split} is for TPUs, and no TPU was found on the bus")


def _directml(split: Split, question: Question) -> Use:
    gpus = question.gpus()
    return Use(gpus) if gpus else Use(idle=f"{split} uses any GPU through DirectX, and no GPU was found")


def _openvino(split: Split, question: Question) -> Use:
    gpus = question.gpus("intel")
    return Use(gpus) if gpus else Use(idle=f"{split} is for Intel GPUs, and no Intel GPU was found")


def _as_torch(split: Split, question: Question) -> Use:
    """Torch decides, but a package whose own code is for newer GPUs than these would not run with any torch."""
    gpus = question.gpus("nvidia")
    uncovered = tuple(gpu for gpu in gpus if _too_old(split, gpu))
    if gpus and len(uncovered) == len(gpus):
        return Use(uncovered=uncovered, idle=_uncovered_words(split, uncovered, question.machine))
    return Use(tuple(gpu for gpu in gpus if gpu not in uncovered), uncovered)


def _for_the_cpu(_: Split, __: Question) -> Use:
    return Use(idle="it is for the CPU")


_RULES: Mapping[str, Callable[[Split, Question], Use]] = {
    "cpu": _for_the_cpu,
    "cuda": _cuda,
    "rocm": _rocm,
    "tpu": _tpu,
    "directml": _directml,
    "openvino": _openvino,
    "torch": _as_torch,
    "libraries": _for_the_cpu,
}
