"""What belongs to a release of torch: the minor versions of torchvision, torchaudio and triton, and triton's name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from packaging.version import Version

from profiles.forms import KINDS
from profiles.loading import every, merged
from profiles.tables import pages

__all__ = ["Companions", "companions", "triton_name"]

_FILE = "companions.toml"


@dataclass(frozen=True, slots=True)
class Companions:
    """The minor releases that go with a release of torch; `without` names packages that a variant's index lacks."""

    torchvision: Version
    torchaudio: Version
    triton: Version | None
    without: Mapping[str, tuple[str, ...]]


@cache
def companions() -> Mapping[Version, Companions]:
    """By minor release of torch, from companions.toml and the site's tables. Raises TableError."""
    return {
        row["torch"]: Companions(row["torchvision"], row["torchaudio"], row.get("triton"), row.get("without") or {})
        for row in merged(pages(_FILE), "companions", KINDS["companions"])
    }


def triton_name(variant: str, torch: Version) -> str | None:
    """The package that brings triton to a variant of a release; None for one without it. Raises TableError."""
    kind = next((kind for kind in ("cu", "rocm", "xpu") if variant.startswith(kind)), None)
    rows = every(pages(_FILE), "triton", KINDS["triton"])
    return next((row[kind] for row in rows if kind and row["torch"].contains(torch, prereleases=True)), None)
