"""What a report is about, as values: machines with their choices, and the environment of a project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from profiles import Choice

__all__ = ["Branch", "Environment", "Fact", "Host", "Kind", "Package", "Report"]

Kind = Literal["gpu", "idle", "cpu", "nothing", "unread"]
"""On what torch would compute: the GPU; the CPU although there is a GPU, or as there is none; nothing can be installed;
nobody knows, as the file describes no machine."""


class Fact(NamedTuple):
    """A fact in words, and where it was read."""

    label: str
    value: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Host:
    """One machine. Without a choice, `problem` says why; `facts` are in groups."""

    name: str
    kind: Kind
    choice: Choice | None = None
    problem: str = ""
    system: str = ""
    gpus: str = ""
    driver: str = ""
    facts: tuple[tuple[Fact, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Package:
    """An installed package. `size` in bytes, None where its RECORD does not say; `origin` is the file it came from."""

    name: str
    version: str
    size: int | None
    origin: str
    is_family: bool


@dataclass(frozen=True, slots=True)
class Branch:
    """A package at its place in the tree of what needs what; `again` if it is unfolded further up."""

    name: str
    version: str
    is_family: bool
    depth: int
    again: bool = False


@dataclass(frozen=True, slots=True)
class Environment:
    """A project's environment. `state` is a word of `torchstrap facts`, `changes` what a hand has done, in words.

    `phases` are seconds by phase of the sync that built it.
    """

    path: str
    state: str
    changes: str = ""
    generation: str = ""
    offer: str = ""
    python: str = ""
    torch: str = ""
    warnings: tuple[str, ...] = ()
    packages: tuple[Package, ...] = ()
    branches: tuple[Branch, ...] = ()
    phases: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """Everything on one page. `offers` are the fewest that serve all hosts, with the names of those that take each.

    `moment` is when this was, in words; `python` the one that was chosen for.
    """

    title: str
    moment: str
    program: str
    project: str
    python: str
    hosts: tuple[Host, ...]
    offers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    environment: Environment | None = None
