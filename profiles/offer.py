"""What a project offers, and what is taken of it: the words that choosing speaks in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["Choice", "Offer", "Rejection"]


@dataclass(frozen=True, slots=True)
class Offer:
    """One way to get the torch family: an extra or group of the project, or a variant in automatic mode.

    `variant` is a published flavour (`cpu`, `cu126`, `rocm6.4`, `xpu`) or `default`, the build on the default index.
    `index` is the address that answers for the torch family; None stands for the default index.

    `packages` is None for an offer that is about torch. Otherwise these are the requirements that it is about instead
    (`jax[cuda12]`), and `variant` is `cpu`, `cuda12`, `rocm` or another accelerator; a lock does not keep them.
    """

    name: str
    variant: str
    index: str | None = None
    kind: Literal["extra", "group", "variant"] = "extra"
    packages: tuple[str, ...] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Rejection:
    """An offer that was not taken, and the one sentence why."""

    offer: str
    reason: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The offer taken for a machine. `torch` is the newest release that it is expected to bring, if that is known.

    `changes` say what would make the answer a better one. `bound` is the release that torch must stay below to use the
    machine's GPUs; None where any that the project admits will do. `fitting` are the names of the offers that serve the
    machine as well; empty where nobody had a choice.
    """

    offer: Offer
    reason: str
    rejected: tuple[Rejection, ...] = ()
    torch: str | None = None
    warnings: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    bound: str | None = None
    fitting: tuple[str, ...] = field(default=(), compare=False)

    def to_json(self) -> Mapping[str, Any]:
        """The `choice` object of `sync --json` and `choose --json`."""
        return {
            "offer": self.offer.name,
            "variant": self.offer.variant,
            "torch": self.torch,
            "reason": self.reason,
            "rejected": [{"offer": each.offer, "reason": each.reason} for each in self.rejected],
            "changes": list(self.changes),
        }
