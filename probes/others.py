"""Accelerators that other builds of torch serve than those of download.pytorch.org: recognised, named, left alone."""

from __future__ import annotations

import re
from collections import Counter

from probes.host import Host
from probes.machine import Container, System
from probes.pci import pci_devices

__all__ = ["ACCELERATORS", "name_others"]

ACCELERATORS: dict[tuple[int, int], tuple[str, str]] = {
    # PCI vendor and device: product, and what serves it.
    # https://github.com/jax-ml/jax, jax/_src/hardware_utils.py; 0076: public tests of Google's torch_tpu
    (0x1AE0, 0x0027): ("Google TPU v2 or v3", "torch-xla"),
    (0x1AE0, 0x005E): ("Google TPU v4", "torch-xla"),
    (0x1AE0, 0x0062): ("Google TPU v5p", "torch-xla"),
    (0x1AE0, 0x0063): ("Google TPU v5e", "torch-xla"),
    (0x1AE0, 0x006F): ("Google TPU v6e", "torch-xla"),
    (0x1AE0, 0x0076): ("Google TPU v7", "torch-xla"),
    # Linux, drivers/accel/habanalabs/common/habanalabs_drv.c; 1060: Intel's driver of the same name
    (0x1DA3, 0x1000): ("Intel Gaudi", "Intel's Gaudi software"),
    (0x1DA3, 0x1010): ("Intel Gaudi", "Intel's Gaudi software"),
    (0x1DA3, 0x1020): ("Intel Gaudi 2", "Intel's Gaudi software"),
    (0x1DA3, 0x1060): ("Intel Gaudi 3", "Intel's Gaudi software"),
    # PCIE_BDF_310 and the following in public install scripts of Huawei's driver
    (0x19E5, 0xD100): ("Huawei Ascend 310", "torch-npu"),
    (0x19E5, 0xD500): ("Huawei Ascend 310P", "torch-npu"),
    (0x19E5, 0xD801): ("Huawei Ascend 910", "torch-npu"),
    (0x19E5, 0xD802): ("Huawei Ascend 910B", "torch-npu"),
    (0x19E5, 0xD803): ("Huawei Ascend 910_93", "torch-npu"),
}
_DXG = "/dev/dxg"
_LENT = "/usr/lib/wsl/lib/libcuda.so.1"
_DRIVERS = "/usr/lib/wsl/drivers"
"""The packages of Windows' drivers, all of them: also of adapters that were taken out."""
_PACKAGES = (
    # How a package of a maker's display driver is called. https://github.com/yuk7/ArchWSL/issues/308 for Intel;
    # strace of a program on a Radeon RX 6700 XT in public reports (u0198633.inf_amd64_f6ca42135bb94c90) for AMD
    (re.compile(r"u0\d{6}\.inf_", re.ASCII), "AMD"),
    (re.compile(r"iigd_dch(?:_\w{1,8})?\.inf_", re.ASCII), "Intel"),
)
_VENDORS = frozenset(vendor for vendor, _ in ACCELERATORS)


def name_others(host: Host, system: System, container: Container | None = None) -> tuple[str, ...]:
    """A sentence for each kind of accelerator that is on the bus, with how many there are, and for what WSL lends."""
    if system.os != "linux":
        return ()
    if system.wsl == 2 and host.exists(_DXG) and not host.exists(_LENT):  # noqa: PLR2004 - the second WSL
        return (f"Windows lends this Linux a GPU ({_DXG}), but no NVIDIA one{_lent(host)}",)
    found = Counter(
        product
        for each in pci_devices(host, _VENDORS)
        if (product := ACCELERATORS.get((each.vendor, each.device))) is not None
    )
    where = f"on the bus of this {container.kind} container's host" if container else "on the bus"
    return tuple(
        f"{count} x {name} {where}: served by {software}, not by the builds that are chosen from here"
        for (name, software), count in found.items()
    )


def _lent(host: Host) -> str:
    names = host.names(_DRIVERS)
    makers = [maker for package, maker in _PACKAGES if any(map(package.match, names))]
    if not makers:
        return "; others are not recognised here"
    return f": its drivers are for GPUs of {' and '.join(makers)} ({_DRIVERS}), which are not counted on in WSL"
