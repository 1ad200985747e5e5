"""Several mirrors of one address, tried in order: `--mirror FROM=TO` given more than once for the same FROM.

    address ── longest FROM that fits ── its targets, in the order in which they were given,
                                         those that gave no answer in this run last

A mirror that has not this file (404, 410) is passed over for it alone; one that is silent, broken or overloaded is
remembered. The last one is the one whose trouble is told. Where there is one target, or none, nothing is special.
"""

from __future__ import annotations

from collections.abc import Sequence

from bootstrap.index.addresses import origin, rewrites

__all__ = ["ABSENT", "Mirrors"]

ABSENT = frozenset({404, 410})
_HASTY = 2  # attempts at a mirror behind which there is another


class Mirrors:
    """The mirrors of one run; safe to share between threads."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._pairs = tuple(pairs)
        self._failed: set[str] = set()
        targets: dict[str, list[str]] = {}
        for source, target in self._pairs:
            targets.setdefault(source.rstrip("/"), []).append(target)
        self._spare = {origin(each) for several in targets.values() for each in several[:-1]}

    def choices(self, url: str) -> tuple[str, ...]:
        """The addresses to ask, in order; at least one."""
        found = rewrites(url, self._pairs)
        return tuple(sorted(found, key=lambda each: origin(each) in self._failed))

    def failed(self, asked: str) -> None:
        """Who was asked there gave no answer that is of use."""
        self._failed.add(origin(asked))

    def attempts(self, asked: str, usual: int) -> int:
        """How often to ask there before somebody else is asked."""
        return min(usual, _HASTY) if origin(asked) in self._spare else usual
