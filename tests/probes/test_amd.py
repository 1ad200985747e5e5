"""AMD's GPUs as KFD lists them: targets, memory, and what keeps a program from them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes import Container, LocalHost, Unknown
from probes.amd import APUS, Amd, parse_properties, parse_target, read_amd
from tests.probes.driven import Driven, write

NODES = "/sys/class/kfd/kfd/topology/nodes"
CARD = "simd_count 192\ngfx_target_version 110000\nvendor_id 4098\ndevice_id 29772\ndrm_render_minor 128\n"
INSIDE = "simd_count 4\ngfx_target_version 100306\nvendor_id 4098\ndevice_id 5710\ndrm_render_minor 129\n"
TWO = {
    f"{NODES}/0/properties": "cpu_cores_count 16\ngfx_target_version 0\n",
    f"{NODES}/2/properties": CARD,
    f"{NODES}/10/properties": INSIDE,
    "/dev/kfd": "",
    "/dev/dri/renderD128": "",
    "/dev/dri/renderD129": "",
}


def found(root: Path, files: Mapping[str, str], container: Container | None = None, **environ: str) -> Amd:
    write(root, files)
    answers = {"environ": environ, "output": {"opening": files["opening"]} if "opening" in files else {}}
    write(root, {"/.torchstrap/answers.json": json.dumps(answers)})
    return read_amd(LocalHost(root, {}), container)


@pytest.mark.parametrize(
    ("number", "target"),
    [
        (90010, "gfx90a"),
        (90402, "gfx942"),
        (90500, "gfx950"),
        (90006, "gfx906"),
        (100306, "gfx1036"),
        (110003, "gfx1103"),
        (110501, "gfx1151"),
        (120001, "gfx1201"),
        (0, None),
    ],
)
def test_reads_the_target(number: int, target: str | None) -> None:
    assert parse_target(f"simd_count 64\ngfx_target_version {number}\nvendor_id 4098\n") == target


@given(st.text() | st.text(alphabet="gfx_target_version 0123456789\n"))
def test_no_text_makes_the_target_fail(text: str) -> None:
    target = parse_target(text)
    assert target is None or target.startswith("gfx")


@given(st.text() | st.text(alphabet="ab_ 0123456789\n"))
def test_no_text_makes_properties_fail(text: str) -> None:
    assert all(name and 0 <= number < 1 << 64 for name, number in parse_properties(text).items())


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.sampled_from([*TWO, f"{NODES}/2/name", f"{NODES}/2/mem_banks/0/properties"]), st.binary()))
def test_no_topology_makes_the_probe_fail(tmp_path_factory: pytest.TempPathFactory, files: Mapping[str, bytes]) -> None:
    root = tmp_path_factory.mktemp("machine")
    write(root, files)
    assert isinstance(read_amd(LocalHost(root, {})), Amd)


def test_lists_gpus_in_the_order_of_their_nodes_and_tells_card_from_processor(tmp_path: Path) -> None:
    amd = found(tmp_path, TWO)
    assert [(gpu.target, gpu.integrated) for gpu in amd.gpus] == [("gfx1100", False), ("gfx1036", True)]
    assert amd.notes == ()


def test_an_instinct_inside_a_processor_shares_its_memory(tmp_path: Path) -> None:
    mi300a = "gfx_target_version 90402\nvendor_id 4098\ndevice_id 29856\n"
    (gpu,) = found(tmp_path, {f"{NODES}/1/properties": mi300a, "/dev/kfd": ""}).gpus
    assert (gpu.target, gpu.integrated) == ("gfx942", True)
    assert "gfx942" not in APUS


def test_memory_is_that_of_the_card_and_not_of_the_system(tmp_path: Path) -> None:
    banks = {
        f"{NODES}/2/mem_banks/0/properties": "heap_type 0\nsize_in_bytes 68719476736\n",
        f"{NODES}/2/mem_banks/1/properties": "heap_type 1\nsize_in_bytes 25753026560\n",
    }
    assert found(tmp_path, {**TWO, **banks}).gpus[0].memory == 25753026560


def test_memory_may_be_told_by_the_display_half_of_the_driver(tmp_path: Path) -> None:
    total = {"/sys/class/drm/renderD128/device/mem_info_vram_total": "25753026560\n"}
    card, inside = found(tmp_path, {**TWO, **total}).gpus
    assert card.memory == 25753026560
    assert isinstance(inside.memory, Unknown)


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ({f"{NODES}/2/name": "navi31\n"}, "navi31"),
        ({f"{NODES}/2/name": "ip discovery\n"}, "AMD PCI device 1002:744c"),
        ({"/sys/class/drm/renderD128/device/product_name": "AMD Instinct MI210\n"}, "AMD Instinct MI210"),
    ],
    ids=["chip", "placeholder", "product"],
)
def test_names_a_gpu_by_what_says_most(tmp_path: Path, files: Mapping[str, str], name: str) -> None:
    assert found(tmp_path, {**TWO, **files}).gpus[0].name == name


def test_gpus_that_cannot_be_opened_are_told(tmp_path: Path) -> None:
    amd = found(tmp_path, {f"{NODES}/1/properties": CARD})
    assert [(gpu.visible, gpu.closed) for gpu in amd.gpus] == [(False, "there is no device node /dev/kfd")]
    assert amd.notes == ("AMD PCI device 1002:744c (gfx1100) cannot be used: there is no device node /dev/kfd",)


def test_a_container_may_be_given_one_gpu_of_two(tmp_path: Path) -> None:
    files = {name: text for name, text in TWO.items() if name != "/dev/dri/renderD129"}
    amd = found(tmp_path, files, Container("docker", "/.dockerenv"))
    assert [gpu.visible for gpu in amd.gpus] == [True, False]
    assert "`docker run --device /dev/dri`" in amd.notes[0]


def test_a_node_that_does_not_open_closes_its_gpu_only(tmp_path: Path) -> None:
    amd = found(
        tmp_path, {**TWO, "opening": json.dumps({"/dev/dri/renderD128": {"error": "EACCES", "group": "video"}})}
    )
    assert [gpu.visible for gpu in amd.gpus] == [False, True]
    assert "not in the group video" in amd.notes[0]


def test_the_running_machine_tries_its_nodes(tmp_path: Path) -> None:
    host = Driven(tmp_path, TWO)
    amd = read_amd(host)
    assert host.started == 1
    assert len(amd.gpus) == 2


@pytest.mark.parametrize(
    ("loaded", "words"),
    [({}, "amdgpu is not loaded"), ({"/sys/module/amdgpu/version": "6.12.12\n"}, "does not list it")],
    ids=["not-loaded", "loaded"],
)
def test_a_gpu_on_the_bus_only_is_named(tmp_path: Path, loaded: Mapping[str, str], words: str) -> None:
    bus = {
        f"/sys/bus/pci/devices/0000:03:00.0/{name}": text
        for name, text in (("class", "0x030000"), ("vendor", "0x1002"), ("device", "0x744c"))
    }
    amd = found(tmp_path, {**bus, **loaded})
    assert amd.gpus == ()
    assert amd.notes[0].startswith("AMD PCI device 1002:744c is on the bus")
    assert words in amd.notes[0]
    assert found(tmp_path, {}, Container("docker", "x")).notes == ()


def test_a_card_on_windows_is_named_and_not_served(tmp_path: Path) -> None:
    told = {"platform": "win32", "displays": "1002:744c 8086:a780"}
    write(tmp_path, {"/.torchstrap/answers.json": json.dumps({"told": told})})
    amd = read_amd(LocalHost(tmp_path, {}))
    assert (amd.gpus, amd.driver) == ((), None)
    (note,) = amd.notes
    assert note.startswith("AMD PCI device 1002:744c is on the bus, but no program can compute on it: PyTorch's builds")


def test_driver_and_rocm_tell_their_versions(tmp_path: Path) -> None:
    files = {"/sys/module/amdgpu/version": "6.12.12\n", "/usr/rocm/.info/version": "7.1.0-17\n"}
    driver = found(tmp_path, files, ROCM_PATH="/usr/rocm").driver
    assert driver is not None
    assert (driver.version, driver.user_space) == ("6.12.12", "7.1.0-17")


def test_a_driver_of_the_kernels_own_has_no_version(tmp_path: Path) -> None:
    driver = found(tmp_path, {"/sys/module/amdgpu/refcnt": "12\n"}).driver
    assert driver is not None
    assert (driver.version, driver.user_space, driver.source) == (None, None, "/sys/module/amdgpu")


def test_a_pretended_target_is_a_note(tmp_path: Path) -> None:
    (note,) = found(tmp_path, TWO, HSA_OVERRIDE_GFX_VERSION="11.0.0").notes
    assert note.startswith("HSA_OVERRIDE_GFX_VERSION=11.0.0")


def test_the_override_comes_first(tmp_path: Path) -> None:
    amd = read_amd(LocalHost(tmp_path, {"TORCHSTRAP_AMD_ARCHITECTURE": "gfx1100,gfx90a"}))
    assert [gpu.target for gpu in amd.gpus] == ["gfx1100", "gfx90a"]
    assert len(amd.notes) == 1
    assert read_amd(LocalHost(tmp_path, {"TORCHSTRAP_AMD_ARCHITECTURE": "none"})).gpus == ()
