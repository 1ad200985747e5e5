"""NVIDIA's own board computers (Jetson, Drive): the GPU is part of the chip, and its driver of the system, L4T.

There is no PCI device and, before L4T 36, no NVML; the board's name tells the chip, and so what it can compute.
https://docs.nvidia.com/jetson/archives/r36.4/DeveloperGuide/
"""

from __future__ import annotations

from probes.host import Host
from probes.machine import Container, Gpu, System, Unknown
from probes.nvidia_names import capability_of_name

__all__ = ["NODES", "read_tegra"]

NODES = ("/dev/nvhost-gpu", "/dev/nvgpu", "/dev/nvhost-ctrl-gpu", "/dev/nvidia0")
"""Device nodes of the GPU: of the driver nvgpu under its names over the years, then of the one that cards have."""


def read_tegra(host: Host, system: System, container: Container | None) -> tuple[tuple[Gpu, ...], tuple[str, ...]]:
    """The board's GPU, and notes. A container gets it by its device nodes, like any other."""
    board = system.board or "a board computer of NVIDIA"
    if container is not None and not any(host.exists(path) for path in NODES):
        why = "there is no device node /dev/nvhost-gpu (start it with `--runtime nvidia`)"
        return (), (f"this {container.kind} container on {board} was given no GPU: {why}",)
    capability = capability_of_name(system.board) if system.board else Unknown("the board does not tell its name")
    source = "/proc/device-tree/model" if system.board else "/etc/nv_tegra_release"
    return (
        Gpu("nvidia", system.board or Unknown("the board does not tell it"), source, compute_capability=capability),
    ), ()
