"""What a resolution that follows another one knows: of a package that the other has, this very version alone.

    preferences    numpy 2.3.1    torch 2.9.0     nothing of colorama
    narrowed       {2.3.1}        {2.9.0+cpu}     everything that there is

A page of four hundred versions need not be judged again for every Python and platform, only to take the version that
was preferred anyway. What is found is what a search among all versions would have found, if every package ended as the
first choice among all: the solver never rules out a version that is part of an answer, and where it may still take the
first choice, it does. Where that is not so, or nothing is found at all, the whole is searched (see resolve.py).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from packaging.version import Version

from bootstrap.index.files import Listing
from bootstrap.resolver.candidates import Candidates
from bootstrap.resolver.clauses import Domain
from bootstrap.resolver.fitness import Fitness
from bootstrap.resolver.memory import View, answered
from bootstrap.resolver.requirements import RequirementReader
from bootstrap.resolver.versions import ABSENT, everything, newest

__all__ = ["Following", "is_first_choice"]


@dataclass(slots=True)
class Following:
    """A view of what is known for one target, narrowed to the versions that are to be followed."""

    view: View
    preferences: Mapping[str, Version]
    fitness: Fitness = field(init=False)
    reader: RequirementReader = field(init=False)
    _pages: dict[Hashable, Future[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.fitness, self.reader = self.view.fitness, self.view.reader

    def candidates(self, listing: Listing) -> Candidates:
        """Those of the preferred version, unless it has none here, or only ones that not everybody may have."""
        version = self.preferences.get(listing.name)
        if version is not None:
            found = self.view.candidates(listing.only(_builds(listing, version)))
            if found.versions and not found.prereleases | found.yanked:
                return found
        return self.view.candidates(listing)

    def knows(self, key: Hashable) -> bool:
        return self.view.knows(key)

    def known(self, key: Hashable) -> Future[Any] | None:
        listing = self.view.listings.get(key)
        if listing is None:
            return self.view.known(key)
        if key not in self._pages:
            self._pages[key] = answered(self.candidates(listing))
        return self._pages[key]

    def keep(self, jobs: Mapping[Hashable, Future[Any]]) -> None:
        """What wheels say of themselves is worth keeping; pages were not seen whole."""
        self.view.keep({key: job for key, job in jobs.items() if isinstance(key, tuple) and key[0] != "page"})


def is_first_choice(domain: Domain, index: int) -> bool:
    """Would the solver take this version of a package before all others if nothing objected?"""
    every = everything(domain.count) & ~ABSENT
    return index == newest(every & domain.first or every & ~domain.last or every)


def _builds(listing: Listing, version: Version) -> tuple[Version, ...]:
    """The version, or where there is no such, the builds of it with another local version."""
    if version in listing.versions:
        return (version,)
    return tuple(each for each in listing.versions if each.public == version.public)
