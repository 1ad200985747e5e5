"""A contradiction that holds whatever is chosen: every package is narrowed as a whole, until one has nothing left.

    the project ── torchvision >=0.24 ── torch 2.9.0 ─┐
        └───────── xformers ── torch 2.5.1 or 2.8.0 ──┴── no torch is both

Most conflicts are like that, and can be told as ways from the project to where they meet. The others distinguish
cases ("version 1 fails because of this, version 2 because of that"); here they have no course at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from bootstrap.resolver.clauses import ROOT, Fact, split_package
from bootstrap.resolver.versions import ABSENT, bit

__all__ = ["Course", "Narrowing", "Way", "course_of", "is_case", "narrowed"]

Way = tuple[Fact, ...]
"""Facts one after the other: each speaks of the package that the one before needs."""


@dataclass(frozen=True, slots=True)
class Course:
    """The ways to the package of which nothing is left, in the order in which to tell them.

    `left` is what remains of each package, `wanted` what is asked of it and `refused` what forbids versions of it,
    all by name without extra.
    """

    end: str
    ways: tuple[Way, ...]
    left: Mapping[str, int]
    wanted: Mapping[str, tuple[Fact, ...]]
    refused: Mapping[str, tuple[Fact, ...]]

    @property
    def order(self) -> tuple[Fact, ...]:
        """The facts in the order in which they are told."""
        return tuple(fact for way in self.ways for fact in way)

    def is_passed_through(self, name: str) -> bool:
        """Does one way lead to a package, with nothing else to say of it?"""
        return name != self.end and len(self.wanted.get(name, ())) == 1 and not self.refused.get(name)


def course_of(facts: Sequence[Fact]) -> Course | None:
    """The course of a contradiction without a fact to spare; None where it has to distinguish cases."""
    narrowing = narrowed(facts)
    if narrowing is None or narrowing.undecided is not None:
        return None
    ends = [name for name, mask in narrowing.left.items() if not mask]
    return narrowing.course_to(ends[0]) if len(ends) == 1 and ends[0] not in narrowing.needs else None


Grouped = Mapping[str, tuple[Fact, ...]]


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What facts leave of every package, as far as they can tell without distinguishing cases.

    `undecided` is the first package of which different versions have different needs.
    """

    needs: Grouped
    wanted: Grouped
    refused: Grouped
    left: Mapping[str, int]
    undecided: str | None

    def course_to(self, end: str) -> Course:
        """The ways to a package, whatever it needs itself."""
        leading = {end}
        for name in reversed(list(self.left)):
            if any(_name(fact.needs) in leading for fact in self.needs.get(name, ())):
                leading.add(name)
        needs = {
            name: tuple(fact for fact in facts if _name(fact.needs) in leading)
            for name, facts in self.needs.items()
            if name in leading - {end}
        }
        course = Course(end, (), self.left, self.wanted, self.refused)
        return replace(course, ways=_Walk(course, needs).ways())


def narrowed(facts: Sequence[Fact]) -> Narrowing | None:
    """Follow what the project needs, package by package; None where packages need each other in a circle."""
    needs, wanted, refused = _grouped(facts)
    order = _topological(needs, wanted)
    if order is None or ROOT in refused:
        return None
    left = {ROOT: bit(0)}
    for name in order[1:]:
        left[name] = ~ABSENT
        for fact in wanted[name]:
            left[name] &= fact.allowed
        for fact in refused.get(name, ()):
            left[name] &= ~fact.versions
        if any(left[name] & ~fact.versions for fact in needs.get(name, ())):
            return Narrowing(needs, wanted, refused, left, name)
    return Narrowing(needs, wanted, refused, left, None)


def _grouped(facts: Sequence[Fact]) -> tuple[Grouped, Grouped, Grouped]:
    """What each package needs, what is wanted of it, and what is refused of it, extras counted to their package."""
    needs: dict[str, tuple[Fact, ...]] = {}
    wanted: dict[str, tuple[Fact, ...]] = {}
    refused: dict[str, tuple[Fact, ...]] = {}
    for fact in facts:
        name = _name(fact.package)
        if fact.needs is None:
            refused[name] = (*refused.get(name, ()), fact)
            continue
        needs[name] = (*needs.get(name, ()), fact)
        other = _name(fact.needs)
        wanted[other] = (*wanted.get(other, ()), fact)
    return needs, wanted, refused


def _topological(needs: Grouped, wanted: Grouped) -> list[str] | None:
    """Packages, each after all that need it; None where they need each other in a circle."""
    order = [ROOT]
    missing = {name: len(facts) for name, facts in wanted.items()}
    for name in order:
        for fact in needs.get(name, ()):
            other = _name(fact.needs)
            missing[other] -= 1
            if not missing[other]:
                order.append(other)
    return order if len(order) == len(wanted) + 1 else None


@dataclass(slots=True)
class _Walk:
    course: Course
    needs: Grouped
    found: list[Way] = field(default_factory=list)
    arrived: dict[str, int] = field(default_factory=dict)

    def ways(self) -> tuple[Way, ...]:
        """Every fact in one way: through packages that are merely passed, on from others once all ways are there.

        Long ways first, so that the last one, which meets the others, is the shortest.
        """
        self.start(ROOT)
        return tuple(self.found)

    def start(self, name: str) -> None:
        for way in sorted(map(self.follow, self.needs[name]), key=len, reverse=True):
            self.tell(way)

    def follow(self, fact: Fact) -> Way:
        way = [fact]
        while self.course.is_passed_through(name := _name(way[-1].needs)):
            way.append(self.needs[name][0])
        return tuple(way)

    def tell(self, way: Way) -> None:
        self.found.append(way)
        for fact in way[1:]:
            for other in self.needs[_name(fact.package)][1:]:
                self.tell(self.follow(other))
        reached = _name(way[-1].needs)
        self.arrived[reached] = self.arrived.get(reached, 0) + 1
        if reached != self.course.end and self.arrived[reached] == len(self.course.wanted[reached]):
            self.start(reached)


def _name(package: str | None) -> str:
    return split_package(package or "")[0]


def is_case(fact: Fact) -> bool:
    """Is this no need of the project, but the assumption that a package is one of some versions?"""
    return fact.package == ROOT and not fact.asked and not fact.words
