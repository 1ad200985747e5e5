"""What choosing again would change: the choice that the environment was built for, beside the one of today."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from profiles.offer import Choice

__all__ = ["changed"]


def changed(said: Mapping[str, Any], choice: Choice) -> tuple[str, ...]:
    """The two as lines of a difference, nothing if they are the same. `said` is what the last sync left.

    What counts is what would be installed: the offer and its variant. Reasons may change with every driver.
    """
    before = said.get("choice") or {}
    old, new = (before.get("offer"), before.get("variant")), (choice.offer.name, choice.offer.variant)
    if old == new:
        return ()
    was = f"-{old[0]} ({old[1]})" if before else "-no environment"
    return (was, f"+{new[0]} ({new[1]})")
