"""What a proof proposes, tried: only what works is said, with what it leads to.

proposal ──relieved──> another request ──attempt (the caller's)──> its pins, a contradiction, or nobody knows

2. The project needs numpy 2 or newer. No numpy is both.
To go on, do one of these:
  relax `langchain<0.2`: gives langchain 0.3.1 and numpy 2.3.4
  relax `numpy>=2`: gives langchain 0.1.20 and numpy 1.26.4
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from bootstrap.errors import NoSolutionError, Proposal
from bootstrap.resolver import targets
from bootstrap.resolver.facts import text_of
from bootstrap.resolver.request import Request, place_of
from bootstrap.resolver.resolution import Resolution
from bootstrap.resolver.wording import listed

__all__ = ["Attempt", "relieved", "tried"]

Attempt = Callable[[Request], "Resolution | Literal['contradiction', 'unknown']"]
Change = Callable[[Requirement], Requirement | None]

SHOWN = 3  # packages that are named of what a way leads to
_NAME = re.compile(r"`([A-Za-z0-9][\w.-]*)")


def relieved(request: Request, proposal: Proposal) -> Request | None:
    """The request with a proposal carried out; None for what is not a matter of the request."""
    if proposal.deed == "prereleases":
        return replace(request, policy=replace(request.policy, prereleases=True))
    if proposal.deed == "python":
        where = targets.platform_like(request.target)
        return replace(request, target=targets.target(proposal.instead, where, SpecifierSet()))
    if proposal.deed == "add":
        own = (*request.roots.get("", ()), Requirement(proposal.instead))
        return replace(request, roots={**request.roots, "": own})
    change = _CHANGES.get(proposal.deed)
    return None if change is None else _changed(request, proposal.asked, change(proposal))


def _changed(request: Request, asked: str, change: Change) -> Request:
    """With the requirement changed that a proof calls so, wherever it stands."""
    limits = [each for each in request.constraints if asked != f"the constraint `{text_of(each)}`"]
    overriding = request.overrides
    if asked.endswith("(an override)"):
        # Without it packages ask again for what they need; with any version in its place they could not.
        overriding = tuple(each for each in overriding if not asked.startswith(f"`{text_of(each)}`"))
    roots = {label: _each(several, _is_called(asked, label), change) for label, several in request.roots.items()}
    return replace(request, constraints=tuple(limits), overrides=overriding, roots=roots)


def _is_called(asked: str, label: str) -> Callable[[Requirement], bool]:
    return lambda each: asked == f"`{text_of(each)}`{place_of(label)}"


def _each(
    requirements: Iterable[Requirement], is_meant: Callable[[Requirement], bool], change: Change
) -> tuple[Requirement, ...]:
    found = (change(each) if is_meant(each) else each for each in requirements)
    return tuple(each for each in found if each is not None)


def _relaxing(_proposal: Proposal) -> Change:
    return lambda requirement: _in_place_of(requirement, "")


def _dropping(_proposal: Proposal) -> Change:
    return lambda _requirement: None


def _replacing(proposal: Proposal) -> Change:
    return lambda requirement: _in_place_of(requirement, str(Requirement(proposal.instead).specifier))


def _in_place_of(requirement: Requirement, specifier: str) -> Requirement:
    """The same package with its extras and marker, in these versions, from an index."""
    found = Requirement(str(requirement))
    found.specifier, found.url = SpecifierSet(specifier), None
    return found


_CHANGES: Mapping[str, Callable[[Proposal], Change]] = {
    "relax": _relaxing,
    "drop": _dropping,
    "replace": _replacing,
}


def tried(error: NoSolutionError, request: Request, attempt: Attempt) -> NoSolutionError:
    """The error with its last sentence in the light of what comes of its proposals; of those that fail none is left."""
    works: list[tuple[Proposal, str]] = []
    fails: list[Proposal] = []
    unknown: list[Proposal] = []
    for proposal in error.proposals:
        other = relieved(request, proposal)
        result = "unknown" if other is None else attempt(other)
        if isinstance(result, Resolution):
            works.append((proposal, _leads_to(result, error.proposals)))
        else:
            (fails if result == "contradiction" else unknown).append(proposal)
    return NoSolutionError((*error.proof[:-1], *_ways(works, fails, unknown, error)), error.proposals)


def _ways(
    works: Sequence[tuple[Proposal, str]],
    fails: Sequence[Proposal],
    unknown: Sequence[Proposal],
    error: NoSolutionError,
) -> tuple[str, ...]:
    others = listed([each.words for each in unknown], ", or ")
    if len(works) == 1:
        ((proposal, gives),) = works
        more = f"; or perhaps {others}" if others else ""
        return (f"To go on, {proposal.words}{f': that gives {gives}' if gives else ''}{more}.",)
    if works:
        lines = [f"  {proposal.words}{f': gives {gives}' if gives else ''}" for proposal, gives in works]
        return ("To go on, do one of these:", *lines, *([f"or perhaps {others}."] if others else []))
    if not fails:
        return error.proof[-1:]
    alone = f"{_alone(fails)} alone, as there is another conflict behind this one"
    return (f"To go on, {others}; it does not help to {alone}." if others else f"It does not help to {alone}.",)


def _alone(fails: Sequence[Proposal]) -> str:
    return listed([each.words for each in fails], " or to ")


def _leads_to(resolution: Resolution, proposals: Sequence[Proposal]) -> str:
    """The versions of the packages that the proposals speak of, such as "langchain 0.1.20 and numpy 1.26.4"."""
    words = " ".join(f"{each.asked} `{each.instead}" for each in proposals)
    names = dict.fromkeys(map(canonicalize_name, _NAME.findall(words)))
    versions = {pin.name: pin.version for pin in resolution.pins}
    shown = [f"{name} {versions[name]}" for name in names if name in versions]
    return listed(shown[:SHOWN])
