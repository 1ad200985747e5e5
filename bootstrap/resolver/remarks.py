"""What the index does have, where requirements find nothing, or less than a reader would expect."""

from __future__ import annotations

import contextlib
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from bootstrap.errors import Proposal
from bootstrap.project.model import Index
from bootstrap.resolver.candidates import Candidates
from bootstrap.resolver.clauses import Fact, split_package
from bootstrap.resolver.facts import Facts
from bootstrap.resolver.fitness import USE_PYTHON
from bootstrap.resolver.versions import bit, newest
from bootstrap.resolver.wording import Remark, listed, predicate

__all__ = ["Remarks"]

SHOWN_REASONS = 3
SHOWN_VERSIONS = 6
SHOWN_RUN = 2


@dataclass(frozen=True, slots=True)
class Remarks:
    """The `Witness` of one search."""

    facts: Facts

    def __call__(self, wanted: Sequence[Fact]) -> Remark:
        """What would meet all of these facts but may not be taken; if nothing meets a lone one, what there is."""
        asked = [self.specifiers_of(fact) for fact in wanted]
        if not all(asked):
            return Remark()
        name = split_package(wanted[0].needs or "")[0]
        candidates = self.facts.supply.candidates(name)
        question = _Question(candidates, (*asked, *((each,) for each in self.facts.limits_of(name))))
        allowed = -1
        for fact in wanted:
            allowed &= fact.allowed
        refusals = list(question.left_out(candidates.versions[newest(allowed)] if allowed else None))[:SHOWN_REASONS]
        if not allowed:
            refusals += question.unasked()
        if len(wanted) == 1 and not allowed:
            refusals.append(self.offered(wanted[0], question))
        texts = [refusal.text for refusal in refusals if refusal.text]
        ways = dict.fromkeys(way for refusal in refusals for way in refusal.ways_out)
        return Remark(listed(texts, "; " if allowed == 0 else " and "), tuple(ways))

    def specifiers_of(self, fact: Fact) -> tuple[SpecifierSet, ...]:
        """What a fact asks of versions: one of these, or nothing that is known."""
        known = [self.facts.specifiers.get((part.needs or "", part.words)) for part in fact.parts or (fact,)]
        return tuple(each for each in known if each is not None) if None not in known else ()

    def offered(self, fact: Fact, question: _Question) -> Remark:
        """What an index has instead of what was asked for."""
        candidates = question.candidates
        if candidates.direct is not None:
            way = Proposal(f"take {candidates.name} from elsewhere")
            return Remark(f"{candidates.direct.url} is version {candidates.versions[0]}", (way,))
        own, variant = self.facts.request.index_for(candidates.name), self.facts.request.variant
        ways = (Proposal(f"choose another variant than `{variant}`"),) if own is not None and variant else ()
        where = " and ".join(candidates.indexes) or _address(own)
        verb = "have" if len(candidates.indexes) > 1 else "has"
        if not where:
            return Remark(f"no index that was asked has {candidates.name}", ways)
        there = question.usable()
        if not there and (candidates.left_out or candidates.versions):
            return (
                Remark("", ways)
                if question.is_explained()
                else Remark(f"{where} {verb} no other {candidates.name}", ways)
            )
        if not there:
            return Remark(f"{where} {verb} no {candidates.name}", ways)
        if builds := question.other_builds():
            change = _replacement(fact, f"{candidates.name}=={builds[0].public}")
            text = f"{where} {verb} it only as {listed([str(each) for each in builds])}"
            return Remark(text, (change, *ways) if fact.asked else ways)
        preview = question.preview()
        if preview is not None and fact.asked:
            ways = (_replacement(fact, f"{candidates.name}>={preview}", ", which is a pre-release"), *ways)
        return Remark(f"{where} {question.shown(there, verb)}", ways)


