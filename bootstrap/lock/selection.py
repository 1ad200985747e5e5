"""What a lock installs for one machine and one set of extras and groups.

Two ways to the same pins: from our own `Lock` the resolution is looked up; in a `pylock.toml` of any writer the markers
are evaluated as PEP 751 says. The tests hold that for every locked selection the two agree.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

from packaging.markers import Environment
from packaging.pylock import Pylock, PylockSelectError
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from bootstrap.errors import NoCompatibleFileError, UsageError
from bootstrap.index.files import File
from bootstrap.lock.markers import cell_of, relevant_roots
from bootstrap.lock.model import ALWAYS, Lock, is_switched_on, roots_of
from bootstrap.lock.packages import pin_of
from bootstrap.resolver.fitness import Fitness
from bootstrap.resolver.resolution import Pin, Resolution, Target

__all__ = ["fits", "resolution_of", "select"]


def select(
    source: Lock | Pylock,
    extras: Collection[str],
    groups: Collection[str] | None,
    target: Target,
    folder: Path | None = None,
) -> tuple[Pin, ...]:
    """The pins to install, sorted by name; of each, the files that the target accepts, best first.

    `groups` None stands for the lock's default groups. `folder` is where a `Pylock` lies (default: here), for its
    relative paths. A target without tags accepts every file.

    Raises UsageError for extras and groups that the lock does not have or that exclude each other, and
    NoCompatibleFileError if it holds nothing for the target.
    """
    chosen = frozenset(source.default_groups or ()) if groups is None else frozenset(groups)
    if isinstance(source, Lock):
        _check_names("extra", extras, source.all_extras)
        _check_names("group", chosen, source.all_groups)
        pins = _from_lock(source, frozenset(extras), chosen, target)
    else:
        _check_names("extra", extras, source.extras or ())
        _check_names("group", chosen, source.dependency_groups or ())
        pins = _from_document(source, frozenset(extras), chosen, target, Path.cwd() if folder is None else folder)
    names = {pin.name for pin in pins}
    ranks = {tag: rank for rank, tag in enumerate(target.tags)}
    fitting = (_fitted(pin, target, names, ranks) for pin in pins)
    return tuple(sorted(fitting, key=lambda pin: pin.name))


def resolution_of(lock: Lock, extras: Collection[str], groups: Collection[str], target: Target) -> Resolution:
    """The resolution for the offer among these extras and groups, on the target.

    Raises UsageError for two offers at once, or none where the lock has none without; NoCompatibleFileError if the
    target was not locked.
    """
    roots = roots_of(extras, groups)
    taken = [each.name for each in lock.offers if lock.offer_switches(each.name) & roots]
    if len(taken) > 1:
        raise UsageError(f"{' and '.join(taken)} exclude each other: choose one of them.")
    offer = taken[0] if taken else ALWAYS
    also = lock.members_among(roots)
    here = (target.python_minor, target.markers.get("sys_platform"), target.markers.get("platform_machine"))
    locked = [each for each in lock.resolutions if (each.offer, each.also) == (offer, also)]
    for resolution in locked:
        if cell_of(resolution)[:3] == here:
            return resolution
    if not locked:
        known = ", ".join(sorted({_words(each.offer, each.also) for each in lock.resolutions} - {""})) or "nothing"
        raise UsageError(f"The lock has nothing for {_words(offer, also) or 'no choice at all'}; it has: {known}.")
    known = ", ".join(sorted({f"Python {each.target.python_minor} on {each.target.platform}" for each in locked}))
    raise NoCompatibleFileError(
        f"The lock holds nothing for Python {target.python_minor} on {target.platform}, only for: {known}. "
        f"`torchstrap lock --python-version {target.python_minor} --platform {target.platform}` adds it."
    )


def fits(resolution: Resolution, target: Target) -> bool:
    """Does every package of a resolution have a file for a target, and admit its Python?"""
    fitness = Fitness(target)
    return all(
        not pin.files
        or (
            fitness.accepts_python(pin.files[0].requires_python)
            and any(not file.is_wheel or _rank(file, fitness.ranks) is not None for file in pin.files)
        )
        for pin in resolution.pins
    )


def _words(offer: str, also: Iterable[str]) -> str:
    return " with ".join(filter(None, (offer, *(each.partition(":")[2] for each in also))))


def _from_lock(lock: Lock, extras: frozenset[str], groups: frozenset[str], target: Target) -> tuple[Pin, ...]:
    resolution = resolution_of(lock, extras, groups, target)
    roots = roots_of(extras, groups)
    return tuple(
        pin
        for pin in resolution.pins
        if any(is_switched_on(root, roots) for root in relevant_roots(lock, resolution, pin.wanted_by))
    )


def _from_document(
    document: Pylock, extras: frozenset[str], groups: frozenset[str], target: Target, folder: Path
) -> tuple[Pin, ...]:
    environment = {"python_full_version": target.python, "python_version": target.python_minor, **target.markers}
    tags = [Tag(*text.split("-", 2)) for text in target.tags]
    try:
        selected = document.select(
            environment=cast("Environment", environment),
            tags=tags or _every_tag(document),
            extras=extras,
            dependency_groups=groups,
        )
        return tuple(pin_of(package, folder) for package, _ in selected)
    except PylockSelectError as error:
        raise NoCompatibleFileError(
            f"The lock cannot be installed with Python {target.python} on {target.platform}: {error}."
        ) from error


def _every_tag(document: Pylock) -> list[Tag]:
    wheels = (wheel for package in document.packages for wheel in package.wheels or ())
    return sorted({tag for wheel in wheels for tag in parse_wheel_filename(wheel.filename)[3]}, key=str)


def _fitted(pin: Pin, target: Target, names: Collection[str], ranks: Mapping[str, int]) -> Pin:
    requires = tuple(name for name in pin.requires if name in names)
    if pin.direct or not target.tags:
        return replace(pin, requires=requires)
    wheels = [(rank, file) for file in pin.files if file.is_wheel and (rank := _rank(file, ranks)) is not None]
    # Of equal tags the higher build number is the better; sorted() keeps the names' order for the rest.
    ordered = [file for _, file in sorted(wheels, key=lambda each: each[0])]
    files = (*ordered, *(file for file in pin.files if not file.is_wheel))
    if not files:
        raise NoCompatibleFileError(
            f"{pin.name} {pin.version} has no file in the lock for Python {target.python} on {target.platform}; "
            f"it has: {', '.join(file.filename for file in pin.files)}."
        )
    return replace(pin, requires=requires, files=files)


def _rank(file: File, ranks: Mapping[str, int]) -> tuple[int, int, str] | None:
    """Smaller is better; None if the target does not accept the wheel."""
    try:
        _, _, build, tags = parse_wheel_filename(file.filename)
    except InvalidWheelFilename:
        return None
    best = min((ranks[str(tag)] for tag in tags if str(tag) in ranks), default=None)
    return None if best is None else (best, -(build[0] if build else -1), "".join(str(part) for part in build[1:]))


def _check_names(kind: str, asked: Iterable[str], known: Iterable[str]) -> None:
    has = sorted(known)
    for name in sorted(asked):
        if name not in has:
            raise UsageError(f"The lock has no {kind} {name!r}; it has: {', '.join(has) or 'none'}.")
