"""How to say things: versions of a package, what is needed of it, and what there is instead."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from packaging.version import Version

from bootstrap.errors import Proposal
from bootstrap.resolver.clauses import ROOT, Domain, Fact
from bootstrap.resolver.versions import ABSENT, bit, describe, everything

__all__ = [
    "Remark",
    "Shelf",
    "Witness",
    "listed",
    "named",
    "need_of",
    "object_of",
    "predicate",
    "sentence",
    "subject_of",
]


@dataclass(frozen=True, slots=True)
class Shelf:
    """What a telling needs to know of a package: its domain, its versions, oldest first.

    `aside` are pre-releases and yanked versions that nobody asked for: runs of versions are folded across them.
    """

    domain: Domain
    versions: Sequence[Version] = ()
    aside: int = 0

    def described(self, mask: int, joint: str = "or") -> str:
        """Versions in words: "2.5.1 to 2.8.0"."""
        shown = [index for index in range(len(self.versions)) if bit(index) & (mask | ~self.aside)]
        inside = sum(bit(place) for place, index in enumerate(shown) if bit(index) & mask)
        return describe(inside, [self.versions[index] for index in shown], joint)


@dataclass(frozen=True, slots=True)
class Remark:
    """What there is that would do but may not be taken, or what there is instead; and what would change that."""

    text: str = ""
    ways_out: tuple[Proposal, ...] = ()


Witness = Callable[[Sequence[Fact]], Remark]
"""Knows what is left out of the versions that facts about one package ask for together."""

OWN_WORDS = ("the project ", "every ", "no ", "that ", "any ")
PLURALS = {"is": "are", "has": "have", "needs": "need", "was": "were"}


def predicate(words: str, *, plural: bool) -> str:
    """What is said of versions ("is for Python >=3.12"), of one or of several."""
    verb, _, rest = words.partition(" ")
    return f"{PLURALS.get(verb, verb) if plural else verb} {rest}"


def listed(texts: Sequence[str], joint: str = " and ") -> str:
    """One after the other: "a, b and c"."""
    return f"{', '.join(texts[:-1])}{joint}{texts[-1]}" if len(texts) > 1 else "".join(texts)


def named(package: str, words: str) -> str:
    """A package with what is asked of it: "torch 2.6 or newer", "any torch but 2.7.0", or just "torch"."""
    if words.startswith("any version but"):
        return words.replace("version", package, 1)
    return words.replace("any version", package, 1) if words.startswith("any version") else f"{package} {words}"


def subject_of(package: str, mask: int, shelf: Shelf) -> tuple[str, bool]:
    """How to name versions of a package at the start of a clause, and whether that is a plural."""
    if package == ROOT:
        return "the project", False
    mask &= ~ABSENT
    if mask | shelf.aside | ABSENT == everything(shelf.domain.count):
        return (f"every {package}" if shelf.domain.count > 1 else f"{package} {shelf.versions[0]}"), False
    return named(package, shelf.described(mask, "and")), mask.bit_count() > 1


def need_of(fact: Fact, shelf: Shelf) -> str:
    """What a fact needs: "torch 2.6 or newer"."""
    return named(fact.needs or "", fact.words or shelf.described(fact.allowed))


def object_of(fact: Fact, shelf: Shelf, witness: Witness) -> str:
    """What a fact needs, with what there is instead if there is no such thing."""
    if fact.allowed:
        return need_of(fact, shelf)
    return f"{need_of(fact, shelf)}, but {witness((fact,)).text or 'there is none'}"


def sentence(text: str) -> str:
    """With a capital letter and a full stop; a package's name keeps its spelling."""
    return f"{text[0].upper() if text.startswith(OWN_WORDS) else text[0]}{text[1:]}."
