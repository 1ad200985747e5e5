"""A contradiction in which the versions of one package fail for different reasons.

    the project needs lightning 2.4 or newer
        lightning 2.4.0    needs torch older than 2.5, but the project needs torch 2.5 or newer
        lightning 2.5.0    needs numpy older than 2, but the project needs numpy 2 or newer

Each case is a contradiction of its own, with a course of its own (`straight`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bootstrap.resolver.clauses import ROOT, Domain, Fact
from bootstrap.resolver.necessity import minimal_facts
from bootstrap.resolver.straight import Course, Narrowing, course_of, is_case, narrowed
from bootstrap.resolver.telling import Telling
from bootstrap.resolver.versions import bit
from bootstrap.resolver.wording import Shelf, Witness

__all__ = ["Split", "split_of", "tell_split"]

CASES = 8  # more than these are not read but searched
DEPTH = 3  # cases of cases of cases


@dataclass(frozen=True, slots=True)
class Split:
    """The way to the package whose versions differ, and, newest first, how it goes on for some of them each."""

    approach: Course
    cases: tuple[Course | Split, ...]

    def courses(self) -> Iterator[Course]:
        """Every course of every case; each is a contradiction."""
        for each in self.cases:
            yield from each.courses() if isinstance(each, Split) else (each,)

    @property
    def order(self) -> tuple[Fact, ...]:
        """The facts in the order in which they are told."""
        return (*self.approach.order, *(fact for each in self.cases for fact in each.order))


def split_of(facts: Sequence[Fact], domains: Mapping[str, Domain], depth: int = DEPTH) -> Split | None:
    """The cases of a contradiction; None where they cannot be told apart, or are too many to tell."""
    narrowing = narrowed(facts)
    if not depth or narrowing is None or narrowing.undecided is None:
        return None
    package = narrowing.undecided
    by_reason: dict[tuple[Fact, ...], int] = {}
    for versions in _alike(narrowing, package):
        case = _only(narrowing, package, versions)
        reason = tuple(fact for fact in minimal_facts((*facts, case), domains) if fact != case)
        by_reason[reason] = by_reason.get(reason, 0) | versions
    if len(by_reason) > CASES:
        return None
    cases = []
    for reason, versions in sorted(by_reason.items(), key=lambda each: -each[1]):
        known = (*reason, _only(narrowing, package, versions))
        case_of = course_of(known) or split_of(known, domains, depth - 1)
        if case_of is None or not _begins(case_of.approach if isinstance(case_of, Split) else case_of):
            return None
        cases.append(case_of)
    split = Split(narrowing.course_to(package), tuple(cases))
    return split if len(list(split.courses())) <= CASES else None


def _begins(course: Course) -> bool:
    """Does a case go on from its versions, or are they wanted from elsewhere too?"""
    return all(len(way) > 1 for way in course.ways if is_case(way[0]))


def _alike(narrowing: Narrowing, package: str) -> Iterator[int]:
    """What is left of a package, in parts of which each has the same needs throughout."""
    parts = [narrowing.left[package]]
    for fact in narrowing.needs[package]:
        parts = [half for part in parts for half in (part & fact.versions, part & ~fact.versions) if half]
    yield from parts


def _only(narrowing: Narrowing, package: str, versions: int) -> Fact:
    """The case in which a package is one of these versions, with the extra whose needs are the issue."""
    asked = {fact.package for fact in narrowing.needs[package]}
    return Fact(ROOT, bit(0), asked.pop() if len(asked) == 1 else package, versions)


def tell_split(split: Split, shelves: Mapping[str, Shelf], witness: Witness) -> tuple[str, ...]:
    """The approach, and a sentence for each case."""
    told = Telling(split.approach, shelves, witness).ways()
    for each in split.cases:
        told += tell_split(each, shelves, witness) if isinstance(each, Split) else [_case(each, shelves, witness)]
    return tuple(told)


def _case(course: Course, shelves: Mapping[str, Shelf], witness: Witness) -> str:
    telling = Telling(course, shelves, witness)
    first, *others = telling.ways()
    close = telling.close()
    if len(others) == 1 and others[0].startswith("the project needs"):
        remark = close.partition(": ")[2]
        return f"{first}, but {others[0]}{f' ({remark})' if remark else ''}"
    return "; ".join([first, *others]) + close
