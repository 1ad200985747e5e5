"""One offer, one Python, one platform: what is asked of the resolver, and what its answer has to keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from packaging.requirements import Requirement
from packaging.version import Version

from bootstrap.commands.choosing import Selection
from bootstrap.commands.promises import keep_promises
from bootstrap.commands.routing import Route, direct_sources, route
from bootstrap.commands.session import Session
from bootstrap.errors import NoSolutionError, UnreachableError
from bootstrap.index.files import File
from bootstrap.project.model import Item, Project, Source
from bootstrap.project.sources import sources_for
from bootstrap.resolver.resolution import Resolution
from profiles import Offer, is_family

__all__ = ["resolution_of", "roots", "route_of"]


def roots(project: Project, selection: Selection, offer: Offer) -> Mapping[str, tuple[Requirement, ...]]:
    """What one resolution starts from: the project, and every extra and group that does not exclude the offer."""
    excluded = _excluded(project, selection, offer)
    found: dict[str, tuple[Requirement, ...]] = {"": project.dependencies}
    for kind, table in (("extra", project.extras), ("group", project.groups)):
        for name, requirements in table.items():
            stands_for = (project.aliases if kind == "extra" else project.group_aliases).get(name, frozenset())
            items = {Item(kind, name), *(Item("extra", each) for each in stands_for)}  # type: ignore[arg-type]
            if not items & excluded:
                found[f"{kind}:{name}"] = requirements
    return found


def _excluded(project: Project, selection: Selection, offer: Offer) -> frozenset[Item]:
    """Members of conflict sets that are not on: at most one of each set can be, and offers exclude one another."""
    on = {Item("extra", name) for name in selection.extras} | {Item("group", name) for name in selection.groups}
    offered = {Item(each.kind, each.name) for each in selection.offers if each.kind != "variant"}
    on = (on - offered) | ({Item(offer.kind, offer.name)} if offer.kind != "variant" else set())
    conflicting = {item for conflict in project.conflicts for item in conflict}
    return frozenset((conflicting | offered) - on)


def resolution_of(
    session: Session,
    selection: Selection,
    offer: Offer,
    preferences: Mapping[str, Version],
    constraints: tuple[Requirement, ...] = (),
) -> Resolution:
    from bootstrap.resolver.resolve import Request, resolve  # noqa: PLC0415 - a locked run resolves nothing

    project, target = session.project, session.target
    starts = roots(project, selection, offer)
    sources = _sources(session, starts)
    answers = route(project, session.settings, sources, offer)
    session.workshop.settle(answers, offer)
    session.activity.step(f"Resolving {offer.name} for Python {target.python_minor} on {target.platform}")
    request = Request(
        target=target,
        offer=offer.name,
        roots=starts,
        index_for=answers,
        variant=offer.variant,
        in_family=is_family,
        direct=direct_sources(sources),
        constraints=(*project.constraints, *constraints),
        overrides=project.overrides,
        preferences=preferences,
        policy=session.policy,
    )
    try:
        resolution = resolve(request, session.catalogue, metadata_of_sdist=session.workshop.metadata)
    except NoSolutionError as error:
        # The proof is about what find-links has; the cause is that the index itself could not be asked.
        for url, problem in session.catalogue.unreachable.items():
            raise UnreachableError(url, f"{problem}. What find-links has instead does not do:\n{error}") from error
        raise
    pins = session.workshop.with_hashes(resolution.pins)
    pins = tuple(replace(pin, files=tuple(_sized(session, file) for file in pin.files)) for pin in pins)
    kept = keep_promises(pins, project.hashes, required=session.hashes_required)
    return replace(resolution, pins=tuple(kept))


def _sources(session: Session, starts: Mapping[str, tuple[Requirement, ...]]) -> Mapping[str, Source]:
    extras = frozenset(label.removeprefix("extra:") for label in starts if label.startswith("extra:"))
    groups = frozenset(label.removeprefix("group:") for label in starts if label.startswith("group:"))
    return sources_for(session.project, extras, groups, session.target.markers)


def route_of(session: Session, selection: Selection, offer: Offer) -> Route:
    """Which index answers for which package in the resolution of an offer."""
    sources = _sources(session, roots(session.project, selection, offer))
    return route(session.project, session.settings, sources, offer)


def _sized(session: Session, file: File) -> File:
    """With the size that reading the metadata has shown: it makes progress and preflight exact, in later runs too."""
    size = session.catalogue.size(file)
    return file if size == file.size else replace(file, size=size)
