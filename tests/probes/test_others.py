"""Accelerators of other makers are named with their number, and nothing more."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes import Container, LocalHost, System
from probes.others import ACCELERATORS, name_others
from probes.pci import FOLDER, PciDevice, display_adapters, pci_devices
from tests.probes.driven import write

LINUX = System("linux", "ubuntu 24.04", "6.8.0", "x86_64", "uname")
WSL = System("linux", "ubuntu 24.04", "6.6.87.2-microsoft-standard-WSL2", "x86_64", "uname")


def device(address: str, vendor: int, number: int, kind: str = "0x120000") -> dict[str, str]:
    return {
        f"{FOLDER}/{address}/{name}": text
        for name, text in (("vendor", f"{vendor:#06x}\n"), ("device", f"{number:#06x}\n"), ("class", f"{kind}\n"))
    }


@pytest.mark.parametrize(("key", "known"), list(ACCELERATORS.items()), ids=str)
def test_names_what_it_knows(tmp_path: Path, key: tuple[int, int], known: tuple[str, str]) -> None:
    write(tmp_path, {**device("0000:04:00.0", *key), **device("0000:05:00.0", *key)})
    (note,) = name_others(LocalHost(tmp_path, {}), LINUX)
    assert note.startswith(f"2 x {known[0]} on the bus: served by {known[1]}")


def test_a_containers_bus_is_its_hosts(tmp_path: Path) -> None:
    write(tmp_path, device("0000:04:00.0", 0x1DA3, 0x1060))
    (note,) = name_others(LocalHost(tmp_path, {}), LINUX, Container("docker", "/.dockerenv"))
    assert "on the bus of this docker container's host" in note


def test_other_devices_of_those_makers_say_nothing(tmp_path: Path) -> None:
    write(tmp_path, device("0000:04:00.0", 0x19E5, 0x0222, "0x020000"))
    assert name_others(LocalHost(tmp_path, {}), LINUX) == ()


@pytest.mark.parametrize(("lent", "count"), [("/usr/lib/wsl/lib/libcuda.so.1", 0), ("/usr/lib/wsl/lib/other", 1)])
def test_a_gpu_that_windows_lends_is_named_unless_it_is_nvidias(tmp_path: Path, lent: str, count: int) -> None:
    write(tmp_path, {"/dev/dxg": "", lent: ""})
    assert len(name_others(LocalHost(tmp_path, {}), WSL)) == count
    assert name_others(LocalHost(tmp_path, {}), LINUX) == ()


def test_lists_the_devices_of_some_vendors_in_the_order_of_the_bus(tmp_path: Path) -> None:
    write(tmp_path, {**device("0000:05:00.0", 0x1002, 2, "0x030000"), **device("0000:04:00.0", 0x8086, 1)})
    write(tmp_path, device("0000:06:00.0", 0x10DE, 3))
    host = LocalHost(tmp_path, {})
    found = pci_devices(host, {0x1002, 0x8086})
    assert found == (PciDevice("0000:04:00.0", 0x120000, 0x8086, 1), PciDevice("0000:05:00.0", 0x030000, 0x1002, 2))
    assert display_adapters(host, 0x1002) == (("0000:05:00.0", 2),)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.sampled_from(list(device("0000:04:00.0", 0, 0))), st.binary(max_size=20)))
def test_no_content_makes_it_fail(tmp_path_factory: pytest.TempPathFactory, files: Mapping[str, bytes]) -> None:
    root = tmp_path_factory.mktemp("machine")
    write(root, files)
    assert isinstance(name_others(LocalHost(root, {}), LINUX), tuple)
