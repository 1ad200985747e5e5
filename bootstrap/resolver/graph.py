"""From the solver's selection to pins: extras are folded into their packages, and every pin knows who wanted it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bootstrap.resolver.clauses import split_package
from bootstrap.resolver.facts import Facts
from bootstrap.resolver.resolution import Pin

__all__ = ["all_requirements", "edges_of", "pins_of"]


def edges_of(facts: Facts, selection: Mapping[str, int]) -> Mapping[str, tuple[Requirement, ...]]:
    """What every selected package of the solver, extras apart, requires in this resolution."""
    edges = {}
    for package, index in selection.items():
        name, extra = split_package(package)
        edges[package] = tuple(facts.overridden(facts.supply.requirements(name, index, extra)))
    return edges


def all_requirements(facts: Facts, selection: Mapping[str, int]) -> tuple[Requirement, ...]:
    """Every requirement that is in force in this resolution, the project's own included."""
    own = (requirement for label in facts.request.roots for requirement in facts.root_requirements(label))
    return (
        *own,
        *(requirement for requirements in edges_of(facts, selection).values() for requirement in requirements),
    )


def pins_of(facts: Facts, selection: Mapping[str, int]) -> tuple[Pin, ...]:
    """The selected packages as pins, sorted by name."""
    needed = {
        package: frozenset(_packages(requirements)) for package, requirements in edges_of(facts, selection).items()
    }
    wanted_by: dict[str, set[str]] = {}
    for label in facts.request.roots:
        for package in _reachable(_packages(facts.root_requirements(label)), needed):
            wanted_by.setdefault(split_package(package)[0], set()).add(label)
    requires: dict[str, set[str]] = {}
    for package, others in needed.items():
        name = split_package(package)[0]
        requires.setdefault(name, set()).update({split_package(other)[0] for other in others} - {name})
    return tuple(
        _pin(facts, name, index, requires[name], wanted_by.get(name, set()))
        for name, index in sorted(selection.items())
        if not split_package(name)[1]
    )


def _pin(facts: Facts, name: str, index: int, requires: Iterable[str], wanted_by: Iterable[str]) -> Pin:
    candidates = facts.supply.candidates(name)
    return Pin(
        name,
        candidates.versions[index],
        candidates.files_to_lock(index),
        candidates.direct,
        tuple(sorted(requires)),
        frozenset(wanted_by),
    )


def _packages(requirements: Iterable[Requirement]) -> set[str]:
    found = set()
    for requirement in requirements:
        name = canonicalize_name(requirement.name)
        found.update({name, *(f"{name}[{canonicalize_name(extra)}]" for extra in requirement.extras)})
    return found


def _reachable(start: Iterable[str], needed: Mapping[str, frozenset[str]]) -> set[str]:
    seen: set[str] = set()
    stack = list(start)
    while stack:
        package = stack.pop()
        if package in seen or package not in needed:
            continue
        seen.add(package)
        stack.extend(needed[package])
    return seen
