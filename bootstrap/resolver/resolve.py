"""Drives the solver: asks the world its questions, begins again where the answers change them, and makes the pins."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bootstrap.errors import NoSolutionError
from bootstrap.index.files import File
from bootstrap.index.metadata import Metadata
from bootstrap.resolver.catalogue import Catalogue
from bootstrap.resolver.clauses import ROOT, Clause, Domain, Unsatisfiable
from bootstrap.resolver.facts import Facts, SourceChanged, split_package
from bootstrap.resolver.graph import edges_of, pins_of
from bootstrap.resolver.necessity import packages_of
from bootstrap.resolver.proof import Shelf, tell
from bootstrap.resolver.remarks import remark_on
from bootstrap.resolver.request import Event, Report, Request
from bootstrap.resolver.resolution import Direct, Resolution
from bootstrap.resolver.solver import solve
from bootstrap.resolver.supply import Supply

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
    workers: int = 16,
) -> Resolution:
    """One graph of pinned packages for a request, every package as new as the rest allows.

    `metadata_of_sdist` reads a source distribution or a direct package, building its metadata where it must; only this
    thread calls it. Raises `NoSolutionError` with the proof, `BadDistributionError` for metadata that speaks of another
    package than its file, and whatever `catalogue` raises.
    """
    supply = Supply(request, catalogue, metadata_of_sdist, workers)
    try:
        facts = Facts(request, supply, report or _silent)
        selection = _settled(facts)
        return Resolution(request.offer, request.target, pins_of(facts, selection))
    finally:
        supply.close()


def _settled(facts: Facts) -> Selection:
    """Search until nothing that was learned on the way changes the question."""
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
            raise NoSolutionError(_proof(contradiction.clause, facts)) from None
        unasked = {name for name in facts.foreign if name in selection} - _asked_from_addresses(facts, selection)
        if not unasked:
            return selection
        facts.refuse(unasked)


def _search(facts: Facts) -> Selection:
    search = solve(facts.roots())
    try:
        need = next(search)
        while True:
            need = search.send(facts.answer(need))
    except StopIteration as end:
        found: Selection = end.value
        return found


def _asked_from_addresses(facts: Facts, selection: Selection) -> set[str]:
    return {
        requirement.name
        for requirements in edges_of(facts, selection).values()
        for requirement in requirements
        if requirement.url is not None
    }


def _proof(clause: Clause, facts: Facts) -> tuple[str, ...]:
    shelves = {ROOT: Shelf(Domain(1))}
    for package in packages_of(clause) - {ROOT}:
        name, extra = split_package(package)
        versions = facts.supply.candidates(name).versions
        shelves[name] = Shelf(Domain(len(versions)), versions)
        shelves[package] = Shelf(Domain(len(versions), twin_of=name if extra else None), versions)
    return tell(clause, shelves, lambda fact: remark_on(fact, facts))
