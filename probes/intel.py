"""Intel's GPUs that PyTorch's XPU build supports, and the right to open them. The others are named in notes.

Every Intel laptop has a display adapter of Intel; few of them compute. The PCI id tells which (intel_devices.py).
Programs need the adapter's render node, and Level Zero's driver, which the wheels do not bring.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from probes.access import closed_nodes
from probes.host import Host
from probes.intel_devices import platform_of_device, product_of_device
from probes.machine import Container, Gpu, GpuDriver, System, Unknown
from probes.pci import PciDevice, pci_devices

__all__ = ["LIBRARY", "Intel", "level_zero_version", "read_intel"]

_VENDOR = 0x8086
_DRIVERS = ("xe", "i915")
LIBRARY = "libze_intel_gpu.so.1"
_FOLDERS = ("/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib", "/run/opengl-driver/lib")
_VERSIONED = re.compile(r"libze_intel_gpu\.so\.(\d{1,3}(?:\.\d{1,6}){1,2})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Intel:
    """What is known of Intel's GPUs on a machine. `drivers` are those of the kernel that serve one of them."""

    gpus: tuple[Gpu, ...] = ()
    notes: tuple[str, ...] = ()
    drivers: tuple[GpuDriver, ...] = ()


def read_intel(host: Host, system: System, container: Container | None = None) -> Intel:
    """GPUs, drivers and notes. A container sees its host's bus, so there a GPU without a render node is not ours."""
    if system.os != "linux":
        return Intel()
    adapters = [each for each in pci_devices(host, {_VENDOR}) if each.is_display]
    ours = [each for each in adapters if _supported(each)]
    notes = [_unsupported(each) for each in adapters if not _supported(each)]
    if not ours:
        return Intel((), tuple(notes))
    nodes = {each.address: _render_node(host, each) for each in ours}
    closed = closed_nodes(host, filter(None, nodes.values()), container)
    gpus = []
    for each in ours:
        node = nodes[each.address]
        reason = closed.get(node) if node else f"no driver of the kernel ({' or '.join(_DRIVERS)}) serves it"
        notes += [f"{product_of_device(each.device)} cannot be used: {reason}"] if reason else []
        gpus.append(_gpu(each, reason))
    library = level_zero_version(host)
    if library is None and any(gpu.visible for gpu in gpus):
        notes.append(
            f"there is no Level Zero driver ({LIBRARY}), without which torch finds no Intel GPU; "
            "packages call it libze-intel-gpu1 or intel-level-zero-gpu"
        )
    return Intel(tuple(gpus), tuple(notes), _drivers(host, ours, library))


def _supported(adapter: PciDevice) -> bool:
    platform = platform_of_device(adapter.device)
    return platform is not None and platform.supported


def _unsupported(adapter: PciDevice) -> str:
    name = product_of_device(adapter.device)
    if platform_of_device(adapter.device) is None:
        return f"{name} is no GPU that is known to compute with PyTorch"
    return f"{name} is not supported by PyTorch's XPU build, which is for newer Intel GPUs and Arc cards"


def _gpu(adapter: PciDevice, closed: str | None) -> Gpu:
    platform = platform_of_device(adapter.device)
    return Gpu(
        "intel",
        product_of_device(adapter.device),
        adapter.path,
        memory=Unknown("the kernel does not tell it"),
        visible=closed is None,
        integrated=platform is not None and platform.integrated,
        closed=closed,
    )


def _render_node(host: Host, adapter: PciDevice) -> str | None:
    names = (name for name in host.names(f"{adapter.path}/drm") if re.fullmatch(r"renderD\d{1,4}", name, re.ASCII))
    return next((f"/dev/dri/{name}" for name in names), None)


def _drivers(host: Host, adapters: list[PciDevice], library: str | None) -> tuple[GpuDriver, ...]:
    return tuple(
        GpuDriver(name, _version(host, name), f"/sys/bus/pci/drivers/{name}", library or None)
        for name in _DRIVERS
        if any(host.exists(f"/sys/bus/pci/drivers/{name}/{each.address}") for each in adapters)
    )


def _version(host: Host, driver: str) -> str | None:
    text = host.read_text(f"/sys/module/{driver}/version", 256)
    return text.strip() or None if isinstance(text, str) else None


def level_zero_version(host: Host) -> str | None:
    """The version in the file name of Level Zero's driver, empty if it carries none; None where there is none."""
    found = None
    for folder in _FOLDERS:
        for name in host.names(folder):
            match = _VERSIONED.fullmatch(name)
            if match:
                return match[1]
            found = "" if name == LIBRARY else found
    return found
