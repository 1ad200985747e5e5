"""Intel's display adapters: which of them PyTorch's XPU build supports, and the right to open them.

The PCI id tells which (intel_devices.py); the others are named in notes. Programs need the adapter's render node, and
Level Zero's driver, which the wheels do not bring. On Windows adapters are named, and not counted on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from probes.access import closed_nodes
from probes.host import Host
from probes.intel_devices import platform_of_device, product_of_device
from probes.machine import Container, Gpu, GpuDriver, Unknown
from probes.pci import PciDevice

__all__ = ["LIBRARY", "level_zero_version", "read_adapters", "windows_notes"]

_DRIVERS = ("xe", "i915")
LIBRARY = "libze_intel_gpu.so.1"
_FOLDERS = ("/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib", "/run/opengl-driver/lib")
_VERSIONED = re.compile(r"libze_intel_gpu\.so\.(\d{1,3}(?:\.\d{1,6}){1,2})", re.ASCII)


def read_adapters(
    host: Host, adapters: Iterable[PciDevice], container: Container | None
) -> tuple[tuple[Gpu, ...], tuple[str, ...], tuple[GpuDriver, ...]]:
    """GPUs that count, notes, and the kernel's drivers that serve one of those."""
    adapters = tuple(adapters)
    ours = [each for each in adapters if _supported(each)]
    notes = [_unsupported(each) for each in adapters if not _supported(each)]
    if not ours:
        return (), tuple(notes), ()
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
    return tuple(gpus), tuple(notes), _drivers(host, ours, library)


def windows_notes(adapters: Iterable[PciDevice]) -> tuple[str, ...]:
    """A sentence for each adapter of a Windows."""
    return tuple(_untried(each) if _supported(each) else _unsupported(each) for each in adapters)


def _supported(adapter: PciDevice) -> bool:
    platform = platform_of_device(adapter.device)
    return platform is not None and platform.supported is True


def _unsupported(adapter: PciDevice) -> str:
    name, platform = product_of_device(adapter.device), platform_of_device(adapter.device)
    if platform is not None and isinstance(platform.supported, Unknown):
        return f"whether torch can compute on {name} is not known, so it is not counted on: {platform.supported.reason}"
    if platform is None:
        return f"{name} is no GPU that is known to compute with PyTorch"
    return f"{name} is not supported by PyTorch's XPU build, which is for newer Intel GPUs and Arc cards"


def _untried(adapter: PciDevice) -> str:
    name = product_of_device(adapter.device)
    return f"PyTorch's XPU build supports {name} on Windows, but whether programs can use it is not tried there"


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


def _drivers(host: Host, adapters: Sequence[PciDevice], library: str | None) -> tuple[GpuDriver, ...]:
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
