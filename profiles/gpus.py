"""What GPUs and toolkits are called and came with: good to know, and decides nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from packaging.version import Version

from profiles.forms import KINDS
from profiles.loading import merged
from profiles.tables import pages

__all__ = ["AmdFamily", "amd_families", "nvidia_families", "toolkit_drivers"]


@dataclass(frozen=True, slots=True)
class AmdFamily:
    """`override` is the HSA_OVERRIDE_GFX_VERSION that people use, which AMD does not support: say it, never set it."""

    name: str
    override: str | None = None


@cache
def nvidia_families() -> Mapping[tuple[int, int], str]:
    """What GPUs of a compute capability are called: (8, 9) is "Ada". Raises TableError."""
    return {row["capability"]: row["family"] for row in merged(pages("gpus.toml"), "nvidia", KINDS["nvidia"])}


@cache
def amd_families() -> Mapping[str, AmdFamily]:
    """What GPUs of a ROCm target are called: gfx1100 is "RDNA 3". Raises TableError."""
    rows = merged(pages("gpus.toml"), "amd", KINDS["amd"])
    return {name: AmdFamily(row["family"], row.get("override")) for row in rows for name in row["names"]}


@cache
def toolkit_drivers() -> Mapping[tuple[Version, str], str]:
    """The driver that a CUDA toolkit came with, by minor version and `linux` or `windows`. Raises TableError.

    With it everything of that CUDA works. What a build needs at least is `Tables.oldest_driver`, which is less.
    """
    rows = merged(pages("toolkits.toml"), "toolkit", KINDS["toolkit"])
    return {
        (row["cuda"], system): row[system] for row in rows for system in ("linux", "windows") if system in row.values
    }
