"""Compare the resolver with trying everything, and with resolvelib, on as many random worlds as one likes.

python -m tests.resolver.prove 10000
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from packaging.requirements import Requirement
from packaging.version import Version
from resolvelib import AbstractProvider, BaseReporter, ResolutionImpossible, Resolver

from bootstrap.errors import NoSolutionError
from tests.resolver.random_worlds import RandomWorld, Selection, applies, random_world
from tests.resolver.worlds import requirements, solve_world


class DisagreementError(AssertionError):
    """The resolver and the definition of a solution say different things about a world."""


def check(world: RandomWorld) -> str:
    """What kind of world it was: "impossible", "ordinary" or "wary". Raises `DisagreementError`."""
    try:
        found = solve_world(world.packages, *world.roots, constraints=requirements(*world.constraints))
    except NoSolutionError as error:
        missed = next(world.solutions(), None)
        if missed is not None:
            raise DisagreementError(f"{world}\nhas the solution {missed}, but: {error}") from error
        return "impossible"
    if not world.is_solution(found):
        raise DisagreementError(f"{world}\nis not solved by {found}")
    return "ordinary" if all(world.is_ordinary(*each) for each in found.items()) else "wary"


class Candidate(NamedTuple):
    """A version of a package, with one of its extras or without."""

    name: str
    extra: str
    version: str


class Need(NamedTuple):
    """A requirement on a package, with one of its extras or without; `exactly` ties an extra to its package."""

    requirement: Requirement
    extra: str = ""
    exactly: str = ""


class SecondOpinion(AbstractProvider[Need, Candidate, tuple[str, str]]):
    """A random world as resolvelib wants it; constraints count as something that the project asks for."""

    def __init__(self, world: RandomWorld) -> None:
        self.world = world
        self.limits = [Requirement(text) for text in world.constraints]

    def needs(self, texts: Sequence[str], extra: str = "") -> Iterator[Need]:
        for text in texts:
            requirement = Requirement(text)
            if applies(requirement, extra):
                yield from (Need(requirement, each) for each in ("", *sorted(requirement.extras)))

    def identify(self, requirement_or_candidate: Need | Candidate) -> tuple[str, str]:
        if isinstance(requirement_or_candidate, Need):
            return requirement_or_candidate.requirement.name, requirement_or_candidate.extra
        return requirement_or_candidate.name, requirement_or_candidate.extra

    def get_preference(self, identifier: tuple[str, str], **_ignored: Any) -> tuple[str, str]:  # type: ignore[override]
        return identifier

    def find_matches(
        self,
        identifier: tuple[str, str],
        requirements: Mapping[tuple[str, str], Iterator[Need]],
        incompatibilities: Mapping[tuple[str, str], Iterator[Candidate]],
    ) -> Sequence[Candidate]:
        name, extra = identifier
        needs = list(requirements[identifier])
        refused = {candidate.version for candidate in incompatibilities[identifier]}
        found = [
            Candidate(name, extra, version)
            for version in sorted(self.world.packages[name], key=Version, reverse=True)
            if version not in refused and all(self.fits(need, version) for need in needs)
        ]
        return [each for each in found if self.may_be_taken(each, needs)]

    def fits(self, need: Need, version: str) -> bool:
        limits = [each for each in self.limits if each.name == need.requirement.name]
        return (not need.exactly or need.exactly == version) and all(
            each.specifier.contains(version, prereleases=True) for each in (need.requirement, *limits)
        )

    def may_be_taken(self, candidate: Candidate, needs: Sequence[Need]) -> bool:
        asking = [need.requirement for need in needs] + [each for each in self.limits if each.name == candidate.name]
        return (
            self.world.is_ordinary(candidate.name, candidate.version)
            or any(need.exactly for need in needs)
            or any(self.world.asks_for(each, candidate.version) for each in asking)
        )

    def is_satisfied_by(self, requirement: Need, candidate: Candidate) -> bool:
        return self.fits(requirement, candidate.version)

    def get_dependencies(self, candidate: Candidate) -> list[Need]:
        texts = self.world.packages[candidate.name][candidate.version].requires
        tie = [Need(Requirement(candidate.name), exactly=candidate.version)] if candidate.extra else []
        return [*tie, *self.needs(texts, candidate.extra)]

    def answer(self) -> Selection | None:
        try:
            found = Resolver(self, BaseReporter()).resolve(list(self.needs(self.world.roots)), max_rounds=2000)
        except ResolutionImpossible:
            return None
        return {candidate.name: candidate.version for candidate in found.mapping.values()}


def compare(world: RandomWorld, kind: str) -> str:
    """Whether resolvelib says the same. Raises `DisagreementError` if it solves what is "impossible"."""
    try:
        theirs = SecondOpinion(world).answer()
    except RecursionError:  # packages that need each other, and nobody else needs them any more
        return "resolvelib gets lost"
    if theirs is None:
        return "both find none" if kind == "impossible" else "only ours finds one"
    if kind == "impossible" and world.is_solution(theirs):
        raise DisagreementError(f"{world}\nis solved by resolvelib with {theirs}")
    return "both find one" if kind != "impossible" else "only resolvelib finds what is none"


def main(count: int) -> None:
    """Prove that many worlds, and say what they were."""
    start, seen = time.monotonic(), Counter[str]()
    for seed in range(count):
        world = random_world(random.Random(seed))
        kind = check(world)
        seen.update((kind, compare(world, kind)))
    took = time.monotonic() - start
    print(f"{count} worlds in {took:.0f} s: {', '.join(f'{number} {kind}' for kind, number in seen.most_common())}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
