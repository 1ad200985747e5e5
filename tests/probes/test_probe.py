"""Everything together: this machine, empty folders, and folders full of rubbish."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes import Libc, LocalHost, Machine, System, Unknown, probe
from probes.container import read_container
from probes.libc import read_libc
from probes.system import read_system

ROOT = Path(__file__).parents[2]

FILES = (
    "proc/cpuinfo",
    "proc/version",
    "proc/1/cgroup",
    "proc/self/cgroup",
    "proc/self/mountinfo",
    "proc/device-tree/model",
    "sys/fs/cgroup/cgroup.controllers",
    "sys/fs/cgroup/cpu.max",
    "sys/fs/cgroup/memory.max",
    "sys/fs/cgroup/cpu/cpu.cfs_quota_us",
    "proc/sys/kernel/arch",
    "proc/driver/nvidia/version",
    "proc/driver/nvidia/gpus/0000:01:00.0/information",
    "sys/module/nvidia/version",
    "sys/bus/pci/devices/0000:01:00.0/class",
    "sys/bus/pci/devices/0000:01:00.0/vendor",
    "sys/class/kfd/kfd/topology/nodes/1/properties",
    "etc/os-release",
    "etc/nv_tegra_release",
    "run/systemd/container",
    "dev/nvidia0",
    "usr/local/cuda-13.0/compat/libcuda.so.580.105.08",
    "lib64/libc.so.6",
    ".torchstrap/answers.json",
    "System/Library/CoreServices/SystemVersion.plist",
)


PLAIN = {
    "proc/cpuinfo": "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu lm\n\nprocessor\t: 1\nflags\t\t: lm\n",
    "proc/version": "Linux version 6.1.0-13-amd64 (gcc 12)\n",
    "proc/self/cgroup": "5:memory:/docker/0123\n4:cpu,cpuacct:/\n0::/a\n",
    "proc/self/mountinfo": "22 1 0:21 / / rw,relatime - overlay overlay rw,lowerdir=/a\n",
    "proc/device-tree/model": "NVIDIA Jetson AGX Orin Developer Kit\0",
    "proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  Thu Feb 22\n",
    "proc/driver/nvidia/gpus/0000:01:00.0/information": "Model: \t H100\nGPU UUID: \t GPU-0a\nDevice Minor: \t 0\n",
    "sys/bus/pci/devices/0000:01:00.0/class": "0x030000\n",
    "sys/bus/pci/devices/0000:01:00.0/vendor": "0x10de\n",
    "sys/class/kfd/kfd/topology/nodes/1/properties": "gfx_target_version 90010\nsimd_count 304\n",
    "sys/fs/cgroup/cpu.max": "max 100000\n",
    "etc/os-release": 'ID="debian"\nVERSION_ID="12"\n',
    "etc/nv_tegra_release": "# R36 (release), REVISION: 4.0, GCID: 1\n",
    "lib64/libc.so.6": "GNU C Library (Debian) stable release version 2.36.\n",
    ".torchstrap/answers.json": '{"told": {"bits": "64"}, "environ": {}, "output": {"nvidia": "{\\"gpus\\": []}\\n"}}',
}


def write(root: Path, files: dict[str, str | bytes]) -> LocalHost:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return LocalHost(root, {})


def test_this_machine_is_known() -> None:
    machine = probe()
    assert not isinstance(machine.system.architecture, Unknown)
    assert Machine.from_json(machine.to_json()) == machine


def test_an_empty_folder_is_a_machine_of_unknowns(tmp_path: Path) -> None:
    machine = probe(LocalHost(tmp_path, {}))
    assert isinstance(machine.system.architecture, Unknown)
    assert isinstance(machine.libc, Unknown)
    assert isinstance(machine.cpu, Unknown)
    assert (machine.driver, machine.gpus, machine.container) == (None, (), None)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.sampled_from(FILES), st.binary(max_size=60)))
def test_no_content_makes_a_probe_fail(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]) -> None:
    assert isinstance(probe(write(tmp_path_factory.mktemp("machine"), {**files})), Machine)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(FILES), st.integers(0, 400), st.binary(max_size=8))
def test_a_recording_that_is_cut_off_or_spoilt_makes_no_probe_fail(
    tmp_path_factory: pytest.TempPathFactory, name: str, length: int, rest: bytes
) -> None:
    """Every file is as a machine has it, but one that ends early, or goes on with rubbish."""
    files: dict[str, str | bytes] = {each: PLAIN.get(each, "0\n") for each in FILES}
    whole = files[name]
    files[name] = (whole if isinstance(whole, bytes) else whole.encode())[:length] + rest
    assert isinstance(probe(write(tmp_path_factory.mktemp("machine"), files)), Machine)


@pytest.mark.parametrize(
    "content",
    [b"\0", b"9" * 64, b"a: b\n\n", b"flags : lm\n\n", b" " * 64, b"serial "],
    ids=["nul", "digits", "fields", "cores", "blanks", "words"],
)
def test_files_of_a_hundred_megabytes_are_read_to_their_limit(tmp_path: Path, content: bytes) -> None:
    root = tmp_path / "machine"
    host = write(root, dict.fromkeys(FILES, content * (1 << 14)))
    for name in ("proc/cpuinfo", "proc/self/mountinfo", "etc/os-release", ".torchstrap/answers.json"):
        with (root / name).open("r+b") as stream:
            stream.truncate(100 << 20)  # the rest is a hole: it takes no room, and would be read as zeros
    tracemalloc.start()
    machine = probe(host)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(machine, Machine)
    assert most < 90 << 20


def test_files_that_are_folders_make_no_probe_fail(tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).mkdir(parents=True)
    assert isinstance(probe(LocalHost(tmp_path, {})), Machine)


@pytest.mark.parametrize(
    ("files", "architecture"),
    [
        ({"proc/sys/kernel/arch": "aarch64\n"}, "aarch64"),
        ({"lib64/ld-linux-x86-64.so.2": ""}, "x86_64"),
        ({"lib/ld-musl-aarch64.so.1": ""}, "aarch64"),
        ({"proc/cpuinfo": "flags\t\t: fpu lm sse\n"}, "x86_64"),
        ({"proc/cpuinfo": "CPU architecture: 8\n"}, "aarch64"),
    ],
    ids=["kernel", "glibc-loader", "musl-loader", "flags", "arm-cores"],
)
def test_a_folder_tells_its_architecture(tmp_path: Path, files: dict[str, str | bytes], architecture: str) -> None:
    assert read_system(write(tmp_path, files)).architecture == architecture


def test_a_folder_of_macos_is_recognised(tmp_path: Path) -> None:
    plist = "<dict>\n\t<key>ProductVersion</key>\n\t<string>14.5</string>\n</dict>"
    system = read_system(write(tmp_path, {"System/Library/CoreServices/SystemVersion.plist": plist}))
    assert (system.os, system.version) == ("macos", "14.5")


def test_glibc_is_read_from_the_library_itself(tmp_path: Path) -> None:
    library = b"\x7fELF\0\0GNU C Library (Ubuntu GLIBC 2.35-0ubuntu3.8) stable release version 2.35.\n\0"
    host = write(tmp_path, {"lib64/ld-linux-x86-64.so.2": "", "lib/x86_64-linux-gnu/libc.so.6": library})
    assert read_libc(host, read_system(host)) == Libc("glibc", "2.35", "/lib64/ld-linux-x86-64.so.2")


def test_musl_is_read_from_the_package_list(tmp_path: Path) -> None:
    host = write(tmp_path, {"lib/ld-musl-x86_64.so.1": "", "lib/apk/db/installed": "P:musl\nV:1.2.5-r10\n"})
    assert read_libc(host, read_system(host)) == Libc("musl", "1.2.5", "/lib/ld-musl-x86_64.so.1")


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({".dockerenv": ""}, "docker"),
        ({"run/.containerenv": ""}, "podman"),
        ({"proc/1/cgroup": "0::/kubepods/besteffort/pod1\n"}, "kubernetes"),
        ({"proc/1/cgroup": "0::/init.scope\n"}, None),
    ],
    ids=["docker", "podman", "kubernetes", "none"],
)
def test_a_container_is_recognised(tmp_path: Path, files: dict[str, str | bytes], kind: str | None) -> None:
    container = read_container(write(tmp_path, files))
    assert (container and container.kind) == kind


def test_only_linux_that_windows_hosts_is_wsl() -> None:
    assert System("linux", "x", "5.15.167.4-microsoft-standard-WSL2", "x86_64", "x").is_wsl
    assert not System("linux", "x", "6.1.0-13-amd64", "x86_64", "x").is_wsl
    assert not System("linux", "x", Unknown("no"), "x86_64", "x").is_wsl


def test_probes_and_tables_work_from_an_archive(tmp_path: Path) -> None:
    archive = tmp_path / "one.zip"
    with zipfile.ZipFile(archive, "w") as bundle:
        for package in ("probes", "profiles"):
            for path in sorted((ROOT / package).iterdir()):
                if path.suffix in (".py", ".toml"):
                    bundle.write(path, f"{package}/{path.name}")
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import probes, profiles; from probes.nvidia_driver import ask_driver\n"
        "assert probes.__file__.startswith(sys.argv[1]), probes.__file__\n"
        "print(ask_driver(probes.LocalHost(), timeout=60) is not None, profiles.is_family('Torch'),\n"
        "      len(profiles.automatic_offers()) > 10)"
    )
    command = (
        [sys.executable, "-P", "-c", program, str(archive)]
        if sys.version_info >= (3, 11)
        else [sys.executable, "-c", program, str(archive)]
    )
    output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert output.stdout.split() == ["True", "True", "True"]
