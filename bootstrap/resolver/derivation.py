"""Any contradiction at all, told from its derivation: what is worth a sentence gets one.

    1. every trainer needs torch 2.5.1 or accelerate 1.10.1, and …, so every trainer needs torch 2.5.1 or numpy 2.2.3.
    2. every trainer needs torch 2.5.1 or numpy 2.2.3 (1), and the project needs …, so this cannot be met.

It is exact and hard to read: for what `straight` and `cases` cannot tell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bootstrap.resolver.clauses import ROOT, Clause, Fact
from bootstrap.resolver.versions import ABSENT, everything
from bootstrap.resolver.wording import Shelf, Witness, listed, named, object_of, predicate, subject_of

__all__ = ["tell_derivation"]

SENTENCE_LIMIT = 3  # facts and references that one sentence can hold


def tell_derivation(
    clause: Clause, facts: Sequence[Fact], shelves: Mapping[str, Shelf], witness: Witness
) -> tuple[str, ...]:
    """The sentences of a derivation, the last one saying that this cannot be met."""
    story = _Story(shelves, witness, _uses(clause), _reading_order(facts))
    story.end(clause)
    return tuple(story.sentences)


def _uses(clause: Clause) -> Counter[Clause]:
    uses: Counter[Clause] = Counter()
    stack = [clause]
    while stack:
        for cause in stack.pop().causes or ():
            uses[cause] += 1
            if uses[cause] == 1:
                stack.append(cause)
    return uses


def _reading_order(facts: Sequence[Fact]) -> Mapping[str, int]:
    """Packages as one meets them when following what the project needs, one branch after the other."""
    order: dict[str, int] = {}
    stack = [ROOT]
    while stack:
        package = stack.pop()
        if package not in order:
            order[package] = len(order)
            stack.extend(reversed([fact.needs for fact in facts if fact.package == package and fact.needs is not None]))
    return order


_Premise = Fact | int  # a fact, or the number of an earlier sentence


@dataclass(slots=True)
class _Story:
    shelves: Mapping[str, Shelf]
    witness: Witness
    uses: Counter[Clause]
    order: Mapping[str, int]
    sentences: list[str] = field(default_factory=list)
    conclusions: list[str] = field(default_factory=list)
    numbers: dict[Clause, int] = field(default_factory=dict)

    def end(self, clause: Clause) -> None:
        premises = self.premises(clause)
        lonely = len(premises) == 1 and isinstance(premises[0], Fact) and not premises[0].allowed
        self.write(premises, "" if lonely else "this cannot be met")

    def premises(self, clause: Clause) -> list[_Premise]:
        """What a clause follows from; what is too long for one sentence gets sentences of its own before it."""
        if clause.causes is None:
            return [] if clause.fact is None else [clause.fact]
        if clause in self.numbers:
            return [self.numbers[clause]]
        found: list[_Premise] = []
        for cause in sorted(clause.causes, key=lambda each: each.causes is None):
            said = self.premises(cause)
            if cause.causes is not None and cause not in self.numbers and self.deserves_a_sentence(cause, said, found):
                self.write(said, self.conclusion(cause))
                self.numbers[cause] = len(self.sentences)
                said = [len(self.sentences)]
            found.extend(each for each in said if each not in found)
        return found

    def deserves_a_sentence(self, cause: Clause, said: Sequence[_Premise], before: Sequence[_Premise]) -> bool:
        # What the project needs is one clause of a sentence, however much it is.
        theirs = [each for each in (*said, *before) if not isinstance(each, Fact) or each.package != ROOT]
        return len(said) > 1 and (self.uses[cause] > 1 or len(theirs) > SENTENCE_LIMIT)

    def write(self, premises: Sequence[_Premise], conclusion: str) -> None:
        texts = [self.reference(each) for each in premises if isinstance(each, int)]
        facts = [each for each in premises if isinstance(each, Fact)]
        facts.sort(key=lambda each: self.order.get(each.package, len(self.order)))
        wishes = [self.object(fact) for fact in facts if fact.package == ROOT]
        if wishes:
            texts.append(f"the project needs {listed(wishes)}")
        texts += [self.fact(fact) for fact in facts if fact.package != ROOT]
        self.sentences.append(f"{listed(texts, ', and ')}{f', so {conclusion}' if conclusion else ''}")
        self.conclusions.append(conclusion)

    def reference(self, number: int) -> str:
        return f"{self.conclusions[number - 1]} ({number})"

    def fact(self, fact: Fact) -> str:
        subject, plural = self.subject(fact.package, fact.versions)
        if fact.needs is None:
            return f"{subject} {predicate(fact.words, plural=plural)}"
        return f"{subject} {'need' if plural else 'needs'} {self.object(fact)}"

    def object(self, fact: Fact) -> str:
        return object_of(fact, self.shelves[fact.needs or ""], self.witness)

    def subject(self, package: str, mask: int) -> tuple[str, bool]:
        return subject_of(package, mask, self.shelves[package])

    def conclusion(self, clause: Clause) -> str:
        """A clause as a sentence: what must not be together, or what one of them therefore needs."""
        subjects = [
            self.subject(name, mask) for name, mask in clause.terms.items() if not mask & ABSENT and name != ROOT
        ] or [("the project", False)]
        needed = [
            named(name, self.shelves[name].described(everything(self.shelves[name].domain.count) & ~mask))
            for name, mask in clause.terms.items()
            if mask & ABSENT
        ]
        names = listed([text for text, _ in subjects])
        if needed:
            plural = subjects[0][1] or len(subjects) > 1
            return f"{names} {'need' if plural else 'needs'} {' or '.join(needed)}"
        if len(subjects) > 1:
            return f"{names.replace('every ', '')} cannot be used together"
        return f"no {names[6:]} can be used" if names.startswith("every ") else f"{names} cannot be used"
