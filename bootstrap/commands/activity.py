"""What commands tell while they work; who listens decides how it looks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Activity", "Place"]


class Place(NamedTuple):
    """Where something comes from: a server, find-links or the store; how many files, and bytes as far as is known."""

    name: str
    files: int
    total: int


class Activity:
    """What is going on, told as it happens. This one says nothing; see `bootstrap.console`."""

    def step(self, text: str) -> None:
        """A new phase begins."""

    def expect(self, count: int, total: int | None, places: Sequence[Place] = ()) -> None:
        """So many files, and so many bytes if all sizes are known, will be fetched, from these places."""

    def started(self, name: str, total: int | None) -> None:
        """A file begins to arrive."""

    def resumed(self, name: str, count: int) -> None:
        """So many bytes of it are here from an earlier run."""

    def advanced(self, name: str, count: int) -> None:
        """So many more bytes of it are here."""

    def arrived(self, name: str) -> None:
        """All bytes of it are here, and they are the promised ones."""

    def finished(self, name: str) -> None:
        """It is here, checked and unpacked."""
