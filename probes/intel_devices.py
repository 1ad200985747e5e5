"""Intel's GPUs by PCI device id, and which of them PyTorch's XPU build supports.

Ids by platform: Linux, include/drm/intel/pciids.h, https://github.com/torvalds/linux (commit 0755a4e3e809).
Names of products: https://github.com/intel/compute-runtime, shared/source/dll/devices/devices_base.inl.
Supported: https://docs.pytorch.org/docs/2.15/notes/get_start_xpu.html, "Hardware Prerequisite": Arc A and B, Data
Center GPU Max, and inside processors Meteor Lake-H, Arrow Lake-H, Lunar Lake and Panther Lake. (Up to 2.7 the page said
Meteor Lake and Arrow Lake without a letter, but always "with Intel Arc Graphics", which no U nor S is called.)
Not known: what is of the same or a newer design as those and not on that page. The builds hold portable code beside
that for `pvc,bmg,dg2,arl-h,mtl-h,lnl-m,ptl-h,ptl-u` (https://github.com/intel/torch-xpu-ops, cmake/BuildFlags.cmake),
so they may work there; nobody says that they do.
"""

from __future__ import annotations

from typing import NamedTuple

from probes.machine import Unknown

__all__ = ["PLATFORMS", "PRODUCTS", "Platform", "platform_of_device", "product_of_device"]


class Platform(NamedTuple):
    """GPUs of one design. `supported` is whether PyTorch's XPU build is for them."""

    name: str
    supported: bool | Unknown
    integrated: bool
    devices: frozenset[int]


def _devices(text: str) -> frozenset[int]:
    """Device ids, `56a0` or a run `7d40-7d45`, with blanks between."""
    runs = [run.partition("-") for run in text.split()]
    return frozenset(device for first, _, last in runs for device in range(int(first, 16), int(last or first, 16) + 1))


_UNLISTED = Unknown("PyTorch's list for its XPU build does not name it, though it names others of its design")
_NEWER = Unknown("it is newer than PyTorch's list for its XPU build")

PLATFORMS: tuple[Platform, ...] = (
    # INTEL_DG2_IDS; 56af is in compute-runtime only.
    Platform("Arc A (Alchemist)", True, False, _devices("5690-5697 56a0-56a6 56af 56b0-56b3 56ba-56bf")),
    # INTEL_BMG_IDS
    Platform("Arc B (Battlemage)", True, False, _devices("e202 e209 e20b-e20d e210-e212 e215 e216 e220-e223")),
    # INTEL_PVC_IDS; 0bd0 is in compute-runtime only.
    Platform("Data Center GPU Max", True, False, _devices("0b69 0b6e 0bd0 0bd4-0bdb 0be0 0be1 0be5")),
    # Those of INTEL_MTL_IDS that compute-runtime compiles for as MTL_H; 7d40 and 7d45 are MTL_U to it
    # (shared/test/unit_test/xe_hpg_core/mtl/product_helper_tests_mtl.cpp).
    Platform("Meteor Lake-H", True, True, _devices("7d55 7dd5")),
    # INTEL_ARL_H_IDS
    Platform("Arrow Lake-H", True, True, _devices("7d51 7dd1")),
    # INTEL_LNL_IDS
    Platform("Lunar Lake", True, True, _devices("6420 64a0 64b0")),
    # INTEL_PTL_IDS
    Platform("Panther Lake", True, True, _devices("b080-b087 b08f b090 b0a0 b0b0")),
    # INTEL_ATS_M_IDS: the chips of Arc A, but not on PyTorch's list.
    Platform("Data Center GPU Flex", _UNLISTED, False, _devices("56c0-56c2")),
    # INTEL_DG1_IDS
    Platform("Iris Xe Max (DG1)", False, False, _devices("4905-4909")),
    # INTEL_MTL_U_IDS, INTEL_ARL_U_IDS, INTEL_ARL_S_IDS: half of the GPU of an H, or less
    Platform("Meteor Lake-U", _UNLISTED, True, _devices("7d40 7d45")),
    Platform("Arrow Lake-U", _UNLISTED, True, _devices("7d41")),
    Platform("Arrow Lake-S", _UNLISTED, True, _devices("7d67 b640")),
    # In INTEL_MTL_IDS and in no part of it. Linux 6.0 had it as an M, which U was called then (commit 7835303982d1);
    # compute-runtime had it beside 7d40 and 7d45, and has dropped it.
    Platform("Meteor Lake", _UNLISTED, True, _devices("7d60")),
    # INTEL_WCL_IDS, INTEL_NVLS_IDS, INTEL_NVLP_IDS
    Platform("Wildcat Lake", _NEWER, True, _devices("fd80 fd81")),
    Platform("Nova Lake", _NEWER, True, _devices("d740-d743 d745 d74a d74b d750-d757 d75f")),
    # INTEL_RPLS_IDS, INTEL_RPLU_IDS, INTEL_RPLP_IDS
    Platform("Raptor Lake", False, True, _devices("a780-a783 a788-a78b a720 a721 a7a0 a7a1 a7a8-a7ad")),
    # INTEL_ADLS_IDS, INTEL_ADLP_IDS, INTEL_ADLN_IDS
    Platform(
        "Alder Lake", False, True,
        _devices("4680 4682 4688 468a 468b 4690 4692 4693 4626 4628 462a 46a0-46a3 46a6 46a8 46aa 46b0-46b3 46c0-46c3")
        | _devices("46d0-46d4"),
    ),
    # INTEL_RKL_IDS
    Platform("Rocket Lake", False, True, _devices("4c80 4c8a-4c8c 4c90 4c9a")),
    # INTEL_TGL_IDS
    Platform("Tiger Lake", False, True, _devices("9a40 9a49 9a59 9a60 9a68 9a70 9a78 9ac0 9ac9 9ad9 9af8")),
    # INTEL_EHL_IDS, INTEL_JSL_IDS
    Platform("Elkhart or Jasper Lake", False, True, _devices("4541 4551 4555 4557 4570 4571 4e51 4e55 4e57 4e61 4e71")),
    # INTEL_ICL_IDS
    Platform("Ice Lake", False, True, _devices("8a50-8a54 8a56-8a5d 8a70 8a71")),
    # INTEL_CFL_IDS, INTEL_WHL_IDS
    Platform(
        "Coffee or Whiskey Lake", False, True,
        _devices("3e90-3e94 3e96 3e98-3e9c 3ea0-3ea9"),
    ),
)  # fmt: skip