@dataclass(frozen=True, slots=True)
class _Question:
    """What is wanted of one package: of each alternative at least one."""

    candidates: Candidates
    wanted: tuple[tuple[SpecifierSet, ...], ...]

    def met_by(self, version: Version) -> bool:
        return all(any(each.contains(version, prereleases=True) for each in choice) for choice in self.wanted)

    def is_explained(self) -> bool:
        """Is there a version that would do, so that something has been said already of why it does not?"""
        return any(map(self.met_by, (*self.candidates.left_out, *self.candidates.versions)))

    def left_out(self, newer_than: Version | None) -> Iterator[Remark]:
        """Versions that would fit but are no candidates, newest first, those with one reason together."""
        by_reason: dict[str, list[Version]] = {}
        fitting = [version for version in reversed(self.candidates.left_out) if self.met_by(version)]
        finals = [version for version in fitting if not version.is_prerelease]
        for version in finals if finals or newer_than is not None else fitting:
            if newer_than is None or version > newer_than:
                by_reason.setdefault(self.candidates.why_not(version), []).insert(0, version)
        for reason, versions in by_reason.items():
            yield self.remark(versions, reason, _remedy(self.candidates.remedy(versions[-1])))

    def unasked(self) -> Iterator[Remark]:
        """Candidates that would fit but that nobody asked for in the way that they have to be asked for."""
        for yanked in reversed(self.wary(self.candidates.yanked)):
            why = self.candidates.files(self.candidates.versions.index(yanked))[0].yanked
            pin = Proposal(
                f"pin `{self.candidates.name}=={yanked}`", "add", instead=f"{self.candidates.name}=={yanked}"
            )
            yield self.remark([yanked], f"was yanked{f' ({why})' if why else ''}", pin)
        previews = self.wary(self.candidates.prereleases & ~self.candidates.yanked)
        if previews:
            allow = Proposal("allow pre-releases (--pre)", "prereleases")
            yield self.remark(previews, "is a pre-release", allow)

    def wary(self, mask: int) -> list[Version]:
        return [
            version
            for index, version in enumerate(self.candidates.versions)
            if mask & bit(index) and self.met_by(version)
        ]

    def usable(self) -> list[Version]:
        """The candidates that are not spoken of as unasked for."""
        return [
            version
            for index, version in enumerate(self.candidates.versions)
            if not bit(index) & (self.candidates.yanked | self.candidates.prereleases) or not self.met_by(version)
        ]

    def remark(self, versions: Sequence[Version], reason: str, remedy: Proposal | None) -> Remark:
        plural = len(versions) > 1
        few = len(versions) <= SHOWN_RUN
        shown = listed([str(version) for version in versions]) if few else f"{versions[0]} to {versions[-1]}"
        text = f"{self.candidates.name} {shown} {predicate(reason, plural=plural)}"
        return Remark(text, () if remedy is None else (remedy,))

    def bounds(self) -> list[tuple[str, Version]]:
        """The versions that the question names, with their operators."""
        found = []
        for specifier in (each for choice in self.wanted for specifiers in choice for each in specifiers):
            with contextlib.suppress(InvalidVersion):
                found.append((specifier.operator, Version(specifier.version.removesuffix(".*"))))
        return found

    def other_builds(self) -> Sequence[Version]:
        """The builds of a version that was pinned with a local version which is not there."""
        pinned = {bound.public for operator, bound in self.bounds() if operator == "==" and bound.local is not None}
        return [version for version in self.candidates.versions if version.public in pinned]

    def preview(self) -> Version | None:
        """The newest pre-release of a version that would do."""
        fitting = [v for v in self.candidates.versions if v.is_prerelease and self.met_by(Version(v.base_version))]
        return fitting[-1] if fitting else None

    def shown(self, there: Sequence[Version], verb: str) -> str:
        """All versions, if they are few, otherwise those next to what was asked for."""
        if len(there) > SHOWN_VERSIONS:
            there = [version for version in there if not version.is_prerelease] or there
        if len(there) <= SHOWN_VERSIONS:
            return f"{verb} only {listed([str(version) for version in there])}"
        places = {bisect_left(there, bound) for _, bound in self.bounds()}
        if places == {0}:
            return f"{verb} nothing before {there[0]}"
        if places == {len(there)}:
            return f"{verb} nothing after {there[-1]}"
        around = sorted({place for found in places for place in (found - 1, found) if 0 <= place < len(there)})
        nearest = f"; the nearest are {listed([str(there[place]) for place in around])}" if around else ""
        return f"{verb} only others, {there[0]} to {there[-1]}{nearest}"


def _replacement(fact: Fact, requirement: str, remark: str = "") -> Proposal:
    return Proposal(f"change {fact.asked} to `{requirement}`{remark}", "replace", fact.asked, requirement)


def _remedy(words: str) -> Proposal | None:
    """What the judge of files suggests; another Python can be tried."""
    python = words.removeprefix(USE_PYTHON)
    if python != words:
        return Proposal(words, "python", instead=python)
    return Proposal(words) if words else None


def _address(index: Index | str | None) -> str:
    return index.url if isinstance(index, Index) else index or ""
