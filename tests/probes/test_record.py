"""A recording answers as its machine did, and does not tell whose it is."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import probes
from probes import LocalHost, Machine, probe, record
from probes.masks import Mask
from tests.probes.driven import Driven, built, environ_of

SECRET, OTHER = "8932f937-d72c-4106-c12f-20bd9faed9f6", "11f1e0cb-0a0a-4b4b-8c8c-0d0d0e0e0f0f"
SCRIPT = (
    "driver 535.129.03\ncuda 12020\n"
    f"gpu 6.1 11811160064 GPU-{SECRET} NVIDIA GeForce GTX 1080 Ti\n"
    f"gpu 9.0 85899345920 GPU-{OTHER} NVIDIA H100 PCIe\n"
)
FILES = {
    "/proc/cpuinfo": "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu lm\nSerial\t\t: 10000000a1b2\n",
    "/proc/sys/kernel/hostname": "secretive\n",
    "/proc/sys/kernel/osrelease": "6.1.0-13-amd64\n",
    "/proc/version": "Linux version 6.1.0-13-amd64 (someone@secretive) (gcc 12)\n",
    "/proc/self/cgroup": "0::/docker/" + "ab" * 32 + "\n",
    "/proc/self/mountinfo": (
        "22 1 0:21 / / ro,relatime - overlay overlay rw,lowerdir=/home/jane/images\n"
        "23 22 0:22 / /mnt/data rw - nfs secretserver:/export/jane rw\n"
    ),
    "/sys/fs/cgroup/cgroup.controllers": "cpu memory\n",
    f"/sys/fs/cgroup/docker/{'ab' * 32}/cpu.max": "150000 100000\n",
    f"/sys/fs/cgroup/docker/{'ab' * 32}/memory.max": "4294967296\n",
    "/proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.129.03  Thu Oct 19\n",
    "/etc/os-release": "ID=debian\nVERSION_ID=12\n",
    "/lib64/ld-linux-x86-64.so.2": "",
    "/dev/nvidiactl": "",
    "/dev/nvidia0": "",
    "/dev/nvidia1": "",
    "/dev/secret-disk": "",
}


def contents(folder: Path) -> str:
    return "\n".join(
        f"{path}\n{path.read_text(errors='replace')}" for path in sorted(folder.rglob("*")) if path.is_file()
    )


@pytest.mark.parametrize(
    "visible", [None, f"GPU-{OTHER[:8]}", f"GPU-{SECRET}", "0"], ids=["all", "begun", "whole", "number"]
)
def test_a_recording_answers_as_its_machine_did(tmp_path: Path, visible: str | None) -> None:
    variables = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    libraries = built(tmp_path / "driver")
    host = Driven(tmp_path / "machine", FILES, environ_of(libraries, SCRIPT + "fail cuInit 999\n", **variables))
    machine = record(host, tmp_path / "recording")
    again = probe(LocalHost(tmp_path / "recording", {}))
    mask = Mask()
    expected = json.loads(mask(json.dumps(machine.to_json())))
    assert again == Machine.from_json(expected)
    assert len(again.gpus) == 2
    assert again.limits is not None


def test_a_recording_tells_nothing_personal(tmp_path: Path) -> None:
    host = Driven(tmp_path / "machine", FILES, environ_of(built(tmp_path / "driver"), SCRIPT))
    record(host, tmp_path / "recording")
    text = contents(tmp_path / "recording")
    for word in (SECRET, OTHER, SECRET.replace("-", ""), "10000000a1b2", "secret", "jane", "ab" * 32, "disk"):
        assert word not in text, word
    assert "NVIDIA H100 PCIe" in text


def test_a_driver_that_hung_is_recorded_as_such(tmp_path: Path) -> None:
    host = Driven(tmp_path / "machine", FILES, environ_of(built(tmp_path / "driver"), SCRIPT + "crash cuInit\n"))
    machine = record(host, tmp_path / "recording")
    again = probe(LocalHost(tmp_path / "recording", {}))
    assert again.notes == machine.notes
    assert any("ended with -6" in note for note in again.notes)


def test_this_machine_can_be_recorded(tmp_path: Path) -> None:
    output = subprocess.run(
        [sys.executable, "-m", "probes", "--record", str(tmp_path / "new")],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[2],
    )
    printed = Machine.from_json(json.loads(output.stdout))
    again = probe(LocalHost(tmp_path / "new", {}))
    assert (again.system, again.libc, again.cpu) == (printed.system, printed.libc, printed.cpu)
    assert len(again.gpus) == len(printed.gpus)


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    with pytest.raises(FileExistsError, match="holds something already"):
        record(LocalHost(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"GPU UUID: GPU-{SECRET}", "GPU UUID: GPU-00000001-0000-0000-0000-000000000000"),
        ("link/ether 52:54:00:ab:cd:ef brd", "link/ether 00:00:00:00:00:00 brd"),
        ("unique_id 12345678901234", "unique_id 0000"),
        ("PYTHON=/home/jane/bin:/Users/joe/x", "PYTHON=/home/someone/bin:/Users/someone/x"),
        ("on secretive now", "on masked now"),
        ("0000:1b:00.0", "0000:1b:00.0"),
        ("CPU part\t: 0xd0c", "CPU part\t: 0xd0c"),
        ("secretive-kernel", "secretive-kernel"),
    ],
    ids=["uuid", "card", "serial", "home", "host", "bus", "part", "longer-word"],
)
def test_masks(text: str, masked: str) -> None:
    assert Mask(["secretive"])(text) == masked


@given(st.text() | st.text(alphabet="GPUMI-0123456789abcdef: serial/home"))
def test_masking_twice_is_masking_once(text: str) -> None:
    mask = Mask()
    once = mask(text)
    assert mask(once) == once


def test_no_module_hides_a_function_of_the_package() -> None:
    """Importing `probes.x` sets that name on the package, whatever else was called so."""
    modules = {found.name for found in pkgutil.iter_modules(probes.__path__)}
    assert not modules & set(probes.__all__)
