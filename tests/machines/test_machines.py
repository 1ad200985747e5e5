"""Every machine gets the build that its name says, and the whole way through JSON changes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from probes import LocalHost, Machine, Unknown, probe
from profiles import NoOfferError, Offer, accelerates, choose, index_of, why_not
from tests.machines.unpack import machines, unpack

OFFERS = tuple(Offer(name, name, index_of(name)) for name in ("cpu", "cu118", "cu126", "cu130", "rocm7.2"))

every_machine = pytest.mark.parametrize("machine", machines(), ids=lambda path: path.stem)


def answer(machine: Machine) -> str:
    try:
        return choose(OFFERS, machine).offer.name
    except NoOfferError:
        return "none"


@every_machine
def test_gets_the_build_of_its_name(machine: Path, tmp_path: Path) -> None:
    assert answer(probe(LocalHost(unpack(machine, tmp_path), {}))) == machine.stem.rpartition("-")[2]


@every_machine
def test_is_the_same_after_a_journey_as_json(machine: Path, tmp_path: Path) -> None:
    found = probe(LocalHost(unpack(machine, tmp_path), {}))
    assert Machine.from_json(json.loads(json.dumps(found.to_json()))) == found


@every_machine
def test_tells_architecture_libc_and_cpu(machine: Path, tmp_path: Path) -> None:
    found = probe(LocalHost(unpack(machine, tmp_path), {}))
    assert found.system.architecture == machine.stem.split("-")[1]
    assert found.libc is not None
    assert not isinstance(found.libc, Unknown)
    assert not isinstance(found.libc.version, Unknown)
    assert not isinstance(found.cpu, Unknown)
    assert found.cpu.level in ("armv8", "x86-64-v2", "x86-64-v3", "x86-64-v4")


@every_machine
def test_never_ends_silently_on_the_cpu(machine: Path, tmp_path: Path) -> None:
    found = probe(LocalHost(unpack(machine, tmp_path), {}))
    if answer(found) == "cpu":
        assert bool(choose(OFFERS, found).warnings) == (found.driver is not None or bool(found.gpus))


@every_machine
def test_says_why_not_exactly_for_what_would_not_be_used(machine: Path, tmp_path: Path) -> None:
    found = probe(LocalHost(unpack(machine, tmp_path), {}))
    for offer in OFFERS:
        assert ("nothing is in the way" in why_not(offer, found)) == accelerates(offer, found)


def test_a_container_with_the_hosts_drivers_is_told_how_to_get_a_gpu(tmp_path: Path) -> None:
    found = probe(LocalHost(unpack("linux-x86_64-container-without-device-nodes-cpu.txt", tmp_path), {}))
    assert found.gpus == ()
    (warning,) = choose(OFFERS, found).warnings
    assert "580.95.05 (/sys/module/nvidia/version) belongs to the host of this docker container" in warning
    assert "no device node /dev/nvidia0" in warning


def test_a_gpu_without_a_driver_is_told_which_driver_to_install(tmp_path: Path) -> None:
    found = probe(LocalHost(unpack("linux-x86_64-rtx4090-without-driver-cpu.txt", tmp_path), {}))
    (warning,) = choose(OFFERS, found).warnings
    assert "no driver is loaded for NVIDIA PCI device 10de:2684" in warning
    assert "NVIDIA driver 580 or newer would allow cu130" in warning


def test_an_integrated_amd_gpu_does_not_spoil_the_discrete_one(tmp_path: Path) -> None:
    found = probe(LocalHost(unpack("linux-x86_64-rx7900xtx-rocm7.2.txt", tmp_path), {}))
    assert [gpu.target for gpu in found.gpus] == ["gfx1100", "gfx1036"]
    assert "cannot use ip discovery (gfx1036" in choose(OFFERS, found).warnings[0]