PRODUCTS: dict[int, str] = {
    0x5690: "Arc A770M", 0x5691: "Arc A730M", 0x5692: "Arc A550M", 0x5693: "Arc A370M", 0x5694: "Arc A350M",
    0x5696: "Arc A570M", 0x5697: "Arc A530M", 0x56A0: "Arc A770", 0x56A1: "Arc A750", 0x56A2: "Arc A580",
    0x56A5: "Arc A380", 0x56A6: "Arc A310", 0x56AF: "Arc A760A", 0x56B0: "Arc Pro A30M", 0x56B1: "Arc Pro A40/A50",
    0x56B2: "Arc Pro A60M", 0x56B3: "Arc Pro A60", 0x56BA: "Arc A380E", 0x56BB: "Arc A310E", 0x56BC: "Arc A370E",
    0x56BD: "Arc A350E", 0x56BE: "Arc A750E", 0x56BF: "Arc A580E", 0xE20B: "Arc B580", 0xE20C: "Arc B570",
    0x0BD5: "Data Center GPU Max 1550", 0x0BD6: "Data Center GPU Max 1550", 0x0BD7: "Data Center GPU Max 1350",
    0x0BD8: "Data Center GPU Max 1350", 0x0BD9: "Data Center GPU Max 1100", 0x0BDA: "Data Center GPU Max 1100",
    0x0BDB: "Data Center GPU Max 1100", 0x0B69: "Data Center GPU Max 1450", 0x0B6E: "Data Center GPU Max 1100C",
    0x56C0: "Data Center GPU Flex 170", 0x56C1: "Data Center GPU Flex 140", 0x56C2: "Data Center GPU Flex 170V",
    0x7D55: "Arc Graphics", 0x7DD5: "Graphics", 0x7D40: "Graphics", 0x7D45: "Graphics", 0x7D41: "Graphics",
    0x7D67: "Graphics", 0x7DD1: "Graphics", 0x7D51: "Arc Graphics", 0x64A0: "Arc Graphics", 0x9A49: "Iris Xe Graphics",
    0x9A40: "Iris Xe Graphics", 0x46A6: "Iris Xe Graphics", 0x46A8: "Iris Xe Graphics", 0xA7A0: "Iris Xe Graphics",
    0xA7A1: "Iris Xe Graphics", 0x4680: "UHD Graphics 770", 0xA780: "UHD Graphics 770",
}  # fmt: skip


def platform_of_device(device: int) -> Platform | None:
    """The design behind a PCI device id."""
    return next((platform for platform in PLATFORMS if device in platform.devices), None)


def product_of_device(device: int) -> str:
    """`Intel Arc A770`, `Intel Arc Graphics (Lunar Lake)`, or the id itself."""
    platform, product = platform_of_device(device), PRODUCTS.get(device)
    number = f"PCI device 8086:{device:04x}"
    if platform is None:
        return f"Intel {number}"
    if product is None:
        return f"Intel {platform.name} {number}"
    return f"Intel {product} ({platform.name})" if platform.integrated else f"Intel {product}"
