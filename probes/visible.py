"""Which NVIDIA GPUs the environment lets programs see.

Order, first answer wins: what libcuda lists, as it read the variables itself; CUDA_VISIBLE_DEVICES, read here.
Numbers in it count the fastest device first unless CUDA_DEVICE_ORDER is PCI_BUS_ID; we know the order of the bus only.
So numbers count if they cannot be misread. A variable that hides everything is passed over, with a note: an
environment outlives the shell that it is built from.

    0,2          numbers; the first that is no device ends the list, as do -1 and any other word
    GPU-8932f9   the beginning of a UUID, as long as one GPU alone begins so
    MIG-0a1b…    a slice, whole or begun; MIG-GPU-8932…/1/0 (drivers before 470) is one of that GPU's
https://docs.nvidia.com/cuda/cuda-programming-guide/05-appendices/environment-variables.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from probes.machine import Gpu, Unknown
from probes.nvml_answer import CudaAnswer

__all__ = ["VARIABLE", "with_visibility"]

VARIABLE = "CUDA_VISIBLE_DEVICES"
_OLD_SLICE = re.compile(r"MIG-(GPU-[0-9a-fA-F-]+)/\d{1,3}/\d{1,3}", re.ASCII)


def with_visibility(
    gpus: tuple[Gpu, ...], environ: Mapping[str, str], cuda: CudaAnswer | Unknown | None = None
) -> tuple[tuple[Gpu, ...], tuple[str, ...]]:
    """The GPUs, each marked visible or not, and notes on what was passed over. `cuda` is what libcuda said."""
    if not gpus:
        return gpus, ()
    value = environ.get(VARIABLE)
    told = _told(gpus, cuda)
    if told is not None:
        return told, ()
    if value is None:
        return gpus, ()
    entries = [entry.strip() for entry in value.split(",")]
    by_number = any(entry.isdigit() for entry in entries)
    if (
        by_number
        and environ.get("CUDA_DEVICE_ORDER") != "PCI_BUS_ID"
        and len({gpu.compute_capability for gpu in gpus}) > 1
    ):
        note = f"{VARIABLE}={value} is passed over: its numbers are unclear without CUDA_DEVICE_ORDER=PCI_BUS_ID"
        return gpus, (note,)
    seen = _seen(entries, gpus)
    if not seen:
        return gpus, (f"{VARIABLE}={value} hides every GPU; it is passed over, as an environment outlives a shell",)
    return tuple(_marked(gpu, number, seen) for number, gpu in enumerate(gpus)), ()


def _told(gpus: tuple[Gpu, ...], cuda: CudaAnswer | Unknown | None) -> tuple[Gpu, ...] | None:
    """The GPUs marked by what libcuda lists; None if it lists none, or one that we do not know."""
    if not isinstance(cuda, CudaAnswer) or not cuda.gpus:
        return None
    listed = {_digits(gpu.uuid) for gpu in cuda.gpus}
    known = {_digits(uuid) for gpu in gpus for uuid in _uuids(gpu)}
    if None in listed or not listed <= known:
        return None
    return tuple(
        gpu._replace(
            visible=any(_digits(uuid) in listed for uuid in _uuids(gpu)),
            slices=tuple(part._replace(visible=_digits(part.uuid) in listed) for part in gpu.slices),
        )
        for gpu in gpus
    )


def _uuids(gpu: Gpu) -> tuple[str | None, ...]:
    return gpu.uuid, *(part.uuid for part in gpu.slices)


def _digits(uuid: str | None) -> str | None:
    digits = re.sub(r"^(GPU|MIG)-", "", uuid or "").replace("-", "").lower()
    return digits or None


Seen = set[tuple[int, int | None]]
"""GPU and slice by their places; None for a GPU as a whole."""


def _seen(entries: Sequence[str], gpus: tuple[Gpu, ...]) -> Seen:
    seen: Seen = set()
    for entry in entries:  # CUDA stops at the first entry that names no device
        named = _named(entry, gpus)
        if len(named) != 1:
            break
        seen |= named
    return seen


def _named(entry: str, gpus: tuple[Gpu, ...]) -> Seen:
    old = _OLD_SLICE.fullmatch(entry)
    if re.fullmatch(r"\d{1,4}", entry, re.ASCII):
        return {(int(entry), None)} if int(entry) < len(gpus) else set()
    if old or entry.startswith("GPU-"):
        beginning = (old[1] if old else entry).lower()
        return {(number, None) for number, gpu in enumerate(gpus) if (gpu.uuid or "").lower().startswith(beginning)}
    if not entry.startswith("MIG-"):
        return set()
    return {
        (number, place)
        for number, gpu in enumerate(gpus)
        for place, part in enumerate(gpu.slices)
        if (part.uuid or "").lower().startswith(entry.lower())
    }


def _marked(gpu: Gpu, number: int, seen: Seen) -> Gpu:
    whole = (number, None) in seen
    slices = tuple(part._replace(visible=whole or (number, place) in seen) for place, part in enumerate(gpu.slices))
    return gpu._replace(visible=whole or any(part.visible for part in slices), slices=slices)
