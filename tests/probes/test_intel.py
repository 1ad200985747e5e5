"""Intel's GPUs: the few that compute, by PCI id, and what keeps a program from them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes import Container, LocalHost
from probes.intel import Intel, read_intel
from probes.intel_adapters import level_zero_version
from probes.intel_devices import PLATFORMS, PRODUCTS, platform_of_device, product_of_device
from probes.system import read_system
from tests.probes.driven import write

ADDRESS = "0000:03:00.0"
PCI = f"/sys/bus/pci/devices/{ADDRESS}"
LIBRARY = {"/usr/lib/x86_64-linux-gnu/libze_intel_gpu.so.1.6.33578": ""}


def card(device: str = "0xe20b", driver: str = "xe", kind: str = "0x030000") -> dict[str, str]:
    return {
        f"{PCI}/class": f"{kind}\n",
        f"{PCI}/vendor": "0x8086\n",
        f"{PCI}/device": f"{device}\n",
        f"{PCI}/drm/renderD128/uevent": "",
        f"/sys/bus/pci/drivers/{driver}/{ADDRESS}/device": "",
        "/dev/dri/renderD128": "",
    }


def found(root: Path, files: Mapping[str, str], container: Container | None = None) -> Intel:
    write(root, files)
    host = LocalHost(root, {})
    return read_intel(host, read_system(host), container)


@pytest.mark.parametrize(
    ("device", "name", "integrated"),
    [
        ("0x56a0", "Intel Arc A770", False),
        ("0xe20b", "Intel Arc B580", False),
        ("0xe211", "Intel Arc B (Battlemage) PCI device 8086:e211", False),
        ("0x0bd5", "Intel Data Center GPU Max 1550", False),
        ("0x7d55", "Intel Arc Graphics (Meteor Lake-H)", True),
        ("0x7dd5", "Intel Graphics (Meteor Lake-H)", True),
        ("0x7d51", "Intel Arc Graphics (Arrow Lake-H)", True),
        ("0x64a0", "Intel Arc Graphics (Lunar Lake)", True),
        ("0xb080", "Intel Panther Lake PCI device 8086:b080", True),
    ],
)
def test_counts_what_the_xpu_build_supports(tmp_path: Path, device: str, name: str, integrated: bool) -> None:
    intel = found(tmp_path, {**card(device), **LIBRARY})
    assert [(gpu.name, gpu.integrated, gpu.visible) for gpu in intel.gpus] == [(name, integrated, True)]
    assert intel.notes == ()
    assert [(driver.name, driver.version, driver.user_space) for driver in intel.drivers] == [("xe", None, "1.6.33578")]


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ("0x9a49", "Intel Iris Xe Graphics (Tiger Lake) is not supported by PyTorch's XPU build"),
        ("0x4680", "Intel UHD Graphics 770 (Alder Lake) is not supported"),
        (
            "0x7d45",
            "whether torch can compute on Intel Graphics (Meteor Lake-U) is not known, so it is not counted on:",
        ),
        ("0x7d60", "whether torch can compute on Intel Meteor Lake PCI device 8086:7d60 is not known"),
        ("0x56c0", "whether torch can compute on Intel Data Center GPU Flex 170 is not known"),
        ("0xfd80", "whether torch can compute on Intel Wildcat Lake PCI device 8086:fd80 is not known"),
        ("0x4905", "Intel Iris Xe Max (DG1) PCI device 8086:4905 is not supported"),
        ("0x0166", "Intel PCI device 8086:0166 is no GPU that is known to compute"),
    ],
)
def test_names_what_it_does_not_support(tmp_path: Path, device: str, words: str) -> None:
    intel = found(tmp_path, card(device, "i915"))
    assert intel.gpus == ()
    assert intel.notes[0].startswith(words)


@pytest.mark.parametrize(
    ("displays", "words"),
    [
        ("8086:e20b", "PyTorch's XPU build supports Intel Arc B580 on Windows, but whether programs can use it"),
        ("8086:4680", "Intel UHD Graphics 770 (Alder Lake) is not supported"),
        ("8086:7d45", "whether torch can compute on Intel Graphics (Meteor Lake-U) is not known"),
    ],
    ids=["supported", "not", "not-known"],
)
def test_windows_adapters_are_named_and_not_counted_on(tmp_path: Path, displays: str, words: str) -> None:
    told = {"platform": "win32", "windows": "10.0.22631", "displays": f"10de:2684 {displays}"}
    intel = found(tmp_path, {"/.torchstrap/answers.json": json.dumps({"told": told})})
    (note,) = intel.notes
    assert note.startswith(words)
    assert (intel.gpus, intel.drivers) == ((), ())


def test_only_display_adapters_count(tmp_path: Path) -> None:
    assert found(tmp_path, card("0xe20b", kind="0x020000")) == Intel()
    assert len(found(tmp_path, {f"{PCI}/class": "0x038000\n"}).gpus) == 1


def test_a_card_without_a_driver_is_closed(tmp_path: Path) -> None:
    files = {name: text for name, text in card().items() if name.startswith(PCI) and "drm" not in name}
    (gpu,) = found(tmp_path, files).gpus
    assert (gpu.visible, gpu.closed) == (False, "no driver of the kernel (xe or i915) serves it")


def test_a_container_needs_the_render_node(tmp_path: Path) -> None:
    files = {name: text for name, text in card().items() if not name.startswith("/dev")}
    intel = found(tmp_path, files, Container("docker", "/.dockerenv"))
    assert not intel.gpus[0].visible
    assert "`docker run --device /dev/dri`" in intel.notes[0]


def test_a_user_outside_the_group_is_told(tmp_path: Path) -> None:
    output = {"opening": json.dumps({"/dev/dri/renderD128": {"error": "EACCES", "group": "render", "listed": False}})}
    intel = found(tmp_path, {**card(), "/.torchstrap/answers.json": json.dumps({"output": output})})
    assert "usermod -aG render" in intel.notes[0]


def test_a_missing_level_zero_is_told(tmp_path: Path) -> None:
    (note,) = found(tmp_path, card()).notes
    assert note.startswith("there is no Level Zero driver (libze_intel_gpu.so.1)")


@pytest.mark.parametrize(
    ("names", "version"),
    [
        ((), None),
        (("libze_intel_gpu.so.1",), ""),
        (("libze_intel_gpu.so.1", "libze_intel_gpu.so.1.3.29735"), "1.3.29735"),
        (("libze_intel_gpu.so.1.6.33578.15",), None),
        (("libze_loader.so.1.17.0",), None),
    ],
    ids=["none", "bare", "versioned", "too-long", "loader-only"],
)
def test_reads_level_zeros_version_from_its_name(tmp_path: Path, names: tuple[str, ...], version: str | None) -> None:
    write(tmp_path, {f"/usr/lib64/{name}": "" for name in names})
    assert level_zero_version(LocalHost(tmp_path, {})) == version


def test_no_device_is_of_two_platforms() -> None:
    for one, other in combinations(PLATFORMS, 2):
        assert not one.devices & other.devices, (one.name, other.name)


def test_every_product_is_of_a_platform() -> None:
    for device, name in PRODUCTS.items():
        platform = platform_of_device(device)
        assert platform is not None
        assert ("Arc A" in name or "Arc Pro A" in name) <= (platform.name.startswith("Arc A") or platform.integrated)
        assert ("Iris" in name or "UHD" in name) <= (platform.supported is False)


@given(st.integers(0, 0xFFFF))
def test_every_id_has_a_name(device: int) -> None:
    name = product_of_device(device)
    assert name.startswith("Intel ")
    assert (platform_of_device(device) is None) == (name == f"Intel PCI device 8086:{device:04x}")


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.sampled_from([*card(), *LIBRARY]), st.binary(max_size=40)))
def test_no_content_makes_the_probe_fail(tmp_path_factory: pytest.TempPathFactory, files: Mapping[str, bytes]) -> None:
    root = tmp_path_factory.mktemp("machine")
    write(root, files)
    host = LocalHost(root, {})
    assert isinstance(read_intel(host, read_system(host)), Intel)
