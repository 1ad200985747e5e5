"""From a project and a choice to a resolution: resolved once, kept in the lock, used until the question changes."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

from bootstrap.commands.choosing import Selection, newest_that_runs
from bootstrap.commands.promises import keep_promises
from bootstrap.commands.routing import Route, direct_sources, route
from bootstrap.commands.session import Session
from bootstrap.commands.workshop import description_of
from bootstrap.errors import InputError, NoSolutionError, UnreachableError
from bootstrap.index.files import File
from bootstrap.lock.difference import Difference, difference
from bootstrap.lock.digest import inputs_digest
from bootstrap.lock.model import Lock
from bootstrap.lock.pylock_read import read
from bootstrap.lock.pylock_write import save, write
from bootstrap.project.model import Item, Project, Source
from bootstrap.project.sources import sources_for
from bootstrap.resolver.resolution import Resolution
from bootstrap.wheels.disk import writing
from profiles import Offer, is_family

if sys.platform != "win32":
    import fcntl

__all__ = ["Locked", "Written", "lock", "lock_all", "lock_for", "lock_text", "route_of", "save_lock"]


@dataclass(frozen=True, slots=True)
class Locked:
    """The lock, the resolution of one offer in it, and whether either is new."""

    lock: Lock
    resolution: Resolution
    is_new: bool


def lock_for(session: Session, selection: Selection) -> Locked:
    """The locked resolution for a choice; resolved and written if the lock has none that still stands.

    Raises InputError with `--frozen` and no lock, NoSolutionError with the proof, UnreachableError.
    """
    offer = selection.choice.offer
    digest = _digest(session, selection)
    present = _present(session)
    if present is not None and (session.asked.frozen or present.inputs == digest):
        resolution = _find(present, offer, session)
        if resolution is not None:
            return Locked(present, resolution, is_new=False)
    if session.asked.frozen:
        what = f"has no resolution of {offer.name} for {_place(session)}" if present else "is not there"
        raise InputError(session.lock_path, f"{what}; write it with `torchstrap lock`, or leave --frozen out")
    bound = newest_that_runs(selection, session.machine, session.target.markers)
    resolution = _resolve(session, selection, offer, _preferences(present, offer), (bound,) if bound else ())
    lock = _merged(session, selection, present, (resolution,), digest)
    return Locked(lock, resolution, is_new=True)


def lock_all(session: Session, selection: Selection) -> Lock:
    """Every offer of the project, for this Python on this platform, with versions aligned to those locked before.

    The chosen offer is resolved first and the others follow its versions. An offer whose index cannot be reached is
    left out with a warning, unless it is the chosen one.
    """
    digest = _digest(session, selection)
    present = None if session.asked.upgrade else _present(session)
    aligned: dict[str, Version] = {}
    offers = sorted(selection.offers, key=lambda each: each != selection.choice.offer)
    resolutions = []
    for offer in offers:
        try:
            resolution = _resolve(session, selection, offer, {**aligned, **_preferences(present, offer)})
        except UnreachableError as error:
            if offer == selection.choice.offer:
                raise
            session.warn(f"{offer.name} is not in the lock: {error}")
            continue
        resolutions.append(resolution)
        aligned = {**{pin.name: pin.version for pin in resolution.pins}, **aligned}
    return _merged(session, selection, present, tuple(resolutions), digest)


@dataclass(frozen=True, slots=True)
class Written:
    """What `lock` made: the text of the lock, where it is kept, and how it differs from the one before, by offer."""

    text: str
    path: Path
    is_changed: bool
    summary: str
    differences: Mapping[str, Difference]
    warnings: tuple[str, ...]


def lock(session: Session) -> Written:
    """Lock every offer and, unless `--check` or `-o -` says otherwise, write the file."""
    selection = session.select()
    before = _present(session)
    locked = lock_all(session, selection)
    text = lock_text(session, locked)
    is_changed = text != _text_of(session.lock_path)
    if is_changed and not session.asked.check and session.asked.output != "-":
        save(session.lock_path, text)
    names = sorted({each.offer for each in locked.resolutions})
    count = len({(pin.name, pin.version) for each in locked.resolutions for pin in each.pins})
    summary = f"{count} packages for {', '.join(names)}{'' if is_changed else ', unchanged'}"
    differences = _differences(before, locked)
    return Written(text, session.lock_path, is_changed, summary, differences, session.everything_to_say())


def _differences(before: Lock | None, after: Lock) -> Mapping[str, Difference]:
    old = {_key(each): each.pins for each in (before.resolutions if before else ())}
    return {each.offer: difference(old[_key(each)], each.pins) for each in after.resolutions if _key(each) in old}


def lock_text(session: Session, lock: Lock) -> str:
    """The file's content; relative paths in it are meant from the file's folder."""
    return write(lock, session.lock_path.parent)


def save_lock(session: Session, lock: Lock, text: str) -> None:
    """Write the lock where the project keeps it, together with what another sync has put there meanwhile."""
    with _held(session):
        present = _present(session)
        if present is not None and present.inputs == lock.inputs:
            made = {_key(each) for each in lock.resolutions}
            others = tuple(each for each in present.resolutions if _key(each) not in made)
            if others:
                offers = (*lock.offers, *(each for each in present.offers if each not in lock.offers))
                resolutions = tuple(sorted((*lock.resolutions, *others), key=_key))
                text = lock_text(session, replace(lock, offers=offers, resolutions=resolutions))
        if text != _text_of(session.lock_path):
            save(session.lock_path, text)


@contextmanager
def _held(session: Session) -> Iterator[None]:
    """Two environments of one project may be made at once: whoever writes their lock looks again, alone."""
    if sys.platform == "win32":  # the last writer wins
        yield
        return
    folder = session.cache / "locks"
    with writing("waiting for the lock", folder):
        folder.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha256(os.fsencode(session.lock_path)).hexdigest()[:16]
        with (folder / name).open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _text_of(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


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


def _resolve(
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


def _digest(session: Session, selection: Selection) -> str:
    """What the lock was made for: the project, the settings that matter, and the conflict members that are on."""
    offered = {each.name for each in selection.offers}
    extras = sorted(name for conflict in session.project.conflicts for name in _on(conflict, selection) - offered)
    folders = {
        source.path.as_posix(): description_of(source.path)
        for several in session.project.sources.values()
        for source in several
        if source.path is not None and source.path.is_dir()
    }
    settings = {**session.settings_that_matter(), "conflicting": extras, "folders": folders}
    return inputs_digest(session.project, settings)


def _on(conflict: frozenset[Item], selection: Selection) -> set[str]:
    return {item.name for item in conflict if item.name in selection.extras | selection.groups}


def _present(session: Session) -> Lock | None:
    return read(session.lock_path) if session.lock_path.is_file() else None


def _find(lock: Lock, offer: Offer, session: Session) -> Resolution | None:
    return next(
        (
            each
            for each in lock.resolutions
            if each.offer == offer.name
            and each.target.python_minor == session.target.python_minor
            and each.target.platform == session.target.platform
        ),
        None,
    )


def _preferences(lock: Lock | None, offer: Offer) -> Mapping[str, Version]:
    """Versions that are locked already, the offer's own before those of others: they are kept where they fit."""
    resolutions = sorted(lock.resolutions if lock else (), key=lambda each: each.offer == offer.name)
    return {pin.name: pin.version for each in resolutions for pin in each.pins}


