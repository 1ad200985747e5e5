"""Everything together: this machine, empty folders, and folders full of rubbish."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes import Libc, LocalHost, Machine, System, Unknown, probe
from probes.system import read_container, read_libc, read_system

ROOT = Path(__file__).parents[2]

FILES = (
    "proc/cpuinfo",
    "proc/version",
    "proc/1/cgroup",
    "proc/sys/kernel/arch",
    "proc/driver/nvidia/version",
    "proc/driver/nvidia/gpus/0000:01:00.0/information",
    "sys/module/nvidia/version",
    "sys/bus/pci/devices/0000:01:00.0/class",
    "sys/bus/pci/devices/0000:01:00.0/vendor",
    "sys/class/kfd/kfd/topology/nodes/1/properties",
    "etc/os-release",
    "lib64/libc.so.6",
    "System/Library/CoreServices/SystemVersion.plist",
)


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
        "import probes, profiles; from probes.nvidia import ask_nvml\n"
        "assert probes.__file__.startswith(sys.argv[1]), probes.__file__\n"
        "print(ask_nvml(probes.LocalHost(), timeout=60) is not None, profiles.is_family('Torch'),\n"
        "      len(profiles.automatic_offers()) > 10)"
    )
    command = (
        [sys.executable, "-P", "-c", program, str(archive)]
        if sys.version_info >= (3, 11)
        else [sys.executable, "-c", program, str(archive)]
    )
    output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert output.stdout.split() == ["True", "True", "True"]
