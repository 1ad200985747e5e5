"""The packages of a lock: each distinct (name, version, index, files) once, with the resolutions that hold it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bootstrap.errors import BootstrapError
from bootstrap.lock.markers import cell_of, grid, marker, relevant_roots
from bootstrap.lock.model import ALWAYS, Lock
from bootstrap.resolver.resolution import Pin

__all__ = ["Entry", "Use", "entries", "numbers_in", "spans", "uses_of"]

Key = tuple[Any, ...]

SPAN = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?", re.ASCII)


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
    keys: list[dict[str, Key]] = []
    for number, resolution in enumerate(lock.resolutions):
        keys.append({})
        for pin in resolution.pins:
            _check(pin)
            key = keys[number][pin.name] = _key(pin)
            if found.setdefault(key, {}).setdefault(number, pin) is not pin:
                raise BootstrapError(f"{pin.name} occurs twice in one resolution.")
    unlinked = sorted(_with_markers(lock, found), key=_order)
    where = {_key(entry.pin): position for position, entry in enumerate(unlinked)}
    places = [{name: where[key] for name, key in names.items()} for names in keys]
    return tuple(replace(entry, dependencies=_needed(entry, places)) for entry in unlinked)


def uses_of(entry: Entry, every: Sequence[Entry], names: Sequence[frozenset[str]]) -> tuple[Use, ...]:
    """The entry's occurrences, those together that are alike; `names` are those in each resolution."""
    dependencies = frozenset(every[position].pin.name for position in entry.dependencies)
    alike: dict[tuple[tuple[str, ...], tuple[str, ...] | None], list[int]] = {}
    for number, pin in sorted(entry.pins.items()):
        requires = None if dependencies & names[number] == set(pin.requires) else pin.requires
        alike.setdefault((tuple(sorted(pin.wanted_by)), requires), []).append(number)
    return tuple(Use(tuple(numbers), wanted_by, requires) for (wanted_by, requires), numbers in alike.items())


def spans(numbers: Iterable[int]) -> str:
    """Numbers in order as short as they can be written: "0-11, 14"."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def numbers_in(text: str) -> tuple[int, ...]:
    """What `spans` wrote; nothing at all for what it does not write."""
    numbers: list[int] = []
    for part in text.split(", "):
        found = SPAN.fullmatch(part)
        if found is None:
            return ()
        numbers.extend(range(int(found[1]), int(found[2] or found[1]) + 1))
    return tuple(numbers) if numbers == sorted(set(numbers)) else ()


def _with_markers(lock: Lock, found: Mapping[Key, Mapping[int, Pin]]) -> list[Entry]:
    where = grid(lock)
    cells = [cell_of(resolution, lock.members) for resolution in lock.resolutions]
    result = []
    for pins in found.values():
        wanted = {
            cells[number]: relevant_roots(lock, lock.resolutions[number], pin.wanted_by) for number, pin in pins.items()
        }
        result.append(Entry(next(iter(pins.values())), pins, marker(wanted, where)))
    return result


def _needed(entry: Entry, places: Sequence[Mapping[str, int]]) -> tuple[int, ...]:
    """The numbers of the entries that it needs; `places` has them by name, for each resolution."""
    needed = {
        places[number][name] for number, pin in entry.pins.items() for name in pin.requires if name in places[number]
    }
    return tuple(sorted(needed))


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
