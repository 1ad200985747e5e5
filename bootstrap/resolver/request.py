"""What is to be resolved, as a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from packaging.requirements import Requirement
from packaging.version import Version

from bootstrap.project.model import Index
from bootstrap.resolver.candidates import Policy
from bootstrap.resolver.resolution import Direct, Target

__all__ = ["Event", "Report", "Request", "place_of"]


def _ordinary(_name: str) -> Index | str | None:
    return None


def _nobody(_name: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Request:
    """Everything that one resolution depends on, but for what the indexes say.

    `roots` holds the project's requirements by where they were made: "", "extra:NAME", "group:NAME". `index_for` says
    which index alone answers for a package (explicit sources, and the torch family's variant index), or None for the
    ordinary ones. `variant` restricts what find-links may add to such an index; `in_family` names packages for which
    it counts although the ordinary indexes answer for them (the variant `default`). `direct` replaces indexes for the
    names in it. `constraints` narrow and `overrides` replace requirements, neither asks for a package. `preferences`
    are versions to try first (those of a lock).
    """

    target: Target
    offer: str = ""
    roots: Mapping[str, tuple[Requirement, ...]] = field(default_factory=dict)
    index_for: Callable[[str], Index | str | None] = _ordinary
    variant: str | None = None
    in_family: Callable[[str], bool] = _nobody
    direct: Mapping[str, Direct] = field(default_factory=dict)
    constraints: tuple[Requirement, ...] = ()
    overrides: tuple[Requirement, ...] = ()
    preferences: Mapping[str, Version] = field(default_factory=dict)
    policy: Policy = field(default_factory=Policy)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened while resolving; for whoever shows progress. Always told from the calling thread."""

    kind: Literal["page", "try", "again", "warning", "contradiction"]
    name: str
    detail: str = ""


Report = Callable[[Event], None]


def place_of(label: str) -> str:
    """How to say where a requirement was made: " (extra `cpu`)", and nothing for the project's own dependencies."""
    parts = (part.partition(":") for part in label.split("&") if part)
    words = ", ".join(f"{kind} `{name}`" for kind, _, name in parts if name)
    return f" ({words})" if words else ""
