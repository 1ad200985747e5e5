"""What a contradiction rests on, with nothing to spare.

    leaves of the derivation  ->  facts              what the contradiction rests on
    merge                     ->  fewer facts        "xformers 0.0.23 to 0.0.28 need torch 2.1.1 to 2.5.1"
    loosen                    ->  simpler facts      "boto3 1.17 or newer needs botocore 1.20.0 or newer", holes apart
    drop                      ->  necessary facts    without any one of them it would not be a contradiction

Merging weakens: of two facts about neighbouring versions it keeps only what both say. So after every move the
solver itself is asked whether the contradiction is still there; what would lose it is taken back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bootstrap.resolver.clauses import ROOT, Clause, Domain, Fact, Unsatisfiable
from bootstrap.resolver.solver import solve
from bootstrap.resolver.versions import bit, newest, span

__all__ = ["minimal_facts", "necessary_facts", "packages_of", "refutation"]

SHOWN_WORDS = 3
REFUTATION_BUDGET = 600  # how often the solver is asked again; each costs about a tenth of a millisecond per fact


def necessary_facts(clause: Clause, domains: Mapping[str, Domain]) -> tuple[Fact, ...]:
    """The facts that the derivation rests on: merged over versions where that keeps it, and none to spare."""
    budget = _Budget(domains)
    facts = _joined_by_wording(leaf.fact for leaf in _leaves(clause) if leaf.fact is not None)
    return _spared(_loosened(_merged(facts, budget), budget), budget)


def minimal_facts(facts: Sequence[Fact], domains: Mapping[str, Domain]) -> tuple[Fact, ...]:
    """Of facts that contradict each other, some that do so with none to spare; the project's own go last."""
    return _spared(tuple(facts), _Budget(domains))


def _spared(facts: tuple[Fact, ...], budget: _Budget) -> tuple[Fact, ...]:
    for fact in sorted(facts, key=lambda each: each.package == ROOT):
        fewer = tuple(each for each in facts if each is not fact)
        if budget.contradictory(fewer):
            facts = fewer
    return facts


def packages_of(clause: Clause) -> frozenset[str]:
    """Every package that the derivation speaks of."""
    facts = [leaf.fact for leaf in _leaves(clause) if leaf.fact is not None]
    return frozenset(name for fact in facts for name in (fact.package, fact.needs) if name is not None)


def refutation(facts: Sequence[Fact], domains: Mapping[str, Domain]) -> Clause:
    """The derivation of a contradiction from these facts alone; raises `ValueError` where there is none."""
    by_package: dict[str, list[Fact]] = {}
    for fact in facts:
        by_package.setdefault(fact.package, []).append(fact)
    search = solve(by_package.get(ROOT, ()))
    try:
        need = next(search)
        while True:
            if need.index is None:
                need = search.send(replace(domains[need.package], facts=()))
            else:
                version = bit(need.index)
                need = search.send(tuple(f for f in by_package.get(need.package, ()) if f.versions & version))
    except Unsatisfiable as contradiction:
        return contradiction.clause
    except StopIteration:
        raise ValueError("these facts do not contradict each other") from None


@dataclass(slots=True)
class _Budget:
    """Asks the solver whether facts contradict each other, and says no once it has been asked too often."""

    domains: Mapping[str, Domain]
    left: int = REFUTATION_BUDGET

    def contradictory(self, facts: Sequence[Fact]) -> bool:
        self.left -= 1
        if self.left < 0:
            return False
        try:
            refutation(facts, self.domains)
        except ValueError:
            return False
        return True


def _leaves(clause: Clause) -> Iterator[Clause]:
    seen: set[Clause] = set()
    stack = [clause]
    while stack:
        each = stack.pop()
        if each in seen:
            continue
        seen.add(each)
        if each.causes is None:
            yield each
        else:
            stack.extend(each.causes)


def _joined_by_wording(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """Facts that differ in nothing but the version, as one. Nothing is lost."""
    joined: dict[Fact, int] = {}
    for fact in facts:
        key = replace(fact, versions=0)
        joined[key] = joined.get(key, 0) | fact.versions
    return tuple(replace(key, versions=versions) for key, versions in joined.items())


def _merged(facts: tuple[Fact, ...], budget: _Budget) -> tuple[Fact, ...]:
    """Facts of one package about another, as few as the contradiction allows."""
    groups: dict[tuple[str, str | None], list[Fact]] = {}
    for fact in facts:
        if fact.package != ROOT and fact.needs is not None and not fact.asked:
            groups.setdefault((fact.package, fact.needs), []).append(fact)
    for group in groups.values():
        whole = _union(group)
        if len(group) > 1 and budget.contradictory(others := _without(facts, group, whole)):
            facts = others
        else:
            facts = _merged_stepwise(facts, sorted(group, key=lambda each: each.versions), budget)
    return facts


def _loosened(facts: tuple[Fact, ...], budget: _Budget) -> tuple[Fact, ...]:
    """Sums of facts that are full of holes, without those that do not matter: they are easier to say."""
    for fact in facts:
        if not fact.parts or not fact.allowed or fact.needs is None:
            continue
        for wider in _hulls(fact.allowed, budget.domains[fact.needs].count):
            loose = replace(fact, allowed=wider)
            if wider != fact.allowed and budget.contradictory(others := _without(facts, (fact,), loose)):
                facts = others
                break
    return facts


def _hulls(mask: int, count: int) -> Iterator[int]:
    """The simplest sets of versions around some, simplest first: these or newer, these or older, all between."""
    low, high = (mask & -mask).bit_length() - 2, newest(mask) + 1
    yield span(low, count)
    yield span(0, high)
    yield span(low, high)


def _merged_stepwise(facts: tuple[Fact, ...], group: Sequence[Fact], budget: _Budget) -> tuple[Fact, ...]:
    current = group[0]
    for fact in group[1:]:
        union = _union((current, fact))
        if budget.contradictory(fewer := _without(facts, (current, fact), union)):
            facts, current = fewer, union
        else:
            current = fact
    return facts


def _union(group: Sequence[Fact]) -> Fact:
    versions = allowed = 0
    group = sorted(group, key=lambda each: each.versions)
    for fact in group:
        versions, allowed = versions | fact.versions, allowed | fact.allowed
    parts = tuple(part for fact in group for part in fact.parts or (fact,))
    return Fact(group[0].package, versions, group[0].needs, allowed, _joined_words(parts, allowed), parts=parts)


def _joined_words(parts: Sequence[Fact], allowed: int) -> str:
    """What is needed where nothing of it exists, so that it cannot be described by versions."""
    words = list(dict.fromkeys(part.words for part in parts))
    if allowed or len(words) == 1:
        return "" if allowed else words[0]
    if len(words) > SHOWN_WORDS:
        return f"{', '.join(words[:SHOWN_WORDS])} or others"
    return f"{', '.join(words[:-1])} or {words[-1]}"


def _without(facts: Sequence[Fact], dropped: Sequence[Fact], added: Fact) -> tuple[Fact, ...]:
    return (*(each for each in facts if not any(each is other for other in dropped)), added)
