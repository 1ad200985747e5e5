"""What source distributions said of themselves in this run, and what they were built with to say it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging.utils import InvalidSdistFilename, canonicalize_name, parse_sdist_filename

from bootstrap.commands.builds.surroundings import Surroundings, UnsettledError, is_same_file
from bootstrap.errors import BadDistributionError
from bootstrap.index.files import File
from bootstrap.index.metadata import Metadata, parse
from bootstrap.resolver.resolution import Direct, Pin

__all__ = ["Sayings", "called", "name_in"]

Relied = Mapping[str, Pin | None]
"""What an environment has of the packages that a build used; None is what came from elsewhere."""


@dataclass(frozen=True, slots=True)
class _Saying:
    metadata: Metadata
    relied: Relied
    variant: str | None

    def holds(self, surroundings: Surroundings) -> bool:
        if not self.relied:
            return True
        variant = surroundings.offer.variant if surroundings.offer else None
        return surroundings.pins is not None and self.variant == variant and _agree(self.relied, surroundings.pins)


@dataclass(slots=True)
class Sayings:
    """`names` are packages by the addresses of their sources. `relied_on` is what the answers given so far rest on.

    `postponed` are addresses whose builds have to wait until it is known what they are built with.
    """

    names: dict[str, str] = field(default_factory=dict)
    relied_on: dict[str, Pin | None] = field(default_factory=dict)
    postponed: dict[str, UnsettledError] = field(default_factory=dict)
    _said: dict[str, list[_Saying]] = field(default_factory=dict)

    def known(self, what: File | Direct, surroundings: Surroundings) -> Metadata | None:
        """What it said when it was asked in the same surroundings. Raises UnsettledError again for what has to wait."""
        if surroundings.pins is None and what.url in self.postponed:
            raise self.postponed[what.url]
        for each in self._said.get(what.url, ()):
            if each.holds(surroundings):
                self.relied_on.update(each.relied)
                return each.metadata
        return None

    def learned(
        self, what: File | Direct, surroundings: Surroundings, metadata: Metadata, used: Iterable[str]
    ) -> Metadata:
        """Remember an answer, which was found with these packages of the surroundings."""
        pins = surroundings.pins or {}
        relied = {name: pins.get(name) for name in used}
        variant = surroundings.offer.variant if surroundings.offer else None
        self._said.setdefault(what.url, []).append(_Saying(metadata, relied, variant))
        self.relied_on.update(relied)
        return metadata

    def stand(self, pins: Mapping[str, Pin]) -> bool:
        """Would all that was said be said again in an environment of these pins?"""
        return _agree(self.relied_on, pins)

    def outline(self, what: File | Direct, stated: bytes) -> Metadata:
        """As much of the metadata as can be known without a build, from what the source states and is called."""
        name, version = _release(called(what))
        known = self.names.get(what.url) or name
        try:
            return parse(stated)
        except BadDistributionError:  # it states no name or no version
            return parse(b"Name: %s\nVersion: %s\n%s" % (known.encode(), version.encode(), stated))


def called(what: File | Direct) -> str:
    """The name of a file, or the last part of an address."""
    return what.filename if isinstance(what, File) else unquote(urlsplit(what.url).path).rstrip("/").rsplit("/", 1)[-1]


def name_in(place: Path) -> str | None:
    """What a source distribution is called, or what the pyproject.toml in a folder calls it."""
    if place.is_dir():
        from bootstrap.build.system import project_outline  # noqa: PLC0415 - most environments need no build

        try:
            return canonicalize_name(parse(project_outline(place)).name)
        except BadDistributionError:
            return None
    return _release(place.name)[0] or None


def _release(filename: str) -> tuple[str, str]:
    try:
        name, version = parse_sdist_filename(filename)
    except InvalidSdistFilename:
        return "", "0"
    return name, str(version)


def _agree(relied: Relied, pins: Mapping[str, Pin]) -> bool:
    for name, pin in relied.items():
        other = pins.get(name)
        if pin is None or other is None:
            if pin is not other:
                return False
        elif not is_same_file(pin, other):
            return False
    return True
