"""AMD GPUs, as the kernel's compute driver lists them (KFD), and the right to open it.

TORCHSTRAP_AMD_ARCHITECTURE (`gfx1100`, several with commas, `none`) comes first.
"""

from __future__ import annotations

import re

from probes.host import Host
from probes.machine import Gpu, Unknown

__all__ = ["ARCHITECTURE_OVERRIDE", "parse_target", "read_amd"]

ARCHITECTURE_OVERRIDE = "TORCHSTRAP_AMD_ARCHITECTURE"
_NODES = "/sys/class/kfd/kfd/topology/nodes"
_KFD = "/dev/kfd"


def read_amd(host: Host) -> tuple[tuple[Gpu, ...], tuple[str, ...]]:
    """The AMD GPUs that programs can compute on, and notes."""
    override = host.environ.get(ARCHITECTURE_OVERRIDE, "").strip().lower()
    if override:
        targets = re.findall(r"gfx[0-9a-f]{3,5}", override)
        assumed = Unknown(f"assumed from {ARCHITECTURE_OVERRIDE}")
        note = f"{ARCHITECTURE_OVERRIDE}={override}: AMD GPUs are assumed"
        return tuple(Gpu("amd", assumed, ARCHITECTURE_OVERRIDE, target=target) for target in targets), (note,)
    gpus = []
    for node in host.names(_NODES):
        path = f"{_NODES}/{node}/properties"
        text = host.read_text(path)
        target = parse_target(text) if isinstance(text, str) else None
        if target is not None:
            gpus.append(Gpu("amd", _name(host, node), path, target=target))
    if gpus and not host.exists(_KFD):
        return (), (f"{_NODES} lists {len(gpus)} AMD GPU(s), but there is no device node {_KFD} to open them",)
    return tuple(gpus), ()


def _name(host: Host, node: str) -> str | Unknown:
    text = host.read_text(f"{_NODES}/{node}/name", 256)
    return text.strip() if isinstance(text, str) and text.strip() else Unknown("KFD does not name it")


def parse_target(text: str) -> str | None:
    """`gfx90a` from a node's properties: gfx_target_version is 10000 * major + 100 * minor + step; 0 is a CPU."""
    match = re.search(r"^gfx_target_version (\d{1,9})$", text, re.MULTILINE | re.ASCII)
    version = int(match[1]) if match else 0
    if version == 0:
        return None
    return f"gfx{version // 10000}{version // 100 % 100:x}{version % 100:x}"
