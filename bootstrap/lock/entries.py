"""The packages of a lock: each distinct (name, version, index, files) once, with the resolutions that hold it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bootstrap.errors import BootstrapError
from bootstrap.lock.markers import cell_of, grid, marker, relevant_roots
from bootstrap.lock.model import ALWAYS, Lock
from bootstrap.resolver.resolution import Pin

__all__ = ["Entry", "Use", "entries", "uses_of"]

Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Use:
    """What a package is to some of the resolutions (by number); `requires` None stands for its `dependencies`."""

    resolutions: tuple[int, ...]
    wanted_by: tuple[str, ...] = (ALWAYS,)
    requires: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One package as a lock lists it. `pin` stands for all; `pins` are its occurrences by number of resolution.

    `dependencies` are the numbers of the entries that it needs in one resolution or another.
    """

    pin: Pin
    pins: Mapping[int, Pin]
    marker: str
    dependencies: tuple[int, ...] = ()


def entries(lock: Lock) -> tuple[Entry, ...]:
    """The packages of a canonical lock, sorted by name, version and marker.

    Raises BootstrapError for a lock that no file can hold: a file without a hash, two resolutions that no marker
    tells apart, a pin without files.
    """
    found: dict[Key, dict[int, Pin]] = {}
    for number, resolution in enumerate(lock.resolutions):
        for pin in resolution.pins:
            _check(pin)
            if found.setdefault(_key(pin), {}).setdefault(number, pin) is not pin:
                raise BootstrapError(f"{pin.name} occurs twice in one resolution.")
    unlinked = sorted(_with_markers(lock, found), key=_order)
    where = {_key(entry.pin): position for position, entry in enumerate(unlinked)}
    return tuple(_linked(entry, lock, where) for entry in unlinked)


def uses_of(entry: Entry, every: tuple[Entry, ...], lock: Lock) -> tuple[Use, ...]:
    """The entry's occurrences, those together that are alike."""
    names = {every[position].pin.name for position in entry.dependencies}
    alike: dict[tuple[tuple[str, ...], tuple[str, ...] | None], list[int]] = {}
    for number, pin in sorted(entry.pins.items()):
        present = {each.name for each in lock.resolutions[number].pins}
        requires = None if set(pin.requires) == names & present else pin.requires
        alike.setdefault((tuple(sorted(pin.wanted_by)), requires), []).append(number)
    return tuple(Use(tuple(numbers), wanted_by, requires) for (wanted_by, requires), numbers in alike.items())


def _with_markers(lock: Lock, found: Mapping[Key, Mapping[int, Pin]]) -> list[Entry]:
    where = grid(lock)
    cells = [cell_of(resolution) for resolution in lock.resolutions]
    offers = [resolution.offer for resolution in lock.resolutions]
    result = []
    for pins in found.values():
        wanted = {cells[number]: relevant_roots(lock, offers[number], pin.wanted_by) for number, pin in pins.items()}
        result.append(Entry(next(iter(pins.values())), pins, marker(wanted, where)))
    return result


def _linked(entry: Entry, lock: Lock, where: Mapping[Key, int]) -> Entry:
    needed = set()
    for number, pin in entry.pins.items():
        there = {each.name: each for each in lock.resolutions[number].pins}
        needed |= {where[_key(there[name])] for name in pin.requires if name in there}
    return Entry(entry.pin, entry.pins, entry.marker, tuple(sorted(needed)))


def _check(pin: Pin) -> None:
    if pin.direct is None and not pin.files:
        raise BootstrapError(f"{pin.name} {pin.version} has no file that a lock can name.")
    for file in pin.files:
        if not file.hashes:
            raise BootstrapError(
                f"{file.filename} has no hash, and a lock without hashes proves nothing: hash it first."
            )


def _order(entry: Entry) -> Key:
    pin = entry.pin
    return (pin.name, pin.version, entry.marker, pin.index or "", [file.filename for file in pin.files], _key(pin))


def _key(pin: Pin) -> Key:
    """What makes two pins the same package; hashes of mappings do not exist, so it is spelled out."""
    files = tuple((file.filename, file.url, tuple(file.hashes.items())) for file in pin.files)
    direct = pin.direct
    source = (
        (direct.url, direct.editable, tuple(direct.hashes.items()), direct.commit or "", direct.subdirectory or "")
        if direct
        else ()
    )
    return (pin.name, pin.version, pin.index or "", files, source)
