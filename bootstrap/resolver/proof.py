"""Why there is no solution, told so that a person can act on it.

A derivation as the solver leaves it has one step for every version that it tried. It is told anew: `necessity` boils it
down to the facts that matter, the solver derives the contradiction from those alone, and of that short derivation each
step that is worth a sentence gets one, numbered. The last sentence says what to relax.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from packaging.version import Version

from bootstrap.resolver.clauses import ROOT, Clause, Domain, Fact
from bootstrap.resolver.necessity import necessary_facts, refutation
from bootstrap.resolver.versions import ABSENT, describe, everything

__all__ = ["Shelf", "predicate", "tell"]

SENTENCE_LIMIT = 3  # facts and references that one sentence can hold


@dataclass(frozen=True, slots=True)
class Shelf:
    """What a telling needs to know of a package: its domain, its versions, oldest first."""

    domain: Domain
    versions: Sequence[Version] = ()


def tell(
    clause: Clause, shelves: Mapping[str, Shelf], remark: Callable[[Fact], str] = lambda _fact: ""
) -> tuple[str, ...]:
    """The derivation as numbered sentences, ending in what to relax.

    `remark` says of a fact what there is that would meet it but may not be taken, and, if no version meets it, what
    there is instead; empty where there is nothing to say.
    """
    domains = {name: shelf.domain for name, shelf in shelves.items()}
    facts = necessary_facts(clause, domains)
    short = refutation(facts, domains)
    story = _Story(shelves, remark, _uses(short), _reading_order(facts))
    story.end(short)
    asides = dict.fromkeys(text for fact in facts if fact.allowed and (text := remark(fact)))
    return (*story.sentences, *(f"Left aside: {text}." for text in asides), _way_out(facts))


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
    remark: Callable[[Fact], str]
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
        texts += [self.fact(fact) for fact in facts if fact.package != ROOT]
        wishes = [self.object(fact) for fact in facts if fact.package == ROOT]
        if wishes:
            texts.append(f"the project needs {_listed(wishes)}")
        text = f"{_listed(texts, ', and ')}{f', so {conclusion}' if conclusion else ''}."
        # A name keeps its spelling; only our own words start with a capital letter.
        if text.startswith(("the project", "every ", "no ")):
            text = text[0].upper() + text[1:]
        self.sentences.append(f"{len(self.sentences) + 1}. {text}")
        self.conclusions.append(conclusion)

    def reference(self, number: int) -> str:
        return f"{self.conclusions[number - 1]} ({number})"

    def fact(self, fact: Fact) -> str:
        subject, plural = self.subject(fact.package, fact.versions)
        if fact.needs is None:
            return f"{subject} {predicate(fact.words, plural=plural)}"
        return f"{subject} {'need' if plural else 'needs'} {self.object(fact)}"

    def object(self, fact: Fact) -> str:
        """What is needed, with what there is instead if there is no such thing."""
        package = fact.needs or ""
        words = fact.words or describe(fact.allowed, self.shelves[package].versions)
        each = " (each its own)" if not fact.words and fact.allowed.bit_count() > 1 else ""
        remark = self.remark(fact) if not fact.allowed else ""
        nothing = f", but {remark}" if remark else ", which there is none of"
        return f"{_named(package, words)}{each}{'' if fact.allowed else nothing}"

    def subject(self, package: str, mask: int) -> tuple[str, bool]:
        """How to name versions of a package at the start of a clause, and whether that is a plural."""
        if package == ROOT:
            return "the project", False
        mask &= ~ABSENT
        shelf = self.shelves[package]
        if mask | ABSENT == everything(shelf.domain.count):
            return (f"every {package}" if shelf.domain.count > 1 else f"{package} {shelf.versions[0]}"), False
        return f"{package} {describe(mask, shelf.versions)}", mask.bit_count() > 1

    def conclusion(self, clause: Clause) -> str:
        """A clause as a sentence: what must not be together, or what one of them therefore needs."""
        subjects = [
            self.subject(name, mask) for name, mask in clause.terms.items() if not mask & ABSENT and name != ROOT
        ] or [("the project", False)]
        needed = [
            _named(name, describe(everything(self.shelves[name].domain.count) & ~mask, self.shelves[name].versions))
            for name, mask in clause.terms.items()
            if mask & ABSENT
        ]
        names = _listed([text for text, _ in subjects])
        if needed:
            plural = subjects[0][1] or len(subjects) > 1
            return f"{names} {'need' if plural else 'needs'} {' or '.join(needed)}"
        if len(subjects) > 1:
            return f"{names.replace('every ', '')} cannot be used together"
        return f"no {names[6:]} can be used" if names.startswith("every ") else f"{names} cannot be used"


def predicate(words: str, *, plural: bool) -> str:
    """What is said of versions ("is for Python >=3.12"), of one or of several."""
    verb, _, rest = words.partition(" ")
    return f"{_PLURALS.get(verb, verb) if plural else verb} {rest}"


_PLURALS = {"is": "are", "has": "have", "needs": "need", "was": "were"}


def _listed(texts: Sequence[str], joint: str = " and ") -> str:
    return f"{', '.join(texts[:-1])}{joint}{texts[-1]}" if len(texts) > 1 else "".join(texts)


def _named(package: str, words: str) -> str:
    """A package with what is asked of it: "torch 2.6 or newer", or just "torch"."""
    return words.replace("any version", package, 1) if words.startswith("any version") else f"{package} {words}"


def _way_out(facts: Sequence[Fact]) -> str:
    """The last sentence: which of the project's own words to change."""
    asked = list(dict.fromkeys(fact.asked for fact in facts if fact.asked))
    if not asked:
        return "Nothing that the project asks for can be relaxed to get around this."
    if len(asked) == 1:
        return f"To go on, change or drop {asked[0]}."
    return f"To go on, relax or drop one of these: {'; '.join(asked)}."
