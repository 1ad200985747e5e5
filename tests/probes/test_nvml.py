"""The child that asks NVML, with real libraries made for it: one that answers, one that hangs, one that dies."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from probes import LocalHost, Unknown
from probes.nvidia import ask_nvml
from probes.nvml_answer import NvmlAnswer

COMPILER = shutil.which("cc")

LIBRARY = r"""
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
typedef struct { unsigned long long total, free, used; } memory;
static int devices[3];
int nvmlInitWithFlags(unsigned flags) { BEGIN; return 0; }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int code) { return "Driver/library version mismatch"; }
int nvmlSystemGetDriverVersion(char *text, unsigned size) { strncpy(text, "580.95.05", size); return 0; }
int nvmlSystemGetCudaDriverVersion_v2(int *version) { *version = 13000; return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 3; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned number, void **handle) {
    if (number == 1) return 15; /* fallen off the bus */
    *handle = &devices[number];
    return 0;
}
int nvmlDeviceGetName(void *handle, char *text, unsigned size) { strncpy(text, "NVIDIA H100 PCIe", size); return 0; }
int nvmlDeviceGetUUID(void *handle, char *text, unsigned size) { strncpy(text, "GPU-0a1b", size); return 0; }
int nvmlDeviceGetMemoryInfo(void *handle, memory *info) { info->total = 85899345920ull; return 0; }
int nvmlDeviceGetCudaComputeCapability(void *handle, int *major, int *minor) {
    if (handle == &devices[2]) return 3; /* not supported */
    *major = 9; *minor = 0;
    return 0;
}
"""


def host_with(folder: Path, begin: str) -> LocalHost:
    """This machine, with a libnvidia-ml.so.1 whose first call does what `begin` says."""
    if COMPILER is None or not sys.platform.startswith("linux"):
        pytest.skip("needs a C compiler and Linux")
    source = folder / "nvml.c"
    source.write_text(LIBRARY.replace("BEGIN", begin))
    command = [COMPILER, "-shared", "-fPIC", "-w", "-o", str(folder / "libnvidia-ml.so.1"), str(source)]
    subprocess.run(command, check=True, timeout=120)
    return LocalHost(environ={**os.environ, "LD_LIBRARY_PATH": str(folder)})


def test_reports_driver_and_gpus_and_what_failed(tmp_path: Path) -> None:
    answer = ask_nvml(host_with(tmp_path, ""), timeout=60)
    assert isinstance(answer, NvmlAnswer)
    assert (answer.driver, answer.cuda) == ("580.95.05", "13.0")
    first, last = answer.gpus
    assert (first.name, first.uuid, first.memory) == ("NVIDIA H100 PCIe", "GPU-0a1b", 85899345920)
    assert first.compute_capability == (9, 0)
    assert isinstance(last.compute_capability, Unknown)
    assert len(answer.notes) == 2


@pytest.mark.parametrize(
    ("begin", "words", "seconds"),
    [
        ("sleep(600)", "no answer within 1 s", 1),
        ("abort()", "ended with -6", 60),
        ("return 18", "restart the machine", 60),
    ],
    ids=["hangs", "crashes", "refuses"],
)
def test_a_library_that_misbehaves_becomes_a_fact(tmp_path: Path, begin: str, words: str, seconds: float) -> None:
    answer = ask_nvml(host_with(tmp_path, begin), timeout=seconds)
    assert isinstance(answer, Unknown)
    assert words in answer.reason


def test_a_machine_without_the_library_says_so(tmp_path: Path) -> None:
    if Path("/dev/nvidiactl").exists():
        pytest.skip("this machine has NVML")
    answer = ask_nvml(LocalHost(environ={**os.environ, "LD_LIBRARY_PATH": str(tmp_path)}), timeout=60)
    assert isinstance(answer, Unknown)
    assert "Not Found" in answer.reason


def test_the_child_finds_pynvml_without_pythonpath_or_site_packages(tmp_path: Path) -> None:
    """As from an archive or a folder that only this process has on its path."""
    (tmp_path / "pynvml.py").write_text(
        "class NVMLError(Exception): pass\ndef nvmlInit(): raise NVMLError('it is this one')\n"
    )
    root = Path(__file__).parents[2]
    program = (
        f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(root)!r}]\n"
        "from probes import LocalHost; from probes.nvidia import ask_nvml\n"
        "print(ask_nvml(LocalHost(), timeout=60).reason)"
    )
    output = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], check=True, capture_output=True, text=True, timeout=60
    )
    assert output.stdout == "it is this one\n"
