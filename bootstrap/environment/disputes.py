"""Paths that two want: with the same bytes nobody minds, with different bytes somebody has to know.

the environment and a wheel    the wheel is refused
two wheels                     the first one's file stays, with a warning that names both and the file
two wheels, one of them of     an error: half of one torch and half of another is what nobody can debug
the torch family
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bootstrap.environment.claims import OWN, Claims, Install, site_of
from bootstrap.errors import BadDistributionError, BootstrapError, VerificationError
from bootstrap.wheels.store import StoredWheel

__all__ = ["Settlement", "explained", "settle"]

SHOWN = 3  # files of one dispute


@dataclass(frozen=True, slots=True)
class Settlement:
    """`warnings` are sentences; `dropped` are the paths that a wheel (by its number) does not get."""

    warnings: tuple[str, ...]
    dropped: Mapping[int, frozenset[str]]


def settle(claims: Claims, installs: Sequence[Install], exclusive: Callable[[str], bool]) -> Settlement:
    """Look at the paths that two want. `exclusive` says whether a package by its name is of the torch family.

    Raises BadDistributionError for a wheel that wants a file of the environment, VerificationError for the family.
    """
    if not claims.disputes:
        return Settlement((), {})
    digests = {
        number: _digests(claims, number, installs[number].wheel)
        for number in {number for each in claims.disputes for number in (each.owner, each.other)} - {OWN}
    }
    contested: dict[tuple[int, int], list[str]] = {}
    for each in claims.disputes:
        if each.owner == OWN:
            wheel = installs[each.other].wheel
            raise BadDistributionError(wheel.filename, [_replacing(each.place)])
        if digests[each.owner].get(each.place) != digests[each.other].get(each.place):
            contested.setdefault((each.owner, each.other), []).append(each.place)
    warnings: list[str] = []
    issues: list[str] = []
    dropped: dict[int, set[str]] = {}
    for (owner, other), places in contested.items():
        dropped.setdefault(other, set()).update(places)
        first, second = installs[owner].wheel, installs[other].wheel
        both = f"{_both(first, second)} both bring {_listed(places)} with other content"
        if exclusive(first.name) or exclusive(second.name):
            issues.append(f"{both}; the environment cannot have both packages.")
        else:
            warnings.append(f"{both}; the one of {first.name} is installed.")
    if issues:
        raise VerificationError(issues)
    return Settlement(tuple(warnings), {number: frozenset(places) for number, places in dropped.items()})


def _both(first: StoredWheel, second: StoredWheel) -> str:
    return f"{first.name} {first.version} and {second.name} {second.version}"


def _listed(places: Sequence[str]) -> str:
    more = f" and {len(places) - SHOWN} more files" if len(places) > SHOWN else ""
    return ", ".join(places[:SHOWN]) + more


def _replacing(place: str) -> str:
    return f"{place!r} would replace a file of the environment itself"


def _digests(claims: Claims, number: int, wheel: StoredWheel) -> Mapping[str, str]:
    """The hashes of all that a wheel brings, as RECORD spells them."""
    site = site_of(claims.layout, wheel)
    rows = csv.reader(io.StringIO(wheel.contents.record))
    own = {f"{site}/{row[0]}": row[1] for row in rows}
    return {**own, **{place: digest for place, digest, _ in claims.added.get(number, ())}}


def _meet(one: str, other: str) -> bool:
    """Whether two paths are one, or one is a folder of the other."""
    return f"{one}/".startswith(f"{other}/") or other.startswith(f"{one}/")


def explained(error: OSError, claims: Claims, installs: Sequence[Install]) -> BootstrapError | None:
    """Why a file could not be made where something stands already; None if that has nothing to do with the wheels."""
    # Nearly every installation does without.
    from bootstrap.wheels.names import same_where_case_does_not_count as folded  # noqa: PLC0415

    path, root = str(error.filename2 or error.filename), f"{claims.layout.root}/"
    key = folded(path.removeprefix(root))
    meeting = [(owner, place) for place, owner in claims.owners.items() if _meet(folded(place), key)]
    in_the_way = any(len(folded(place)) <= len(key) for _, place in meeting)
    wheels: dict[int, str] = {}
    for number, place in meeting:
        if number != OWN:
            wheels.setdefault(number, place)
    if not wheels or not in_the_way or len(meeting) == 1:
        return None
    (first, place), *others = wheels.items()
    wheel = installs[first].wheel
    if len(wheels) == 1 and any(owner == OWN for owner, _ in meeting):
        return BadDistributionError(wheel.filename, [_replacing(place)])
    if not others:
        issue = f"{place!r} is taken for another of its files by the file system of {claims.layout.root}"
        return BadDistributionError(wheel.filename, [issue])
    other_wheel, other_place = installs[others[0][0]].wheel, others[0][1]
    both = f"{_both(wheel, other_wheel)} bring {place} and {other_place}"
    reason = "one is the other's folder, or the file system takes them for one"
    return VerificationError([f"{both}, which cannot both be there: {reason}."])
