"""NVIDIA's product names and their compute capability, for machines where NVML cannot be asked.

Rows are tried in order, the first that occurs in the name counts. A name that no row knows stays unknown.
Source: https://developer.nvidia.com/cuda-gpus and https://developer.nvidia.com/cuda-legacy-gpus
"""

from __future__ import annotations

import re

from probes.machine import Unknown

__all__ = ["NAMES", "capability_of_name"]

NAMES: tuple[tuple[str, tuple[int, int]], ...] = (
    (r"\bGB10\b", (12, 1)),
    (r"\bG?B300\b", (10, 3)),
    (r"\bG?B[12]00\b", (10, 0)),
    (r"\bRTX 50\d0\b|RTX PRO \d+.*Blackwell", (12, 0)),
    (r"\bThor\b|Jetson T[45]000", (11, 0)),
    (r"\bG?H(?:100|200|20|800)\b", (9, 0)),
    (r"\bOrin\b", (8, 7)),
    (r"\bRTX 40\d0\b|\bL40S?\b|\bL4\b|\bRTX \d+ .*Ada\b", (8, 9)),
    (r"\bA(?:100|800|30)\b", (8, 0)),
    (r"\bRTX 30[5-9]0\b|\bA(?:40|10G?|16|2)\b|\bRTX A\d+", (8, 6)),
    (r"\bT4\b|\bRTX 20[6-8]0\b|\bGTX 16[5-6]0\b|\bTITAN RTX\b|\bQuadro RTX\b", (7, 5)),
    (r"\bXavier\b", (7, 2)),
    (r"\bV100S?\b|\bTITAN V\b|\bGV100\b", (7, 0)),
    (r"\bTX2\b", (6, 2)),
    (r"\bGTX 10[5-8]0\b|\bTITAN Xp\b|\bTITAN X \(Pascal\)|\bTesla P(?:4|40)\b|\bQuadro P\d{3,4}\b", (6, 1)),
    (r"\bP100\b|\bGP100\b", (6, 0)),
    (r"\bTX1\b|\bJetson Nano\b", (5, 3)),
    (r"\bGTX 9[5-8]0(?: Ti)?$|\bGTX TITAN X\b|\bTesla M(?:4|40|60)\b", (5, 2)),
    (r"\bGTX 750\b|\bQuadro K2200\b", (5, 0)),
    (r"\bK80\b", (3, 7)),
    (r"\bK(?:20|40)[cmxst]*\b", (3, 5)),
)


def capability_of_name(name: str) -> tuple[int, int] | Unknown:
    """The compute capability of a product, by its name."""
    for pattern, capability in NAMES:
        if re.search(pattern, name, re.IGNORECASE):
            return capability
    return Unknown(f"no table knows the compute capability of {name}")
