"""AMD GPUs, as the kernel's compute driver lists them (KFD), and the right to open them; no tool of ROCm is needed.

Order, first answer wins: TORCHSTRAP_AMD_ARCHITECTURE (`gfx1100`, several with commas, `none`); KFD; the PCI bus,
which tells of GPUs that no program can compute on. The wheels bring all of ROCm but the kernel's driver, so what
counts is /dev/kfd and the GPU's render node; /opt/rocm is named because builds from source use it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from probes.host import Host
from probes.machine import Container, Gpu, GpuDriver, Unknown
from probes.pci import display_adapters

__all__ = ["APUS", "ARCHITECTURE_OVERRIDE", "Amd", "parse_properties", "parse_target", "read_amd"]

ARCHITECTURE_OVERRIDE = "TORCHSTRAP_AMD_ARCHITECTURE"
_NODES = "/sys/class/kfd/kfd/topology/nodes"
_KFD = "/dev/kfd"
_MODULE = "/sys/module/amdgpu"
_VENDOR = 0x1002
_HIGHEST = 1 << 64
_FRAME_BUFFER = (1, 2)
"""heap_type of memory that is the GPU's, visible to the CPU or not. Linux, include/uapi/linux/kfd_sysfs.h"""

APUS = frozenset(
    # "APU" in the table of processors of https://llvm.org/docs/AMDGPUUsage.html
    {"gfx700", "gfx703", "gfx705", "gfx801", "gfx810", "gfx902", "gfx909", "gfx90c", "gfx1013"}
    | {"gfx1033", "gfx1035", "gfx1036", "gfx1103", "gfx1150", "gfx1151", "gfx1152", "gfx1153"}
)
_MI300A = 0x74A0
"""The one Instinct inside a processor: its target is that of the cards. https://pci-ids.ucw.cz, vendor 1002"""


class Amd(NamedTuple):
    """What is known of AMD on a machine."""

    gpus: tuple[Gpu, ...] = ()
    notes: tuple[str, ...] = ()
    driver: GpuDriver | None = None


def read_amd(host: Host, container: Container | None = None) -> Amd:
    """GPUs, driver, and what is odd about them."""
    override = host.environ.get(ARCHITECTURE_OVERRIDE, "").strip().lower()
    if override:
        targets = re.findall(r"gfx[0-9a-f]{3,5}", override)
        assumed = Unknown(f"assumed from {ARCHITECTURE_OVERRIDE}")
        note = f"{ARCHITECTURE_OVERRIDE}={override}: AMD GPUs are assumed"
        return Amd(tuple(Gpu("amd", assumed, ARCHITECTURE_OVERRIDE, target=target) for target in targets), (note,))
    nodes = _nodes(host)
    driver = _driver(host)
    if not nodes:
        return Amd((), _unlisted(host, container), driver)
    from probes.access import closed_nodes  # noqa: PLC0415 - most machines have no such GPU
    from probes.visible_amd import with_amd_visibility  # noqa: PLC0415 - as above

    closed = closed_nodes(host, [_KFD, *(render for _, render in nodes if render)], container)
    gpus = tuple(_closed(gpu, closed.get(_KFD) or (closed.get(render) if render else None)) for gpu, render in nodes)
    seen, hidden = with_amd_visibility(gpus, host.environ)
    reasons = dict.fromkeys(gpu.closed for gpu in seen if gpu.closed)
    notes = tuple(f"{_several(seen, reason)} cannot be used: {reason}" for reason in reasons)
    return Amd(seen, (*notes, *hidden, *_pretended(host)), driver)


def _closed(gpu: Gpu, reason: str | None) -> Gpu:
    return gpu._replace(visible=False, closed=reason) if reason else gpu


def _several(gpus: tuple[Gpu, ...], reason: str | None) -> str:
    names = [f"{gpu.name} ({gpu.target})" for gpu in gpus if gpu.closed == reason]
    return names[0] if len(names) == 1 else f"{len(names)} AMD GPUs"


def _nodes(host: Host) -> list[tuple[Gpu, str | None]]:
    """Each GPU with its render node, in KFD's order, which is that of ROCm."""
    found = []
    for node in sorted((name for name in host.names(_NODES) if re.fullmatch(r"\d{1,4}", name, re.ASCII)), key=int):
        path = f"{_NODES}/{node}/properties"
        text = host.read_text(path)
        properties = parse_properties(text) if isinstance(text, str) else {}
        target = parse_target(text) if isinstance(text, str) else None
        if target is not None:
            minor = properties.get("drm_render_minor", 0)
            found.append((_gpu(host, node, target, properties), f"/dev/dri/renderD{minor}" if minor else None))
    return found


