from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import pytest
from resolvelib import AbstractProvider, BaseReporter, ResolutionImpossible, Resolver

from bootstrap.resolver.clauses import ROOT, Answer, Clause, Domain, Fact, Need, Unsatisfiable
from bootstrap.resolver.solver import _Solver, solve
from bootstrap.resolver.versions import bit, everything
from tests.resolver.graphs import Graph, random_graph

WORLDS = 1500
Facts = Mapping[str, Sequence[Sequence[Fact]]]


def needs(package: str, index: int, other: str, *allowed: int) -> Fact:
    return Fact(package, bit(index), other, sum(bit(each) for each in allowed))


def wants(other: str, *allowed: int) -> Fact:
    return needs(ROOT, 0, other, *allowed)


def dialogue(
    roots: Sequence[Fact], answer: Callable[[Need], Answer], solver: _Solver | None = None
) -> Mapping[str, int]:
    """Everything that the solver asks, answered."""
    search = solver.run(tuple(roots)) if solver is not None else solve(roots)
    try:
        need = next(search)
        while True:
            need = search.send(answer(need))
    except StopIteration as end:
        found: Mapping[str, int] = end.value
        return found


def solution_or_none(graph: Graph) -> Mapping[str, int] | None:
    try:
        return graph.solve()
    except Unsatisfiable:
        return None


