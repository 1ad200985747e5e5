"""Why there is no solution, told so that a person can act on it.

A derivation as the solver leaves it has one step for every version that it tried. It is told anew: `necessity` boils it
down to the facts that matter, and those are told as simply as they allow: as ways from the project to where they meet
(`straight`), as one package's `cases`, or as the derivation of the contradiction from those facts alone (`derivation`).
The last sentence says what to relax.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bootstrap.errors import NoSolutionError, Proposal
from bootstrap.resolver.cases import split_of, tell_split
from bootstrap.resolver.clauses import Clause, Fact
from bootstrap.resolver.derivation import tell_derivation
from bootstrap.resolver.necessity import necessary_facts, refutation
from bootstrap.resolver.straight import course_of
from bootstrap.resolver.telling import tell_course
from bootstrap.resolver.wording import Remark, Shelf, Witness, listed, sentence

__all__ = ["Remark", "Shelf", "Witness", "tell", "way_out"]


def _nothing(_facts: Sequence[Fact]) -> Remark:
    return Remark()


def tell(clause: Clause, shelves: Mapping[str, Shelf], witness: Witness = _nothing) -> NoSolutionError:
    """The derivation as numbered sentences, ending in what to relax, as the error to raise.

    `witness` says of facts that want the same package what there is that would meet them all but may not be taken, and,
    if one of them alone is met by no version, what there is instead.
    """
    domains = {name: shelf.domain for name, shelf in shelves.items()}
    facts = necessary_facts(clause, domains)
    story = _story(facts, shelves, witness)
    numbered = [f"{number}. {sentence(text)}" for number, text in enumerate(story.sentences, 1)]
    spoken_of = {fact for end in story.ends for fact in end}
    asides = _asides([fact for fact in facts if fact not in spoken_of], witness)
    hints = [hint for end in story.ends for hint in witness(end).ways_out]
    told = [fact for fact in story.order if fact in facts]
    proposals = _proposals([*told, *(fact for fact in facts if fact not in told)], hints)
    return NoSolutionError((*numbered, *asides, way_out(proposals)), proposals)


@dataclass(frozen=True, slots=True)
class _Story:
    """A telling, the facts that meet at each of its ends, and the order in which it speaks of facts."""

    sentences: Sequence[str]
    ends: Sequence[Sequence[Fact]]
    order: Sequence[Fact] = ()


def _story(facts: Sequence[Fact], shelves: Mapping[str, Shelf], witness: Witness) -> _Story:
    """The simplest telling that holds."""
    domains = {name: shelf.domain for name, shelf in shelves.items()}
    course = course_of(facts)
    if course is not None:
        return _Story(tell_course(course, shelves, witness), [course.wanted[course.end]], course.order)
    split = split_of(facts, domains)
    if split is not None:
        ends = [each.wanted[each.end] for each in split.courses()]
        return _Story(tell_split(split, shelves, witness), ends, split.order)
    unmet = [(fact,) for fact in facts if fact.needs is not None and not fact.allowed]
    return _Story(tell_derivation(refutation(facts, domains), facts, shelves, witness), unmet)


def _asides(facts: Iterable[Fact], witness: Witness) -> Iterator[str]:
    """What else would meet a need, was it not left out."""
    texts = dict.fromkeys(witness((fact,)).text for fact in facts if fact.needs is not None and fact.words)
    yield from (f"Left aside: {text}." for text in texts if text)


def _proposals(facts: Sequence[Fact], hints: Sequence[Proposal]) -> tuple[Proposal, ...]:
    """Which of the project's own words to change, and what else may help."""
    asked = {fact.asked: fact for fact in facts if fact.asked and not any(fact.asked in hint.words for hint in hints)}
    unbounded = {text for text, fact in asked.items() if fact.words.startswith("any version")}
    places = [each for each in dict.fromkeys(fact.place for fact in facts) if each.startswith(("extra ", "group "))]
    apart = f"declare {listed(places)} as conflicting, so that they are never installed together"
    return (
        *(Proposal(f"relax {text}", "relax", text) for text in asked if text not in unbounded),
        *(Proposal(f"do without {text}", "drop", text) for text in asked if text in unbounded),
        *dict.fromkeys(hints),
        *([Proposal(apart)] if len(places) > 1 else []),
    )


def way_out(proposals: Sequence[Proposal]) -> str:
    """The last sentence of a proof: all that is proposed, tried or not."""
    ways = []
    for deed, words in (("relax", "relax "), ("drop", "do without ")):
        same = [each.asked for each in proposals if each.deed == deed]
        ways += [words + listed(same, " or ")] if same else []
    ways += [each.words for each in proposals if each.deed not in {"relax", "drop"}]
    if not ways:
        return "Nothing that the project asks for can be relaxed to get around this."
    return f"To go on, {listed(ways, ', or ')}."
