"""Which GPU runs code that was compiled for which other: torch's own rule.

Code runs on the same major version with the same or a later minor one. Tegra boards (Jetson) stand apart: they run
code for themselves only, and nothing else runs theirs.
Source: https://github.com/pytorch/pytorch, torch/cuda/__init__.py, DEVICE_REQUIREMENT
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["TEGRA", "covers"]

Capability = tuple[int, int]

TEGRA = frozenset({(5, 3), (6, 2), (7, 2), (8, 7)})
_RENAMED = {(10, 1): (11, 0)}
"""Thor was 10.1 before CUDA 13."""


def covers(codes: Iterable[Capability], device: Capability) -> bool:
    """Whether a build that holds code for `codes` runs on a device."""
    device = _RENAMED.get(device, device)
    return any(_runs(code, device) for code in codes)


def _runs(code: Capability, device: Capability) -> bool:
    if code in TEGRA or device in TEGRA:
        return code == device
    return code[0] == device[0] and code[1] <= device[1]
