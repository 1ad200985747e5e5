"""PubGrub over finite version sets, as a generator that asks for what it needs to know.

Every package has a *state*: the mask of what may still become of it (see `versions`). A *clause* maps
packages to masks and says "not all of these at once"; a term holds when the state lies within its mask,
so negation is the complement and there is no polarity to track.

    fact      torchvision 0.20.1 needs torch ==2.5.1
    clause    not (torchvision in {0.20.1} and torch in {absent, 2.4.0, 2.6.0, …})

The loop is PubGrub's: *unit propagation* narrows states until nothing follows any more; *decision making*
picks a version for one package that must be there; a *conflict* is resolved back along the trail into a
clause that would have prevented it, and the trail is cut to where that clause first says something new.
Every learned clause remembers the two that it came from: that tree is the proof when nothing is left.

Domains are finite and each learned clause forbids a partial assignment that was possible before, so it ends.
Dependency clauses are kept for good: a version that is tried again costs no question. Versions whose
facts are alike share one clause, which widens as more of them become known.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain

from bootstrap.resolver.clauses import ROOT, Answer, Clause, Domain, Fact, Need, Unsatisfiable
from bootstrap.resolver.versions import ABSENT, bit, everything, newest

__all__ = ["solve"]

PATIENCE = 5  # versions of a package that may be refused in a row before it decides first


@dataclass(frozen=True, slots=True)
class _Step:
    """One assignment of the partial solution: a derivation with its cause, or a decision without one."""

    package: str
    own: int
    after: int
    level: int
    cause: Clause | None


def solve(roots: Iterable[Fact]) -> Generator[Need, Answer, Mapping[str, int]]:
    """Select one version (its index) for every package that is needed, newest first where nothing objects.

    Yields questions and is sent the answers. Raises `Unsatisfiable` with the derivation.
    """
    return (yield from _Solver().run(tuple(roots)))


@dataclass(slots=True)
class _Solver:
    domains: dict[str, Domain] = field(default_factory=dict)
    full: dict[str, int] = field(default_factory=dict)
    state: dict[str, int] = field(default_factory=dict)
    trail: list[_Step] = field(default_factory=list)
    marks: dict[str, list[int]] = field(default_factory=dict)  # package -> its steps, as positions in the trail
    watch: dict[str, dict[Clause, tuple[str, int]]] = field(default_factory=dict)
    twins: dict[str, list[str]] = field(default_factory=dict)
    widest: dict[tuple[object, ...], Clause] = field(default_factory=dict)
    asked: set[tuple[str, int]] = field(default_factory=set)
    decided: dict[str, int] = field(default_factory=dict)
    heat: dict[str, int] = field(default_factory=dict)
    refusals: dict[str, int] = field(default_factory=dict)
    patience: dict[str, int] = field(default_factory=dict)
    order: dict[str, int] = field(default_factory=dict)
    level: int = 0

    def run(self, roots: tuple[Fact, ...]) -> Generator[Need, Answer, Mapping[str, int]]:
        self.enter(ROOT, Domain(1))
        yield from self.learn_facts(roots)
        self.record(ROOT, bit(0), None)
        self.decided[ROOT] = 0
        package: str | None = ROOT
        while package is not None:
            self.propagate(package)
            package = self.most_urgent()
            if package is not None:
                yield from self.decide(package)
        return {name: index for name, index in self.decided.items() if name != ROOT}

    # What is known -----------------------------------------------------------------------------

    def load(self, package: str) -> Generator[Need, Answer, None]:
        """Ask for a package's domain, once, and for the package that it is a twin of."""
        if package in self.domains:
            return
        domain = yield Need(package)
        if not isinstance(domain, Domain):
            raise TypeError(f"{package}: a domain was asked for")
        self.enter(package, domain)
        if domain.twin_of is not None:
            yield from self.load(domain.twin_of)
            self.twins.setdefault(domain.twin_of, []).append(package)
        yield from self.learn_facts(domain.facts)

    def enter(self, package: str, domain: Domain) -> None:
        self.domains[package] = domain
        self.full[package] = self.state[package] = everything(domain.count)
        self.marks[package], self.watch[package] = [], {}
        self.order[package] = len(self.order)

    def learn_facts(self, facts: Iterable[Fact]) -> Generator[Need, Answer, None]:
        """Turn facts into clauses; facts that differ in nothing but the version share one (widening)."""
        for fact in facts:
            if fact.needs is not None:
                yield from self.load(fact.needs)
            key = (fact.package, fact.needs, fact.allowed, fact.words, fact.asked, fact.place, fact.parts)
            known = self.widest.get(key)
            if known is not None and known.fact is not None:
                if not fact.versions & ~known.fact.versions:
                    continue
                self.forget(known)
                fact = replace(fact, versions=fact.versions | known.fact.versions)  # noqa: PLW2901
            self.widest[key] = clause = self.clause_of(fact)
            self.add(clause)

    def clause_of(self, fact: Fact) -> Clause:
        terms = {fact.package: fact.versions}
        if fact.needs is not None:
            wrong = self.full[fact.needs] & ~fact.allowed
            if fact.needs == fact.package:
                terms[fact.package] &= wrong
            elif wrong != self.full[fact.needs]:
                terms[fact.needs] = wrong
        return Clause(terms, fact)

    def add(self, clause: Clause) -> None:
        """Watch a clause from each of its packages, with another of its terms: that one mostly rules it out at once."""
        for package, mask in clause.terms.items():
            others = (term for term in clause.terms.items() if term[0] != package)
            self.watch[package][clause] = next(others, (package, mask))

    def forget(self, clause: Clause) -> None:
        for package in clause.terms:
            self.watch[package].pop(clause, None)

    def forget_settled(self, package: str) -> None:
        """Watch no more what can never hold again, because this package cannot be in it whatever is decided.

        Sixteen hundred releases that are refused one by one would otherwise all be looked at again for each of them.
        """
        held = self.state[package]
        for clause in [each for each in self.watch[package] if not each.terms[package] & held]:
            self.forget(clause)

    # Unit propagation --------------------------------------------------------------------------

    def propagate(self, package: str) -> None:
        """PubGrub's unit propagation: derive what follows from the states, starting at what changed."""
        changed = [package]
        while changed:
            name = changed.pop()
            for clause in chain(self.couplings(name), self.possible(name)):
                unit = self.open_term(clause)
                if unit is None:
                    continue
                if unit == _CONFLICT:
                    # Whatever else was pending belongs to a level that is being left.
                    changed = [self.assert_unit(self.resolve_conflict(clause))]
                    break
                self.record(unit, self.full[unit] & ~clause.terms[unit], clause)
                changed.append(unit)
            if self.level == 0:
                self.forget_settled(name)

    def possible(self, name: str) -> Iterator[Clause]:
        """The clauses that watch a package, newest first, but for those that another term contradicts."""
        state = self.state
        for clause, (other, mask) in reversed(self.watch[name].items()):
            if state[other] & mask:
                yield clause

    def open_term(self, clause: Clause) -> str | None:
        """The one package whose term is undecided while all others hold; `_CONFLICT` if all hold; None otherwise."""
        unit = None
        state = self.state
        for name, mask in clause.terms.items():
            held = state[name]
            if not held & mask:
                return None
            if held & ~mask:
                if unit is not None:
                    return None
                unit = name
        return _CONFLICT if unit is None else unit

    def couplings(self, name: str) -> Iterable[Clause]:
        """What a twin's state says about the other, as clauses made when they are needed.

        "`foo` is within M" and "`foo[x]` is selected outside M" cannot both be; nor can "`foo[x]` is selected,
        within M" and "`foo` is outside M". There is one such pair for every M, so none is kept but in the trail.
        """
        base = self.domains[name].twin_of
        pairs = [(base, name)] if base is not None else [(name, twin) for twin in self.twins.get(name, ())]
        for whole, part in pairs:
            held = self.state[whole]
            if self.state[part] & ~held & ~ABSENT:
                yield Clause({whole: held, part: self.full[part] & ~held & ~ABSENT})
            held = self.state[part]
            if not held & ABSENT and self.state[whole] & ~held:
                yield Clause({part: held, whole: self.full[whole] & ~held})

    def record(self, package: str, own: int, cause: Clause | None) -> None:
        after = self.state[package] & own
        self.marks[package].append(len(self.trail))
        self.trail.append(_Step(package, own, after, self.level, cause))
        self.state[package] = after

    # Conflict resolution -----------------------------------------------------------------------

    def resolve_conflict(self, clause: Clause) -> Clause:
        """PubGrub's conflict resolution: the clause that would have prevented this, after going back to use it."""
        learned = False
        while clause.terms.keys() - {ROOT}:
            held_since = {name: self.satisfier(name, mask) for name, mask in clause.terms.items()}
            last = max(held_since.values())
            step = self.trail[last]
            previous = self.previous_level(clause, held_since, last)
            if step.cause is None or previous < step.level:
                self.heat[step.package] = self.heat.get(step.package, 0) + 1
                self.backjump(previous)
                if learned:
                    self.add(clause)
                return clause
            clause, learned = self.resolvent(clause, step.cause, step.package), True
        raise Unsatisfiable(clause)

    def satisfier(self, package: str, mask: int) -> int:
        """The position of the step since which the term holds. States only shrink, so it can be bisected."""
        marks = self.marks[package]
        found = bisect_left(marks, True, key=lambda position: not self.trail[position].after & ~mask)
        return marks[found]

    def previous_level(self, clause: Clause, held_since: Mapping[str, int], last: int) -> int:
        """PubGrub's previous satisfier: the level at which only the last satisfier is missing."""
        step = self.trail[last]
        level = max((self.trail[position].level for position in held_since.values() if position != last), default=0)
        beyond = step.own & ~clause.terms[step.package]
        if beyond:  # the step alone does not make its term hold: earlier steps on the package count too
            level = max(level, self.trail[self.satisfier(step.package, ~beyond)].level)
        return level

    def resolvent(self, clause: Clause, cause: Clause, package: str) -> Clause:
        """The rule of resolution on `package`: what both forbid together without it."""
        terms = {name: mask & cause.terms.get(name, mask) for name, mask in clause.terms.items() if name != package}
        terms.update({name: mask for name, mask in cause.terms.items() if name not in clause.terms})
        either = clause.terms[package] | cause.terms[package]
        if either != self.full[package]:
            terms[package] = either
        return Clause(terms, causes=(clause, cause))

    def assert_unit(self, clause: Clause) -> str:
        """Derive what the clause says at the level that was gone back to."""
        unit = self.open_term(clause)
        if unit is None or unit == _CONFLICT:
            raise AssertionError("a learned clause must leave one open term")
        self.record(unit, self.full[unit] & ~clause.terms[unit], clause)
        return unit

    def backjump(self, level: int) -> None:
        while self.trail and self.trail[-1].level > level:
            step = self.trail.pop()
            marks = self.marks[step.package]
            marks.pop()
            self.state[step.package] = self.trail[marks[-1]].after if marks else self.full[step.package]
            if step.cause is None:
                del self.decided[step.package]
        self.level = level

    # Decision making ---------------------------------------------------------------------------

    def most_urgent(self) -> str | None:
        """The package to decide next: what keeps causing conflicts, then what has no choice, then as discovered."""
        pending = (name for name, held in self.state.items() if not held & ABSENT and name not in self.decided)
        return min(pending, key=self.urgency, default=None)

    def urgency(self, package: str) -> tuple[int, bool, int]:
        held = self.state[package]
        return -self.heat.get(package, 0), bool(held & (held - 1)), self.order[package]

    def decide(self, package: str) -> Generator[Need, Answer, None]:
        """PubGrub's decision making: learn the facts of the preferred version, then take it if none objects."""
        domain, held = self.domains[package], self.state[package]
        wanted = held & domain.first or held & ~domain.last or held
        index = newest(wanted)
        if (package, index) not in self.asked:
            facts = yield Need(package, index)
            if isinstance(facts, Domain):
                raise TypeError(f"{package}: facts were asked for")
            self.asked.add((package, index))
            yield from self.learn_facts(facts)
        pick = bit(index)
        self.state[package] = pick
        objection = any(self.open_term(clause) == _CONFLICT for clause in self.possible(package))
        self.state[package] = held
        if objection:
            self.refuse(package)
            return
        self.level += 1
        self.record(package, pick, None)
        self.decided[package] = index

    def refuse(self, package: str) -> None:
        """A package of which one version after the other does not fit to what was decided: let it decide first.

        A release of boto3 pins one botocore, and none of a hundred older releases of aiobotocore gets along with that
        one; the boto3 before does. To begin again costs little, as every clause is kept, and it happens to a package
        less and less often, so that the search still ends.
        """
        self.refusals[package] = self.refusals.get(package, 0) + 1
        if self.refusals[package] < self.patience.setdefault(package, PATIENCE):
            return
        self.heat[package] = self.heat.get(package, 0) + self.refusals.pop(package)
        self.patience[package] *= 2
        self.backjump(0)


_CONFLICT = "\0"
