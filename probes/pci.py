"""Display adapters on the PCI bus, as Linux lists them."""

from __future__ import annotations

from probes.host import Host

__all__ = ["FOLDER", "display_adapters"]

FOLDER = "/sys/bus/pci/devices"
_DISPLAY = 0x03
"""Base class of a PCI class code: VGA, XGA and 3D controllers. https://pci-ids.ucw.cz, "Device classes" """


def display_adapters(host: Host, vendor: int) -> tuple[tuple[str, int], ...]:
    """Address and device id of every display adapter of one vendor, in the order of the bus."""
    found = []
    for address in host.names(FOLDER):
        kind, maker, device = (
            _hexadecimal(host, f"{FOLDER}/{address}/{name}") for name in ("class", "vendor", "device")
        )
        if kind is not None and kind >> 16 == _DISPLAY and maker == vendor:
            found.append((address, device or 0))
    return tuple(found)


def _hexadecimal(host: Host, path: str) -> int | None:
    text = host.read_text(path, 64)
    try:
        return int(text, 16) if isinstance(text, str) else None
    except ValueError:
        return None
