"""Requirement lists, read for one target: most of them are about extras nobody asked for, so markers are read first.

    "pytest >=7 ; extra == 'dev'"    ->   head "pytest >=7", marker "extra == 'dev'"

A list of 200 requirements has a handful of different markers. Each marker text is evaluated once per extra, and only
the heads of those that hold are parsed, each text once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from packaging.markers import InvalidMarker, Marker, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

__all__ = ["RequirementReader", "UnreadableRequirement"]


class UnreadableRequirement(ValueError):  # noqa: N818 - it names the thing that was found
    """A requirement in somebody's metadata that is not PEP 508."""


@dataclass(slots=True)
class RequirementReader:
    """Reads requirements for one marker environment, remembering every text. Readers may share what was parsed."""

    environment: Mapping[str, str]
    _heads: dict[str, Requirement] = field(default_factory=dict)
    _parsed: dict[str, Marker] = field(default_factory=dict)
    _markers: dict[tuple[str, str], bool] = field(default_factory=dict)
    _active: dict[tuple[tuple[str, ...], str], tuple[Requirement, ...]] = field(default_factory=dict)

    def active(self, texts: tuple[str, ...], extra: str = "") -> tuple[Requirement, ...]:
        """The requirements that hold without extras, or those that `extra` adds to them.

        Raises `UnreadableRequirement` where one that matters cannot be read.
        """
        found = self._active.get((texts, extra))
        if found is None:
            found = self._active[texts, extra] = tuple(self._holding(texts, extra))
        return found

    def _holding(self, texts: Iterable[str], extra: str) -> Iterator[Requirement]:
        for text in texts:
            head, marker = _halves(text)
            if not marker:
                wanted = not extra
            elif extra:
                wanted = "extra" in marker and self.holds(marker, extra) and not self.holds(marker)
            else:
                wanted = self.holds(marker)
            if wanted:
                yield self.parse(head)

    def applies(self, requirement: Requirement) -> bool:
        """Does a requirement's marker hold here, without any extra?"""
        return requirement.marker is None or self.holds(str(requirement.marker))

    def holds(self, marker: str, extra: str = "") -> bool:
        key = marker, extra
        if key not in self._markers:
            try:
                parsed = self._parsed.get(marker) or self._parsed.setdefault(marker, Marker(marker))
                self._markers[key] = parsed.evaluate({**self.environment, "extra": extra})
            except (InvalidMarker, UndefinedEnvironmentName) as problem:
                raise UnreadableRequirement(f"the marker {marker!r} cannot be read") from problem
        return self._markers[key]

    def parse(self, head: str) -> Requirement:
        if head not in self._heads:
            try:
                requirement = Requirement(head)
            except InvalidRequirement as problem:
                raise UnreadableRequirement(f"the requirement {head!r} cannot be read") from problem
            requirement.name = canonicalize_name(requirement.name)
            requirement.extras = {canonicalize_name(extra) for extra in requirement.extras}
            self._heads[head] = requirement
        return self._heads[head]


def _halves(text: str) -> tuple[str, str]:
    """Requirement and marker. In a requirement with an address a semicolon needs a space before it (PEP 508)."""
    head, _, marker = text.partition(" ;" if "@" in text.partition(";")[0] else ";")
    return head.strip(), marker.strip()
