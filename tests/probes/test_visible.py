"""CUDA_VISIBLE_DEVICES counts where it cannot be misread."""

from __future__ import annotations

import pytest

from probes import Gpu
from probes.visible import with_visibility

ALIKE = tuple(Gpu("nvidia", "A", "NVML", uuid=f"GPU-{letter}1", compute_capability=(8, 0)) for letter in "abc")
MIXED = (*ALIKE[:2], Gpu("nvidia", "B", "NVML", uuid="GPU-c1", compute_capability=(6, 1)))
BUS = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


@pytest.mark.parametrize(
    ("gpus", "environ", "seen", "notes"),
    [
        (ALIKE, {}, [0, 1, 2], 0),
        (ALIKE, {"CUDA_VISIBLE_DEVICES": "1"}, [1], 0),
        (ALIKE, {"CUDA_VISIBLE_DEVICES": "2, 0"}, [0, 2], 0),
        (ALIKE, {"CUDA_VISIBLE_DEVICES": "0,-1,2"}, [0], 0),
        (ALIKE, {"CUDA_VISIBLE_DEVICES": "0,9,2"}, [0], 0),
        (ALIKE, {"CUDA_VISIBLE_DEVICES": "GPU-b"}, [1], 0),
        (ALIKE, {"CUDA_VISIBLE_DEVICES": "GPU-"}, [0, 1, 2], 1),
        (ALIKE, {"CUDA_VISIBLE_DEVICES": ""}, [0, 1, 2], 1),
        (ALIKE, {"CUDA_VISIBLE_DEVICES": "NoDevFiles"}, [0, 1, 2], 1),
        (MIXED, {"CUDA_VISIBLE_DEVICES": "2"}, [0, 1, 2], 1),
        (MIXED, {"CUDA_VISIBLE_DEVICES": "2", **BUS}, [2], 0),
        (MIXED, {"CUDA_VISIBLE_DEVICES": "GPU-c1"}, [2], 0),
        ((), {"CUDA_VISIBLE_DEVICES": ""}, [], 0),
    ],
    ids=[
        "unset",
        "one",
        "two",
        "ends-at-minus",
        "ends-at-unknown",
        "uuid",
        "ambiguous",
        "empty",
        "word",
        "mixed-number",
        "mixed-bus-order",
        "mixed-uuid",
        "no-gpu",
    ],
)
def test_marks_what_programs_see(gpus: tuple[Gpu, ...], environ: dict[str, str], seen: list[int], notes: int) -> None:
    marked, said = with_visibility(gpus, environ)
    assert [number for number, gpu in enumerate(marked) if gpu.visible] == seen
    assert len(said) == notes
