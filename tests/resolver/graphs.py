"""Random graphs of facts for the solver, and the answer by trying everything."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bootstrap.resolver.clauses import ROOT, Domain, Fact, Need
from bootstrap.resolver.solver import solve
from bootstrap.resolver.versions import bit, everything


@dataclass
class Graph:
    """Packages with their number of versions, the facts of each version, and what the project needs."""

    facts: Mapping[str, Sequence[Sequence[Fact]]]
    roots: Sequence[Fact]
    twins: Mapping[str, str] = field(default_factory=dict)
    questions: list[Need] = field(default_factory=list)

    def domain(self, package: str) -> Domain:
        return Domain(len(self.facts[package]), twin_of=self.twins.get(package))

    def solve(self) -> Mapping[str, int]:
        search = solve(self.roots)
        try:
            need = next(search)
            while True:
                self.questions.append(need)
                known = self.domain(need.package) if need.index is None else tuple(self.facts[need.package][need.index])
                need = search.send(known)
        except StopIteration as end:
            found: Mapping[str, int] = end.value
            return found

    def is_met(self, fact: Fact, selection: Mapping[str, int]) -> bool:
        return fact.needs is not None and fact.needs in selection and bool(bit(selection[fact.needs]) & fact.allowed)

    def is_valid(self, selection: Mapping[str, int]) -> bool:
        wanted = [*self.roots, *(fact for name, index in selection.items() for fact in self.facts[name][index])]
        paired = all(
            selection.get(self.twins[name]) == index for name, index in selection.items() if name in self.twins
        )
        return paired and all(self.is_met(fact, selection) for fact in wanted)

    def by_trying_everything(self) -> Mapping[str, int] | None:
        for picks in itertools.product(*(range(-1, len(versions)) for versions in self.facts.values())):
            selection = {name: pick for name, pick in zip(self.facts, picks, strict=True) if pick >= 0}
            if self.is_valid(selection):
                return selection
        return None


def random_graph(dice: random.Random, packages: int = 5, versions: int = 4) -> Graph:
    """Two or more packages with one or more versions, some with an extra, some versions unusable, cycles welcome."""
    names = [f"p{number}" for number in range(dice.randint(2, packages))]
    counts = {name: dice.randint(1, versions) for name in names}
    twins = {f"{name}[x]": name for name in names[:2] if dice.random() < 0.5}
    counts.update({twin: counts[name] for twin, name in twins.items()})

    def facts_of(package: str, index: int) -> list[Fact]:
        others = dice.sample(list(counts), min(len(counts), dice.choice((0, 1, 1, 2))))
        facts = [
            Fact(package, bit(index), other, dice.randrange(everything(counts[other]) + 1) & ~1)
            for other in others
            if other != package
        ]
        return [*facts, Fact(package, bit(index), words="is broken")] if dice.random() < 0.05 else facts

    wanted = dice.sample(list(counts), dice.randint(1, min(3, len(counts))))
    roots = [
        Fact(
            ROOT,
            bit(0),
            name,
            dice.choice((full := everything(counts[name]), dice.randrange(full + 1))) & ~1,
            asked=name,
        )
        for name in wanted
    ]
    return Graph(
        {name: [facts_of(name, index) for index in range(count)] for name, count in counts.items()}, roots, twins
    )
