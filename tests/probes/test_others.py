"""Accelerators of other makers are named with their number, and nothing more."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes import Container, LocalHost, System
from probes.display_ids import parse_instances
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


@pytest.mark.parametrize(
    ("packages", "words"),
    [
        ((), "but no NVIDIA one; others are not recognised here"),
        (("c_display.inf_amd64_bc7bd9dca28933ec",), "; others are not recognised here"),
        (("u0198633.inf_amd64_f6ca42135bb94c90",), ": its drivers are for GPUs of AMD (/usr/lib/wsl/drivers)"),
        (("iigd_dch.inf_amd64_d73f88d32ddb95d3",), ": its drivers are for GPUs of Intel (/usr/lib/wsl/drivers)"),
        (
            ("iigd_dch_d.inf_amd64_59943e79877d96f1", "u0390955.inf_amd64_53cfc5cd131b06d4"),
            ": its drivers are for GPUs of AMD and Intel (/usr/lib/wsl/drivers)",
        ),
    ],
    ids=["none", "others", "amd", "intel", "both"],
)
def test_a_gpu_that_windows_lends_is_named_by_the_packages_of_its_drivers(
    tmp_path: Path, packages: tuple[str, ...], words: str
) -> None:
    write(tmp_path, {"/dev/dxg": "", **{f"/usr/lib/wsl/drivers/{name}/x": "" for name in packages}})
    (note,) = name_others(LocalHost(tmp_path, {}), WSL)
    assert words in note


@pytest.mark.parametrize(
    ("told", "adapters"),
    [
        ("8086:a780 10de:2684", [PciDevice("", 0x030000, 0x8086, 0xA780)]),
        ("", []),
        ("8086:a7801 8086 :a780 x8086:a780", []),
    ],
    ids=["two", "none", "rubbish"],
)
def test_lists_the_display_adapters_that_windows_tells(tmp_path: Path, told: str, adapters: list[PciDevice]) -> None:
    write(tmp_path, {"/.torchstrap/answers.json": json.dumps({"told": {"displays": told}})})
    assert list(display_adapters(LocalHost(tmp_path, {}), 0x8086)) == adapters


def test_of_windows_names_for_devices_only_what_they_are_is_kept() -> None:
    text = (
        "PCI\\VEN_10DE&DEV_1F82&SUBSYS_8D961462&REV_A1\\4&2283F625&0&0019\0"
        "PCI\\VEN_8086&DEV_3E9B&SUBSYS_126A1462&REV_00\\3&11583659&1&10\0ROOT\\BASICDISPLAY\\0000\0\0"
    )
    assert parse_instances(text) == "10de:1f82 8086:3e9b"


def test_only_windows_tells_its_display_adapters() -> None:
    assert (LocalHost().told("displays") is None) == (sys.platform != "win32")


def test_lists_the_devices_of_some_vendors_in_the_order_of_the_bus(tmp_path: Path) -> None:
    write(tmp_path, {**device("0000:05:00.0", 0x1002, 2, "0x030000"), **device("0000:04:00.0", 0x8086, 1)})
    write(tmp_path, device("0000:06:00.0", 0x10DE, 3))
    host = LocalHost(tmp_path, {})
    found = pci_devices(host, {0x1002, 0x8086})
    assert found == (PciDevice("0000:04:00.0", 0x120000, 0x8086, 1), PciDevice("0000:05:00.0", 0x030000, 0x1002, 2))
    assert display_adapters(host, 0x1002) == (found[1],)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.sampled_from(list(device("0000:04:00.0", 0, 0))), st.binary(max_size=20)))
def test_no_content_makes_it_fail(tmp_path_factory: pytest.TempPathFactory, files: Mapping[str, bytes]) -> None:
    root = tmp_path_factory.mktemp("machine")
    write(root, files)
    assert isinstance(name_others(LocalHost(root, {}), LINUX), tuple)
