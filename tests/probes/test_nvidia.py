"""The driver and its GPUs: both forms of the kernel's text, children that hang, crash or lie, and overrides."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes import Container, LocalHost, NvidiaDriver, System, Unknown
from probes.host import Interrupted
from probes.nvidia import read_nvidia
from probes.nvidia_driver import ask_driver, parse_driver_version
from probes.nvidia_names import capability_of_name
from probes.nvml_answer import CudaAnswer, DriverAnswer, NvmlAnswer, parse_answer, parse_cuda, parse_output
from probes.system import read_system
from tests.probes.driven import Driven

LINUX = System("linux", "debian 12", "6.1", "x86_64", "test")
WSL = System("linux", "ubuntu 24.04", "5.15.167.4-microsoft-standard-WSL2", "x86_64", "test")
DOCKER = Container("docker", "test")
CLOSED = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  Thu Feb 22 01:44:30 UTC 2024\nGCC version:  12\n"
OPEN = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.10  Release Build  (dvs@U)  Thu Jan 23\n"
ANSWER: dict[str, Any] = {
    "driver": "580.95.05",
    "cuda": [13, 0],
    "problems": [],
    "gpus": [{"name": "NVIDIA H100", "uuid": "GPU-ab", "memory": 85520809984, "compute_capability": [9, 0]}],
}


def saying(answer: object) -> tuple[str, ...]:
    return (sys.executable, "-I", "-c", f"print({json.dumps(answer)!r})")


HANGING = (sys.executable, "-I", "-c", "import time; time.sleep(600)")
CRASHING = (sys.executable, "-I", "-c", "import os; os.abort()")


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (CLOSED, "550.54.14"),
        (OPEN, "570.86.10"),
        ("NVRM version: NVIDIA UNIX aarch64 Kernel Module  580.95.05  Tue\n", "580.95.05"),
        ("NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  580.00  Release Build\n", "580.00"),
        ("535.129.03\n", "535.129.03"),
        ("470.256.02", "470.256.02"),
        ("", None),
        ("nouveau", None),
        ("NVRM version: something else\n", None),
        ("12345.1\n", None),
    ],
    ids=["closed", "open", "closed-arm", "open-arm", "module", "old", "empty", "nouveau", "odd", "no-driver-number"],
)
def test_reads_the_driver_version(text: str, version: str | None) -> None:
    assert parse_driver_version(text) == version


@given(st.text() | st.text(alphabet="NVRM version:Module for 0123456789.\n"))
def test_no_text_makes_the_driver_version_fail(text: str) -> None:
    version = parse_driver_version(text)
    assert version is None or version.replace(".", "").isdigit()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    [*ANSWER, *ANSWER["gpus"][0], "error", "mig", "slices", "version", "devices", "files", "absent"]
                ),
                inner,
            )
        ),
    )
)
def test_no_answer_makes_the_reader_of_nvml_fail(answer: object) -> None:
    assert isinstance(parse_answer(json.dumps(answer)), (NvmlAnswer, Unknown))
    assert isinstance(parse_cuda(json.dumps({"libcuda": answer})), (CudaAnswer, Unknown, type(None)))


@pytest.mark.parametrize("text", ["", "{", "nan", "[" * 100_000], ids=["empty", "cut", "nan", "deep"])
def test_an_answer_that_is_no_json_is_unknown(text: str) -> None:
    assert isinstance(parse_answer(text), Unknown)


@pytest.mark.parametrize(
    ("name", "capability"),
    [
        ("NVIDIA GeForce RTX 5090", (12, 0)),
        ("NVIDIA RTX PRO 6000 Blackwell Workstation Edition", (12, 0)),
        ("NVIDIA GB10", (12, 1)),
        ("NVIDIA B200", (10, 0)),
        ("NVIDIA GB300", (10, 3)),
        ("NVIDIA H100 80GB HBM3", (9, 0)),
        ("NVIDIA GH200 480GB", (9, 0)),
        ("NVIDIA GeForce RTX 4090", (8, 9)),
        ("NVIDIA L40S", (8, 9)),
        ("NVIDIA RTX 6000 Ada Generation", (8, 9)),
        ("NVIDIA A100-SXM4-80GB", (8, 0)),
        ("NVIDIA A10G", (8, 6)),
        ("NVIDIA GeForce RTX 3060 Laptop GPU", (8, 6)),
        ("Tesla T4", (7, 5)),
        ("NVIDIA GeForce GTX 1650", (7, 5)),
        ("Tesla V100-SXM2-32GB", (7, 0)),
        ("NVIDIA GeForce GTX 1080 Ti", (6, 1)),
        ("Tesla P100-PCIE-16GB", (6, 0)),
        ("NVIDIA GeForce GTX 980 Ti", (5, 2)),
        ("Tesla K80", (3, 7)),
        ("Tesla K40m", (3, 5)),
    ],
)
def test_knows_products_by_name(name: str, capability: tuple[int, int]) -> None:
    assert capability_of_name(name) == capability


@pytest.mark.parametrize(
    "name", ["", "NVIDIA GeForce 9800 GT", "NVIDIA A1000000", "NVIDIA T400 4GB", "NVIDIA Graphics Device"]
)
def test_does_not_guess_products(name: str) -> None:
    assert isinstance(capability_of_name(name), Unknown)


def test_a_machine_without_a_sign_of_nvidia_starts_no_child(tmp_path: Path) -> None:
    host = Driven(tmp_path, {"/dev/null0": ""})
    found = read_nvidia(host, LINUX)
    assert (found.driver, found.gpus, found.notes, host.started) == (None, (), (), 0)


def test_a_file_in_a_folder_needs_no_child(tmp_path: Path) -> None:
    host = LocalHost(tmp_path, {})
    assert isinstance(ask_driver(host).nvml, Unknown)


DRIVER = {"/dev/nvidiactl": "", "/proc/driver/nvidia/version": CLOSED}
INFORMATION = "Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 146\nGPU UUID: \t GPU-0a\nDevice Minor: \t 0\n"


def test_what_nvml_says_of_gpus_counts_and_the_kernel_names_the_driver(tmp_path: Path) -> None:
    found = read_nvidia(Driven(tmp_path, DRIVER), LINUX, child=saying(ANSWER))
    unasked = Unknown("libcuda was not asked")
    assert found.driver == NvidiaDriver("550.54.14", "/proc/driver/nvidia/version", "13.0", library=unasked)
    (gpu,) = found.gpus
    assert (gpu.name, gpu.compute_capability, gpu.memory, gpu.source) == ("NVIDIA H100", (9, 0), 85520809984, "NVML")


@pytest.mark.parametrize(
    "command", [CRASHING, saying({"error": "Driver/library version mismatch"})], ids=["crash", "error"]
)
def test_an_nvml_that_fails_is_a_note_and_the_kernels_list_counts(tmp_path: Path, command: Sequence[str]) -> None:
    files = {**DRIVER, "/dev/nvidia0": "", "/proc/driver/nvidia/gpus/0000:1b:00.0/information": INFORMATION}
    found = read_nvidia(Driven(tmp_path, files), LINUX, child=command)
    assert isinstance(found.driver, NvidiaDriver)
    assert isinstance(found.driver.cuda, Unknown)
    assert [(gpu.name, gpu.uuid, gpu.compute_capability) for gpu in found.gpus] == [
        ("NVIDIA H100 80GB HBM3", "GPU-0a", (9, 0))
    ]
    assert found.notes[0].startswith("NVML: ")


def test_an_nvml_that_hangs_becomes_a_fact(tmp_path: Path) -> None:
    answer = ask_driver(Driven(tmp_path, DRIVER), HANGING, 0.2).nvml
    assert isinstance(answer, Unknown)
    assert "no answer within 0.2 s" in answer.reason


def test_gpus_that_only_have_device_nodes_are_counted_and_unknown(tmp_path: Path) -> None:
    found = read_nvidia(
        Driven(tmp_path, {**DRIVER, "/dev/nvidia0": "", "/dev/nvidia1": "", "/dev/nvidia-uvm": ""}),
        LINUX,
        child=CRASHING,
    )
    assert [gpu.source for gpu in found.gpus] == ["/dev/nvidia0", "/dev/nvidia1"]
    assert all(isinstance(gpu.compute_capability, Unknown) for gpu in found.gpus)


def test_wsl_has_only_nvml_to_ask(tmp_path: Path) -> None:
    found = read_nvidia(Driven(tmp_path, {"/dev/dxg": ""}), WSL, child=saying(ANSWER))
    assert isinstance(found.driver, NvidiaDriver)
    assert (found.driver.version, found.driver.source, found.driver.cuda) == ("580.95.05", "NVML", "13.0")
    assert len(found.gpus) == 1


def test_wsl_on_a_machine_without_nvidia_has_no_driver(tmp_path: Path) -> None:
    found = read_nvidia(
        Driven(tmp_path, {"/dev/dxg": ""}), WSL, child=saying({"error": "NVML Shared Library Not Found"})
    )
    assert (found.driver, found.gpus) == (None, ())


def test_a_sick_driver_on_wsl_is_unknown_and_not_absent(tmp_path: Path) -> None:
    files = {"/dev/dxg": "", "/usr/lib/wsl/lib/libnvidia-ml.so.1": ""}
    found = read_nvidia(Driven(tmp_path, files), WSL, child=CRASHING)
    assert isinstance(found.driver, Unknown)


def test_a_card_that_windows_has_no_driver_for_is_known_by_its_device(tmp_path: Path) -> None:
    told = {"platform": "win32", "windows": "10.0.22631", "displays": "8086:4680 10de:2684"}
    Driven(tmp_path, {"/.torchstrap/answers.json": json.dumps({"told": told})})
    host = LocalHost(tmp_path, {})
    found = read_nvidia(host, read_system(host))
    assert found.driver is None
    assert [(gpu.name, gpu.compute_capability, gpu.source) for gpu in found.gpus] == [
        ("NVIDIA PCI device 10de:2684", (8, 9), "Windows' list of devices")
    ]
    assert found.notes == ("an NVIDIA GPU is on the bus, but no NVIDIA driver is loaded",)


def test_a_gpu_of_the_containers_host_is_none_of_ours(tmp_path: Path) -> None:
    adapter = {"class": "0x030200", "vendor": "0x10de", "device": "0x2330"}
    files = {f"/sys/bus/pci/devices/0000:1b:00.0/{name}": text for name, text in adapter.items()}
    Driven(tmp_path, files)
    inside = read_nvidia(LocalHost(tmp_path, {}), LINUX, DOCKER)
    outside = read_nvidia(LocalHost(tmp_path, {}), LINUX)
    assert inside.gpus == ()
    assert "docker container's host" in inside.notes[0]
    assert [gpu.name for gpu in outside.gpus] == ["NVIDIA PCI device 10de:2330"]


def test_the_override_comes_first(tmp_path: Path) -> None:
    environ = {"TORCHSTRAP_CUDA_DRIVER": "535.129.03", "TORCHSTRAP_COMPUTE_CAPABILITY": "9.0,6.1"}
    host = Driven(tmp_path, DRIVER, environ)
    found = read_nvidia(host, LINUX)
    assert found.driver == NvidiaDriver("535.129.03", "TORCHSTRAP_CUDA_DRIVER")
    assert [gpu.compute_capability for gpu in found.gpus] == [(9, 0), (6, 1)]
    assert host.started == 0


def test_the_override_can_say_that_there_is_no_driver(tmp_path: Path) -> None:
    found = read_nvidia(Driven(tmp_path, {**DRIVER, "/dev/nvidia0": ""}, {"TORCHSTRAP_CUDA_DRIVER": "none"}), LINUX)
    assert (found.driver, found.gpus) == (None, ())


def test_an_override_that_is_no_version_is_passed_over_aloud(tmp_path: Path) -> None:
    found = read_nvidia(Driven(tmp_path, DRIVER, {"TORCHSTRAP_CUDA_DRIVER": "newest"}), LINUX, child=CRASHING)
    assert isinstance(found.driver, NvidiaDriver)
    assert found.driver.version == "550.54.14"
    assert "'newest' is no driver version" in found.notes[0]


def test_a_gpu_without_its_device_node_is_none_of_ours(tmp_path: Path) -> None:
    files = {
        **DRIVER,
        "/dev/nvidia1": "",
        "/proc/driver/nvidia/gpus/0000:1b:00.0/information": INFORMATION,
        "/proc/driver/nvidia/gpus/0000:1c:00.0/information": INFORMATION.replace("Minor: \t 0", "Minor: \t 1"),
    }
    found = read_nvidia(Driven(tmp_path, files), LINUX, child=CRASHING)
    assert [gpu.source for gpu in found.gpus] == ["/proc/driver/nvidia/gpus/0000:1c:00.0/information"]


@pytest.mark.parametrize(
    ("model", "device", "name", "capability"),
    [
        ("NVIDIA Graphics Device", "0x2684", "NVIDIA Graphics Device", (8, 9)),
        ("NVIDIA T400 4GB", "0x1ff2", "NVIDIA T400 4GB", (7, 5)),
        ("NVIDIA H100 80GB HBM3", "0xffff", "NVIDIA H100 80GB HBM3", (9, 0)),
        ("NVIDIA Graphics Device", "0xffff", "NVIDIA Graphics Device", None),
        ("", "0x2684", "NVIDIA PCI device 10de:2684", (8, 9)),
    ],
    ids=["unnamed", "no-row", "no-chip", "neither", "no-model"],
)
def test_a_model_that_no_table_knows_is_known_by_its_device(
    tmp_path: Path, model: str, device: str, name: str, capability: tuple[int, int] | None
) -> None:
    files = {
        **DRIVER,
        "/dev/nvidia0": "",
        "/proc/driver/nvidia/gpus/0000:1b:00.0/information": f"Model: \t\t {model}\nDevice Minor: \t 0\n",
        "/sys/bus/pci/devices/0000:1b:00.0/device": f"{device}\n",
    }
    (gpu,) = read_nvidia(Driven(tmp_path, files), LINUX, child=CRASHING).gpus
    assert (gpu.name, gpu.source) == (name, "/proc/driver/nvidia/gpus/0000:1b:00.0/information")
    assert gpu.compute_capability == (capability or Unknown(f"no table knows the compute capability of {model}"))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "which was given no GPU: there"),
        ("void", "NVIDIA_VISIBLE_DEVICES being 'void': there"),
        ("all", "NVIDIA_VISIBLE_DEVICES being 'all', which only NVIDIA's container runtime heeds: there"),
    ],
    ids=["unset", "void", "all"],
)
def test_a_container_without_gpus_is_told_what_its_runtime_was_asked(
    tmp_path: Path, value: str | None, words: str
) -> None:
    environ = {} if value is None else {"NVIDIA_VISIBLE_DEVICES": value}
    found = read_nvidia(Driven(tmp_path, DRIVER, environ), LINUX, DOCKER, child=CRASHING)
    assert found.gpus == ()
    assert words in found.notes[-1]


OTHER_LIBRARIES = {"/usr/lib64/libcuda.so.535.54.03": "", "/usr/lib64/libcuda.so.1": ""}


@pytest.mark.parametrize(
    ("container", "child", "words"),
    [
        (None, CRASHING, "until the machine is restarted"),
        (DOCKER, CRASHING, "this docker container's image brings its own"),
        (None, saying(ANSWER), None),
    ],
    ids=["machine", "container", "works-all-the-same"],
)
def test_libraries_of_another_version_are_told(
    tmp_path: Path, container: Container | None, child: Sequence[str], words: str | None
) -> None:
    found = read_nvidia(Driven(tmp_path, {**DRIVER, **OTHER_LIBRARIES}), LINUX, container, child)
    assert isinstance(found.driver, NvidiaDriver)
    assert found.driver.user_space == "535.54.03"
    told = [note for note in found.notes if "libraries are of 535.54.03" in note]
    assert ([words in note for note in told] if words else told) == ([True] if words else [])


def test_libraries_of_several_versions_are_unknown(tmp_path: Path) -> None:
    files = {**DRIVER, **OTHER_LIBRARIES, "/usr/lib64/libnvidia-ml.so.550.54.14": ""}
    found = read_nvidia(Driven(tmp_path, files), LINUX, child=CRASHING)
    assert isinstance(found.driver, NvidiaDriver)
    assert isinstance(found.driver.user_space, Unknown)
    assert "535.54.03, 550.54.14" in found.driver.user_space.reason


def test_a_gpu_on_the_bus_is_known_by_its_device(tmp_path: Path) -> None:
    adapter = {"class": "0x030200", "vendor": "0x10de", "device": "0x2330"}
    files = {f"/sys/bus/pci/devices/0000:1b:00.0/{name}": text for name, text in adapter.items()}
    found = read_nvidia(Driven(tmp_path, {**DRIVER, **files, "/dev/nvidia0": ""}), LINUX, child=CRASHING)
    assert [(gpu.name, gpu.compute_capability) for gpu in found.gpus] == [("NVIDIA PCI device 10de:2330", (9, 0))]


@given(st.text() | st.text().map(lambda text: '{"gpus": []}\n' + text))
def test_no_output_of_the_child_makes_its_reader_fail(text: str) -> None:
    assert isinstance(parse_output(text), DriverAnswer)
    assert isinstance(parse_output(Interrupted("it hung", text)), DriverAnswer)
