"""NVIDIA's GPUs as the PCI bus lists them: known by their number, whatever driver there is."""

from __future__ import annotations

from probes.host import Host
from probes.machine import Gpu
from probes.pci import display_adapters

__all__ = ["adapters_on_bus", "number_of"]

_VENDOR = 0x10DE


def adapters_on_bus(host: Host) -> tuple[Gpu, ...]:
    """Every display adapter of NVIDIA, in the order of the bus."""
    adapters = display_adapters(host, _VENDOR)
    if not adapters:
        return ()
    from probes.nvidia_chips import capability_of_device  # noqa: PLC0415 - tables that most machines do not need

    return tuple(
        Gpu("nvidia", number_of(each.device), each.path, compute_capability=capability_of_device(each.device))
        for each in adapters
    )


def number_of(device: int) -> str:
    """What to call a device of which nothing but its number is known."""
    return f"NVIDIA PCI device 10de:{device:04x}"
