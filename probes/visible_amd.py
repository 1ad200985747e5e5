"""Which AMD GPUs the environment lets programs see.

    KFD's GPUs ── ROCR_VISIBLE_DEVICES ── HIP_VISIBLE_DEVICES, else CUDA_VISIBLE_DEVICES ──> what torch sees

Each names GPUs by the place that they have in what the one before left, or by their UUID; the first word that is
neither ends the list. As for NVIDIA, a variable that hides everything is passed over, with a note.
https://rocm.docs.amd.com/en/latest/conceptual/gpu-isolation.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from probes.machine import Gpu

__all__ = ["with_amd_visibility"]

_ROCR = "ROCR_VISIBLE_DEVICES"
_HIP = ("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES")


def with_amd_visibility(gpus: tuple[Gpu, ...], environ: Mapping[str, str]) -> tuple[tuple[Gpu, ...], tuple[str, ...]]:
    """The GPUs, each marked visible or not, and notes on what was passed over."""
    notes = []
    left = [place for place, gpu in enumerate(gpus) if gpu.visible]
    hip = next((name for name in _HIP if environ.get(name)), _HIP[0])
    for variable in (_ROCR, hip):
        value = environ.get(variable)
        if value is None or not left:
            continue
        named = _named(value, [gpus[place] for place in left])
        if named:
            left = [left[place] for place in named]
        elif variable != _HIP[1]:  # on a machine with both, that one speaks of NVIDIA's
            notes.append(
                f"{variable}={value} hides every AMD GPU; it is passed over, as an environment outlives a shell"
            )
    return tuple(gpu._replace(visible=place in left) for place, gpu in enumerate(gpus)), tuple(notes)


def _named(value: str, gpus: Sequence[Gpu]) -> list[int]:
    """Places of the GPUs that a variable names, each once, in its order."""
    named: list[int] = []
    for entry in (entry.strip() for entry in value.split(",")):
        place = _place(entry, gpus)
        if place is None:
            break
        if place not in named:
            named.append(place)
    return named


def _place(entry: str, gpus: Sequence[Gpu]) -> int | None:
    if re.fullmatch(r"\d{1,4}", entry, re.ASCII):
        return int(entry) if int(entry) < len(gpus) else None
    if not entry.upper().startswith("GPU-"):
        return None
    return next((place for place, gpu in enumerate(gpus) if (gpu.uuid or "").lower() == entry.lower()), None)