def _gpu(host: Host, node: str, target: str, properties: Mapping[str, int]) -> Gpu:
    device, unique = properties.get("device_id", 0), properties.get("unique_id", 0)
    return Gpu(
        "amd",
        _name(host, node, properties),
        f"{_NODES}/{node}/properties",
        uuid=f"GPU-{unique:016x}" if unique else None,
        memory=_memory(host, node, properties),
        target=target,
        integrated=target in APUS or device == _MI300A or properties.get("cpu_cores_count", 0) > 0,
    )


def _name(host: Host, node: str, properties: Mapping[str, int]) -> str | Unknown:
    """The product's name where the card carries it, else the chip's, else the device's number."""
    for path in (
        f"/sys/class/drm/renderD{properties.get('drm_render_minor')}/device/product_name",
        f"{_NODES}/{node}/name",
    ):
        text = host.read_text(path, 256)
        name = text.strip() if isinstance(text, str) else ""
        if name and name != "ip discovery":  # what newer drivers say of every chip
            return name
    device = properties.get("device_id")
    return f"AMD PCI device 1002:{device:04x}" if device else Unknown("KFD does not name it")


def _memory(host: Host, node: str, properties: Mapping[str, int]) -> int | Unknown:
    banks = f"{_NODES}/{node}/mem_banks"
    texts = [host.read_text(f"{banks}/{bank}/properties") for bank in host.names(banks)]
    parsed = [parse_properties(text) for text in texts if isinstance(text, str)]
    sizes = [bank.get("size_in_bytes", 0) for bank in parsed if bank.get("heap_type") in _FRAME_BUFFER]
    own = sum(sizes) or properties.get("local_mem_size", 0)
    if own:
        return own
    text = host.read_text(f"/sys/class/drm/renderD{properties.get('drm_render_minor')}/device/mem_info_vram_total", 64)
    number = text.strip() if isinstance(text, str) else ""
    return (
        int(number) if re.fullmatch(r"[1-9]\d{0,18}", number, re.ASCII) else Unknown("KFD lists no memory of its own")
    )


def _driver(host: Host) -> GpuDriver | None:
    if not host.exists(_MODULE):
        return None
    version = _line(host, f"{_MODULE}/version")
    folder = host.environ.get("ROCM_PATH") or "/opt/rocm"
    return GpuDriver(
        "amdgpu", version, f"{_MODULE}/version" if version else _MODULE, _line(host, f"{folder}/.info/version")
    )


def _line(host: Host, path: str) -> str | None:
    text = host.read_text(path, 256)
    return text.strip().partition("\n")[0] or None if isinstance(text, str) else None


def _unlisted(host: Host, container: Container | None) -> tuple[str, ...]:
    """GPUs that are on the bus only. A container sees its host's bus, so there they say nothing."""
    if container is not None:
        return ()
    if host.told("platform") == "win32":
        why = "PyTorch's builds for ROCm are for Linux"
    elif host.exists(_MODULE):
        why = "amdgpu is loaded, but its compute half (KFD) does not list it"
    else:
        why = "amdgpu is not loaded"
    return tuple(
        f"AMD PCI device 1002:{each.device:04x} is on the bus, but no program can compute on it: {why}"
        for each in display_adapters(host, _VENDOR)
    )


def _pretended(host: Host) -> tuple[str, ...]:
    value = host.environ.get("HSA_OVERRIDE_GFX_VERSION")
    return (f"HSA_OVERRIDE_GFX_VERSION={value} makes ROCm take every AMD GPU for another one",) if value else ()


def parse_properties(text: str) -> Mapping[str, int]:
    """The numbers in a node's or a memory bank's properties, one `name number` a line; other lines are passed over."""
    pairs = re.findall(r"^(\w{1,64}) (\d{1,20})$", text, re.MULTILINE | re.ASCII)
    return {name: int(number) for name, number in pairs if int(number) < _HIGHEST}


def parse_target(text: str) -> str | None:
    """`gfx90a` from a node's properties: gfx_target_version is 10000 * major + 100 * minor + step; 0 is a CPU."""
    match = re.search(r"^gfx_target_version (\d{1,9})$", text, re.MULTILINE | re.ASCII)
    version = int(match[1]) if match else 0
    if version == 0:
        return None
    return f"gfx{version // 10000}{version // 100 % 100:x}{version % 100:x}"
