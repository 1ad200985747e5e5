"""What of a listing may be chosen for a target, and why the rest may not.

A version is a candidate if one of its files may be used: uploaded in time, for this Python, of an allowed kind,
with a fitting tag. Some candidates are *wary*: pre-releases and yanked versions take part only if asked for,

    a pre-release    by a specifier that names one, or where nothing final fits (PEP 440), or by policy
    a yanked one     by == or ===, where nothing else fits (PEP 592)

and a local version sorts after its public one: `==2.5.1` admits 2.5.1 and 2.5.1+cpu and means the latter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import NamedTuple

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from bootstrap.index.files import File, Listing
from bootstrap.resolver.fitness import Fitness, ending_of, is_sdist
from bootstrap.resolver.resolution import Direct
from bootstrap.resolver.versions import bit, mask_of

__all__ = ["Candidates", "Policy", "candidates_of", "direct_candidates"]

ALL = ":all:"


@dataclass(frozen=True, slots=True)
class Policy:
    """What the user allows: pip's words with pip's meaning. `no_binary` and `only_binary` may hold ":all:"."""

    prereleases: bool = False
    no_build: bool = False
    no_binary: frozenset[str] = frozenset()
    only_binary: frozenset[str] = frozenset()
    exclude_newer: datetime | None = None

    def wheels_allowed(self, name: str) -> bool:
        return not _named_in(name, self.no_binary) or (name in self.only_binary and name not in self.no_binary)

    def sources_allowed(self, name: str) -> bool:
        return not self.no_build and (not _named_in(name, self.only_binary) or name in self.no_binary)


def _named_in(name: str, names: frozenset[str]) -> bool:
    return name in names or ALL in names


class _Verdict(NamedTuple):
    """Whether a file may be used; if not, why, and how far it got: the file that got furthest explains its version."""

    stage: int
    reason: str


_USABLE = _Verdict(9, "")


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
    judge: _Judge | None = None
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
        try:
            return self.versions.index(version)
        except ValueError:
            return None

    def files(self, index: int) -> tuple[File, ...]:
        """The usable files of a candidate, best for the target first."""
        if self.judge is None:
            return ()
        if index not in self._files:
            promising = self.listing.matching(self.versions[index], self.judge.may_be_usable)
            self._files[index] = self.judge.usable(tuple(promising))
        return self._files[index]

    def files_to_lock(self, index: int) -> tuple[File, ...]:
        """`files`, followed by wheels for other machines of the same platform and Python; no source beside wheels."""
        return () if self.judge is None else self.judge.worth_locking(self.listing.versions[self.versions[index]])

    def why_not(self, version: Version) -> str:
        """Why a version was left out: "is for Python >=3.12", "has no wheel for linux_x86_64 (only for win_amd64)"."""
        return "" if self.judge is None else self.judge.why_not(self.listing.versions[version])


def candidates_of(listing: Listing, fitness: Fitness, policy: Policy) -> Candidates:
    """Decide about every version of a listing. Nothing but tag endings and Python bounds is parsed, each text once."""
    judge = _Judge(canonicalize_name(listing.name), fitness, policy)
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


@dataclass(frozen=True, slots=True)
class _Judge:
    """The rules by which the files of one package are judged, in the order in which they are asked."""

    name: str
    fitness: Fitness
    policy: Policy
    wheels: bool = field(init=False)
    sources: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "wheels", self.policy.wheels_allowed(self.name))
        object.__setattr__(self, "sources", self.policy.sources_allowed(self.name))

    def may_be_usable(self, filename: str) -> bool:
        """What the name alone tells: most files of a page are out without a look at the rest."""
        ending = ending_of(filename)
        if ending is None:
            return self.sources and is_sdist(filename)
        return self.wheels and self.fitness.rank(ending) is not None

    def least_yanked(self, files: Iterable[File]) -> bool | None:
        """False if there is a usable file that is not yanked, True if there are only yanked ones, None if none."""
        found = None
        for file in files:
            if self.verdict(file) is _USABLE:
                if file.yanked is None:
                    return False
                found = True
        return found

    def verdict(self, file: File) -> _Verdict:
        ending = ending_of(file.filename)
        if ending is None:
            if not is_sdist(file.filename):
                return _Verdict(0, f"has no file of a kind that can be installed ({file.filename})")
            if not self.sources:
                return _Verdict(1, "has only a source distribution, and building is not allowed")
        elif not self.wheels:
            return _Verdict(1, "has only wheels, and they are not allowed (--no-binary)")
        elif self.fitness.rank(ending) is None:
            return _Verdict(2, "")
        if not self.fitness.accepts_python(file.requires_python):
            return _Verdict(3, f"is for Python {file.requires_python}")
        return self.in_time(file)

    def in_time(self, file: File) -> _Verdict:
        limit = self.policy.exclude_newer
        if limit is None:
            return _USABLE
        if file.upload_time is None:
            return _Verdict(4, "has no upload date on its index, as --exclude-newer needs")
        if _moment(file.upload_time) > _aware(limit):
            return _Verdict(5, f"was uploaded on {file.upload_time[:10]}, after the date of --exclude-newer")
        return _USABLE

    def usable(self, files: Sequence[File]) -> tuple[File, ...]:
        kept = [file for file in files if self.verdict(file) is _USABLE]
        return self.fitness.best_first([file for file in kept if file.yanked is None] or kept)

    def worth_locking(self, files: Sequence[File]) -> tuple[File, ...]:
        best = self.usable(files)
        if not best or not best[0].is_wheel:
            return best[:1]
        others = [file for file in files if file not in best and self.is_kin(file)]
        return (*(file for file in best if file.is_wheel), *self.fitness.best_first(others))

    def is_kin(self, file: File) -> bool:
        """May a wheel be locked for other machines of the same platform and Python?"""
        ending = ending_of(file.filename)
        return (
            ending is not None
            and file.yanked is None
            and self.fitness.is_kin(ending)
            and self.fitness.accepts_python(file.requires_python)
            and self.in_time(file) is _USABLE
        )

    def why_not(self, files: Sequence[File]) -> str:
        verdicts = [self.verdict(file) for file in files]
        furthest = max(verdicts, default=_Verdict(0, "has no files"))
        return furthest.reason or self.why_no_wheel(files)

    def why_no_wheel(self, files: Sequence[File]) -> str:
        endings = [ending for file in files if (ending := ending_of(file.filename)) is not None]
        platforms = {
            platform
            for python, abi, platforms in endings
            if any(self.fitness.speaks(p, a) for p in python.split(".") for a in abi.split("."))
            for platform in platforms.split(".")
        }
        if platforms:
            return f"has no wheel for {self.fitness.target.platform} (only for {_some(platforms)})"
        pythons = {python if abi in {"none", python} else f"{python}-{abi}" for python, abi, _ in endings}
        return f"has no wheel for Python {self.fitness.target.python_minor} (only for {_some(pythons)})"


def _some(names: set[str], limit: int = 4) -> str:
    shown = sorted(names, key=_numbers_by_size)[:limit]
    return ", ".join(shown) + (", …" if len(names) > limit else "")


def _numbers_by_size(name: str) -> list[tuple[int, str]]:
    return [(int(part) if part.isdigit() else -1, part) for part in re.split(r"(\d+)", name)]


def _moment(text: str) -> datetime:
    # Python 3.10 reads neither the final Z nor fractions of other than three or six digits.
    return _aware(datetime.fromisoformat(text[:19]))


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