@pytest.mark.parametrize("part", range(5))
def test_agrees_with_trying_everything_on_random_worlds(part: int) -> None:
    dice = random.Random(part)
    outcomes = set()
    for _ in range(WORLDS // 5):
        graph = random_graph(dice)
        found = solution_or_none(graph)
        outcomes.add(found is None)
        if found is None:
            assert graph.by_trying_everything() is None, graph
        else:
            assert graph.is_valid(found), (graph, found)
    assert outcomes == {True, False}


def test_agrees_with_trying_everything_where_many_versions_are_refused() -> None:
    outcomes, dice = [], random.Random(7)
    for _ in range(150):
        graph = random_graph(dice, packages=3, versions=14)
        found = solution_or_none(graph)
        outcomes.append(found is None)
        assert graph.by_trying_everything() is None if found is None else graph.is_valid(found), graph
    assert 10 < sum(outcomes) < 140


def test_a_package_that_is_refused_again_and_again_decides_first() -> None:
    count = 60
    facts: Facts = {
        "boto3": [[needs("boto3", index, "botocore", index)] for index in range(count)],
        "aiobotocore": [[needs("aiobotocore", index, "botocore", max(index - 1, 0))] for index in range(count)],
        "botocore": [[] for _ in range(count)],
    }
    graph = Graph(facts, [wants("boto3", *range(count)), wants("aiobotocore", *range(count))])
    assert graph.solve() == {"boto3": count - 2, "aiobotocore": count - 1, "botocore": count - 2}
    assert len([need for need in graph.questions if need.index is not None]) < 12


def test_releases_that_are_refused_for_good_are_not_looked_at_again() -> None:
    solver, watched = _Solver(), []

    def answer(need: Need) -> Answer:
        watched.append(len(solver.watch.get("a", ())))
        if need.index is None:
            return Domain(401)
        return (needs("a", need.index, "b", need.index),) if need.package == "a" else ()

    with pytest.raises(Unsatisfiable):
        dialogue((wants("a", *range(400)), wants("b", 400)), answer, solver)
    assert len(watched) > 400
    assert max(watched) < 30


def test_takes_the_newest_version_where_nothing_objects() -> None:
    graph = Graph({"a": [[], [], [needs("a", 2, "b", 0, 1)]], "b": [[], []]}, [wants("a", 0, 1, 2)])
    assert graph.solve() == {"a": 2, "b": 1}


def test_goes_back_to_an_older_version_when_the_newest_does_not_fit() -> None:
    facts: Facts = {
        "a": [[needs("a", 0, "c", 0)], [needs("a", 1, "c", 1)]],
        "b": [[needs("b", 0, "c", 0)]],
        "c": [[], []],
    }
    assert Graph(facts, [wants("a", 0, 1), wants("b", 0)]).solve() == {"a": 0, "b": 0, "c": 0}


def test_packages_that_need_each_other_are_solved() -> None:
    facts: Facts = {"a": [[needs("a", 0, "b", 0, 1)]], "b": [[needs("b", 0, "a", 0)], [needs("b", 1, "a", 0)]]}
    assert Graph(facts, [wants("a", 0)]).solve() == {"a": 0, "b": 1}


def test_a_version_that_needs_another_version_of_itself_is_refused() -> None:
    facts: Facts = {"a": [[], [needs("a", 1, "a", 0)]]}
    assert Graph(facts, [wants("a", 0, 1)]).solve() == {"a": 0}


def test_a_package_nobody_needs_is_not_selected() -> None:
    graph = Graph({"a": [[], []], "b": [[]]}, [wants("a", 1)])
    assert graph.solve() == {"a": 1}
    assert Need("b") not in graph.questions


def test_a_twin_shares_its_version_without_being_asked_version_by_version() -> None:
    count = 400
    facts: Facts = {"a": [[] for _ in range(count)], "a[x]": [[] for _ in range(count)]}
    graph = Graph(facts, [wants("a", *range(7)), wants("a[x]", *range(count))], {"a[x]": "a"})
    assert graph.solve() == {"a": 6, "a[x]": 6}
    assert len([need for need in graph.questions if need.index is not None]) == 2


def test_no_question_is_asked_twice() -> None:
    for seed in range(200):
        graph = random_graph(random.Random(seed))
        solution_or_none(graph)
        assert len(set(graph.questions)) == len(graph.questions)


def test_first_versions_are_tried_first_and_last_ones_last() -> None:
    answers = {"a": Domain(3, first=bit(0)), "b": Domain(3, last=bit(2)), "c": Domain(2, last=bit(0) | bit(1))}
    roots = [Fact(ROOT, bit(0), name, everything(domain.count) & ~1) for name, domain in answers.items()]
    assert dialogue(roots, lambda need: answers[need.package] if need.index is None else ()) == {"a": 0, "b": 1, "c": 1}


def test_facts_of_a_domain_hold_whoever_asks() -> None:
    search = solve([Fact(ROOT, bit(0), "a", bit(0) | bit(1))])
    next(search)
    asked = search.send(Domain(2, facts=(Fact("a", bit(1), words="is excluded"),)))
    assert asked == Need("a", 0)


def test_alike_versions_share_one_clause() -> None:
    facts: Facts = {"a": [[needs("a", index, "b", 0)] for index in range(50)], "b": [[], []]}
    with pytest.raises(Unsatisfiable) as failure:
        Graph(facts, [wants("a", *range(50)), wants("b", 1)]).solve()
    widest = max(leaf.fact.versions.bit_count() for leaf in leaves(failure.value.clause) if leaf.fact is not None)
    assert widest > 1


def leaves(clause: Clause) -> Iterator[Clause]:
    if clause.causes is None:
        yield clause
    else:
        for cause in clause.causes:
            yield from leaves(cause)


def test_a_fact_about_many_versions_refuses_them_all_at_once() -> None:
    every = everything(3000) & ~1
    questions = []

    def answer(need: Need) -> Answer:
        questions.append(need)
        if need.index is None:
            return Domain(3000) if need.package == "a" else Domain(2)
        return (Fact("a", every, "b", bit(0)),)

    with pytest.raises(Unsatisfiable):
        dialogue([Fact(ROOT, bit(0), "a", every), Fact(ROOT, bit(0), "b", bit(1))], answer)
    assert len([need for need in questions if need.index is not None]) <= 2


def test_a_deep_and_wide_graph_needs_one_question_per_package() -> None:
    size, count = 300, 1000
    facts: Facts = {
        f"p{number}": [
            [
                needs(f"p{number}", index, f"p{other}", *range(index, count))
                for other in (number + 1, number + 7)
                if other < size
            ]
            if index == count - 1
            else []
            for index in range(count)
        ]
        for number in range(size)
    }
    graph = Graph(facts, [wants("p0", *range(count))])
    found = graph.solve()
    assert len(found) == size
    assert set(found.values()) == {count - 1}
    assert len(graph.questions) == 2 * size


def test_answers_of_the_wrong_kind_are_refused() -> None:
    search = solve([wants("a", 0)])
    next(search)
    with pytest.raises(TypeError, match="a domain was asked for"):
        search.send(())


class _SecondOpinion(AbstractProvider[Fact, tuple[str, int], str]):
    """The same graph as resolvelib wants it."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def identify(self, requirement_or_candidate: Fact | tuple[str, int]) -> str:
        if isinstance(requirement_or_candidate, Fact):
            return requirement_or_candidate.needs or ROOT
        return requirement_or_candidate[0]

    def get_preference(self, identifier: str, **_ignored: Any) -> str:  # type: ignore[override]
        return identifier

    def find_matches(
        self,
        identifier: str,
        requirements: Mapping[str, Iterator[Fact]],
        incompatibilities: Mapping[str, Iterator[Any]],
    ) -> Sequence[tuple[str, int]]:
        allowed = everything(len(self.graph.facts[identifier]))
        for fact in requirements[identifier]:
            allowed &= fact.allowed
        refused = set(incompatibilities[identifier])
        indexes = range(len(self.graph.facts[identifier]) - 1, -1, -1)
        return [(identifier, index) for index in indexes if bit(index) & allowed and (identifier, index) not in refused]

    def is_satisfied_by(self, requirement: Fact, candidate: tuple[str, int]) -> bool:
        return bool(requirement.allowed & bit(candidate[1]))

    def get_dependencies(self, candidate: tuple[str, int]) -> Iterable[Fact]:
        name, index = candidate
        # resolvelib knows no version that cannot be used: it needs what does not exist.
        unusable = [Fact(name, bit(index), name, 0)]
        facts = [fact for fact in self.graph.facts[name][index] if fact.needs is not None]
        return facts if len(facts) == len(self.graph.facts[name][index]) else unusable


def test_agrees_with_resolvelib_wherever_that_finds_an_answer() -> None:
    agreed = 0
    for seed in range(400):
        graph = random_graph(random.Random(10_000 + seed))
        if graph.twins:
            continue
        ours = solution_or_none(graph)
        try:
            theirs = Resolver(_SecondOpinion(graph), BaseReporter()).resolve(list(graph.roots), max_rounds=500)
        except ResolutionImpossible:
            assert ours is None, graph
        else:
            assert ours is not None, graph
            assert graph.is_valid({name: candidate[1] for name, candidate in theirs.mapping.items()})
        agreed += 1
    assert agreed > 50
