"""Which wheels fit a target: tags are compared as text, once for each distinct text.

A page lists up to 4000 files but only some dozens of different tag endings, so what follows the version in a
wheel's file name is the memo's key, and parsing happens once for each:

    torch-2.6.0+cpu-cp311-cp311-linux_x86_64.whl    ->    ("cp311", "cp311", "linux_x86_64")
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from bootstrap.index.files import File
from bootstrap.resolver.resolution import Target

__all__ = ["Ending", "Fitness", "ending_of", "is_sdist"]

Ending = tuple[str, str, str]
"""The three tag sets of a wheel's file name, as written: Python, ABI, platform."""

WHEEL_PARTS = 5  # name, version and three tag sets; a build tag makes six
MINORS = 30  # Pythons to suggest: 3.0 to 3.29
USE_PYTHON = "use Python "  # the beginning of that advice
SDIST_SUFFIXES = (".tar.gz", ".zip")

# Wheels that run somewhere on a platform, though not on every machine of that name.
FAMILIES: Mapping[str, re.Pattern[str]] = {
    "linux_x86_64": re.compile(r"(?:many)?linux\w*_x86_64"),
    "linux_aarch64": re.compile(r"(?:many)?linux\w*_aarch64"),
    "macos_arm64": re.compile(r"macosx_\w+_(?:arm64|universal2)"),
    "macos_x86_64": re.compile(r"macosx_\w+_(?:x86_64|universal2|intel)"),
    "windows_x86_64": re.compile(r"win_amd64"),
}


_SYSTEM = re.compile(r"-(manylinux|musllinux|macosx)_(\d+)_(\d+)_")
_SYSTEM_NAMES = {"manylinux": "glibc", "musllinux": "musl", "macosx": "macOS"}


@lru_cache(1 << 13)
def ending_of(filename: str) -> Ending | None:
    """The tag sets of a wheel's file name, or None where it is not one."""
    if not filename.endswith(".whl") or filename.count("-") < WHEEL_PARTS - 1:
        return None
    _, python, abi, platform = filename[:-4].rsplit("-", 3)
    return python, abi, platform


def build_of(filename: str) -> tuple[int, str]:
    """A wheel's build tag, comparable; wheels without one come first."""
    parts = filename.removesuffix(".whl").split("-")
    digits = re.match(r"\d+", parts[2]) if len(parts) > WHEEL_PARTS else None
    return (int(digits[0]), parts[2][digits.end() :]) if digits else (-1, "")


def is_sdist(filename: str) -> bool:
    """Is this a source distribution that can be built today (PEP 625, and zip as it used to be)?"""
    return filename.endswith(SDIST_SUFFIXES)


@dataclass(slots=True)
class Fitness:
    """What a target accepts, remembering every answer."""

    target: Target
    ranks: Mapping[str, int] = field(init=False)
    pythons: frozenset[tuple[str, str]] = field(init=False)
    _ranked: dict[Ending, int | None] = field(init=False, default_factory=dict)
    _kin: dict[Ending, bool] = field(init=False, default_factory=dict)
    _python: dict[str, bool] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        ranks: dict[str, int] = {}
        for position, tag in enumerate(self.target.tags):
            ranks.setdefault(tag, position)
        self.ranks = ranks
        self.pythons = frozenset((tag.split("-")[0], tag.split("-")[1]) for tag in ranks)

    def rank(self, ending: Ending) -> int | None:
        """The place of a wheel's best tag among the target's, 0 is best; None where none of them fits."""
        try:
            return self._ranked[ending]
        except KeyError:
            found = (self.ranks.get("-".join(each)) for each in _combinations(ending))
            rank = self._ranked[ending] = min((place for place in found if place is not None), default=None)
            return rank

    def is_kin(self, ending: Ending) -> bool:
        """Does a wheel with these tags run on this Python, on some machine of this platform?"""
        if ending not in self._kin:
            self._kin[ending] = self.rank(ending) is not None or any(
                self.speaks(python, abi) and self.is_of_platform(platform)
                for python, abi, platform in _combinations(ending)
            )
        return self._kin[ending]

    def is_of_platform(self, platform: str) -> bool:
        """Does a platform tag name the target's platform, though perhaps another system version?"""
        family = FAMILIES.get(self.target.platform)
        return family is not None and family.fullmatch(platform) is not None

    def may_be_of_platform(self, platform: str) -> bool:
        """The same, or a tag for every platform."""
        return platform == "any" or self.is_of_platform(platform)

    def system(self) -> str:
        """The system version that decides among wheels of one platform: "glibc 2.36", "macOS 14.0"; else the platform.

        Tags come best first, so the first that names a version names the newest that is accepted.
        """
        found = next(filter(None, map(_SYSTEM.search, self.target.tags)), None)
        return f"{_SYSTEM_NAMES[found[1]]} {found[2]}.{found[3]}" if found else self.target.platform

    def speaks(self, python: str, abi: str) -> bool:
        """Does the target's Python accept this pair of tags, on whatever platform?"""
        return (python, abi) in self.pythons

    def accepts_python(self, requires: str | None) -> bool:
        """Does the target's Python meet a `Requires-Python`? One that cannot be read forbids nothing, as in pip."""
        if not requires:
            return True
        if requires not in self._python:
            try:
                specifiers = SpecifierSet(requires)
            except InvalidSpecifier:
                self._python[requires] = True
            else:
                self._python[requires] = specifiers.contains(Version(self.target.python), prereleases=True)
        return self._python[requires]

    def python_for(self, requires: str | None) -> str:
        """What to do about a `Requires-Python` that is not met: "use Python 3.12", the nearest that meets it."""
        here = int(self.target.python_minor.partition(".")[2])
        try:
            specifiers = SpecifierSet(requires or "")
        except InvalidSpecifier:
            return ""
        for minor in sorted(range(MINORS), key=lambda each: (abs(each - here), each)):
            if any(specifiers.contains(f"3.{minor}.{patch}") for patch in (0, 99)):
                return f"{USE_PYTHON}3.{minor}"
        return ""

    def best_first(self, files: Sequence[File]) -> tuple[File, ...]:
        """Files in the order in which the target would take them: wheels by tag, newer builds first, sources last."""
        return tuple(sorted(files, key=self._order))

    def _order(self, file: File) -> tuple[bool, int, int, tuple[int, ...], str]:
        ending = ending_of(file.filename)
        if ending is None:
            return True, 0, 0, (), file.filename
        rank = self.rank(ending)
        number, rest = build_of(file.filename)
        backwards = tuple(-ord(letter) for letter in rest)
        return False, len(self.ranks) if rank is None else rank, -number, backwards, file.filename


def _combinations(ending: Ending) -> Iterator[Ending]:
    pythons, abis, platforms = (part.split(".") for part in ending)
    for python in pythons:
        for abi in abis:
            for platform in platforms:
                yield python, abi, platform
