"""Requirement texts as values, and extras that ask for their own project replaced by what they stand for.

gpu = ["this[cu124]", "rich"]       extras["gpu"]  = what cu124 asks for, and rich
                                    aliases["gpu"] = {cu124}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from packaging.markers import InvalidMarker, Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from bootstrap.project.tables import Issues, meant

__all__ = ["Expanded", "expanded", "markers_of", "requirement_of", "requirements_of"]


def requirement_of(text: str) -> Requirement:
    """The requirement in a text. Raises ValueError with one sentence."""
    try:
        return Requirement(text)
    except (InvalidRequirement, RecursionError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(f'"{text}" is not a requirement ({reason}); write it like "name>=1.0"') from error


def requirements_of(texts: Iterable[str], where: str, issues: Issues) -> tuple[Requirement, ...]:
    """The requirements in a list of texts; those that are none become issues."""
    found = []
    for text in texts:
        try:
            found.append(requirement_of(text))
        except ValueError as error:
            issues.add(f"{where}: {error}", text)
    return tuple(found)


def markers_of(text: str | None, where: str, issues: Issues) -> Marker | None:
    """The marker in a text, None where there is no text; a text that is none becomes an issue."""
    if text is None:
        return None
    try:
        return Marker(text)
    except (InvalidMarker, RecursionError) as error:
        reason = str(error).strip().partition("\n")[0]
        way_out = "write it like \"sys_platform == 'linux'\""
        issues.add(f'{where}: "{text}" is not an environment marker ({reason}); {way_out}', text)
        return None


@dataclass(frozen=True, slots=True)
class Expanded:
    """Extras or groups without references to their own project, and which extras each of them switches on."""

    requirements: Mapping[str, tuple[Requirement, ...]]
    aliases: Mapping[str, frozenset[str]]


def expanded(
    own: str | None,
    asked: Mapping[str, tuple[Requirement, ...]],
    extras: Mapping[str, tuple[Requirement, ...]],
    issues: Issues,
) -> Expanded:
    """`asked` (the extras themselves, or the groups) with every `own[extra]` replaced by what `extras` say of it.

    Extras that are unknown or ask for each other in a circle become issues.
    """
    requirements: dict[str, tuple[Requirement, ...]] = {}
    aliases: dict[str, frozenset[str]] = {}
    for name, wanted in asked.items():
        trail = (name,) if asked is extras else ()
        flat, switched = _flattened(own, wanted, extras, trail, issues)
        requirements[name] = tuple(dict.fromkeys(flat))
        if switched:
            aliases[name] = frozenset(switched)
    return Expanded(requirements, aliases)


def _flattened(
    own: str | None,
    wanted: tuple[Requirement, ...],
    extras: Mapping[str, tuple[Requirement, ...]],
    trail: tuple[str, ...],
    issues: Issues,
) -> tuple[list[Requirement], set[str]]:
    flat: list[Requirement] = []
    switched: set[str] = set()
    for requirement in wanted:
        if own is None or canonicalize_name(requirement.name) != own:
            flat.append(requirement)
            continue
        for extra in sorted(map(canonicalize_name, requirement.extras)):
            if extra in trail:
                circle = " -> ".join((*trail[trail.index(extra) :], extra))
                issues.add(f"extras ask for each other in a circle ({circle}); take one of these references out")
            elif extra not in extras:
                issues.add(
                    f'"{requirement}" asks for an extra that is missing; {meant(extra, extras)}', requirement.name
                )
            else:
                inner, more = _flattened(own, extras[extra], extras, (*trail, extra), issues)
                flat.extend(_narrowed(each, requirement.marker) for each in inner)
                switched |= {extra} | more
    return flat, switched


def _narrowed(requirement: Requirement, marker: Marker | None) -> Requirement:
    if marker is None:
        return requirement
    copy = Requirement(str(requirement))
    copy.marker = marker & copy.marker if copy.marker else marker
    return copy
