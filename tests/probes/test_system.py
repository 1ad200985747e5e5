"""The system as the process sees it, and boards, and what Windows and macOS make of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes import LocalHost, System, Unknown, probe
from probes.nvidia_chips import CAPABILITIES, RUNS, capability_of_device, chip_of_device
from probes.system import l4t_release, read_system, system_notes
from tests.probes.driven import write

ORIN = "NVIDIA Jetson AGX Orin Developer Kit\0"
R36 = "# R36 (release), REVISION: 4.0, GCID: 37537400, BOARD: generic, EABI: aarch64, DATE: Fri Sep 13 04:36:44 UTC\n"


def told(root: Path, answers: dict[str, str], **files: str) -> LocalHost:
    """A recording of a machine whose system calls told that."""
    write(root, {".torchstrap/answers.json": json.dumps({"told": answers})})
    write(root, {name.replace("__", "/"): text for name, text in files.items()})
    return LocalHost(root, {})


@pytest.mark.parametrize(
    ("machine", "bits", "architecture", "underneath"),
    [
        ("x86_64", "64", "x86_64", None),
        ("x86_64", "32", "i686", "x86_64"),
        ("aarch64", "32", "armv7l", "aarch64"),
        ("armv8l", "32", "armv7l", None),
        ("amd64", "64", "x86_64", None),
    ],
)
def test_the_architecture_is_that_of_the_process(
    tmp_path: Path, machine: str, bits: str, architecture: str, underneath: str | None
) -> None:
    system = read_system(told(tmp_path, {"platform": "linux", "machine": machine, "bits": bits, "kernel": "6.1"}))
    assert (system.architecture, system.machine) == (architecture, underneath)
    assert bool(system_notes(system)) == (underneath is not None)


def test_an_intel_interpreter_on_an_apple_chip_is_told(tmp_path: Path) -> None:
    plist = "<key>ProductVersion</key>\n<string>14.5</string>"
    answers = {"told": {"platform": "darwin", "machine": "x86_64", "kernel": "23.5.0"}, "output": {"translated": "1\n"}}
    write(
        tmp_path,
        {
            ".torchstrap/answers.json": json.dumps(answers),
            "System/Library/CoreServices/SystemVersion.plist": plist,
        },
    )
    machine = probe(LocalHost(tmp_path, {}))
    assert (machine.system.architecture, machine.system.machine) == ("x86_64", "arm64")
    assert "Rosetta" in machine.notes[0]


def test_windows_is_read_from_its_environment(tmp_path: Path) -> None:
    answers = {
        "told": {"platform": "win32", "windows": "10.0.22631"},
        "environ": {"PROCESSOR_ARCHITECTURE": "x86", "PROCESSOR_ARCHITEW6432": "AMD64", "SYSTEMROOT": "C:\\Windows"},
    }
    write(tmp_path, {".torchstrap/answers.json": json.dumps(answers), "Windows/System32/nvml.dll": ""})
    machine = probe(LocalHost(tmp_path, {}))
    assert (machine.system.os, machine.system.architecture, machine.system.machine) == ("windows", "i686", "x86_64")
    assert isinstance(machine.driver, Unknown)


@pytest.mark.parametrize(
    ("kernel", "generation"),
    [
        ("4.4.0-19041-Microsoft", 1),
        ("5.15.167.4-microsoft-standard-WSL2", 2),
        ("6.6.87.2-microsoft-standard-WSL2+", 2),
        ("6.8.0-45-generic", None),
    ],
)
def test_tells_the_generations_of_wsl_apart(kernel: str, generation: int | None) -> None:
    assert System("linux", "ubuntu 24.04", kernel, "x86_64", "uname").wsl == generation


def test_a_board_is_known_by_its_name(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "proc/device-tree/model": ORIN,
            "etc/nv_tegra_release": R36,
            "proc/sys/kernel/osrelease": "5.15.148-tegra\n",
        },
    )
    machine = probe(LocalHost(tmp_path, {}))
    assert (machine.system.board, machine.system.l4t) == (ORIN.rstrip("\0"), "36.4.0")
    assert [(gpu.name, gpu.compute_capability) for gpu in machine.gpus] == [(ORIN.rstrip("\0"), (8, 7))]
    assert isinstance(machine.driver, Unknown)
    assert "L4T 36.4.0" in machine.driver.reason


def test_a_container_on_a_board_needs_its_device_node(tmp_path: Path) -> None:
    write(tmp_path, {"proc/device-tree/model": ORIN, "etc/nv_tegra_release": R36, ".dockerenv": ""})
    inside = probe(LocalHost(tmp_path, {}))
    write(tmp_path, {"dev/nvhost-gpu": ""})
    assert inside.gpus == ()
    assert "--runtime nvidia" in inside.notes[-1]
    assert len(probe(LocalHost(tmp_path, {})).gpus) == 1


@given(st.text() | st.text(alphabet="# R36 (release), REVISION: 4.0"))
def test_no_text_makes_the_reader_of_l4t_fail(text: str) -> None:
    release = l4t_release(text)
    assert release is None or release.replace(".", "").isdigit()


@pytest.mark.parametrize(
    ("device", "chip", "capability"),
    [
        (0x102D, "GK210", (3, 7)),
        (0x1B06, "GP102", (6, 1)),
        (0x1DB6, "GV100", (7, 0)),
        (0x1EB8, "TU104", (7, 5)),
        (0x20B5, "GA100", (8, 0)),
        (0x2204, "GA102", (8, 6)),
        (0x2684, "AD102", (8, 9)),
        (0x2330, "GH100", (9, 0)),
        (0x2901, "GB100", (10, 0)),
        (0x3182, "GB110", (10, 3)),
        (0x2B85, "GB202", (12, 0)),
        (0x2E12, "GB20B", (12, 1)),
    ],
    ids=["K80", "1080Ti", "V100", "T4", "A100", "3090", "4090", "H100", "B200", "B300", "5090", "GB10"],
)
def test_knows_chips_by_their_device(device: int, chip: str, capability: tuple[int, int]) -> None:
    assert (chip_of_device(device), capability_of_device(device)) == (chip, capability)


@given(st.integers(-1, 1 << 17))
def test_a_device_is_known_exactly_if_a_run_holds_it(device: int) -> None:
    held = any(first <= device <= last for first, last, _ in RUNS)
    assert isinstance(capability_of_device(device), tuple) == held


def test_runs_are_in_order_and_their_chips_are_known() -> None:
    edges = [edge for first, last, _ in RUNS for edge in (first, last)]
    assert edges == sorted(edges)
    assert {chip for _, _, chip in RUNS} == set(CAPABILITIES)
