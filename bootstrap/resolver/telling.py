"""A course in words: a sentence for each way, the last one saying what they come to.

1. The project needs torchvision 0.24 or newer, and torchvision 0.24.0 needs torch 2.9.0.
2. The project needs xformers, and every xformers needs torch 2.5.1 or 2.8.0. No torch is both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from packaging.version import Version

from bootstrap.resolver.clauses import ROOT, Fact, split_package
from bootstrap.resolver.straight import Course, Way, is_case
from bootstrap.resolver.versions import newest
from bootstrap.resolver.wording import Shelf, Witness, listed, object_of, predicate, subject_of

__all__ = ["Telling", "tell_course"]


def tell_course(course: Course, shelves: Mapping[str, Shelf], witness: Witness) -> tuple[str, ...]:
    """A sentence for each way; the last one says what they come to."""
    *before, last = Telling(course, shelves, witness).ways()
    return (*before, last + Telling(course, shelves, witness).close())


@dataclass(slots=True)
class Telling:
    """Puts the ways of a course into words."""

    course: Course
    shelves: Mapping[str, Shelf]
    witness: Witness
    begun: set[str] = field(default_factory=set)

    def ways(self) -> list[str]:
        """A sentence for each way, but one for all that the project asks of the last package directly."""
        final = [way for way in self.course.ways if self.is_wish(way) and name_of(way[0].needs) == self.course.end]
        early = [way for way in self.course.ways if self.is_wish(way) and way not in final]
        longer = [way for way in self.course.ways if not self.is_wish(way)]
        cases = [way for way in longer if is_case(way[0])]
        others = [way for way in longer if way not in cases]
        told = [*map(self.way, cases), self.wishes(early), *map(self.way, others), self.wishes(final)]
        return [text for text in told if text]

    def is_wish(self, way: Way) -> bool:
        return len(way) == 1 and way[0].package == ROOT and not is_case(way[0])

    def wishes(self, ways: Sequence[Way]) -> str:
        return f"the project needs {listed([self.object(fact) for (fact,) in ways])}" if ways else ""

    def way(self, way: Way) -> str:
        parts = [self.case(way[1])] if is_case(way[0]) else [self.opening(way[0])]
        for before, fact in pairwise(way[is_case(way[0]) :]):
            name = name_of(fact.package)
            if self.course.left[name].bit_count() == 1 and before.words == str(self.only(name)):
                parts[-1] += f", which needs {self.object(fact)}"
            else:
                parts.append(f"{self.subject(fact.package)} needs {self.object(fact)}")
        return listed(parts, ", and ")

    def case(self, fact: Fact) -> str:
        """The start of a case: the versions that it is about, spelled out, and what they need."""
        name = name_of(fact.package)
        subject, plural = subject_of(fact.package, self.course.left[name], self.shelves[name])
        return f"{subject} {'need' if plural else 'needs'} {self.object(fact)}"

    def opening(self, fact: Fact) -> str:
        name = name_of(fact.package)
        subject = self.subject(fact.package)
        if self.course.is_passed_through(name):
            return f"{subject} also needs {self.object(fact)}"
        if name == ROOT or name in self.begun:
            return f"{subject} {'also ' if name in self.begun and name != ROOT else ''}needs {self.object(fact)}"
        self.begun.add(name)
        reasons = [self.refusal(each, name) for each in self.course.refused.get(name, ())]
        left = subject_of(fact.package, self.course.left[name], self.shelves[name])[0]
        return f"{''.join(f'{each}; ' for each in reasons)}that leaves {left}, which needs {self.object(fact)}"

    def subject(self, package: str) -> str:
        """What is left of a package, in the singular: each of these versions needs the same."""
        name = name_of(package)
        if name == ROOT:
            return "the project"
        left = self.course.left[name]
        if left.bit_count() == 1:
            return f"{package} {self.only(name)}"
        text, _ = subject_of(package, left, self.shelves[name])
        return text if text.startswith("every ") else f"every such {package}"

    def only(self, name: str) -> Version:
        return self.shelves[name].versions[newest(self.course.left[name])]

    def object(self, fact: Fact) -> str:
        return object_of(fact, self.shelves[fact.needs or ""], self.witness)

    def refusal(self, fact: Fact, name: str) -> str:
        mask = fact.versions
        for each in self.course.wanted[name]:
            mask &= each.allowed
        text, plural = subject_of(fact.package, mask, self.shelves[name])
        return f"{text} {predicate(fact.words, plural=plural)}"

    def close(self) -> str:
        """Why nothing is left of the last package."""
        end = self.course.end
        wanted = self.course.wanted[end]
        reasons = [self.refusal(fact, end) for fact in self.course.refused.get(end, ())]
        if not all(fact.allowed for fact in wanted):
            return ""
        left_out = self.witness(wanted).text
        why = "; ".join([*reasons, *([left_out] if left_out else [])])
        if len(wanted) == 1:
            return f", but {why}"
        return f". No {end} is {'all of these' if wanted[2:] else 'both'}{f': {why}' if why else ''}"


def name_of(package: str | None) -> str:
    return split_package(package or "")[0]
