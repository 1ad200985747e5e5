"""Drives the solver: asks the world its questions, begins again where the answers change them, and makes the pins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing

from bootstrap.errors import NoSolutionError
from bootstrap.index.files import File
from bootstrap.index.metadata import Metadata
from bootstrap.resolver.catalogue import Catalogue
from bootstrap.resolver.clauses import ROOT, Clause, Domain, Unsatisfiable, split_package
from bootstrap.resolver.facts import Facts, SourceChanged
from bootstrap.resolver.following import Following, is_first_choice
from bootstrap.resolver.graph import all_requirements, pins_of
from bootstrap.resolver.memory import Memory
from bootstrap.resolver.necessity import packages_of
from bootstrap.resolver.proof import Shelf, tell
from bootstrap.resolver.remarks import Remarks
from bootstrap.resolver.request import Event, Report, Request
from bootstrap.resolver.resolution import Direct, Resolution
from bootstrap.resolver.solver import solve
from bootstrap.resolver.supply import WORKERS, Supply

__all__ = ["Catalogue", "Event", "Report", "Request", "resolve"]

Selection = Mapping[str, int]


def _silent(_event: Event) -> None:
    return


def resolve(
    request: Request,
    catalogue: Catalogue,
    *,
    metadata_of_sdist: Callable[[File | Direct], Metadata],
    report: Report | None = None,
    workers: int = WORKERS,
    memory: Memory | None = None,
) -> Resolution:
    """One graph of pinned packages for a request, every package as new as the rest allows.

    `metadata_of_sdist` reads a source distribution or a direct package, building its metadata where it must; only this
    thread calls it. Raises `NoSolutionError` with the proof, `BadDistributionError` for metadata that speaks of another
    package than its file, and whatever `catalogue` raises. With a `memory` it knows what others asked of `catalogue`.
    """
    view = (memory or Memory()).view(request.target, request.policy)
    if request.preferences:
        following = Following(view, request.preferences)
        with closing(Supply(request, catalogue, metadata_of_sdist, following, workers)) as supply:
            facts = Facts(request, supply, report or _silent)
            followed = _followed(facts)
            if followed is not None:
                return Resolution(request.offer, request.target, pins_of(facts, followed))
    with closing(Supply(request, catalogue, metadata_of_sdist, view, workers)) as supply:
        facts = Facts(request, supply, report or _silent)
        return Resolution(request.offer, request.target, pins_of(facts, _settled(facts)))


def _followed(facts: Facts) -> Selection | None:
    """The answer among the versions to follow, if it is the one that a search among all would find."""
    try:
        selection = _search(facts)
    except (SourceChanged, Unsatisfiable):
        return None
    found = (split_package(package) for package in selection)
    chosen = all(is_first_choice(facts.domain(*each), selection[each[0]]) for each in found)
    return selection if chosen and not facts.foreign else None


def _settled(facts: Facts) -> Selection:
    """Search until nothing that was learned on the way changes the question."""
    problem: NoSolutionError | None = None
    while True:
        try:
            selection = _search(facts)
        except SourceChanged:
            facts.report(Event("again", "", "a package is wanted from an address"))
            continue
        except Unsatisfiable as contradiction:
            if facts.grant_more():
                facts.report(Event("again", "", "pre-releases or yanked versions that are asked for are let in"))
                continue
            if not facts.foreign:
                facts.report(Event("contradiction", "", "there is no solution"))
                raise problem or _proof(contradiction.clause, facts) from None
            problem = problem or _proof(contradiction.clause, facts)
            facts.refuse(tuple(facts.foreign))
            continue
        if not _take_back(facts, selection):
            return selection


def _take_back(facts: Facts, selection: Selection) -> bool:
    """Withdraw what was let in for versions that were not chosen in the end. True if there was any."""
    if not facts.foreign and not facts.granted:
        return False
    wanted = all_requirements(facts, selection)
    addressed = {requirement.name for requirement in wanted if requirement.url is not None}
    unasked = [name for name in facts.foreign if name in selection and name not in addressed]
    facts.refuse(unasked)
    return facts.revoke_unasked(selection, wanted) or bool(unasked)


def _search(facts: Facts) -> Selection:
    search = solve(facts.roots())
    try:
        need = next(search)
        while True:
            need = search.send(facts.answer(need))
    except StopIteration as end:
        found: Selection = end.value
        return found


def _proof(clause: Clause, facts: Facts) -> NoSolutionError:
    shelves = {ROOT: Shelf(Domain(1))}
    for package in packages_of(clause) - {ROOT}:
        name, extra = split_package(package)
        candidates = facts.supply.candidates(name)
        versions, count = candidates.versions, len(candidates.versions)
        aside = (candidates.prereleases | candidates.yanked) & ~facts.granted_to_all(candidates)
        shelves[name] = Shelf(Domain(count), versions, aside)
        shelves[package] = Shelf(Domain(count, twin_of=name if extra else None), versions, aside)
    return tell(clause, shelves, Remarks(facts))
