"""CUDA_VISIBLE_DEVICES counts where it cannot be misread."""

from __future__ import annotations

import pytest

from probes import CudaLibrary, Gpu, MigSlice
from probes.nvml_answer import CudaAnswer
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


CUT = (
    Gpu(
        "nvidia",
        "A",
        "NVML",
        uuid="GPU-a1",
        compute_capability=(8, 0),
        mig=True,
        slices=(MigSlice("1g.5gb", "MIG-51", 1), MigSlice("2g.10gb", "MIG-62", 2)),
    ),
    ALIKE[1],
)


@pytest.mark.parametrize(
    ("value", "gpus", "slices"),
    [
        ("MIG-51", [True, False], [True, False]),
        ("MIG-6", [True, False], [False, True]),
        ("mig-51", [True, True], [True, True]),
        ("MIG-", [True, True], [True, True]),
        ("MIG-GPU-a1/1/0", [True, False], [True, True]),
        ("MIG-GPU-zz/1/0", [True, True], [True, True]),
        ("1", [False, True], [False, False]),
        ("MIG-51,GPU-b1", [True, True], [True, False]),
        ("GPU-B1", [False, True], [False, False]),
    ],
    ids=["whole", "begun", "wrong-case", "ambiguous", "old-form", "old-form-of-none", "number", "both", "capitals"],
)
def test_slices_are_named_by_their_own_ids(value: str, gpus: list[bool], slices: list[bool]) -> None:
    marked, _ = with_visibility(CUT, {"CUDA_VISIBLE_DEVICES": value})
    assert [gpu.visible for gpu in marked] == gpus
    assert [part.visible for part in marked[0].slices] == slices


def listing(*uuids: str) -> CudaAnswer:
    gpus = tuple(Gpu("nvidia", "A", "libcuda", uuid=uuid) for uuid in uuids)
    return CudaAnswer(CudaLibrary("libcuda", "13.0", len(gpus)), gpus)


@pytest.mark.parametrize(
    ("cuda", "seen"),
    [
        (listing("c1"), [False, False, True]),
        (listing("c1", "a1"), [True, False, True]),
        (listing("ff"), [False, True, False]),
        (listing(), [False, True, False]),
        (None, [False, True, False]),
    ],
    ids=["one", "two", "one-that-is-not-ours", "none", "no-libcuda"],
)
def test_what_libcuda_lists_comes_before_our_own_reading(cuda: CudaAnswer | None, seen: list[bool]) -> None:
    marked, _ = with_visibility(ALIKE, {"CUDA_VISIBLE_DEVICES": "1"}, cuda)
    assert [gpu.visible for gpu in marked] == seen
