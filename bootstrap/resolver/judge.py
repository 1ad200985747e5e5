"""May a file be used for a target? Uploaded in time, for this Python, of an allowed kind, with a fitting tag."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import NamedTuple

from bootstrap.index.files import File
from bootstrap.resolver.fitness import USE_PYTHON, Fitness, ending_of, is_sdist

__all__ = ["Judge", "Policy", "Verdict"]

ALL = ":all:"


@dataclass(frozen=True, slots=True)
class Policy:
    """What the user allows: pip's words with pip's meaning. All that are sets of names may hold ":all:".

    `undated` packages may come from an index that does not say when files were uploaded, whatever `exclude_newer` is.
    """

    prereleases: bool = False
    no_build: bool = False
    no_binary: frozenset[str] = frozenset()
    only_binary: frozenset[str] = frozenset()
    exclude_newer: datetime | None = None
    undated: frozenset[str] = frozenset()

    def wheels_allowed(self, name: str) -> bool:
        return not _named_in(name, self.no_binary) or (name in self.only_binary and name not in self.no_binary)

    def sources_allowed(self, name: str) -> bool:
        return not self.no_build and (not _named_in(name, self.only_binary) or name in self.no_binary)


def _named_in(name: str, names: frozenset[str]) -> bool:
    return name in names or ALL in names


class Verdict(NamedTuple):
    """Whether a file may be used; if not, why, and how far it got: the file that got furthest explains its version.

    `remedy` is what would let it in: "use Python >=3.12".
    """

    stage: int
    reason: str
    remedy: str = ""


_USABLE = Verdict(9, "")


@dataclass(frozen=True, slots=True)
class Judge:
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

    def verdict(self, file: File) -> Verdict:
        ending = ending_of(file.filename)
        if ending is None:
            if not is_sdist(file.filename):
                return Verdict(0, f"has no file of a kind that can be installed ({file.filename})")
            if not self.sources:
                reason = "has only a source distribution, and building is not allowed"
                return Verdict(1, reason, f"allow building {self.name}")
        elif not self.wheels:
            return Verdict(1, "has only wheels, and they are not allowed (--no-binary)", f"allow wheels of {self.name}")
        elif self.fitness.rank(ending) is None:
            return Verdict(2, "")
        if not self.fitness.accepts_python(file.requires_python):
            return Verdict(3, f"is for Python {file.requires_python}", self.fitness.python_for(file.requires_python))
        return self.in_time(file)

    def in_time(self, file: File) -> Verdict:
        limit = self.policy.exclude_newer
        if limit is None:
            return _USABLE
        if file.upload_time is None and _named_in(self.name, self.policy.undated):
            return _USABLE
        if file.upload_time is None:
            reason = "has no upload date on its index, as --exclude-newer needs"
            return Verdict(4, reason, f"exempt it with `--undated {self.name}`")
        if _moment(file.upload_time) > _aware(limit):
            reason = f"was uploaded on {file.upload_time[:10]}, after the date of --exclude-newer"
            return Verdict(5, reason, "choose a later date for --exclude-newer")
        return _USABLE

    def usable(self, files: Sequence[File]) -> tuple[File, ...]:
        kept = [file for file in files if self.verdict(file) is _USABLE]
        return self.fitness.best_first([file for file in kept if file.yanked is None] or kept)

    def worth_locking(self, files: Sequence[File]) -> tuple[File, ...]:
        best = self.usable(files)
        if not best:
            return ()
        others = [file for file in files if file not in best and self.wheels and self.is_kin(file)]
        own = tuple(file for file in best if file.is_wheel) or best[:1]
        return (*own, *self.fitness.best_first(others))

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

    def refusal(self, files: Sequence[File]) -> Verdict:
        """The verdict that explains why none of a version's files may be used."""
        furthest = max(map(self.verdict, files), default=Verdict(0, "has no files"))
        return furthest if furthest.reason else self.no_wheel(files)

    def no_wheel(self, files: Sequence[File]) -> Verdict:
        endings = [ending for file in files if (ending := ending_of(file.filename)) is not None]
        target = self.fitness.target
        platforms = {
            platform
            for python, abi, platforms in endings
            if any(self.fitness.speaks(p, a) for p in python.split(".") for a in abi.split("."))
            for platform in platforms.split(".")
        }
        if platforms:
            known = any(map(self.fitness.is_of_platform, platforms))
            where = self.fitness.system() if known else target.platform
            remedy = "" if known else "restrict that to other platforms with a marker"
            return Verdict(2, f"has no wheel for {where} (only for {_some(platforms)})", remedy)
        here = {python for python, _, tags in endings if any(map(self.fitness.may_be_of_platform, tags.split(".")))}
        if not here:
            others = {platform for _, _, tags in endings for platform in tags.split(".")}
            remedy = "restrict that to other platforms with a marker"
            return Verdict(2, f"has no wheel for {target.platform} (only for {_some(others)})", remedy)
        pythons = {python if abi in {"none", python} else f"{python}-{abi}" for python, abi, _ in endings}
        reason = f"has no wheel for Python {target.python_minor} (only for {_some(pythons)})"
        return Verdict(2, reason, _nearest_python(here, target.python_minor))


def _nearest_python(tags: Iterable[str], minor: str) -> str:
    """What to do to get at wheels of CPython 3: "use Python 3.12" for cp310, cp311 and cp312, seen from 3.13."""
    minors = [int(found[1]) for tag in tags for each in tag.split(".") if (found := re.fullmatch(r"cp3(\d+)", each))]
    here = int(minor.partition(".")[2])
    nearest = min(minors, key=lambda each: (abs(each - here), each), default=None)
    return "" if nearest is None else f"{USE_PYTHON}3.{nearest}"


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
