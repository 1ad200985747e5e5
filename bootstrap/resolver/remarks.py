"""What the index does have, where a requirement finds nothing, or less than a reader would expect."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from bootstrap.project.model import Index
from bootstrap.resolver.candidates import Candidates
from bootstrap.resolver.clauses import Fact
from bootstrap.resolver.facts import Facts, split_package
from bootstrap.resolver.proof import predicate
from bootstrap.resolver.versions import describe, newest

__all__ = ["remark_on"]

SHOWN_REASONS = 3
SHOWN_VERSIONS = 6


def remark_on(fact: Fact, facts: Facts) -> str:
    """What would meet a fact but may not be taken, and why; if nothing meets it, what there is instead."""
    if fact.needs is None:
        return ""
    candidates = facts.supply.candidates(split_package(fact.needs)[0])
    specifiers = facts.specifiers.get((fact.needs, fact.words))
    if specifiers is None:
        return ""
    newer_than = candidates.versions[newest(fact.allowed)] if fact.allowed else None
    reasons = [*_left_out(candidates, specifiers, newer_than)][:SHOWN_REASONS]
    if fact.allowed:
        return " and ".join(reasons)
    return "; ".join([*reasons, *_unasked(candidates, fact, specifiers), _offered(candidates, facts)])


def _left_out(candidates: Candidates, specifiers: SpecifierSet, newer_than: Version | None) -> Iterator[str]:
    """Versions that would fit but are no candidates, newest first, those with one reason together."""
    by_reason: dict[str, list[Version]] = {}
    for version in reversed(candidates.left_out):
        interesting = newer_than is None or (version > newer_than and not version.is_prerelease)
        if interesting and specifiers.contains(version, prereleases=True):
            by_reason.setdefault(candidates.why_not(version), []).append(version)
    for reason, versions in by_reason.items():
        plural = len(versions) > 1
        shown = f"{versions[-1]} to {versions[0]}" if plural else str(versions[0])
        yield f"{candidates.name} {shown} {predicate(reason, plural=plural)}"


def _unasked(candidates: Candidates, fact: Fact, specifiers: SpecifierSet) -> Iterator[str]:
    """Candidates that would fit but that nobody asked for in the way that they have to be asked for."""
    fits = candidates.fitting(specifiers) & ~fact.allowed
    for mask, what in (
        (fits & candidates.yanked, "was yanked, and only a pin with == asks for it"),
        (fits & candidates.prereleases & ~candidates.yanked, "is a pre-release, which --pre would allow"),
    ):
        if mask:
            plural = mask.bit_count() > 1
            yield f"{candidates.name} {describe(mask, candidates.versions)} {predicate(what, plural=plural)}"


def _offered(candidates: Candidates, facts: Facts) -> str:
    if candidates.direct is not None:
        return f"{candidates.direct.url} is version {candidates.versions[0]}"
    where = " and ".join(candidates.indexes) or _address(facts.request.index_for(candidates.name))
    if not candidates.versions and where == "no index":
        return f"no index that was asked has {candidates.name}"
    verb = "have" if len(candidates.indexes) > 1 else "has"
    if not candidates.versions:
        return f"{where} {verb} no {'other ' if candidates.left_out else ''}{candidates.name}"
    texts = [str(version) for version in candidates.versions]
    if len(texts) > SHOWN_VERSIONS:
        return f"{where} {verb} only others, {texts[0]} to {texts[-1]}"
    return f"{where} {verb} only {' and '.join(filter(None, (', '.join(texts[:-1]), texts[-1])))}"


def _address(index: Index | str | None) -> str:
    return index.url if isinstance(index, Index) else index or "no index"
