"""Facts as parts of a sentence, each with its source."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from probes import Gpu, NvidiaDriver, System, Unknown

__all__ = [
    "LOOKED_AT",
    "driver_words",
    "folded",
    "gpu_words",
    "gpus_words",
    "joined",
    "numbers",
    "platform_of",
]

_NAMED = 3
"""Names that a sentence lists before it counts the rest."""
_SPELLINGS = {"linux_arm64": "linux_aarch64", "macos_aarch64": "macos_arm64", "windows_aarch64": "windows_arm64"}
LOOKED_AT = {
    "linux": "looked for device nodes, NVIDIA and AMD drivers and the PCI bus",
    "windows": "looked for NVIDIA's nvml.dll",
    "macos": "looked for an Apple chip",
}


def platform_of(system: System) -> str | None:
    """The platform in our words, such as `linux_x86_64`; None if the architecture could not be read."""
    if isinstance(system.architecture, Unknown):
        return None
    name = f"{system.os}_{system.architecture}"
    return _SPELLINGS.get(name, name)


@lru_cache(maxsize=1024)
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


def gpus_words(gpus: Sequence[Gpu]) -> str:
    """Several GPUs, those of one model together: `2 x NVIDIA H100 (compute capability 9.0, read from NVML) and …`."""
    alike: dict[tuple[object, ...], list[Gpu]] = {}
    for gpu in gpus:
        alike.setdefault((gpu.name, gpu.compute_capability, gpu.target), []).append(gpu)
    return joined(f"{f'{len(each)} x ' if len(each) > 1 else ''}{gpu_words(each[0])}" for each in alike.values())


def folded(reasons: Iterable[tuple[str, str]]) -> list[str]:
    """`a, b: reason` for all that share one; what a reason lists behind `, only for` makes no difference."""
    alike: dict[str, tuple[list[str], str]] = {}
    for name, reason in reasons:
        alike.setdefault(reason.partition(", only for ")[0], ([], reason))[0].append(name)
    return [f"{_first(names)}: {reason}" for names, reason in alike.values()]


def _first(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names) if more <= 1 else f"{', '.join(names[:_NAMED])} and {more} more"


def joined(words: Iterable[str]) -> str:
    """`a, b and c`, every one once."""
    once = list(dict.fromkeys(words))
    return " and ".join(filter(None, (", ".join(once[:-1]), once[-1]))) if once else "none"
