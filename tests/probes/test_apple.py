"""Apple's GPU: in every Apple chip, used by torch from a certain macOS on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes import Cpu, LocalHost, System, Unknown
from probes.apple import Apple, parse_mac, read_apple
from tests.probes.driven import write

CHIP = Cpu("Apple", "Apple M2", frozenset(), "armv8", "sysctl")


def mac(version: str | Unknown = "14.5", architecture: str = "arm64", machine: str | None = None) -> System:
    return System("macos", version, "23.5.0", architecture, "plist", machine)


def told(root: Path, output: str, system: System) -> Apple:
    write(root, {"/.torchstrap/answers.json": json.dumps({"output": {"mac": output}})})
    return read_apple(LocalHost(root, {}), system, CHIP)


def test_every_apple_chip_has_a_gpu(tmp_path: Path) -> None:
    apple = told(tmp_path, "hw.memsize: 17179869184\nhw.model: Mac14,2\nkern.hv_vmm_present: 0\n", mac())
    assert [(gpu.name, gpu.memory, gpu.visible) for gpu in apple.gpus] == [("Apple M2", 17179869184, True)]
    assert apple.notes == ()


@pytest.mark.parametrize("output", ["", "hw.memsize: much\n", "hw.memsize: \u00b2\n", f"hw.memsize: {'9' * 40}\n"])
def test_memory_that_is_not_told_is_unknown(tmp_path: Path, output: str) -> None:
    (gpu,) = told(tmp_path, output, mac()).gpus
    assert isinstance(gpu.memory, Unknown)


@pytest.mark.parametrize(("version", "visible"), [("12.2.1", False), ("12.3", True), ("13.0", True), ("26.1", True)])
def test_metal_needs_a_certain_macos(tmp_path: Path, version: str, visible: bool) -> None:
    apple = told(tmp_path, "", mac(version))
    assert apple.gpus[0].visible == visible
    assert len(apple.notes) == (0 if visible else 1)


def test_a_macos_of_unknown_version_is_not_refused(tmp_path: Path) -> None:
    assert told(tmp_path, "", mac(Unknown("no plist"))).gpus[0].visible


def test_a_virtual_mac_is_told(tmp_path: Path) -> None:
    (note,) = told(tmp_path, "hw.model: VirtualMac2,1\nkern.hv_vmm_present: 1\n", mac()).notes
    assert note.startswith("this Mac is a virtual machine (VirtualMac2,1)")


def test_a_mac_without_an_apple_chip_has_no_gpu_for_torch(tmp_path: Path) -> None:
    apple = told(tmp_path, "", mac(architecture="x86_64"))
    assert apple.gpus == ()
    assert "no Apple chip" in apple.notes[0]


def test_rosetta_is_told_by_the_system_alone(tmp_path: Path) -> None:
    assert told(tmp_path, "", mac(architecture="x86_64", machine="arm64")) == Apple()


def test_other_systems_have_none(tmp_path: Path) -> None:
    linux = System("linux", "debian 12", "6.1", "aarch64", "uname")
    assert read_apple(LocalHost(tmp_path, {}), linux, CHIP) == Apple()


@given(st.text() | st.text(alphabet="hw.memsize: 0123456789\n\u0662"))
def test_no_output_makes_it_fail(text: str) -> None:
    assert all(name for name in parse_mac(text))
