"""What builds are made for: one environment, which has at most one torch, and builds use that one.

    build requires torch         ──>  the torch of the environment, file and all; none other is on offer
    build requires setuptools    ──>  the ordinary indexes
    build-with = ["torch"]       ──>  as if the build required torch

While a project is resolved, what a source distribution requires may only be known once it is built, and that may need
torch, which is not resolved yet: then `UnsettledError` is raised, and `rounds` resolves the rest first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bootstrap.errors import BuildError
from bootstrap.index.files import File, Listing
from bootstrap.project.setting_kinds import Addition
from bootstrap.resolver.resolution import Direct, Pin
from profiles import Offer, is_family

if TYPE_CHECKING:
    from collections.abc import Callable

    from bootstrap.commands.locks.routing import Route
    from bootstrap.index.metadata import Metadata
    from bootstrap.project.model import Index
    from bootstrap.resolver.catalogue import Catalogue

__all__ = ["Fixed", "Surroundings", "UnsettledError", "is_same_file"]


class UnsettledError(BuildError):
    """A build needs packages of the environment that it is for, before it is known which these are."""

    def __init__(self, package: str, needed: str) -> None:
        super().__init__(
            f"{package} says what it requires only once it is built, with {needed}, and which {needed} that is, is not "
            f"known yet; give it static metadata (PEP 643)",
            "",
        )


def _ordinary(_name: str) -> Index | str | None:
    return None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The environment that is built for: where its packages come from and, once they are resolved, which they are."""

    route: Route = _ordinary
    offer: Offer | None = None
    pins: Mapping[str, Pin] | None = None
    additions: tuple[Addition, ...] = ()

    def additions_for(self, package: str) -> tuple[Addition, ...]:
        """What `build-with` puts into the build of a package, by the first that names it.

        What a package of the list itself needs is built without the list. Raises BuildError where a table asks for
        such a circle by name, or for what is not in the environment; UnsettledError.
        """
        found: dict[str, Addition] = {}
        for each in self.additions:
            if each.package in {"", package}:
                found.setdefault(_name(each), each)
        return tuple(each for each in found.values() if self._counts(each, package))

    def _counts(self, addition: Addition, package: str) -> bool:
        if not addition.matches:
            return True
        name = _name(addition)
        if self.pins is None:
            raise UnsettledError(package, name)
        if name == package or package in self.closure([name]):
            if addition.package:
                raise BuildError(
                    f"build-with says that {package} is built with {name}, which itself needs {package}; "
                    f"take one of them out of it",
                    "",
                )
            return False
        if name not in self.pins:
            raise BuildError(
                f"{package} has to be built, and build-with names {name}, but nothing in this environment needs "
                f"{name}: add it to the dependencies, beside {package}",
                "",
            )
        return True

    def fixed(self, requirements: Sequence[Requirement], additions: Sequence[Addition]) -> Mapping[str, Pin]:
        """What a build that requires this gets from the environment: the torch family, what is added, and their needs.

        What else the environment has is nothing to the build, which may take other versions.
        """
        pins = self.pins or {}
        family = [name for name in pins if is_family(name)]
        wanted = [name for each in requirements if is_family(name := canonicalize_name(each.name))]
        added = [_name(each) for each in additions if each.matches]
        return {**{name: pins[name] for name in family}, **self.closure([*wanted, *added])}

    def closure(self, names: Iterable[str]) -> Mapping[str, Pin]:
        """Packages of the environment with all that they need there."""
        pins, found, left = self.pins or {}, dict[str, Pin](), list(names)
        while left:
            pin = pins.get(left.pop())
            if pin is not None and pin.name not in found:
                found[pin.name] = pin
                left.extend(pin.requires)
        return found


def _name(addition: Addition) -> str:
    return canonicalize_name(Requirement(addition.requirement).name)


def is_same_file(one: Pin, other: Pin) -> bool:
    """Whether two pins name the same version and file."""
    if one.version != other.version or bool(one.files) != bool(other.files):
        return False
    if not one.files:
        return one.direct is not None and other.direct is not None and one.direct.url == other.direct.url
    mine, theirs = one.files[0], other.files[0]
    first, second = mine.hashes.get("sha256"), theirs.hashes.get("sha256")
    return mine.filename == theirs.filename and (first == second or first is None or second is None)


@dataclass(frozen=True, slots=True)
class Fixed:
    """A catalogue in which some packages are exactly what an environment has; nobody is asked for these."""

    pins: Mapping[str, Pin]
    others: Catalogue
    _files: dict[str, Pin] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for pin in self.pins.values():
            self._files.update({each.url: pin for each in pin.files})
            self._files.update({pin.direct.url: pin} if pin.direct else {})

    @property
    def directs(self) -> Mapping[str, Direct]:
        """Those that come from no index."""
        return {name: pin.direct for name, pin in self.pins.items() if pin.direct is not None and not pin.files}

    def listing(self, name: str, index: Index | str | None = None, variant: str | None = None) -> Listing:
        pin = self.pins.get(name)
        if pin is None or not pin.files:
            return self.others.listing(name, index=index, variant=variant)
        # It was chosen for good reasons: whether it was yanked since, or late, or is a source, is not asked again.
        files = tuple(replace(each, yanked=None, upload_time=None) for each in pin.files)
        return Listing(name, {pin.version: files}, ("the environment that it is built for",))

    def metadata(self, file: File) -> Metadata:
        pin = self._files.get(file.url)
        return self.others.metadata(file) if pin is None else _as_resolved(pin)

    def reading(self, read: Callable[[File | Direct], Metadata]) -> Callable[[File | Direct], Metadata]:
        """`read` for what has to be built, but for what is resolved already."""

        def metadata(what: File | Direct) -> Metadata:
            pin = self._files.get(what.url)
            return read(what) if pin is None else _as_resolved(pin)

        return metadata


def _as_resolved(pin: Pin) -> Metadata:
    """What a package needs is what it was found to need: other markers and versions are of no interest any more."""
    from bootstrap.index.metadata import Metadata  # noqa: PLC0415 - only needed where something is built

    return Metadata(pin.name, str(pin.version), requires_dist=pin.requires)
