"""The child that asks the driver: the real pynvml and ctypes against a real library that says what it is told."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from probes import LocalHost, NvidiaDriver, System, Unknown
from probes.nvidia import Nvidia, read_nvidia
from probes.nvidia_driver import ask_driver
from probes.nvml_answer import CudaAnswer, NvmlAnswer
from tests.probes.driven import Driven, built, environ_of

LINUX = System("linux", "debian 12", "6.1", "x86_64", "test")
A, B, C = (f"GPU-0000000{digit}-0000-0000-0000-000000000000" for digit in "abc")
FIRST, SECOND = (f"MIG-0000000{digit}-1111-0000-0000-000000000000" for digit in "de")
H100 = f"driver 580.95.05\ncuda 13000\ngpu 9.0 85899345920 {A} NVIDIA H100 PCIe\n"
MIXED = (
    "driver 535.129.03\ncuda 12020\n"
    f"gpu 6.1 11811160064 {A} NVIDIA GeForce GTX 1080 Ti\n"
    f"gpu 8.6 25769803776 {B} NVIDIA GeForce RTX 3090\n"
    f"gpu 9.0 85899345920 {C} NVIDIA H100 PCIe\n"
)
EIGHT = "driver 570.86.10\ncuda 12080\n" + "".join(
    f"gpu {capability} 85899345920 GPU-0000000{number}-0000-0000-0000-000000000000 NVIDIA Number {number}\n"
    for number, capability in enumerate(["7.0"] * 2 + ["8.0"] * 2 + ["10.0"] * 4)
)
MIG = (
    H100 + f"slice 10737418240 {FIRST} NVIDIA H100 PCIe MIG 1g.10gb\n"
    f"slice 42949672960 {SECOND} NVIDIA H100 PCIe MIG 3g.40gb\n"
)
KERNEL = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  {}  Thu Feb 22 01:44:30 UTC 2024\n"
FILES = {"/dev/nvidiactl": "", "/dev/nvidia0": "", "/proc/driver/nvidia/version": KERNEL.format("580.95.05")}


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("driver"))


def asked(libraries: Path, script: str, **environ: str) -> NvmlAnswer:
    answer = ask_driver(LocalHost(environ=environ_of(libraries, script, **environ)), timeout=60)
    assert isinstance(answer.nvml, NvmlAnswer)
    return answer.nvml


def machine(root: Path, libraries: Path, script: str, **environ: str) -> Nvidia:
    return read_nvidia(Driven(root, FILES, environ_of(libraries, script, **environ)), LINUX)


def test_reports_driver_and_gpus_and_what_failed(libraries: Path) -> None:
    answer = asked(libraries, f"{H100}lost\n")
    assert (answer.driver, answer.cuda) == ("580.95.05", "13.0")
    (gpu,) = answer.gpus
    assert (gpu.name, gpu.uuid, gpu.memory) == ("NVIDIA H100 PCIe", A, 85899345920)
    assert (gpu.compute_capability, gpu.mig, gpu.slices) == ((9, 0), False, ())
    assert len(answer.notes) == 1
    assert "nvmlDeviceGetHandleByIndex" in answer.notes[0]


def test_tells_eight_gpus_of_three_generations_apart(libraries: Path) -> None:
    answer = asked(libraries, EIGHT)
    assert [gpu.compute_capability for gpu in answer.gpus] == [(7, 0)] * 2 + [(8, 0)] * 2 + [(10, 0)] * 4
    assert [gpu.mig for gpu in answer.gpus] == [None] * 2 + [False] * 6
    assert answer.notes == ()


def test_tells_the_slices_of_a_gpu(libraries: Path) -> None:
    (gpu,) = asked(libraries, MIG).gpus
    assert gpu.mig is True
    assert [(part.name, part.uuid, part.memory) for part in gpu.slices] == [
        ("1g.10gb", FIRST, 10737418240),
        ("3g.40gb", SECOND, 42949672960),
    ]


def test_a_driver_without_devices_is_no_failure(tmp_path: Path, libraries: Path) -> None:
    found = machine(tmp_path, libraries, "driver 580.95.05\ncuda 13000\n")
    assert found.gpus == ()
    assert found.notes == ("NVML lists no GPU that this program may use",)
    assert isinstance(found.driver, NvidiaDriver)
    assert found.driver.library is not None
    assert not isinstance(found.driver.library, Unknown)
    assert (found.driver.library.devices, found.driver.library.cuda) == (0, "13.0")


def test_an_old_driver_lacks_functions_and_is_still_known(tmp_path: Path) -> None:
    old = built(tmp_path / "old", "-DOLD")
    found = machine(tmp_path, old, f"driver 390.157\ncuda 9010\ngpu 6.1 11811160064 {A} GeForce GTX 1080 Ti\n")
    assert isinstance(found.driver, NvidiaDriver)
    assert found.driver.cuda == "9.1"
    assert [gpu.compute_capability for gpu in found.gpus] == [(6, 1)]
    assert any("nvmlSystemGetCudaDriverVersion_v2" in note for note in found.notes)


@pytest.mark.parametrize(
    ("script", "words", "seconds"),
    [
        ("hang nvmlInitWithFlags", "no answer within 2 s", 2),
        ("crash nvmlInitWithFlags", "ended with -6", 60),
        ("fail nvmlInitWithFlags 18", "restart the machine", 60),
    ],
    ids=["hangs", "crashes", "refuses"],
)
def test_an_nvml_that_misbehaves_becomes_a_fact(libraries: Path, script: str, words: str, seconds: float) -> None:
    answer = ask_driver(LocalHost(environ=environ_of(libraries, script)), timeout=seconds)
    assert isinstance(answer.nvml, Unknown)
    assert words in answer.nvml.reason


@pytest.mark.parametrize(
    ("script", "words", "seconds"),
    [("hang cuInit", "no answer within 5 s", 5), ("crash cuInit", "ended with -6", 60)],
    ids=["hangs", "crashes"],
)
def test_a_libcuda_that_misbehaves_leaves_nvmls_answer(
    libraries: Path, script: str, words: str, seconds: float
) -> None:
    answer = ask_driver(LocalHost(environ=environ_of(libraries, H100 + script)), timeout=seconds)
    assert isinstance(answer.nvml, NvmlAnswer)
    assert len(answer.nvml.gpus) == 1
    assert isinstance(answer.cuda, Unknown)
    assert words in answer.cuda.reason


def test_a_libcuda_that_cannot_start_is_told_in_its_own_words(tmp_path: Path, libraries: Path) -> None:
    found = machine(tmp_path, libraries, f"{H100}fail cuInit 803\n")
    assert found.notes == ("libcuda: CUDA cannot start: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (803)",)
    assert len(found.gpus) == 1


def test_a_libcuda_that_finds_nothing_is_told(tmp_path: Path, libraries: Path) -> None:
    found = machine(tmp_path, libraries, f"{H100}fail cuInit 100\n")
    assert found.notes == ("libcuda finds no device, though NVML lists 1",)


def test_a_machine_without_libcuda_is_told(tmp_path: Path) -> None:
    only = built(tmp_path / "only", names=["libnvidia-ml.so.1"])
    found = machine(tmp_path, only, H100)
    assert isinstance(found.driver, NvidiaDriver)
    assert found.driver.library is None
    assert any("programs find no libcuda" in note for note in found.notes)


def test_libcuda_stands_in_for_an_nvml_that_is_not_there(tmp_path: Path) -> None:
    if Path("/dev/nvidiactl").exists():
        pytest.skip("this machine has NVML")
    only = built(tmp_path / "only", names=["libcuda.so.1"])
    found = machine(tmp_path, only, H100)
    assert [(gpu.source, gpu.uuid, gpu.compute_capability) for gpu in found.gpus] == [("libcuda", A, (9, 0))]


def test_what_libcuda_lists_settles_which_gpus_are_visible(tmp_path: Path, libraries: Path) -> None:
    """Its numbers count the fastest first, ours by the bus: `0` is the last GPU here, and only libcuda knows."""
    found = machine(tmp_path, libraries, f"{MIXED}sees 2\n", CUDA_VISIBLE_DEVICES="0")
    assert [gpu.visible for gpu in found.gpus] == [False, False, True]
    assert found.notes == ()


def test_a_program_sees_the_slice_that_libcuda_lists(tmp_path: Path, libraries: Path) -> None:
    found = machine(tmp_path, libraries, f"{MIG}sees 2\n")
    assert [(gpu.visible, [part.visible for part in gpu.slices]) for gpu in found.gpus] == [(True, [False, True])]


def test_libraries_that_were_updated_under_a_running_kernel_are_told(tmp_path: Path, libraries: Path) -> None:
    updated = tmp_path / "updated"
    updated.mkdir()
    for name in ("libnvidia-ml.so", "libcuda.so"):
        shutil.copy(libraries / f"{name}.1", updated / f"{name}.580.105.08")
        (updated / f"{name}.1").symlink_to(f"{name}.580.105.08")
    found = machine(tmp_path, updated, "fail nvmlInitWithFlags 18\n")
    assert isinstance(found.driver, NvidiaDriver)
    assert (found.driver.version, found.driver.user_space) == ("580.95.05", "580.105.08")
    assert any("until the machine is restarted" in note for note in found.notes)


def test_a_libcuda_of_cuda_compat_is_told(tmp_path: Path, libraries: Path) -> None:
    compat = tmp_path / "usr/local/cuda-13.0/compat"
    compat.mkdir(parents=True)
    for name in ("libnvidia-ml.so.1", "libcuda.so.1", "libcuda.so.580.105.08"):
        shutil.copy(libraries / name.replace("580.105.08", "1"), compat / name)
    found = machine(tmp_path, compat, H100)
    assert isinstance(found.driver, NvidiaDriver)
    assert found.driver.compat == "/usr/local/cuda-13.0/compat/libcuda.so.580.105.08"
    assert found.driver.user_space is None
    assert any("cuda-compat" in note for note in found.notes)


def test_a_machine_without_the_library_says_so(tmp_path: Path) -> None:
    if Path("/dev/nvidiactl").exists():
        pytest.skip("this machine has NVML")
    answer = ask_driver(LocalHost(environ={**os.environ, "LD_LIBRARY_PATH": str(tmp_path)}), timeout=60)
    assert isinstance(answer.nvml, Unknown)
    assert "Not Found" in answer.nvml.reason
    assert answer.cuda is None


def test_what_libcuda_loads_is_told(libraries: Path) -> None:
    answer = ask_driver(LocalHost(environ=environ_of(libraries, H100)), timeout=60)
    assert isinstance(answer.cuda, CudaAnswer)
    assert answer.cuda.library.source == str(libraries / "libcuda.so.1")


def test_the_child_finds_pynvml_without_pythonpath_or_site_packages(tmp_path: Path) -> None:
    """As from an archive or a folder that only this process has on its path."""
    (tmp_path / "pynvml.py").write_text(
        "class NVMLError(Exception): pass\ndef nvmlInit(): raise NVMLError('it is this one')\n"
    )
    root = Path(__file__).parents[2]
    program = (
        f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(root)!r}]\n"
        "from probes import LocalHost; from probes.nvidia_driver import ask_driver\n"
        "print(ask_driver(LocalHost(), timeout=60).nvml.reason)"
    )
    output = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], check=True, capture_output=True, text=True, timeout=60
    )
    assert output.stdout == "it is this one\n"
