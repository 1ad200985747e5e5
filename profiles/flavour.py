"""Which variant the build of a default index is, told by what it requires.

nvidia-cuda-runtime-cu12 (==12.4.127)            cu124   a library whose version is CUDA's own
cuda-toolkit[cublas,cudart]==13.2.2              cu132   the metapackage that replaced the libraries with torch 2.11
rocm[libraries]==7.14.*                          rocm7.14
triton-xpu==3.6.0                                xpu
nothing of all that                              cpu
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

__all__ = ["flavour_of"]

_CUDA = ("cuda-toolkit", "nvidia-cuda-runtime", "nvidia-cuda-nvrtc", "nvidia-cuda-cupti", "nvidia-nvtx")
"""Packages whose version begins as CUDA's does, the surest first. Up to CUDA 12 their names end in its major."""
_FOR_CUDA = re.compile(r"cuda-(?:toolkit|bindings)|nvidia-.+")
_FOR_ROCM = re.compile(r"rocm(?:-sdk.*)?|(?:pytorch-)?triton-rocm")
_FOR_XPU = re.compile(r"(?:pytorch-)?triton-xpu|intel-sycl-rt|intel-cmplr-lib-rt|dpcpp-cpp-rt")
_REQUIREMENT = re.compile(
    r"\s*(?P<name>[a-z0-9][a-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*\(?\s*(?P<versions>[^;()]*)\)?\s*(?:;(?P<marker>.*))?",
    re.ASCII | re.IGNORECASE | re.DOTALL,
)
_PIN = re.compile(r"[=~]=\s*(\d+)\.(\d+)", re.ASCII)


def flavour_of(requirements: Iterable[str], markers: Mapping[str, str] | None = None) -> str | None:
    """The variant of a build of torch by its requirements (`Requires-Dist`); None for an accelerator without a version.

    `markers` are the PEP 508 variables of the platform in question: a requirement that does not apply there does not
    count. Without them the platform does not matter. What only an extra asks for never counts. Builds before 1.13
    carried CUDA inside, and look like `cpu`.
    """
    found = {name: pin for name, pin, marker in map(_parts, requirements) if _applies(marker, markers)}
    for base in _CUDA:
        for name, pin in found.items():
            if pin and re.fullmatch(rf"{base}(?:-cu\d+)?", name, re.ASCII):
                return f"cu{pin[0]}{pin[1]}"
    if any(map(_FOR_CUDA.fullmatch, found)):
        return None
    if any(map(_FOR_ROCM.fullmatch, found)):
        pin = found.get("rocm")
        return f"rocm{pin[0]}.{pin[1]}" if pin else None
    return "xpu" if any(map(_FOR_XPU.fullmatch, found)) else "cpu"


def _parts(requirement: str) -> tuple[str, tuple[str, str] | None, str]:
    """The normalized name, the minor version that is pinned, and the marker."""
    match = _REQUIREMENT.fullmatch(requirement)
    if match is None:
        return "", None, ""
    pin = _PIN.search(match["versions"])
    name = re.sub(r"[-_.]+", "-", match["name"]).lower()
    return name, (pin[1], pin[2]) if pin else None, match["marker"] or ""


def _applies(marker: str, markers: Mapping[str, str] | None) -> bool:
    if not marker.strip():
        return True
    if re.search(r"\bextra\b", marker):
        return False
    if markers is None:
        return True
    from packaging.markers import InvalidMarker, Marker  # noqa: PLC0415 - not every choice knows the platform

    try:
        return Marker(marker).evaluate(dict(markers))
    except InvalidMarker:
        return True
