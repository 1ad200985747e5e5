"""What resolutions share, so that the second costs less than the first.

    for all targets     what files say of themselves, and requirements as they were parsed
    for one Python      the candidates of a page that has no wheel for a platform: where it runs does not matter then
    for one target      which wheels fit, which markers hold, and the candidates of every other page

Only answers are kept, never guesses or failures: a resolution with memory ends as it would without.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from packaging.markers import Marker
from packaging.requirements import Requirement

from bootstrap.index.files import Listing
from bootstrap.resolver.candidates import Candidates, Policy, candidates_of
from bootstrap.resolver.fitness import Fitness
from bootstrap.resolver.requirements import RequirementReader
from bootstrap.resolver.resolution import Target

__all__ = ["Memory", "View", "answered"]

Jobs = dict[Hashable, Future[Any]]

# By identity; the listings are kept alive here.
Portable = dict[int, tuple[Listing, Candidates]]


@dataclass(slots=True)
class View:
    """What is known for one target. `pages` and `metadata` are jobs that are done, by what was asked.

    A page that was asked for another target needs no thread: `listings` holds what was on it.
    """

    fitness: Fitness
    reader: RequirementReader
    policy: Policy
    metadata: Jobs
    portable: Portable
    listings: dict[Hashable, Listing]
    pages: Jobs = field(default_factory=dict)

    def candidates(self, listing: Listing) -> Candidates:
        """As `candidates_of`. Two threads at once only do the work twice."""
        known = self.portable.get(id(listing))
        if known is None:
            found = candidates_of(listing, self.fitness, self.policy)
            if not _is_portable(listing):
                return found
            known = self.portable[id(listing)] = (listing, found)
        return known[1]

    def knows(self, key: Hashable) -> bool:
        """Was this page asked for before?"""
        return key in self.pages

    def known(self, key: Hashable) -> Future[Any] | None:
        """The answer to a question that was asked before."""
        job = self.pages.get(key) or self.metadata.get(key)
        if job is None and key in self.listings:
            job = self.pages[key] = answered(self.candidates(self.listings[key]))
        return job

    def keep(self, jobs: Mapping[Hashable, Future[Any]]) -> None:
        """Remember what came of the jobs of one resolution; their keys are tuples that begin with what they are.

        What a source distribution says is not kept: it may have been built with the torch of one offer.
        """
        for key, job in jobs.items():
            if isinstance(key, tuple) and job.done() and not job.cancelled() and job.exception() is None:
                if key[0] == "page":
                    self.pages[key] = job
                    self.listings.setdefault(key, job.result().listing)
                elif key[0] == "metadata" and ".whl" in key[1]:
                    self.metadata[key] = job


@dataclass(slots=True)
class Memory:
    """Lives as long as the catalogue that the answers came from."""

    _metadata: Jobs = field(default_factory=dict)
    _heads: dict[str, Requirement] = field(default_factory=dict)
    _parsed: dict[str, Marker] = field(default_factory=dict)
    _views: dict[Hashable, View] = field(default_factory=dict)
    _portable: dict[Hashable, Portable] = field(default_factory=dict)
    _listings: dict[Hashable, Listing] = field(default_factory=dict)

    def view(self, target: Target, policy: Policy) -> View:
        """What is known for a target, if it is chosen from in the same way."""
        key = (target.python, target.platform, target.tags, tuple(sorted(target.markers.items())), policy)
        if key not in self._views:
            reader = RequirementReader(target.markers, self._heads, self._parsed)
            anywhere = tuple(tag for tag in target.tags if tag.endswith("-any"))
            portable = self._portable.setdefault((target.python, anywhere, policy), {})
            self._views[key] = View(Fitness(target), reader, policy, self._metadata, portable, self._listings)
        return self._views[key]


def answered(answer: Any) -> Future[Any]:
    """A job that is done."""
    job: Future[Any] = Future()
    job.set_result(answer)
    return job


def _is_portable(listing: Listing) -> bool:
    return not any(True for version in listing.versions for _ in listing.matching(version, _names_platform))


def _names_platform(filename: str) -> bool:
    return filename.endswith(".whl") and not filename.endswith("-any.whl")
