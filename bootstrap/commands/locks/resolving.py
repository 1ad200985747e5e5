"""One combination: what is asked of the resolver, and what its answer has to keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import InvalidSdistFilename, parse_sdist_filename
from packaging.version import Version

from bootstrap.commands.choices.choosing import Selection
from bootstrap.commands.locks.combinations import Combination, combination_of
from bootstrap.commands.locks.membership import member_directs, member_roots, without_virtual
from bootstrap.commands.locks.promises import keep_promises
from bootstrap.commands.locks.reliefs import UnsolvedError
from bootstrap.commands.locks.rounds import resolved
from bootstrap.commands.locks.routing import Route, direct_sources, route
from bootstrap.commands.session import Session
from bootstrap.errors import NoCompatibleFileError, NoSolutionError, UnreachableError
from bootstrap.index.files import File
from bootstrap.index.metadata import Metadata
from bootstrap.project.model import Item, Project, Source
from bootstrap.project.sources import sources_for
from bootstrap.resolver.resolution import Direct, Pin, Resolution
from profiles import Offer, is_family

if TYPE_CHECKING:
    from bootstrap.resolver.memory import Memory

__all__ = ["is_here", "resolution_of", "roots", "route_of", "selected"]


def selected(session: Session, selection: Selection, offer: Offer, bounds: tuple[Requirement, ...] = ()) -> Combination:
    """The combination that a selection means for the session's own Python and platform."""
    on = {Item("extra", name) for name in selection.extras} | {Item("group", name) for name in selection.groups}
    return combination_of(session.project, selection.offers, offer, frozenset(on), session.target, bounds=bounds)


def is_here(session: Session, combination: Combination) -> bool:
    """Is it for the Python and the platform that we run on?"""
    here, target = session.target, combination.target
    return (target.python_minor, target.platform) == (here.python_minor, here.platform)


def roots(project: Project, excluded: frozenset[Item]) -> Mapping[str, tuple[Requirement, ...]]:
    """What one resolution starts from: the project, and every extra and group that is not excluded."""
    if project.members:
        return member_roots(project, excluded)
    found: dict[str, tuple[Requirement, ...]] = {"": project.dependencies}
    for kind, table in (("extra", project.extras), ("group", project.groups)):
        for name, requirements in table.items():
            stands_for = (project.aliases if kind == "extra" else project.group_aliases).get(name, frozenset())
            items = {Item(kind, name), *(Item("extra", each) for each in stands_for)}  # type: ignore[arg-type]
            if not items & excluded:
                found[f"{kind}:{name}"] = requirements
    return found


def resolution_of(
    session: Session, combination: Combination, preferences: Mapping[str, Version], memory: Memory | None = None
) -> Resolution:
    """The graph of a combination, with files that keep what requirements files promise.

    What a source distribution requires is found out by building for this very machine alone (the session's target), and
    otherwise taken from a wheel of its version. For another Python or platform nothing is downloaded to know its hash:
    a file without one is an error then (NoCompatibleFileError).
    """
    from bootstrap.resolver.request import Request  # noqa: PLC0415 - a locked run resolves nothing

    project, offer = session.project, combination.offer
    starts = roots(project, combination.excluded)
    sources = _sources(project, starts, combination.target.markers)
    answers = route(project, session.settings, sources, offer)
    request = Request(
        target=combination.target,
        offer=offer.name,
        roots=starts,
        index_for=answers,
        variant=offer.variant,
        in_family=is_family,
        direct={**direct_sources(sources), **member_directs(project)},
        constraints=(*project.constraints, *combination.bounds),
        overrides=project.overrides,
        preferences=preferences,
        policy=session.policy,
    )
    here = is_here(session, combination)
    is_own = combination.target is session.target
    metadata = session.workshop.metadata if is_own else _elsewhere(session, answers, offer)
    try:
        resolution = resolved(session, request, offer, metadata, memory)
    except NoSolutionError as error:
        # The proof is about what find-links has; the cause is that the index itself could not be asked.
        for url, problem in session.catalogue.unreachable.items():
            raise UnreachableError(url, f"{problem}. What find-links has instead does not do:\n{error}") from error
        if not error.proposals:
            raise
        raise UnsolvedError(error, request, metadata, memory) from error
    pins = session.workshop.with_hashes(resolution.pins if here else _with_known_hashes(resolution.pins))
    pins = tuple(replace(pin, files=tuple(_sized(session, file) for file in pin.files)) for pin in pins)
    kept = keep_promises(without_virtual(project, pins), project.hashes, required=session.hashes_required)
    return replace(resolution, pins=tuple(kept), also=combination.roots)


def route_of(session: Session, selection: Selection, offer: Offer) -> Route:
    """Which index answers for which package in the resolution of an offer."""
    combination = selected(session, selection, offer)
    starts = roots(session.project, combination.excluded)
    return route(session.project, session.settings, _sources(session.project, starts, session.target.markers), offer)


def _sources(
    project: Project, starts: Mapping[str, tuple[Requirement, ...]], markers: Mapping[str, str]
) -> Mapping[str, Source]:
    parts = [part.partition(":") for label in starts for part in label.split("&")]
    extras = frozenset(name for kind, _, name in parts if kind == "extra")
    groups = frozenset(name for kind, _, name in parts if kind == "group")
    return sources_for(project, extras, groups, markers)


def _elsewhere(session: Session, answers: Route, offer: Offer) -> Callable[[File | Direct], Metadata]:
    """Reads source distributions for other machines: by a wheel of the same version, if there is one for anybody.

    That releases say the same in all of their files is assumed, as everywhere in the field; building for a machine
    that is not there could not find out either, and who has a wheel there will not build.
    """

    def read(what: File | Direct) -> Metadata:
        wheel = _wheel_beside(session, what, answers, offer) if isinstance(what, File) else None
        return session.workshop.metadata(what) if wheel is None else session.catalogue.metadata(wheel)

    return read


def _wheel_beside(session: Session, file: File, answers: Route, offer: Offer) -> File | None:
    try:
        name, version = parse_sdist_filename(file.filename)
    except InvalidSdistFilename:
        return None
    index = answers(name)
    variant = offer.variant if index is not None or is_family(name) else None
    files = session.catalogue.listing(name, index=index, variant=variant).versions.get(version, ())
    return next((each for each in files if each.is_wheel and each.yanked is None), None)


def _with_known_hashes(pins: Sequence[Pin]) -> tuple[Pin, ...]:
    """The pins with those files only whose hash the index gives. Raises NoCompatibleFileError for one without."""
    for pin in pins:
        if pin.files and "sha256" not in pin.files[0].hashes:
            file = pin.files[0]
            raise NoCompatibleFileError(
                f"{file.index} gives no hash for {file.filename}; lock it on such a machine, which fetches it anyway"
            )
    return tuple(replace(pin, files=tuple(each for each in pin.files if "sha256" in each.hashes)) for pin in pins)


def _sized(session: Session, file: File) -> File:
    """With the size that reading the metadata has shown: it makes progress and preflight exact, in later runs too."""
    size = session.catalogue.size(file)
    return file if size == file.size else replace(file, size=size)
