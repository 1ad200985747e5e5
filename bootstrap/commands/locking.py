"""From a project and a choice to a resolution: resolved once, kept in the lock, used until the question changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

from bootstrap.commands.choosing import Selection, newest_that_runs
from bootstrap.commands.promises import keep_promises
from bootstrap.commands.session import Session
from bootstrap.errors import BootstrapError, InputError, NoSolutionError, UnreachableError
from bootstrap.index.files import File
from bootstrap.lock.difference import Difference, difference
from bootstrap.lock.digest import inputs_digest
from bootstrap.lock.model import Lock
from bootstrap.lock.pylock_read import read
from bootstrap.lock.pylock_write import save, write
from bootstrap.project.indexes import explicit_index
from bootstrap.project.model import Item, Project, Source
from bootstrap.project.sources import sources_for
from bootstrap.resolver.resolution import Direct, Resolution
from profiles import Offer, is_family

__all__ = ["Locked", "Written", "lock", "lock_all", "lock_for", "save_lock"]


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
    resolution = _resolve(session, selection, offer, _preferences(present), (bound,) if bound else ())
    lock = _merged(session, selection, present, (resolution,), digest)
    return Locked(lock, resolution, is_new=True)


def lock_all(session: Session, selection: Selection) -> Lock:
    """Every offer of the project, for this Python on this platform, with versions aligned to those locked before.

    The chosen offer is resolved first and the others follow its versions. An offer whose index cannot be reached is
    left out with a warning, unless it is the chosen one.
    """
    digest = _digest(session, selection)
    present = None if session.asked.upgrade else _present(session)
    preferences = _preferences(present)
    offers = sorted(selection.offers, key=lambda each: each != selection.choice.offer)
    resolutions = []
    for offer in offers:
        try:
            resolution = _resolve(session, selection, offer, preferences)
        except UnreachableError as error:
            if offer == selection.choice.offer:
                raise
            session.warn(f"{offer.name} is not in the lock: {error}")
            continue
        resolutions.append(resolution)
        preferences = {**{pin.name: pin.version for pin in resolution.pins}, **preferences}
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
    text = write(locked, session.lock_path.parent)
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


def save_lock(session: Session, lock: Lock) -> None:
    """Write the lock where the project keeps it, if its bytes would change."""
    text = write(lock, session.lock_path.parent)
    if text != _text_of(session.lock_path):
        save(session.lock_path, text)


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
    extras = frozenset(label.removeprefix("extra:") for label in starts if label.startswith("extra:"))
    groups = frozenset(label.removeprefix("group:") for label in starts if label.startswith("group:"))
    sources = sources_for(project, extras, groups, target.markers)
    session.activity.step(f"Resolving {offer.name} for Python {target.python_minor} on {target.platform}")
    request = Request(
        target=target,
        offer=offer.name,
        roots=starts,
        index_for=_index_for(session, sources, offer),
        variant=offer.variant,
        in_family=is_family,
        direct=_direct(sources),
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


def _sized(session: Session, file: File) -> File:
    """With the size that reading the metadata has shown: it makes progress and preflight exact, in later runs too."""
    size = session.catalogue.size(file)
    return file if size == file.size else replace(file, size=size)


def _index_for(session: Session, sources: Mapping[str, Source], offer: Offer) -> Callable[[str], str | None]:
    """Who answers for a name: its source; for the torch family the variant's index; else the ordinary indexes."""
    named = {
        name: explicit_index(session.project, source.index, session.settings)
        for name, source in sources.items()
        if source.index
    }

    def index_for(name: str) -> str | None:
        if name in named:
            return named[name]
        return offer.index if is_family(name) else None

    return index_for


def _direct(sources: Mapping[str, Source]) -> Mapping[str, Direct]:
    found = {}
    for name, source in sources.items():
        if source.url is not None:
            found[name] = Direct(source.url, subdirectory=source.subdirectory)
        elif source.path is not None:
            found[name] = Direct(source.path.as_uri(), path=source.path, editable=source.editable)
        elif source.git is not None:
            raise BootstrapError(
                f"{name} comes from git ({source.git}), which is not supported yet; "
                f"give a path to a clone, or the address of an archive"
            )
    return found


def _digest(session: Session, selection: Selection) -> str:
    """What the lock was made for: the project, the settings that matter, and the conflict members that are on."""
    offered = {each.name for each in selection.offers}
    extras = sorted(name for conflict in session.project.conflicts for name in _on(conflict, selection) - offered)
    return inputs_digest(session.project, {**session.settings_that_matter(), "conflicting": extras})


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


def _preferences(lock: Lock | None) -> Mapping[str, Version]:
    """Versions that are locked already: a new resolution keeps them where they fit."""
    return {pin.name: pin.version for each in (lock.resolutions if lock else ()) for pin in each.pins}


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
