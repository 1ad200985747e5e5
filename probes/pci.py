"""Devices on the PCI bus, as Linux lists them; of Windows its display adapters, without an address."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

from probes.host import Host

__all__ = ["FOLDER", "PciDevice", "device_at", "display_adapters", "pci_devices"]

FOLDER = "/sys/bus/pci/devices"
_DISPLAY = 0x03
"""Base class of a PCI class code: VGA, XGA and 3D controllers. https://pci-ids.ucw.cz, "Device classes" """


class PciDevice(NamedTuple):
    """One device: its address on the bus, class code (base class, subclass, interface), vendor and device id."""

    address: str
    kind: int
    vendor: int
    device: int

    @property
    def is_display(self) -> bool:
        return self.kind >> 16 == _DISPLAY

    @property
    def path(self) -> str:
        return f"{FOLDER}/{self.address}" if self.address else "Windows' list of devices"


def pci_devices(host: Host, vendors: Collection[int]) -> tuple[PciDevice, ...]:
    """The devices of some vendors, in the order of the bus; those whose class or id cannot be read are left out."""
    told = host.told("displays")
    if told is not None:
        return tuple(each for each in _displays(told) if each.vendor in vendors)
    found = []
    for address in host.names(FOLDER):
        vendor = _hexadecimal(host, f"{FOLDER}/{address}/vendor")
        if vendor is None or vendor not in vendors:  # most are not, and each file takes time
            continue
        kind, device = (_hexadecimal(host, f"{FOLDER}/{address}/{name}") for name in ("class", "device"))
        if kind is not None:
            found.append(PciDevice(address, kind, vendor, device or 0))
    return tuple(found)


def display_adapters(host: Host, vendor: int) -> tuple[PciDevice, ...]:
    """Every display adapter of one vendor, in the order of the bus."""
    return tuple(each for each in pci_devices(host, {vendor}) if each.is_display)


def device_at(host: Host, address: str) -> int | None:
    """The device id of what lies at one address of the bus."""
    return _hexadecimal(host, f"{FOLDER}/{address}/device")


def _displays(told: str) -> tuple[PciDevice, ...]:
    pairs = re.findall(r"\b([0-9a-f]{4}):([0-9a-f]{4})\b", told, re.ASCII)
    return tuple(PciDevice("", _DISPLAY << 16, int(vendor, 16), int(device, 16)) for vendor, device in pairs)


def _hexadecimal(host: Host, path: str) -> int | None:
    text = host.read_text(path, 64)
    match = re.fullmatch(r"0x([0-9a-f]{1,8})\s*", text, re.ASCII | re.IGNORECASE) if isinstance(text, str) else None
    return int(match[1], 16) if match else None
