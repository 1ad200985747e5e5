"""The solver's questions, answered: requirements become facts.

    transformers 4.57.1: "torch>=2.2 ; extra == 'torch'"    asked for as transformers[torch]
    Fact(package="transformers[torch]", versions={4.57.1}, needs="torch", allowed={2.2.0, 2.3.0, …})

Overrides replace, constraints narrow, addresses become direct packages. Wary candidates that somebody asks for are
noted in `asked`: if there is no solution without granting them to everybody, the search is repeated with them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urldefrag

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from bootstrap.index.addresses import without_credentials
from bootstrap.project.repository import is_repository, read_repository
from bootstrap.resolver.candidates import Candidates
from bootstrap.resolver.clauses import ROOT, Answer, Domain, Fact, Need, split_package
from bootstrap.resolver.request import Event, Report, Request, place_of
from bootstrap.resolver.resolution import Direct
from bootstrap.resolver.supply import Supply, UnusableVersion, preferred
from bootstrap.resolver.versions import bit, everything, newest, words_of

__all__ = ["Facts", "SourceChanged", "text_of"]

Wanted = tuple[Requirement, ...]


class SourceChanged(Exception):  # noqa: N818 - an event: begin again, knowing more
    """A package that was read from an index turned out to be wanted from an address."""


@dataclass(slots=True)
class Facts:
    """Answers questions about one request; what it has learned survives from one search to the next."""

    request: Request
    supply: Supply
    report: Report
    asked: dict[str, int] = field(default_factory=dict)
    granted: dict[str, int] = field(default_factory=dict)
    revoked: dict[str, int] = field(default_factory=dict)
    specifiers: dict[tuple[str, str], SpecifierSet] = field(default_factory=dict)
    foreign: dict[str, str] = field(default_factory=dict)
    refused: set[tuple[str, str]] = field(default_factory=set)
    _seen: set[str] = field(default_factory=set)
    _overrides: dict[str, Wanted] = field(init=False)
    _constraints: dict[str, Wanted] = field(init=False)
    _explicit: dict[str, list[SpecifierSet]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._overrides = _by_name(self.request.overrides)
        self._constraints = _by_name(self.request.constraints)
        for requirement in (*self._own_words(), *self.request.constraints, *self.request.overrides):
            if self.supply.reader.applies(requirement):
                self._explicit.setdefault(canonicalize_name(requirement.name), []).append(requirement.specifier)

    def _own_words(self) -> Iterator[Requirement]:
        for requirements in self.request.roots.values():
            yield from requirements

    # Answers -----------------------------------------------------------------------------------

    def roots(self) -> tuple[Fact, ...]:
        """The project's own requirements, each with the place where it was made."""
        wanted = {label: self.root_requirements(label) for label in self.request.roots}
        for requirements in wanted.values():
            for requirement in requirements:
                self.supply.expect(requirement)
        return tuple(
            fact
            for label, requirements in wanted.items()
            for requirement in requirements
            for fact in self.needs(ROOT, bit(0), requirement, place_of(label))
        )

    def root_requirements(self, label: str) -> Wanted:
        applying = [each for each in self.request.roots[label] if self.supply.reader.applies(each)]
        return tuple(self.overridden(applying))

    def answer(self, need: Need) -> Answer:
        """The solver's question, answered; blocks on the network."""
        name, extra = split_package(need.package)
        if need.index is None:
            return self.domain(name, extra)
        candidates = self.supply.candidates(name)
        self.report(Event("try", need.package, str(candidates.versions[need.index])))
        try:
            requirements = self.supply.requirements(name, need.index, extra)
        except UnusableVersion as problem:
            return (Fact(need.package, bit(need.index), words=str(problem)),)
        if extra and not self.supply.provides(name, need.index, extra):
            version = candidates.versions[need.index]
            self.report(Event("warning", name, f"{name} {version} has no extra `{extra}`; it is left out."))
        alike = self.supply.alike(name, need.index, extra, requirements)
        wanted = tuple(self.overridden(requirements))
        for requirement in wanted:
            self.supply.expect(requirement)
        return tuple(fact for requirement in wanted for fact in self.needs(need.package, alike, requirement))

    def domain(self, name: str, extra: str) -> Domain:
        candidates = self.supply.candidates(name)
        if not extra and name not in self._seen:
            self._seen.add(name)
            self.report(Event("page", name, f"{len(candidates.versions)} versions"))
        first = preferred(candidates, self.request.preferences.get(name))
        last = candidates.prereleases & ~self.eager(candidates)
        twin_of = name if extra else None
        return Domain(len(candidates.versions), first, last, twin_of, () if extra else self.limits(candidates))

    def limits(self, candidates: Candidates) -> tuple[Fact, ...]:
        """The constraints on a package, as facts that hold whoever asks for it."""
        facts = []
        for constraint in self._constraints.get(candidates.name, ()):
            excluded = everything(len(candidates.versions)) & ~1 & ~candidates.fitting(constraint.specifier)
            if excluded and self.supply.reader.applies(constraint):
                text = f"the constraint `{text_of(constraint)}`"
                facts.append(Fact(candidates.name, excluded, words=f"is excluded by {text}", asked=text))
        return tuple(facts)

    def limits_of(self, name: str) -> list[SpecifierSet]:
        """What the constraints that apply leave of a package."""
        applying = (each for each in self._constraints.get(name, ()) if self.supply.reader.applies(each))
        return [constraint.specifier for constraint in applying]

    def overridden(self, requirements: Iterable[Requirement]) -> Iterator[Requirement]:
        """Requirements after overrides: what an override names is replaced, or dropped if its marker does not hold."""
        for requirement in requirements:
            replacements = self._overrides.get(canonicalize_name(requirement.name))
            if replacements is None:
                yield requirement
                continue
            for replacement in replacements:
                if self.supply.reader.applies(replacement):
                    yield _with_extras(replacement, requirement.extras)

    def needs(self, package: str, versions: int, requirement: Requirement, place: str = "") -> Iterator[Fact]:
        """The facts of one requirement: about its package, and about each of its extras."""
        name = canonicalize_name(requirement.name)
        if requirement.url is not None and not self.adopt(name, requirement.url, package):
            words = f"needs {name} from {without_credentials(requirement.url)}, but it comes from elsewhere"
            yield Fact(
                package, versions, words=words, asked=f"`{text_of(requirement)}`{place}" if package == ROOT else ""
            )
            return
        candidates = self.supply.candidates(name)
        specifier = requirement.specifier
        self.asked[name] = self.asked.get(name, 0) | candidates.asked_for(specifier)
        allowed = candidates.allowed(specifier, self.granted_to_all(candidates))
        if name in self._overrides:
            place += " (an override)"
        words = words_of(specifier) + place
        asked = f"`{text_of(requirement)}`{place}" if package == ROOT or name in self._overrides else ""
        where = place.strip(" ()") if package == ROOT else ""
        for extra in ("", *sorted(canonicalize_name(each) for each in requirement.extras)):
            needed = f"{name}[{extra}]" if extra else name
            self.specifiers[needed, words] = specifier
            yield Fact(package, versions, needed, allowed, words, asked, where)

    # Wary candidates -----------------------------------------------------------------------------

    def eager(self, candidates: Candidates) -> int:
        """The wary candidates that the project itself asks for: they are as good as any."""
        mask = 0
        for specifier in self._explicit.get(candidates.name, ()):
            mask |= candidates.asked_for(specifier)
        return mask

    def granted_to_all(self, candidates: Candidates) -> int:
        if candidates.direct is not None:
            return candidates.prereleases
        if not candidates.prereleases | candidates.yanked:
            return 0
        locked = preferred(candidates, self.request.preferences.get(candidates.name)) & candidates.yanked
        return self.eager(candidates) | self.granted.get(candidates.name, 0) | (locked & ~candidates.prereleases)

    def grant_more(self) -> bool:
        """Let everybody have the wary candidates that somebody asked for; False where everybody has them already."""
        self.foresee()
        before = dict(self.granted)
        for name, mask in self.asked.items():
            new = mask & ~self.revoked.get(name, 0)
            if new:
                self.granted[name] = self.granted.get(name, 0) | new
        return self.granted != before

    def foresee(self) -> None:
        """Note what those packages ask for of which only one version is wanted, which a search may not have reached.

        That a pin of the project's needs a pre-release counts, even where the search failed before it came to the pin.
        """
        stack = [requirement for label in self.request.roots for requirement in self.root_requirements(label)]
        seen: set[tuple[str, str]] = set()
        while stack:
            requirement = stack.pop()
            name = canonicalize_name(requirement.name)
            candidates = self.supply.candidates(name)
            self.asked[name] = self.asked.get(name, 0) | candidates.asked_for(requirement.specifier)
            allowed = candidates.allowed(requirement.specifier, self.granted_to_all(candidates))
            if allowed.bit_count() != 1 or not self.supply.is_cheap(candidates, newest(allowed)):
                continue
            for extra in {"", *requirement.extras} - {extra for known, extra in seen if known == name}:
                seen.add((name, extra))
                with contextlib.suppress(UnusableVersion):
                    stack += self.overridden(self.supply.requirements(name, newest(allowed), extra))

    def revoke_unasked(self, selection: Mapping[str, int], wanted: Iterable[Requirement]) -> bool:
        """Take back grants that were used although nobody who was chosen asks for them; False if there are none."""
        asked: dict[str, int] = {}
        for requirement in wanted:
            name = canonicalize_name(requirement.name)
            asked[name] = asked.get(name, 0) | self.supply.candidates(name).asked_for(requirement.specifier)
        unasked = {
            package: picked
            for package, mask in self.granted.items()
            if package in selection
            and (picked := bit(selection[package])) & mask & ~asked.get(package, 0)
            and not picked & self.eager(self.supply.candidates(package))
        }
        for package, mask in unasked.items():
            self.revoked[package] = self.revoked.get(package, 0) | mask
            self.granted[package] &= ~mask
        return bool(unasked)

    # Addresses ---------------------------------------------------------------------------------

    def adopt(self, name: str, url: str, package: str) -> bool:
        """Take a package from an address that a requirement names, unless it already comes from another one."""
        direct = _direct(url)
        known = self.supply.directs.get(name)
        if (name, url) in self.refused:
            return False
        if known is not None:
            return known.url == direct.url
        self.supply.directs[name] = direct
        if package != ROOT:
            self.foreign[name] = url
        if name in self._seen:
            raise SourceChanged
        return True

    def refuse(self, names: Iterable[str]) -> None:
        """Addresses that nobody who was chosen asks for: do without them."""
        for name in names:
            self.refused.add((name, self.foreign.pop(name)))
            del self.supply.directs[name]


