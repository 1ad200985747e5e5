"""Where builds happen: each gets an environment of its own that our own resolver fills, from the store.

    requirements of the build ─┐
    build-with ────────────────┴─ resolve, with the torch of the surroundings ─> assemble, once per set of pins

A build may need what has to be built itself, so benches are a stack; one that would need itself is a circle.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bootstrap.commands.builds.surroundings import Fixed, Surroundings, UnsettledError
from bootstrap.errors import BuildError, NoSolutionError
from bootstrap.resolver.resolution import Pin
from bootstrap.wheels.disk import writing
from bootstrap.wheels.making import made_beside
from profiles import is_family

if TYPE_CHECKING:
    from bootstrap.commands.builds.workshop import Workshop
    from bootstrap.project.setting_kinds import Addition

__all__ = ["Bench", "Benches"]

_ADVICE = "the very file that its environment has."
_MISSING = re.compile(r"ModuleNotFoundError: No module named '(\w+)[\w.]*'")


@dataclass
class Benches:
    """All builds of one workshop, one inside the other."""

    workshop: Workshop
    surroundings: Surroundings = field(default_factory=Surroundings)
    closed: bool = False
    provided: list[Pin] = field(default_factory=list)
    """What builds were given so far."""
    _stack: list[Bench] = field(default_factory=list)

    @contextmanager
    def opened(self, package: str) -> Iterator[Bench]:
        """A bench for the build of a package. Raises BuildError for one that is being built already.

        What the build used of the surroundings is known when the block ends. If it fails for want of a module that
        `build-with` can give, the error says so.
        """
        if self.closed:
            raise BuildError(f"{package} would have to be built", "")
        names = [each.package for each in self._stack]
        if package in names:
            circle = " needs ".join([*names[names.index(package) :], package])
            one = "it" if names[-1] == package else "one of them"
            raise BuildError(
                f"{circle} to be built, which goes round in a circle; let {one} come as a wheel "
                f"(--only-binary {package})",
                "",
            )
        bench = Bench(self, package)
        self._stack.append(bench)
        try:
            yield bench
        except BuildError as error:
            way_out = _way_out(error, bench)
            if not way_out:
                raise
            raise BuildError(f"{error.what} {way_out}", error.output) from error
        finally:
            self._stack.pop()
            if self._stack:
                self._stack[-1].used.update(bench.used)


@dataclass
class Bench:
    """One build. `used` are the packages of the surroundings that it was given, and the torch family wherever from."""

    benches: Benches
    package: str
    used: dict[str, Pin] = field(default_factory=dict)

    @property
    def additions(self) -> tuple[Addition, ...]:
        """What `build-with` gives to it. Raises what `Surroundings.additions_for` raises."""
        return self.benches.surroundings.additions_for(self.package)

    def provide(self, requirements: Sequence[str]) -> Path:
        """An interpreter that has the requirements of the build, made once per set of pins.

        Raises NoSolutionError with the proof, in words that speak of the build; UnsettledError; what fetching raises.
        """
        workshop = self.benches.workshop
        pins = self._resolved(requirements)
        self.benches.provided.extend(pins)
        session = workshop.session
        digest = hashlib.sha256(repr([session.interpreter.key, *self._files(pins)]).encode()).hexdigest()
        folder = session.cache / "builds" / digest[:16]
        python = folder / session.interpreter.python
        with session.store.in_use(), suppress(OSError):
            os.utime(folder)  # `cache gc` goes by it
        if python.exists():
            return python
        with writing("preparing a build", folder.parent), made_beside(folder.parent, "building") as beside:
            workshop.assemble(pins, beside, folder)
            if not folder.exists():
                beside.rename(folder)
        return python

    def _files(self, pins: Sequence[Pin]) -> Iterator[tuple[str, str]]:
        """The wheels that an environment of these pins holds; what is built for it differs by what it is built with."""
        workshop = self.benches.workshop
        ready = {pin.name for pin in pins if pin.files and pin.files[0].is_wheel}
        with workshop.session.store.in_use():
            built = workshop.wheels([pin for pin in pins if pin.name not in ready])
        for pin in pins:
            yield pin.name, pin.files[0].hashes["sha256"] if pin.name in ready else built[pin.name].sha256

    def _resolved(self, texts: Sequence[str]) -> tuple[Pin, ...]:
        """The pins of the build, the family and what is added as the environment has them."""
        from bootstrap.resolver.request import Request  # noqa: PLC0415 - most environments need no build
        from bootstrap.resolver.resolve import resolve  # noqa: PLC0415

        workshop, surroundings, additions = self.benches.workshop, self.benches.surroundings, self.additions
        requirements, policy = [Requirement(each) for each in texts], workshop.session.policy
        fixed = Fixed(surroundings.fixed(requirements, additions), workshop.session.catalogue)
        request = Request(
            target=workshop.session.target,
            offer="build",
            roots={"": (*requirements, *(Requirement(each.requirement) for each in additions))},
            index_for=surroundings.route,
            variant=surroundings.offer.variant if surroundings.offer else None,
            in_family=is_family,
            direct=fixed.directs,
            policy=replace(policy, undated=frozenset({*policy.undated, *fixed.pins})),
        )
        try:
            pins = resolve(request, fixed, metadata_of_sdist=fixed.reading(workshop.metadata)).pins
        except NoSolutionError as error:
            raise NoSolutionError(_of_build(error.proof, self.package, fixed.pins)) from error
        family = next((pin.name for pin in pins if is_family(pin.name)), None)
        if surroundings.pins is None and family is not None:
            raise UnsettledError(self.package, family)
        pins = workshop.with_hashes([_with_the_file(pin, fixed.pins) for pin in pins])
        self.used.update({pin.name: pin for pin in pins if pin.name in fixed.pins or is_family(pin.name)})
        return pins


def _with_the_file(pin: Pin, fixed: Mapping[str, Pin]) -> Pin:
    """A pin of the environment is taken with the files that it has there."""
    known = fixed.get(pin.name)
    return pin if known is None else replace(pin, files=known.files, direct=known.direct)


def _of_build(proof: Sequence[str], package: str, fixed: Mapping[str, Pin]) -> tuple[str, ...]:
    """A proof that is about a build: nobody can relax what that requires, but what it is built for may change."""
    told = [each.replace("he project needs", "he build needs") for each in proof[:-1]]
    family = next((f"{pin.name} {pin.version}" for pin in fixed.values() if is_family(pin.name)), None)
    ways = f"take another version of {package}, or one with a wheel"
    if family is not None and any(name in "\n".join(told) for name in fixed):
        ways = f"ask for another {family.partition(' ')[0]} than {family}, which this environment has, or {ways}"
    return (f"{package} has to be built, and nothing meets what its build needs:", *told, f"To go on, {ways}.")


def _way_out(error: BuildError, bench: Bench) -> str:
    """What to do where a module was missing that nobody declared and `build-with` can give; "" for all else."""
    missing = _MISSING.search(error.output)
    name = canonicalize_name(missing[1]) if missing else ""
    if not name or error.what.endswith(_ADVICE) or name in bench.used:
        return ""
    pins = bench.benches.surroundings.pins or {}
    if name not in pins and not is_family(name):
        return ""
    return (
        f'Its build imports {name} without asking for it: write build-with = ["{name}"] into [tool.torchstrap] '
        f"(or TORCHSTRAP_BUILD_WITH={name}), and it is built with {_ADVICE}"
    )
