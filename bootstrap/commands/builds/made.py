"""What was built before: for each source distribution and interpreter, the wheels, with what each was built against.

    kernels-1.tar.gz.KEY.json    [{against: {torch: [2.7.1+cpu, sha256]}, wheel: sha256},
                                  {against: {torch: [2.7.1+cu128, sha256]}, wheel: sha256}]

A wheel is found again only where everything that it was built against is the same, file by file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bootstrap.commands.builds.surroundings import Surroundings
from bootstrap.project.setting_kinds import Addition
from bootstrap.resolver.resolution import Pin

__all__ = ["Made"]


@dataclass(frozen=True, slots=True)
class Made:
    """The notes about one source distribution, in a file beside it. A note that is lost only costs time."""

    file: Path

    def find(self, surroundings: Surroundings, additions: Sequence[Addition]) -> Iterator[tuple[str, tuple[str, ...]]]:
        """The sha256 of wheels that were built as one would be built now, with the names of what they used."""
        asked = [list(each[1:]) for each in additions]
        variant = surroundings.offer.variant if surroundings.offer else None
        for each in self._notes():
            with suppress(KeyError, TypeError, ValueError, AttributeError):
                if each["additions"] == asked and _holds(each["against"], each["variant"] == variant, surroundings):
                    yield str(each["wheel"]), tuple(each["against"])

    def add(
        self, wheel: str, used: Mapping[str, Pin], surroundings: Surroundings, additions: Sequence[Addition]
    ) -> None:
        """Remember a wheel. Folders change without notice, so what was built with one is not remembered."""
        against = {name: [str(pin.version), _sha256(pin)] for name, pin in sorted(used.items())}
        if any(sha256 is None for _, sha256 in against.values()):
            return
        variant = surroundings.offer.variant if surroundings.offer else None
        note = {
            "additions": [list(each[1:]) for each in additions],
            "against": against,
            "variant": variant,
            "wheel": wheel,
        }
        notes = [note, *(each for each in self._notes() if {**each, "wheel": wheel} != note)]
        beside = self.file.with_name(f".{os.getpid()}-{self.file.name}")
        with suppress(OSError):
            beside.write_text(json.dumps(notes), encoding="utf-8")
            beside.replace(self.file)

    def _notes(self) -> list[dict[str, Any]]:
        try:
            notes = json.loads(self.file.read_bytes())
        except (OSError, ValueError):
            return []
        return [each for each in notes if isinstance(each, dict)] if isinstance(notes, list) else []


def _holds(against: Mapping[str, Sequence[str]], is_same_variant: bool, surroundings: Surroundings) -> bool:
    """Is all that was used what the environment has? What it has nothing of came from the variant's index."""
    pins = surroundings.pins
    if not against:
        return True
    if pins is None:
        return False
    return all(
        list(facts) == [str(pins[name].version), _sha256(pins[name])] if name in pins else is_same_variant
        for name, facts in against.items()
    )


def _sha256(pin: Pin) -> str | None:
    return pin.files[0].hashes.get("sha256") if pin.files else None
