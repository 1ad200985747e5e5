"""NVIDIA's GPUs: what is assumed, what is read, and what lies on the bus without a driver.

Order, first answer wins: TORCHSTRAP_CUDA_DRIVER (`none` for a machine without) with TORCHSTRAP_COMPUTE_CAPABILITY; the
driver, if there is a sign of one (see nvidia_driver.py); the PCI bus.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from probes.host import Host
from probes.machine import Container, Gpu, NvidiaDriver, System, Unknown
from probes.nvidia_bus import adapters_on_bus

__all__ = ["DRIVER_OVERRIDE", "GPU_OVERRIDE", "SIGNS", "WSL", "Nvidia", "read_nvidia", "without_driver"]

DRIVER_OVERRIDE = "TORCHSTRAP_CUDA_DRIVER"
GPU_OVERRIDE = "TORCHSTRAP_COMPUTE_CAPABILITY"

WSL = "/dev/dxg"
SIGNS = ("/dev/nvidiactl", WSL, "/proc/driver/nvidia", "/sys/module/nvidia")
_WINDOWS = (  # variable that names the folder, its usual value, file
    ("SYSTEMROOT", "/Windows", "System32/nvml.dll"),
    ("SYSTEMROOT", "/Windows", "System32/nvcuda.dll"),
    ("PROGRAMFILES", "/Program Files", "NVIDIA Corporation/NVSMI/nvml.dll"),
)


class Nvidia(NamedTuple):
    """What is known of NVIDIA on a machine."""

    driver: NvidiaDriver | Unknown | None = None
    gpus: tuple[Gpu, ...] = ()
    notes: tuple[str, ...] = ()


def read_nvidia(
    host: Host, system: System, container: Container | None = None, child: Sequence[str] | None = None
) -> Nvidia:
    """Driver and GPUs. `child` is the command that answers for NVML and libcuda, if not our own."""
    assumed = _overridden(host)
    if assumed is not None:
        from probes.visible import with_visibility  # noqa: PLC0415 - few machines are assumed

        gpus, hidden = with_visibility(assumed.gpus, host.environ)
        return assumed._replace(gpus=gpus, notes=(*assumed.notes, *hidden))
    return _detected(host, system, container, child)


def _overridden(host: Host) -> Nvidia | None:
    value = host.environ.get(DRIVER_OVERRIDE, "").strip()
    if value.lower() == "none":
        return Nvidia(notes=(f"{DRIVER_OVERRIDE}=none: taken to have no NVIDIA driver",))
    if not re.fullmatch(r"\d{2,4}(\.\d{1,4}){0,2}", value, re.ASCII):
        return None
    named = re.findall(r"(\d{1,2})\.(\d)", host.environ.get(GPU_OVERRIDE, ""), re.ASCII)
    capabilities: list[tuple[int, int] | Unknown] = [(int(major), int(minor)) for major, minor in named]
    gpus = tuple(
        Gpu("nvidia", Unknown(f"assumed from {DRIVER_OVERRIDE}"), DRIVER_OVERRIDE, compute_capability=capability)
        for capability in capabilities or [Unknown(f"{GPU_OVERRIDE} does not name it")]
    )
    return Nvidia(
        NvidiaDriver(value, DRIVER_OVERRIDE), gpus, (f"{DRIVER_OVERRIDE}={value}: driver and GPU are assumed",)
    )


def _detected(host: Host, system: System, container: Container | None, child: Sequence[str] | None) -> Nvidia:
    complaint = _complaint(host)
    if not _has_signs(host, system):
        return without_driver(host, container, complaint)
    from probes.nvidia_driver import ask_driver, read_answer  # noqa: PLC0415 - most machines have no such driver

    found = read_answer(host, system, container, ask_driver(host, child))
    return found._replace(notes=(*complaint, *found.notes))


def _complaint(host: Host) -> tuple[str, ...]:
    value = host.environ.get(DRIVER_OVERRIDE, "").strip()
    return (f"{DRIVER_OVERRIDE} is passed over: {value!r} is no driver version",) if value else ()


def _has_signs(host: Host, system: System) -> bool:
    if system.os == "windows":
        return any(
            host.exists(f"{host.environ.get(variable, usual)}/{name}".replace("\\", "/"))
            for variable, usual, name in _WINDOWS
        )
    return system.os == "linux" and (system.is_tegra or any(host.exists(path) for path in SIGNS))


def without_driver(host: Host, container: Container | None, notes: tuple[str, ...]) -> Nvidia:
    """No driver: a GPU on the bus is still a fact, unless we look at the bus of a container's host."""
    adapters = adapters_on_bus(host)
    if not adapters:
        return Nvidia(notes=notes)
    if container is not None:
        return Nvidia(
            notes=(*notes, f"an NVIDIA GPU is on the bus of this {container.kind} container's host, without a driver")
        )
    return Nvidia(gpus=adapters, notes=(*notes, "an NVIDIA GPU is on the bus, but no NVIDIA driver is loaded"))
