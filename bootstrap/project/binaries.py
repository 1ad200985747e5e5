"""Which packages may come as wheels and which as sources, in pip's words: names, `:all:` and `:none:`.

A word on one side takes the name off the other side, so the last one said is what holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from packaging.utils import canonicalize_name

__all__ = ["ALL", "Binaries"]

ALL = ":all:"
NONE = ":none:"


@dataclass(frozen=True, slots=True)
class Binaries:
    """`no_binary` are built from source, `only_binary` never; either may hold `:all:`."""

    no_binary: frozenset[str] = frozenset()
    only_binary: frozenset[str] = frozenset()

    def refusing_wheels(self, words: Iterable[str]) -> Binaries:
        """As after `--no-binary WORDS`."""
        target, other = _said(words, self.no_binary, self.only_binary)
        return Binaries(target, other)

    def requiring_wheels(self, words: Iterable[str]) -> Binaries:
        """As after `--only-binary WORDS`."""
        target, other = _said(words, self.only_binary, self.no_binary)
        return Binaries(other, target)


def _said(words: Iterable[str], target: frozenset[str], other: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
    for word in words:
        if word == ALL:
            target, other = frozenset({ALL}), frozenset()
        elif word == NONE:
            target = frozenset()
        else:
            name = canonicalize_name(word)
            target, other = target | {name}, other - {name}
    return target, other