def _by_name(requirements: Sequence[Requirement]) -> dict[str, Wanted]:
    found: dict[str, Wanted] = {}
    for requirement in requirements:
        name = canonicalize_name(requirement.name)
        found[name] = (*found.get(name, ()), requirement)
    return found


def _with_extras(requirement: Requirement, extras: Iterable[str]) -> Requirement:
    if set(extras) <= requirement.extras:
        return requirement
    both = Requirement(str(requirement))
    both.extras = both.extras | set(extras)
    return both


def text_of(requirement: Requirement) -> str:
    """A requirement without its marker, which holds, or nobody would speak of it."""
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    address = f" @ {without_credentials(requirement.url)}" if requirement.url else ""
    return f"{requirement.name}{extras}{address}{requirement.specifier}"


def _direct(url: str) -> Direct:
    if is_repository(url):
        return _repository(url)
    address, fragment = urldefrag(url)
    options: Mapping[str, list[str]] = parse_qs(fragment)
    hashes = {name: values[0] for name, values in options.items() if name in {"sha256", "sha384", "sha512"}}
    return Direct(address, hashes=hashes, subdirectory=options.get("subdirectory", [None])[0])


def _repository(url: str) -> Direct:
    """The same address always in the same words. One that makes no sense is left to whoever has to fetch it."""
    try:
        found = read_repository(url)
    except ValueError:
        return Direct(url)
    return Direct(found.address, subdirectory=found.subdirectory)
