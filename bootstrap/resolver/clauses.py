"""The words between the solver and whoever asks it: facts in, questions out, clauses where it fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["ROOT", "Answer", "Clause", "Domain", "Fact", "Need", "Unsatisfiable", "split_package"]

ROOT = ""
"""The package that stands for the project: it has one version and is always selected."""


def split_package(package: str) -> tuple[str, str]:
    """The name and the extra of a solver's package: "transformers[torch]" -> ("transformers", "torch")."""
    name, _, extra = package.partition("[")
    return name, extra.removesuffix("]")


@dataclass(frozen=True, slots=True)
class Fact:
    """`package` in any of `versions` needs `needs` in `allowed`; without `needs`, those versions cannot be used.

    `words` is how to say what is needed ("2.6 or newer"), or why the versions cannot be used ("is for Python >=3.12");
    `asked` is the requirement as the project wrote it, empty where somebody else did, and `place` where it did so
    ("extra `cpu`"), empty for its own dependencies. `parts` are the facts that this one sums up.
    """

    package: str
    versions: int
    needs: str | None = None
    allowed: int = 0
    words: str = ""
    asked: str = ""
    place: str = ""
    parts: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True)
class Domain:
    """What a package can be: `count` versions, of which `first` are tried before and `last` after all others.

    `twin_of` names the package whose version it always shares (`name[extra]` and `name`); `facts` are known
    of it whoever asks (constraints).
    """

    count: int
    first: int = 0
    last: int = 0
    twin_of: str | None = None
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True)
class Need:
    """A question: the `Domain` of a package, or, with `index`, the facts of that version of it."""

    package: str
    index: int | None = None


Answer = Domain | tuple[Fact, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Clause:
    """The states that cannot all hold at once, and where that comes from: one fact, two clauses, or a twin."""

    terms: Mapping[str, int]
    fact: Fact | None = None
    causes: tuple[Clause, Clause] | None = None


class Unsatisfiable(Exception):  # noqa: N818 - the state of affairs, as the literature names it
    """No selection meets every fact; `clause` is the root of the derivation."""

    def __init__(self, clause: Clause) -> None:
        super().__init__("no selection of versions meets every requirement")
        self.clause = clause
