"""Intel's GPUs: every Intel laptop has a display adapter of Intel; few of them compute. See intel_adapters.py."""

from __future__ import annotations

from typing import NamedTuple

from probes.host import Host
from probes.machine import Container, Gpu, GpuDriver, System
from probes.pci import display_adapters

__all__ = ["Intel", "read_intel"]

_VENDOR = 0x8086


class Intel(NamedTuple):
    """What is known of Intel's GPUs on a machine. `drivers` are those of the kernel that serve one of them."""

    gpus: tuple[Gpu, ...] = ()
    notes: tuple[str, ...] = ()
    drivers: tuple[GpuDriver, ...] = ()


def read_intel(host: Host, system: System, container: Container | None = None) -> Intel:
    """GPUs, drivers and notes. A container sees its host's bus, so there a GPU without a render node is not ours."""
    adapters = display_adapters(host, _VENDOR) if system.os in ("linux", "windows") else ()
    if not adapters:
        return Intel()
    from probes.intel_adapters import read_adapters, windows_notes  # noqa: PLC0415 - servers have none

    if system.os == "windows":
        return Intel(notes=windows_notes(adapters))
    return Intel(*read_adapters(host, adapters, container))
