"""Random small worlds with all that versions and requirements can be, and what their solutions are by definition.

A world has two to four packages with pre-releases, post-releases, local versions and yanked ones; requirements carry
specifiers, markers and extras, and extras need extras. A selection is a solution if every active requirement is met,
nothing is selected that nobody needs, and whatever is wary (see `candidates`) is asked for by an active requirement.
A pre-release that only itself leads to asking for itself may be found, but need not be.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.version import Version

from tests.resolver.worlds import Release

VERSIONS = ("1.0", "1.1", "1.1.post1", "2.0rc1", "2.0", "2.0+cpu", "2.1.dev3")
SPECIFIERS = (
    "",
    "",
    "",
    ">=1.1",
    "<2",
    "==1.0",
    "==1.1",
    "!=1.1",
    "==1.1.*",
    "~=1.0",
    ">=2.0rc1",
    "==2.0rc1",
    ">1.1,<2.0",
    "==2.0",
    "==2.0+cpu",
    "===1.1",
    ">=2.1.dev1",
    "<=2.0",
)
MARKERS = ("", "", "", '; extra == "x"', '; extra == "y"', '; sys_platform == "win32"', '; python_version >= "3.9"')
EXTRAS = ("", "", "", "", "[x]", "[y]", "[x,y]")

Selection = Mapping[str, str]


@dataclass(frozen=True)
class RandomWorld:
    """An index with `packages`, and what the project asks of it: `roots` and `constraints`."""

    packages: Mapping[str, Mapping[str, Release]]
    roots: Sequence[str]
    constraints: Sequence[str]

    def selections(self) -> Iterator[Selection]:
        """Every choice of at most one version for each package."""
        for pick in itertools.product(*((None, *versions) for versions in self.packages.values())):
            yield {name: version for name, version in zip(self.packages, pick, strict=True) if version is not None}

    def solutions(self) -> Iterator[Selection]:
        """The selections that have to be found, if there are no better ones."""
        return (each for each in self.selections() if self.is_solution(each) and self.is_founded(each))

    def is_founded(self, selection: Selection) -> bool:
        """Is everything wary asked for by what is needed without it?"""
        wary = [name for name, version in selection.items() if not self.is_ordinary(name, version)]
        limits = [Requirement(text) for text in self.constraints]
        return all(
            any(
                self.asks_for(each, selection[name])
                for each in (*limits, *(self.wanted_by(selection, without=name) or ()))
                if each.name == name
            )
            for name in wary
        )

    def is_solution(self, selection: Selection) -> bool:
        wanted = self.wanted_by(selection)
        if wanted is None or {requirement.name for requirement in wanted} != set(selection):
            return False
        limits = [each for text in self.constraints if (each := Requirement(text)).name in selection]
        if not all(each.specifier.contains(selection[each.name], prereleases=True) for each in (*wanted, *limits)):
            return False
        explicit = [*limits, *wanted]
        return all(
            self.is_ordinary(name, version)
            or any(self.asks_for(each, version) for each in explicit if each.name == name)
            for name, version in selection.items()
        )

    def wanted_by(self, selection: Selection, without: str = "") -> list[Requirement] | None:
        """Every requirement that is active when these versions are chosen; None where one of them leads nowhere.

        What the package `without` needs is left out.
        """
        found: list[Requirement] = []
        seen: set[tuple[str, str]] = set()
        stack = [each for text in self.roots if applies(each := Requirement(text), "")]
        while stack:
            requirement = stack.pop()
            found.append(requirement)
            if requirement.name not in selection:
                return None
            if requirement.name == without:
                continue
            needs = self.packages[requirement.name][selection[requirement.name]].requires
            for extra in {"", *requirement.extras} - {extra for name, extra in seen if name == requirement.name}:
                seen.add((requirement.name, extra))
                stack += [each for text in needs if applies(each := Requirement(text), extra)]
        return found

    def is_ordinary(self, name: str, version: str) -> bool:
        return not Version(version).is_prerelease and self.packages[name][version].yanked is None

    def asks_for(self, requirement: Requirement, version: str) -> bool:
        """Does a requirement ask for this wary version: a pre-release by naming one or for want of others?"""
        fitting = [v for v in self.packages[requirement.name] if requirement.specifier.contains(v, prereleases=True)]
        sound = [each for each in fitting if self.packages[requirement.name][each].yanked is None]
        if version not in sound:
            pins = [each for each in requirement.specifier if each.operator in {"==", "==="}]
            return not sound and any(not each.version.endswith(".*") for each in pins)
        finals = [each for each in sound if not Version(each).is_prerelease]
        return bool(requirement.specifier.prereleases) or not finals


def applies(requirement: Requirement, extra: str) -> bool:
    """Does a requirement count for an extra (or for none) on the Linux of these tests?"""
    marker = str(requirement.marker or "")
    if "extra" in marker:
        return bool(extra) and f'"{extra}"' in marker
    return "win32" not in marker


def random_world(dice: random.Random) -> RandomWorld:
    names = [f"p{number}" for number in range(dice.randint(2, 4))]

    def requirement(markers: Iterable[str] = MARKERS) -> str:
        return f"{dice.choice(names)}{dice.choice(EXTRAS)}{dice.choice(SPECIFIERS)}{dice.choice(list(markers))}"

    def release() -> Release:
        needs = [requirement() for _ in range(dice.choice((0, 0, 1, 2)))]
        return Release(needs, extras=("x", "y"), yanked="broken" if dice.random() < 0.08 else None)

    packages = {name: {version: release() for version in dice.sample(VERSIONS, dice.randint(1, 4))} for name in names}
    constraints = [f"{dice.choice(names)}{dice.choice(SPECIFIERS)}"] if dice.random() < 0.25 else []
    return RandomWorld(packages, [requirement(("",)) for _ in range(dice.randint(1, 3))], constraints)
