"""Facts as parts of a sentence, each with its source."""

from __future__ import annotations

import re
from collections.abc import Iterable

from probes import Gpu, Machine, NvidiaDriver, System, Unknown

__all__ = ["LOOKED_AT", "driver_words", "gpu_words", "joined", "numbers", "platform_of", "visible"]

LOOKED_AT = {
    "linux": "looked for device nodes, NVIDIA and AMD drivers and the PCI bus",
    "windows": "looked for NVIDIA's nvml.dll",
    "macos": "looked for an Apple chip",
}


def platform_of(system: System) -> str | None:
    """The platform in our words, such as `linux_x86_64`; None if the architecture could not be read."""
    return None if isinstance(system.architecture, Unknown) else f"{system.os}_{system.architecture}"


def visible(machine: Machine, vendor: str) -> tuple[Gpu, ...]:
    """The GPUs of one vendor that programs may see."""
    return tuple(gpu for gpu in machine.gpus if gpu.vendor == vendor and gpu.visible)


def numbers(version: str) -> tuple[int, ...]:
    """A dotted version as numbers, for comparing: drivers are compared part by part."""
    return tuple(int(part) for part in re.findall(r"\d+", version, re.ASCII))


def driver_words(driver: NvidiaDriver) -> str:
    return f"{driver.version} (read from {driver.source})"


def gpu_words(gpu: Gpu) -> str:
    """`NVIDIA H100 (compute capability 9.0, read from NVML)`."""
    name = f"a GPU of {gpu.vendor.upper()}" if isinstance(gpu.name, Unknown) else gpu.name
    details = []
    if isinstance(gpu.compute_capability, tuple):
        details.append("compute capability " + ".".join(map(str, gpu.compute_capability)))
    if isinstance(gpu.target, str):
        details.append(gpu.target)
    return f"{name} ({', '.join((*details, f'read from {gpu.source}'))})"


def joined(words: Iterable[str]) -> str:
    """`a, b and c`, every one once."""
    once = list(dict.fromkeys(words))
    return " and ".join(filter(None, (", ".join(once[:-1]), once[-1]))) if once else "none"
