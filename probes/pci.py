"""Devices on the PCI bus, as Linux lists them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from probes.host import Host

__all__ = ["FOLDER", "PciDevice", "display_adapters", "pci_devices"]

FOLDER = "/sys/bus/pci/devices"
_DISPLAY = 0x03
"""Base class of a PCI class code: VGA, XGA and 3D controllers. https://pci-ids.ucw.cz, "Device classes" """


@dataclass(frozen=True, slots=True)
class PciDevice:
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
        return f"{FOLDER}/{self.address}"


def pci_devices(host: Host, vendors: Collection[int]) -> tuple[PciDevice, ...]:
    """The devices of some vendors, in the order of the bus; those whose class or id cannot be read are left out."""
    found = []
    for address in host.names(FOLDER):
        vendor = _hexadecimal(host, f"{FOLDER}/{address}/vendor")
        if vendor is None or vendor not in vendors:  # most are not, and each file takes time
            continue
        kind, device = (_hexadecimal(host, f"{FOLDER}/{address}/{name}") for name in ("class", "device"))
        if kind is not None:
            found.append(PciDevice(address, kind, vendor, device or 0))
    return tuple(found)


def display_adapters(host: Host, vendor: int) -> tuple[tuple[str, int], ...]:
    """Address and device id of every display adapter of one vendor, in the order of the bus."""
    return tuple((each.address, each.device) for each in pci_devices(host, {vendor}) if each.is_display)


def _hexadecimal(host: Host, path: str) -> int | None:
    text = host.read_text(path, 64)
    try:
        return int(text, 16) if isinstance(text, str) else None
    except ValueError:
        return None