def _merged(
    session: Session, selection: Selection, present: Lock | None, new: tuple[Resolution, ...], digest: str
) -> Lock:
    """The new resolutions beside those that still stand: same inputs, another offer, Python or platform."""
    project = session.project
    made = {_key(each) for each in new}
    kept = tuple(
        each for each in (present.resolutions if present and present.inputs == digest else ()) if _key(each) not in made
    )
    return Lock(
        requires_python=project.requires_python,
        offers=_offers(selection, present, kept),
        extras=tuple(sorted(project.extras)),
        groups=tuple(sorted(project.groups)),
        default_groups=project.default_groups,
        resolutions=tuple(sorted((*kept, *new), key=_key)),
        inputs=digest,
        aliases=project.aliases,
    )


def _offers(selection: Selection, present: Lock | None, kept: tuple[Resolution, ...]) -> tuple[Offer, ...]:
    """Those of the project; in automatic mode, those variants that some machine has taken so far."""
    names = {each.offer for each in kept}
    earlier = tuple(each for each in (present.offers if present else ()) if each.name in names)
    return (*selection.offers, *(each for each in earlier if each not in selection.offers))


def _key(resolution: Resolution) -> tuple[str, str, str]:
    return (resolution.offer, resolution.target.python_minor, resolution.target.platform)


def _place(session: Session) -> str:
    return f"Python {session.target.python_minor} on {session.target.platform}"
