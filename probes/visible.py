"""Which NVIDIA GPUs the environment lets programs see: CUDA_VISIBLE_DEVICES.

Numbers in it count the fastest device first unless CUDA_DEVICE_ORDER is PCI_BUS_ID; we know the order of the bus only.
So numbers count if they cannot be misread. A variable that hides everything is passed over, with a note: an
environment outlives the shell that it is built from.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from probes.machine import Gpu

__all__ = ["with_visibility"]

_VARIABLE = "CUDA_VISIBLE_DEVICES"


def with_visibility(gpus: tuple[Gpu, ...], environ: Mapping[str, str]) -> tuple[tuple[Gpu, ...], tuple[str, ...]]:
    """The GPUs, each marked visible or not, and notes on what was passed over."""
    value = environ.get(_VARIABLE)
    if value is None or not gpus:
        return gpus, ()
    entries = [entry.strip() for entry in value.split(",")]
    by_number = any(entry.isdigit() for entry in entries)
    if (
        by_number
        and environ.get("CUDA_DEVICE_ORDER") != "PCI_BUS_ID"
        and len({gpu.compute_capability for gpu in gpus}) > 1
    ):
        note = f"{_VARIABLE}={value} is passed over: its numbers are unclear without CUDA_DEVICE_ORDER=PCI_BUS_ID"
        return gpus, (note,)
    seen = _seen(entries, gpus)
    if not seen:
        return gpus, (f"{_VARIABLE}={value} hides every GPU; it is passed over, as an environment outlives a shell",)
    return tuple(replace(gpu, visible=number in seen) for number, gpu in enumerate(gpus)), ()


def _seen(entries: list[str], gpus: tuple[Gpu, ...]) -> set[int]:
    seen: set[int] = set()
    for entry in entries:  # CUDA stops at the first entry that names no device
        named = {number for number, gpu in enumerate(gpus) if _names(entry, number, gpu)}
        if len(named) != 1:
            break
        seen |= named
    return seen


def _names(entry: str, number: int, gpu: Gpu) -> bool:
    if re.fullmatch(r"\d{1,4}", entry, re.ASCII):
        return int(entry) == number
    return bool(entry.startswith("GPU-") and gpu.uuid and gpu.uuid.startswith(entry))
