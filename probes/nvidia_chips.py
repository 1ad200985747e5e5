"""NVIDIA's PCI device ids, the chips behind them, and what those can compute: for machines where no driver answers.

Ids of one chip lie together, so rows are runs: first and last id, chip. An id in no run stays unknown.
Ids: https://pci-ids.ucw.cz, version 2026.08.22, vendor 10de (audio, USB and switches left out).
Capabilities: https://developer.nvidia.com/cuda-gpus and https://developer.nvidia.com/cuda-legacy-gpus, by the products
that carry the chip.
"""

from __future__ import annotations

from bisect import bisect

from probes.machine import Unknown

__all__ = ["CAPABILITIES", "RUNS", "capability_of_device", "chip_of_device"]

CAPABILITIES: dict[str, tuple[int, int]] = {
    "GK104": (3, 0), "GK106": (3, 0), "GK107": (3, 0),
    "GK110": (3, 5), "GK180": (3, 5), "GK208": (3, 5),
    "GK210": (3, 7),
    "GM107": (5, 0), "GM108": (5, 0),
    "GM200": (5, 2), "GM204": (5, 2), "GM206": (5, 2),
    "GP100": (6, 0),
    "GP102": (6, 1), "GP104": (6, 1), "GP106": (6, 1), "GP107": (6, 1), "GP108": (6, 1),
    "GV100": (7, 0),
    "TU102": (7, 5), "TU104": (7, 5), "TU106": (7, 5), "TU116": (7, 5), "TU117": (7, 5),
    "GA100": (8, 0),
    "GA102": (8, 6), "GA103": (8, 6), "GA104": (8, 6), "GA106": (8, 6), "GA107": (8, 6),
    "AD102": (8, 9), "AD103": (8, 9), "AD104": (8, 9), "AD106": (8, 9), "AD107": (8, 9),
    "GH100": (9, 0),
    "GB100": (10, 0), "GB102": (10, 0),
    "GB110": (10, 3),
    "GB202": (12, 0), "GB203": (12, 0), "GB205": (12, 0), "GB206": (12, 0), "GB207": (12, 0),
    "GB20B": (12, 1),
}  # fmt: skip

RUNS: tuple[tuple[int, int, str], ...] = (
    (0x0FC0, 0x0FFF, "GK107"), (0x1001, 0x1023, "GK110"), (0x1024, 0x1024, "GK180"), (0x1026, 0x102A, "GK110"),
    (0x102D, 0x102D, "GK210"), (0x102E, 0x103F, "GK110"), (0x1180, 0x11BF, "GK104"), (0x11C0, 0x11FF, "GK106"),
    (0x1280, 0x12BA, "GK208"), (0x130B, 0x130B, "GK110"), (0x1340, 0x137D, "GM108"), (0x1380, 0x139D, "GM107"),
    (0x13AD, 0x13AE, "GM204"), (0x13B0, 0x13BD, "GM107"), (0x13BE, 0x13FB, "GM204"), (0x1401, 0x1436, "GM206"),
    (0x15C2, 0x15FF, "GP100"), (0x1613, 0x1676, "GM204"), (0x1725, 0x172F, "GP100"), (0x174D, 0x174E, "GM108"),
    (0x1789, 0x179C, "GM107"), (0x17C2, 0x17FD, "GM200"), (0x1B00, 0x1B78, "GP102"), (0x1B80, 0x1BE1, "GP104"),
    (0x1C00, 0x1C70, "GP106"), (0x1C81, 0x1CFB, "GP107"), (0x1D01, 0x1D56, "GP108"), (0x1D81, 0x1DF6, "GV100"),
    (0x1E02, 0x1E78, "TU102"), (0x1E81, 0x1EF5, "TU104"), (0x1F02, 0x1F76, "TU106"), (0x1F81, 0x1FF9, "TU117"),
    (0x2080, 0x20FF, "GA100"), (0x2182, 0x21D1, "TU116"), (0x2200, 0x223F, "GA102"), (0x2302, 0x23F0, "GH100"),
    (0x2414, 0x2460, "GA103"), (0x2480, 0x24FA, "GA104"), (0x2501, 0x2571, "GA106"), (0x2582, 0x25FB, "GA107"),
    (0x2681, 0x26F5, "AD102"), (0x2702, 0x2770, "AD103"), (0x2782, 0x27FB, "AD104"), (0x2803, 0x2878, "AD106"),
    (0x2882, 0x28F8, "AD107"), (0x2900, 0x297E, "GB100"), (0x2980, 0x29F1, "GB102"), (0x2B85, 0x2BBC, "GB202"),
    (0x2C02, 0x2C19, "GB203"), (0x2C31, 0x2C79, "GB203"), (0x2D04, 0x2D19, "GB206"), (0x2D30, 0x2D79, "GB206"),
    (0x2D83, 0x2DF9, "GB207"), (0x2E03, 0x2E2A, "GB20B"), (0x2F04, 0x2F58, "GB205"), (0x3180, 0x31FE, "GB110"),
)  # fmt: skip
_FIRST = tuple(first for first, _, _ in RUNS)


def chip_of_device(device: int) -> str | None:
    """The chip behind a PCI device id, such as `GH100`."""
    position = bisect(_FIRST, device) - 1
    if position < 0:
        return None
    _, last, chip = RUNS[position]
    return chip if device <= last else None


def capability_of_device(device: int) -> tuple[int, int] | Unknown:
    """The compute capability of the chip behind a PCI device id."""
    chip = chip_of_device(device)
    return CAPABILITIES[chip] if chip else Unknown(f"no table knows the PCI device 10de:{device:04x}")
