"""Would a build use the GPUs that must work? One rule for each kind of build, in a table.

cuNNN    driver of the CUDA major (or a cuda-compat that works)  and  machine code for the GPU
rocmN    a target that the build holds code for
xpu      a GPU that Intel's build supports: the probes list no others
cpu      nothing, but on macOS it uses the Apple GPU through Metal
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from probes import CudaLibrary, Gpu, Machine, NvidiaDriver, Unknown
from profiles.coverage import covers
from profiles.question import Question
from profiles.tables import Release
from profiles.variants import cuda_major
from profiles.words import driver_words, gpus_words, numbers

__all__ = ["KINDS", "NO_USE", "Use", "cannot_start", "kind_of", "lacking_driver", "no_nvidia", "use_of"]

KINDS = ("cu", "rocm", "xpu")
"""How the names of builds for GPUs begin, the kind to prefer first."""


@dataclass(frozen=True, slots=True)
class Use:
    """Which GPUs a build would use. `idle` says why none; `driver` is the NVIDIA driver that would end that."""

    covered: tuple[Gpu, ...] = ()
    uncovered: tuple[Gpu, ...] = ()
    idle: str | None = None
    driver: str | None = None


NO_USE = Use()


def kind_of(flavour: str) -> str:
    """`cu`, `rocm`, `xpu` or `cpu`."""
    return next((kind for kind in KINDS if flavour.startswith(kind)), "cpu")


def use_of(flavour: str, release: Release, question: Question) -> Use:
    """What a build of a release would do with the GPUs that must work. `flavour` is a variant, not `default`."""
    return _RULES[kind_of(flavour)](flavour, release, question)


def _cuda(flavour: str, release: Release, question: Question) -> Use:
    machine, tables = question.machine, question.tables
    gpus = question.gpus("nvidia")
    if not gpus:
        return Use(idle=no_nvidia(machine))
    major = cuda_major(flavour) or 0
    oldest = tables.oldest_driver(major, "windows" if machine.system.is_wsl else machine.system.os)
    if oldest is None:
        return Use(idle=f"the driver that CUDA {major} needs is not known here")
    codes = tables.capabilities(flavour, release, question.platform)
    if codes is None:
        what = f"{flavour} of torch {release.version} for {question.platform}"
        return Use(idle=f"the GPUs that {what} holds code for are not known here")
    uncovered = tuple(
        gpu for gpu in gpus if isinstance(gpu.compute_capability, tuple) and not covers(codes, gpu.compute_capability)
    )
    if len(uncovered) == len(gpus):
        held = ", ".join(f"{one}.{other}" for one, other in codes)
        what = f"its torch {release.version} holds no code for {gpus_words(gpus)}, only for {held}"
        return Use(uncovered=uncovered, idle=what)
    covered = tuple(gpu for gpu in gpus if gpu not in uncovered)
    lacking = lacking_driver(machine, gpus, major, oldest)
    if lacking is not None:
        return Use(covered, uncovered, lacking, oldest)
    return Use(covered, uncovered, cannot_start(machine))


def no_nvidia(machine: Machine) -> str:
    """The sentence for a machine without an NVIDIA GPU that programs can use."""
    if isinstance(machine.driver, NvidiaDriver):
        return f"no NVIDIA GPU can be opened, though there is driver {driver_words(machine.driver)}"
    if isinstance(machine.driver, Unknown):
        return f"whether there is an NVIDIA GPU is not known: {machine.driver.reason}"
    return "no NVIDIA GPU was found"


def lacking_driver(machine: Machine, gpus: tuple[Gpu, ...], major: int, oldest: str) -> str | None:
    """What is wrong with the driver for a CUDA major that needs the driver `oldest`; None if nothing is."""
    needs = f"needs NVIDIA driver {oldest} or newer"
    driver = machine.driver
    if driver is None:
        return f"{needs}; no driver is loaded for {gpus_words(gpus)}"
    if isinstance(driver, Unknown):
        return f"{needs}; this machine's could not be read ({driver.reason}), TORCHSTRAP_CUDA_DRIVER can name it"
    if numbers(driver.version) >= numbers(oldest) or _speaks(driver, major):
        return None
    return f"{needs}; this machine has {driver_words(driver)}"


def _speaks(driver: NvidiaDriver, major: int) -> bool:
    """Whether a newer libcuda (cuda-compat) has started on the older driver, which only some GPUs let it do.

    https://docs.nvidia.com/deploy/cuda-compatibility/forward-compatibility.html
    """
    library = driver.library
    started = isinstance(library, CudaLibrary) and isinstance(library.devices, int) and library.devices > 0
    return started and isinstance(library.cuda, str) and numbers(library.cuda)[:1] >= (major,)  # type: ignore[union-attr]


def cannot_start(machine: Machine) -> str | None:
    """Why CUDA does not work at all here, where its own library has said so, or is not there to say anything."""
    if not isinstance(machine.driver, NvidiaDriver):
        return None
    library = machine.driver.library
    if library is None:
        return "programs here find no libcuda (libcuda.so.1), without which CUDA cannot use a GPU"
    if isinstance(library, CudaLibrary) and isinstance(library.devices, Unknown):
        return f"CUDA cannot start on this machine: {library.devices.reason} (read from {library.source})"
    return None


def _rocm(flavour: str, _: Release, question: Question) -> Use:
    gpus = question.gpus("amd")
    if not gpus:
        return Use(idle="no AMD GPU was found")
    targets = question.tables.targets.get(flavour)
    if targets is None:
        return Use(idle=f"the GPUs that {flavour} holds code for are not known here")
    uncovered = tuple(gpu for gpu in gpus if isinstance(gpu.target, str) and gpu.target not in targets)
    use = Use(tuple(gpu for gpu in gpus if gpu not in uncovered), uncovered)
    if use.covered:
        return use
    what = f"holds no code for {gpus_words(gpus)}, only for {', '.join(sorted(targets))}"
    return replace(use, idle=what)


def _xpu(_: str, __: Release, question: Question) -> Use:
    gpus = question.gpus("intel")
    return Use(gpus) if gpus else Use(idle="no Intel GPU that torch supports was found")


def _metal(_: str, __: Release, question: Question) -> Use:
    gpus = question.gpus("apple")
    return Use(gpus) if gpus else Use(idle="it is a build for the CPU")


_RULES: Mapping[str, Callable[[str, Release, Question], Use]] = {
    "cu": _cuda,
    "rocm": _rocm,
    "xpu": _xpu,
    "cpu": _metal,
}
