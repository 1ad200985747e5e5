"""Which AMD GPUs the environment leaves: the runtime's variable first, HIP's on what that one left."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes import Gpu
from probes.visible_amd import with_amd_visibility

GPUS = tuple(Gpu("amd", "a", "b", uuid=f"GPU-{number:016x}", target="gfx942") for number in range(4))


@pytest.mark.parametrize(
    ("environ", "visible"),
    [
        ({}, [0, 1, 2, 3]),
        ({"ROCR_VISIBLE_DEVICES": "0,2"}, [0, 2]),
        ({"HIP_VISIBLE_DEVICES": "3,1"}, [1, 3]),
        ({"ROCR_VISIBLE_DEVICES": "1,2,3", "HIP_VISIBLE_DEVICES": "1"}, [2]),
        ({"ROCR_VISIBLE_DEVICES": "GPU-0000000000000002,0"}, [0, 2]),
        ({"HIP_VISIBLE_DEVICES": "0,9,1"}, [0]),
        ({"CUDA_VISIBLE_DEVICES": "1"}, [1]),
        ({"HIP_VISIBLE_DEVICES": "0", "CUDA_VISIBLE_DEVICES": "1"}, [0]),
        ({"CUDA_VISIBLE_DEVICES": "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"}, [0, 1, 2, 3]),
    ],
    ids=["none", "rocr", "hip", "hip-after-rocr", "uuid", "stops", "cuda", "hip-before-cuda", "nvidia"],
)
def test_heeds_the_variables(environ: dict[str, str], visible: list[int]) -> None:
    gpus, notes = with_amd_visibility(GPUS, environ)
    assert [number for number, gpu in enumerate(gpus) if gpu.visible] == visible
    assert notes == ()


@pytest.mark.parametrize("value", ["", "-1", "NoDevFiles", "GPU-ffffffffffffffff"])
def test_passes_over_what_hides_everything(value: str) -> None:
    gpus, notes = with_amd_visibility(GPUS, {"ROCR_VISIBLE_DEVICES": value})
    assert all(gpu.visible for gpu in gpus)
    assert notes[0].startswith(f"ROCR_VISIBLE_DEVICES={value} hides every AMD GPU")


def test_does_not_open_what_is_closed() -> None:
    closed = Gpu("amd", "a", "b", visible=False, closed="no node")
    gpus, _ = with_amd_visibility((closed, GPUS[0], GPUS[1]), {"HIP_VISIBLE_DEVICES": "1"})
    assert [gpu.visible for gpu in gpus] == [False, False, True]


@given(st.dictionaries(st.sampled_from(["ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"]), st.text("0123,-GPU \u0662")))
def test_no_value_makes_it_fail_or_leaves_nothing(environ: dict[str, str]) -> None:
    gpus, _ = with_amd_visibility(GPUS, environ)
    assert any(gpu.visible for gpu in gpus)
