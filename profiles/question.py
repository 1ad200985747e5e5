"""What every offer is judged by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from packaging.specifiers import SpecifierSet

from probes import Gpu, Machine
from profiles.offer import Offer
from profiles.tables import Tables
from profiles.wanted import Wanted, counted
from profiles.words import platform_of

__all__ = ["Question", "Torch"]

Torch = SpecifierSet | Mapping[str, SpecifierSet] | None
"""What the project asks of torch: one specifier for all offers, or one for each by the offer's name."""


@dataclass(frozen=True, slots=True)
class Question:
    """The machine and which of its GPUs must work, the Python, and what the project asks of torch."""

    machine: Machine
    python: str
    torch: Torch
    tables: Tables
    wanted: Wanted

    @property
    def platform(self) -> str:
        return platform_of(self.machine.system) or ""

    def specifier(self, offer: Offer) -> SpecifierSet:
        """What the project asks of torch where this offer is taken."""
        asked = self.torch.get(offer.name) if isinstance(self.torch, Mapping) else self.torch
        return SpecifierSet() if asked is None else asked

    def gpus(self, vendor: str | None = None) -> tuple[Gpu, ...]:
        """The GPUs that decide, of one vendor or of all."""
        return counted(self.machine, self.wanted, vendor)
