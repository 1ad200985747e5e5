"""What of a listing may be chosen for a target, and why the rest may not.

A version is a candidate if one of its files may be used: uploaded in time, for this Python, of an allowed kind,
with a fitting tag. Some candidates are *wary*: pre-releases and yanked versions take part only if asked for,

    a pre-release    by a specifier that names one, or where nothing final fits (PEP 440), or by policy
    a yanked one     by == or ===, where nothing else fits (PEP 592)

and a local version sorts after its public one: `==2.5.1` admits 2.5.1 and 2.5.1+cpu and means the latter.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from bootstrap.index.files import File, Listing
from bootstrap.resolver.fitness import Fitness
from bootstrap.resolver.judge import Judge, Policy
from bootstrap.resolver.resolution import Direct
from bootstrap.resolver.versions import bit, mask_of

__all__ = ["Candidates", "Policy", "candidates_of", "direct_candidates"]


@dataclass(slots=True)
class Candidates:
    """The versions of one package that may be chosen, oldest first; `left_out` are those that may not."""

    name: str
    versions: tuple[Version, ...]
    prereleases: int = 0
    yanked: int = 0
    left_out: tuple[Version, ...] = ()
    indexes: tuple[str, ...] = ()
    direct: Direct | None = None
    listing: Listing = field(default_factory=lambda: Listing("", {}))
    judge: Judge | None = None
    # By identity: equal specifiers are worked out twice, which is cheaper than hashing them. They are kept alive here.
    _fits: dict[int, tuple[SpecifierSet, int]] = field(default_factory=dict)
    _files: dict[int, tuple[File, ...]] = field(default_factory=dict)

    def fitting(self, specifiers: SpecifierSet) -> int:
        """Every candidate that satisfies the specifiers, wary ones too."""
        known = self._fits.get(id(specifiers))
        if known is None:
            known = self._fits[id(specifiers)] = (specifiers, mask_of(specifiers, self.versions))
        return known[1]

    def asked_for(self, specifiers: SpecifierSet) -> int:
        """The wary candidates that these specifiers ask for."""
        if not self.prereleases | self.yanked:
            return 0
        fits = self.fitting(specifiers)
        asked = 0
        if specifiers.prereleases or not fits & ~self.prereleases & ~self.yanked:
            asked = fits & self.prereleases & ~self.yanked
        if not fits & ~self.yanked and any(_is_pin(each.operator, each.version) for each in specifiers):
            asked |= fits & self.yanked
        return asked

    def allowed(self, specifiers: SpecifierSet, granted: int = 0) -> int:
        """What a requirement may be met with; `granted` are wary candidates that somebody else asked for."""
        return self.fitting(specifiers) & (~(self.prereleases | self.yanked) | granted | self.asked_for(specifiers))

    def index_of(self, version: Version) -> int | None:
        place = bisect_left(self.versions, version)
        return place if self.versions[place : place + 1] == (version,) else None

    def files(self, index: int) -> tuple[File, ...]:
        """The usable files of a candidate, best for the target first."""
        if self.judge is None:
            return ()
        if index not in self._files:
            promising = self.listing.matching(self.versions[index], self.judge.may_be_usable)
            self._files[index] = self.judge.usable(tuple(promising))
        return self._files[index]

    def files_to_lock(self, index: int) -> tuple[File, ...]:
        """`files`, then wheels for other machines of the same platform and Python; no source beside wheels for it."""
        return () if self.judge is None else self.judge.worth_locking(self.listing.versions[self.versions[index]])

    def why_not(self, version: Version) -> str:
        """Why a version was left out: "is for Python >=3.12", "has no wheel for linux_x86_64 (only for win_amd64)"."""
        return "" if self.judge is None else self.judge.refusal(self.listing.versions[version]).reason

    def remedy(self, version: Version) -> str:
        """What would let in a version that was left out: "use Python >=3.12"; empty where nothing would."""
        return "" if self.judge is None else self.judge.refusal(self.listing.versions[version]).remedy


def candidates_of(listing: Listing, fitness: Fitness, policy: Policy) -> Candidates:
    """Decide about every version of a listing. Nothing but tag endings and Python bounds is parsed, each text once."""
    judge = Judge(canonicalize_name(listing.name), fitness, policy)
    taken: list[Version] = []
    left_out: list[Version] = []
    prereleases = yanked = 0
    for version in sorted(listing.versions):
        yank = judge.least_yanked(listing.matching(version, judge.may_be_usable))
        if yank is None:
            left_out.append(version)
            continue
        if yank:
            yanked |= bit(len(taken))
        if version.is_prerelease and not policy.prereleases:
            prereleases |= bit(len(taken))
        taken.append(version)
    return Candidates(
        judge.name, tuple(taken), prereleases, yanked, tuple(left_out), listing.indexes, None, listing, judge
    )


def direct_candidates(name: str, version: Version, direct: Direct) -> Candidates:
    """The one candidate of a package that no index was asked for."""
    return Candidates(name, (version,), direct=direct)


def _is_pin(operator: str, version: str) -> bool:
    return operator in {"==", "==="} and not version.endswith(".*")
