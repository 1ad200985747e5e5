"""Names of variants and the addresses of their indexes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

__all__ = ["BASE", "cuda_major", "index_of", "is_newer", "is_variant", "order", "variant_of_index"]

BASE = "https://download.pytorch.org/whl"

_NAME = re.compile(r"cpu|xpu|cu\d{2,4}|rocm\d+(?:\.\d+){1,2}", re.ASCII)
_KINDS = ("cpu", "xpu", "rocm", "cu")
"""Kinds of variants, the one to prefer last."""


def is_variant(name: str) -> bool:
    """Whether this is how a variant is called: `cpu`, `cu126`, `rocm6.4`, `xpu`."""
    return _NAME.fullmatch(name) is not None


def variant_of_index(url: str) -> str | None:
    """The variant that an index serves, by the last part of its address; None if that names none.

    `…/whl/cu126`, `…/whl/nightly/cu126/` and a mirror's `…/pytorch-wheels/cu126` all serve `cu126`; a repository server
    may add `/simple`.
    """
    try:
        path = urlsplit(url).path
    except ValueError:
        return None
    parts = [part.lower() for part in re.split(r"[/\\]", path) if part]
    if parts and parts[-1] == "simple":
        parts.pop()
    return parts[-1] if parts and is_variant(parts[-1]) else None


def index_of(variant: str, base: str = BASE) -> str:
    """The address of the index that serves a variant."""
    return f"{base.rstrip('/')}/{variant}"


def cuda_major(variant: str) -> int | None:
    """12 for `cu126`; None for a variant without CUDA. The last digit is the minor version: `cu92` was CUDA 9.2."""
    match = re.fullmatch(r"cu(\d{1,3})\d", variant, re.ASCII)
    return int(match[1]) if match else None


def order(variant: str) -> tuple[int, tuple[int, ...]]:
    """A key that sorts variants, the best last: cpu, xpu, ROCm by version, CUDA by version; `default` counts as cpu."""
    kind = next((number for number, kind in enumerate(_KINDS) if variant.startswith(kind)), 0)
    return kind, tuple(int(number) for number in re.findall(r"\d+", variant, re.ASCII))


def is_newer(variant: str, known: Iterable[str]) -> bool:
    """Whether a variant is of a newer CUDA or ROCm than all that are known, of which there are some."""
    kind, version = order(variant)
    alike = [numbers for other, numbers in map(order, known) if other == kind]
    return bool(alike) and version > max(alike)
