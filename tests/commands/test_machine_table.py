"""The table says what a machine is, in few lines, and nothing of what is as everybody expects."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootstrap.commands.machine_table import machine_lines
from probes import (
    Cpu,
    CudaLibrary,
    Gpu,
    GpuDriver,
    Libc,
    Limits,
    LocalHost,
    Machine,
    MigSlice,
    NvidiaDriver,
    System,
    Unknown,
    probe,
)
from probes.pythons import Python
from probes.storage import Folder, Sharing, Storage
from tests.machines.unpack import machines, unpack

GIBIBYTE = 1 << 30
GLIBC = Libc("glibc", "2.36", "confstr")
GPU = Gpu("nvidia", "NVIDIA H100", "NVML", "GPU-1", 80 * GIBIBYTE, (9, 0))
DRIVER = NvidiaDriver("580.95.05", "NVML", "13.0", "580.95.05", CudaLibrary("/usr/lib/libcuda.so.1", "13.0", 1))
PLAIN = Machine(
    System("linux", "debian 12", "6.1", "x86_64", "uname"),
    GLIBC,
    Cpu("GenuineIntel", "Intel i7", frozenset({"lm"}), "x86-64-v3", "/proc/cpuinfo", 8),
    DRIVER,
    (GPU,),
    limits=Limits(None, None, False, "/sys/fs/cgroup"),
)
PYTHON = Python("/usr/bin/python3.12", "PATH", "3.12.4", "cpython", "x86_64", GLIBC, False, False)
CACHE = Folder("cache", "/home/me/.cache/torchstrap", "/home/me", 40 * GIBIBYTE, "ext4", False)
VENV = Folder("environment", "/project/.venv", "/project", int(1.5 * GIBIBYTE), "nfs4", False)


def line(machine: Machine, label: str) -> str:
    """The one line that begins so."""
    (found,) = [each for each in machine_lines(machine) if each.startswith(f"{label} ")]
    return found.removeprefix(label).strip()


def test_a_machine_as_everybody_expects_takes_six_lines() -> None:
    assert list(machine_lines(PLAIN)) == [
        "system      linux debian 12, x86_64, kernel 6.1  (uname)",
        "cpu         Intel i7, x86-64-v3, 8 cores for this process  (/proc/cpuinfo)",
        "gpu 0       NVIDIA H100, compute capability 9.0, 80 GiB  (NVML)",
        "driver      NVIDIA 580.95.05, CUDA 13.0  (NVML)",
        "",
        "libc        glibc 2.36  (confstr)",
    ]


@pytest.mark.parametrize(
    ("change", "label", "words"),
    [
        ({"system": PLAIN.system._replace(machine="aarch64")}, "system", "x86_64 on a machine that is aarch64"),
        ({"system": PLAIN.system._replace(kernel=Unknown("no /proc"))}, "system", "kernel unknown (no /proc)"),
        ({"system": PLAIN.system._replace(board="NVIDIA Thor", l4t="38.2")}, "board", "NVIDIA Thor, L4T 38.2"),
        ({"cpu": Unknown("no file")}, "cpu", "unknown (no file)"),
        ({"libc": Unknown("no loader")}, "libc", "unknown (no loader)"),
        ({"gpus": ()}, "gpu", "none that programs here can use"),
        ({"gpus": (GPU._replace(visible=False),)}, "gpu 0", "hidden from this process"),
        ({"gpus": (GPU._replace(visible=False, closed="/dev/nvidia0 is closed"),)}, "gpu 0", "/dev/nvidia0 is closed"),
        ({"gpus": (GPU._replace(integrated=True),)}, "gpu 0", "80 GiB, integrated"),
        ({"gpus": (GPU._replace(vendor="amd", name="navi31", target="gfx1100"),)}, "gpu 0", "AMD navi31, "),
        ({"gpus": (GPU._replace(mig=True),)}, "gpu 0", "cut into slices, of which there are none"),
        ({"driver": Unknown("it hangs")}, "driver", "unknown (it hangs)"),
        ({"driver": DRIVER._replace(user_space="575.1")}, "driver", "CUDA 13.0, libraries 575.1"),
        ({"driver": DRIVER._replace(user_space=Unknown("of two versions"))}, "driver", "libraries unknown (of two"),
        (
            {"driver": DRIVER._replace(compat="/usr/local/cuda/compat/libcuda.so.1")},
            "driver",
            "cuda-compat in /usr/loc",
        ),
        ({"driver": DRIVER._replace(library=Unknown("it crashed"))}, "driver", "libcuda unknown (it crashed)"),
        ({"driver": DRIVER._replace(library=CudaLibrary("/x", "12.4", 1))}, "driver", "libcuda speaks CUDA 12.4"),
        ({"driver": DRIVER._replace(library=CudaLibrary("/x", "13.0", 0))}, "driver", "libcuda finds 0 devices  (/x)"),
        (
            {"driver": DRIVER._replace(library=CudaLibrary("/x", "13.0", Unknown("CUDA_ERROR")))},
            "driver",
            "libcuda finds no device (CUDA_ERROR)",
        ),
        ({"limits": Limits(2.5, 4 * GIBIBYTE, True, "/g")}, "limits", "2.5 CPUs, memory 4.0 GiB, read-only root  (/g)"),
        (
            {"limits": Limits(None, Unknown("odd"), Unknown("no mounts"), "/g")},
            "limits",
            "read-only root unknown (no m",
        ),
        ({"limits": Unknown("no cgroup")}, "limits", "unknown (no cgroup)"),
        ({"notes": ("mind this",)}, "note", "mind this"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else "",
)
def test_says_what_is_unusual(change: dict[str, object], label: str, words: str) -> None:
    machine = PLAIN._replace(**change)  # type: ignore[arg-type]
    assert words in line(machine, label)


def test_what_a_note_says_is_not_said_twice() -> None:
    gpu = GPU._replace(visible=False, closed="its user is not in the group render")
    machine = PLAIN._replace(gpus=(gpu,), notes=("NVIDIA H100 cannot be used: its user is not in the group render",))
    assert line(machine, "gpu 0").endswith("80 GiB, closed to this process (see the notes)  (NVML)")


def test_drivers_of_other_vendors_have_a_row_each() -> None:
    drivers = (GpuDriver("amdgpu", "6.12.12", "/sys/module", "6.4.0"), GpuDriver("xe", None, "/sys/bus", "1.6"))
    machine = PLAIN._replace(driver=None, drivers=drivers)
    assert [each for each in machine_lines(machine) if each.startswith("driver")] == [
        "driver      amdgpu 6.12.12, ROCm 6.4.0  (/sys/module)",
        "driver      xe of the kernel, Level Zero 1.6  (/sys/bus)",
    ]


def test_gpus_that_are_the_same_share_a_row_with_their_numbers() -> None:
    small = GPU._replace(name="NVIDIA T4", uuid="GPU-9")
    gpus = (GPU, GPU._replace(uuid="GPU-2"), GPU._replace(uuid="GPU-3", source="/proc"), small)
    library = CudaLibrary("/x", "13.0", 4)
    lines = list(machine_lines(PLAIN._replace(gpus=gpus, driver=DRIVER._replace(library=library))))
    assert [each for each in lines if each.startswith("gpu")] == [
        "gpu 0-2     3 x NVIDIA H100, compute capability 9.0, 80 GiB  (NVML, …)",
        "gpu 3       NVIDIA T4, compute capability 9.0, 80 GiB  (NVML)",
    ]
    assert not any("libcuda" in each for each in lines)


def test_slices_are_counted() -> None:
    seven = tuple(MigSlice("1g.10gb", f"MIG-{number}", 10, visible=number > 0) for number in range(7))
    machine = PLAIN._replace(gpus=(GPU._replace(mig=True, slices=seven),))
    assert "cut into 1 x 1g.10gb (hidden) + 6 x 1g.10gb" in line(machine, "gpu 0")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "3.12.4   /usr/bin/python3.12  (PATH)"),
        ({"externally_managed": True}, "/usr/bin/python3.12, externally managed  (PATH)"),
        ({"free_threaded": True, "implementation": "pypy"}, "/usr/bin/python3.12, pypy, free-threaded  (PATH)"),
        ({"libc": Libc("musl", "1.2.5", "loader")}, "linked to musl 1.2.5"),
        ({"architecture": "i686"}, ", for i686"),
        ({"version": Unknown("no libpython")}, "unknown  /usr/bin/python3.12, cannot be run (no libpython)"),
    ],
)
def test_an_interpreter_is_its_version_its_path_and_what_is_unusual(change: dict[str, object], words: str) -> None:
    machine = PLAIN._replace(pythons=(PYTHON._replace(**change),))  # type: ignore[arg-type]
    assert words in line(machine, "python")


def test_many_interpreters_are_counted() -> None:
    lines = [each for each in machine_lines(PLAIN._replace(pythons=(PYTHON,) * 40)) if each.startswith("python")]
    assert len(lines) == 13
    assert "and 28 more" in lines[-1]


@pytest.mark.parametrize(
    ("hard_link", "reflink", "words"),
    [
        (True, True, "hard links and reflinks with the cache"),
        (True, Unknown("Linux only"), "hard links with the cache"),
        (False, True, ", reflinks with the cache"),
        (False, False, "shares nothing with the cache: files are copied"),
        (False, Unknown("Linux only"), "Linux only"),
        (Unknown("/project cannot be written"), Unknown("/project cannot be written"), "/project cannot be written"),
    ],
)
def test_a_folder_tells_what_it_can_share_with_the_cache(
    hard_link: bool | Unknown, reflink: bool | Unknown, words: str
) -> None:
    sharing = (Sharing("environment", "cache", True, True), Sharing("cache", "environment", hard_link, reflink))
    machine = PLAIN._replace(storage=Storage((CACHE, VENV), sharing))
    assert line(machine, "cache") == "/home/me/.cache/torchstrap, 40 GiB free, ext4"
    assert line(machine, "environment").startswith("/project/.venv, 1.5 GiB free, nfs4, ")
    assert line(machine, "environment").endswith(words)


def test_a_folder_that_tells_nothing_says_so() -> None:
    folder = VENV._replace(free=Unknown("no answer"), kind=Unknown("no table"), read_only=True)
    assert line(PLAIN._replace(storage=Storage((folder,), ())), "environment") == (
        "/project/.venv, room unknown (no answer), read-only"
    )
    assert line(PLAIN._replace(storage=Unknown("bad TOML")), "storage") == "unknown (bad TOML)"


@pytest.mark.parametrize("width", [60, 80, 100])
def test_lines_are_folded_between_words_under_their_value(width: int) -> None:
    notes = ("word " * 60, "/a/path/" + "x" * 200)
    lines = list(machine_lines(PLAIN._replace(notes=notes), width))
    assert all(len(each) <= width for each in lines if "xxx" not in each)
    assert any(each.endswith("x" * 200) for each in lines)
    at = next(number for number, each in enumerate(lines) if each.startswith("note "))
    assert lines[at + 1].startswith(" " * 12 + "word")
    assert " ".join(" ".join(lines).split()).count("word") == 60


@pytest.mark.parametrize("machine", machines(), ids=lambda path: path.stem)
def test_every_recorded_machine_fits_a_screen(machine: Path, tmp_path: Path) -> None:
    found = probe(LocalHost(unpack(machine, tmp_path), {}))
    lines = list(machine_lines(found, 100))
    assert len(lines) <= 24
    assert [each.split()[0] for each in lines[:1]] == ["system"]
    assert "{" not in "".join(lines)
    assert "None" not in "".join(lines)
