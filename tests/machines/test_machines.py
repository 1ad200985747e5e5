"""Every machine gets the build that its name says, and the whole way through JSON changes nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from probes import Cpu, Libc, LocalHost, Machine, NvidiaDriver, Unknown, probe
from profiles import accelerates, automatic_offers, choose, why_not
from tests.machines.table import OFFERS, answer, expected, facts, probed_file
from tests.machines.unpack import machines, preface, unpack

every_machine = pytest.mark.parametrize("machine", machines(), ids=lambda path: path.stem)


def probed(name: str, tmp_path: Path) -> Machine:
    return probe(LocalHost(unpack(f"{name}.txt", tmp_path), {}))


def test_there_are_machines_of_every_kind() -> None:
    names = " ".join(path.stem for path in machines())
    assert len(machines()) >= 40
    for kind in ("k40", "titanx", "p100", "v100", "t4", "a100", "rtx4090", "h100", "b200", "rtx5090", "wsl2", "jetson"):
        assert kind in names


@every_machine
def test_gets_the_build_of_its_name(machine: Path, tmp_path: Path) -> None:
    assert answer(probe(LocalHost(unpack(machine, tmp_path), {}))) == expected(machine)


@every_machine
def test_is_told_in_a_few_words(machine: Path) -> None:
    told = list(facts(probed_file(machine)))
    assert all(told)
    assert len(told) >= 2


@every_machine
def test_gets_the_build_that_its_preface_says_where_no_project_names_one(machine: Path, tmp_path: Path) -> None:
    found = probe(LocalHost(unpack(machine, tmp_path), {}))
    named = re.search(r"^Automatic: (\S+?)(?: \S+)?\.$", preface(machine), re.MULTILINE)
    assert named is not None
    assert answer(found, automatic_offers()) == named[1]


@every_machine
def test_tells_where_its_contents_come_from(machine: Path) -> None:
    assert re.match(r"Sources: .+\.\nComposed: .+\.\n", preface(machine))


@every_machine
def test_is_the_same_after_a_journey_as_json(machine: Path, tmp_path: Path) -> None:
    found = probe(LocalHost(unpack(machine, tmp_path), {}))
    assert Machine.from_json(json.loads(json.dumps(found.to_json()))) == found


@every_machine
def test_tells_system_architecture_libc_and_cpu(machine: Path, tmp_path: Path) -> None:
    found = probe(LocalHost(unpack(machine, tmp_path), {}))
    assert [found.system.os, found.system.architecture] == machine.stem.split("-")[:2]
    assert not isinstance(found.system.version, Unknown)
    assert (found.libc is None) == (found.system.os != "linux")
    assert found.libc is None or (isinstance(found.libc, Libc) and isinstance(found.libc.version, str))
    assert isinstance(found.cpu, Cpu)
    assert found.cpu.level in ("armv8", "x86-64-v1", "x86-64-v2", "x86-64-v3", "x86-64-v4")


@every_machine
def test_never_ends_silently_on_the_cpu(machine: Path, tmp_path: Path) -> None:
    found = probe(LocalHost(unpack(machine, tmp_path), {}))
    if answer(found) != "cpu" or accelerates(OFFERS[0], found):
        return
    warned = any("will compute on the CPU" in warning for warning in choose(OFFERS, found).warnings)
    assert warned == (found.driver is not None or any(gpu.visible or gpu.closed for gpu in found.gpus))
    assert all(any(gpu.closed in note for note in found.notes) for gpu in found.gpus if gpu.closed)


@every_machine
def test_says_why_not_exactly_for_what_would_not_be_used(machine: Path, tmp_path: Path) -> None:
    found = probe(LocalHost(unpack(machine, tmp_path), {}))
    for offer in OFFERS:
        assert ("nothing is in the way" in why_not(offer, found)) == accelerates(offer, found)


@pytest.mark.parametrize(
    ("name", "level", "system"),
    [
        ("linux-x86_64-v1-core2-cpu", "x86-64-v1", "debian 11"),
        ("linux-x86_64-v2-sandy-bridge-cpu", "x86-64-v2", "rocky 8.9"),
        ("linux-x86_64-v3-epyc-cpu", "x86-64-v3", "rhel 9.4"),
        ("linux-x86_64-v4-zen4-cpu", "x86-64-v4", "ubuntu 26.04"),
        ("linux-aarch64-neoverse-v2-cpu", "armv8", "ubuntu 22.04"),
        ("macos-arm64-m1-macos14-cpu", "armv8", "14.5"),
        ("macos-x86_64-macbookpro2018-cpu", "x86-64-v3", "14.7.1"),
    ],
)
def test_knows_the_level_of_the_cpu(tmp_path: Path, name: str, level: str, system: str) -> None:
    found = probed(name, tmp_path)
    assert isinstance(found.cpu, Cpu)
    assert (found.cpu.level, found.system.version) == (level, system)


@pytest.mark.parametrize(
    ("name", "capabilities"),
    [
        ("linux-x86_64-k40-driver470-cpu", {(3, 5)}),
        ("linux-x86_64-k80-driver470-cu118", {(3, 7)}),
        ("linux-x86_64-gtx750ti-driver390-cpu", {(5, 0)}),
        ("linux-x86_64-gtxtitanx-driver470-cu118", {(5, 2)}),
        ("linux-x86_64-p100-driver525-cu126", {(6, 0)}),
        ("linux-x86_64-gtx1080ti-driver580-cu126", {(6, 1)}),
        ("linux-x86_64-v100-driver550-cu126", {(7, 0)}),
        ("linux-x86_64-t4-driver525-cu126", {(7, 5)}),
        ("linux-x86_64-a100-glibc217-cu118", {(8, 0)}),
        ("linux-x86_64-p620-and-a6000-driver570-cu126", {(6, 1), (8, 6)}),
        ("linux-aarch64-jetson-agx-orin-cpu", {(8, 7)}),
        ("linux-x86_64-rtx4090-driver595-cu130", {(8, 9)}),
        ("linux-aarch64-gh200-driver580-cu130", {(9, 0)}),
        ("linux-x86_64-8xb200-driver570-cu128", {(10, 0)}),
        ("linux-x86_64-b300-driver580-cu130", {(10, 3)}),
        ("linux-aarch64-jetson-thor-cu130", {(11, 0)}),
        ("linux-x86_64-rtx5090-driver580-cu130", {(12, 0)}),
        ("linux-aarch64-dgxspark-driver580-cu130", {(12, 1)}),
    ],
)
def test_knows_every_generation_without_nvml(tmp_path: Path, name: str, capabilities: set[tuple[int, int]]) -> None:
    assert {gpu.compute_capability for gpu in probed(name, tmp_path).gpus} == capabilities


@pytest.mark.parametrize(
    ("name", "model", "step"),
    [
        ("linux-aarch64-ascend910b-cpu", "TSV110", "armv8.2"),
        ("linux-aarch64-dgxspark-driver580-cu130", "Cortex-A725 and Cortex-X925", "armv9.2"),
        ("linux-aarch64-gh200-driver580-cu130", "Neoverse V2", "armv9.0"),
        ("linux-aarch64-jetson-agx-orin-cpu", "Cortex-A78AE", "armv8.2"),
        ("linux-aarch64-jetson-thor-cu130", "Neoverse V3AE", "armv9.0"),
        ("macos-arm64-m1-macos14-cpu", "Apple M1", "armv8.3"),
        ("macos-arm64-m5-macos26-cpu", "Apple M5", "armv8.7"),
        ("linux-x86_64-v4-zen4-cpu", "AMD Ryzen 9 7950X 16-Core Processor", None),
    ],
)
def test_knows_the_step_of_an_arm_cpu(tmp_path: Path, name: str, model: str, step: str | None) -> None:
    found = probed(name, tmp_path)
    assert isinstance(found.cpu, Cpu)
    assert (found.cpu.model, found.cpu.step) == (model, step)
    assert ("sve2" in found.cpu.features) == (step is not None and step.startswith("armv9"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("linux-x86_64-wsl2-rx6700xt-cpu", "its drivers are for GPUs of AMD"),
        ("linux-x86_64-wsl2-intel-graphics-cpu", "its drivers are for GPUs of Intel"),
        ("linux-x86_64-wsl2-without-nvidia-cpu", "but no NVIDIA one; others are not recognised here"),
        ("windows-x86_64-rx7900xtx-cpu", "AMD PCI device 1002:744c is on the bus"),
        ("windows-x86_64-arc-b580-cpu", "PyTorch's XPU build supports Intel Arc B580 on Windows"),
        ("windows-x86_64-without-gpu-cpu", "Intel UHD Graphics 770 (Alder Lake) is not supported"),
        ("linux-x86_64-meteor-lake-u-cpu", "whether torch can compute on Intel Graphics (Meteor Lake-U) is not known"),
    ],
)
def test_gpus_that_are_not_served_are_named(tmp_path: Path, name: str, words: str) -> None:
    found = probed(name, tmp_path)
    assert found.gpus == ()
    assert words in found.notes[0]


def test_a_card_of_a_windows_without_its_driver_is_told_which_driver_to_install(tmp_path: Path) -> None:
    found = probed("windows-x86_64-rtx4090-without-driver-cpu", tmp_path)
    (warning,) = choose(OFFERS, found).warnings
    assert "no driver is loaded for NVIDIA PCI device 10de:2684" in warning


def test_a_container_with_the_hosts_drivers_is_told_how_to_get_a_gpu(tmp_path: Path) -> None:
    found = probed("linux-x86_64-container-without-device-nodes-cpu", tmp_path)
    assert found.gpus == ()
    (warning,) = choose(OFFERS, found).warnings
    assert "580.95.05 (/sys/module/nvidia/version) belongs to the host of this docker container" in warning
    assert "no device node /dev/nvidia0" in warning


def test_a_gpu_without_a_driver_is_told_which_driver_to_install(tmp_path: Path) -> None:
    found = probed("linux-x86_64-rtx4090-without-driver-cpu", tmp_path)
    (warning,) = choose(OFFERS, found).warnings
    assert "no driver is loaded for NVIDIA PCI device 10de:2684" in warning
    assert "NVIDIA driver 580 or newer would allow cu130" in warning


def test_windows_own_driver_counts_in_wsl(tmp_path: Path) -> None:
    found = probed("linux-x86_64-wsl2-rtx4070-driver581-cu130", tmp_path)
    assert isinstance(found.driver, NvidiaDriver)
    assert (found.system.wsl, found.driver.version, found.driver.source) == (2, "581.15", "NVML")


def test_an_integrated_amd_gpu_does_not_spoil_the_discrete_one(tmp_path: Path) -> None:
    found = probed("linux-x86_64-rx7900xtx-rocm7.2", tmp_path)
    assert [(gpu.target, gpu.integrated) for gpu in found.gpus] == [("gfx1100", False), ("gfx1036", True)]
    assert [gpu.memory for gpu in found.gpus] == [25753026560, 16377958400]
    assert choose(OFFERS, found).warnings == ()


def test_an_instinct_tells_its_driver_and_rocm(tmp_path: Path) -> None:
    found = probed("linux-x86_64-2xmi300x-rocm7.2", tmp_path)
    (driver,) = found.drivers
    assert (driver.name, driver.version, driver.user_space) == ("amdgpu", "6.12.12", "6.4.0-47")
    assert [gpu.name for gpu in found.gpus] == ["AMD Instinct MI300X", "AMD PCI device 1002:74a1"]


def test_a_user_outside_the_group_is_told_which_one(tmp_path: Path) -> None:
    found = probed("linux-x86_64-rx9070xt-user-not-in-group-cpu", tmp_path)
    (gpu,) = found.gpus
    assert not gpu.visible
    assert "its user is not in the group render (`sudo usermod -aG render $USER`" in (gpu.closed or "")


def test_an_arc_card_counts_and_the_graphics_beside_it_is_named(tmp_path: Path) -> None:
    found = probed("linux-x86_64-arc-a770-xpu", tmp_path)
    assert [gpu.name for gpu in found.gpus] == ["Intel Arc A770"]
    assert [(driver.name, driver.user_space) for driver in found.drivers] == [("i915", "1.6.33578")]
    assert "Intel UHD Graphics 770 (Alder Lake) is not supported by PyTorch's XPU build" in found.notes[0]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("linux-x86_64-tpu-v5e-cpu", "4 x Google TPU v5e"),
        ("linux-x86_64-gaudi2-cpu", "2 x Intel Gaudi 2"),
        ("linux-aarch64-ascend910b-cpu", "4 x Huawei Ascend 910B"),
    ],
)
def test_other_accelerators_are_named_and_not_served(tmp_path: Path, name: str, words: str) -> None:
    found = probed(name, tmp_path)
    assert found.gpus == ()
    assert found.notes[0].startswith(f"{words} on the bus")


def test_a_mac_computes_with_the_build_for_the_cpu(tmp_path: Path) -> None:
    found = probed("macos-arm64-m4pro-macos26-cpu", tmp_path)
    assert [(gpu.name, gpu.memory) for gpu in found.gpus] == [("Apple M4 Pro", 51539607552)]
    assert accelerates(OFFERS[0], found)
