"""Resolutions of one Python that agree on versions wherever they can.

    first round    each follows the versions of those before it: another version only where that one does not fit
    second round   where they came to disagree, those that went ahead try what the others had to settle for

The second round counts only where there are fewer different versions after it. So cpu and cu124 have the same torch,
though cpu alone could have a newer one, and nobody is held back for one that cannot be met anyway. Pythons follow each
other from the newest down and are never held back by older ones: an old version on a new Python is what breaks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from packaging.version import Version

from bootstrap.commands.locks.combinations import Combination, Key
from bootstrap.errors import BootstrapError
from bootstrap.resolver.resolution import Resolution

__all__ = ["Aligned", "Resolve", "Versions"]

Versions = Mapping[str, Version]
Resolve = Callable[[Combination, Versions], Resolution]
"""Resolves, trying these versions first. May raise BootstrapError."""


@dataclass
class Aligned:
    """The resolutions of one Python so far. `versions` are those to follow, at first those of a newer Python.

    `locked` are the versions that a combination has in a lock already: they are kept where they fit.
    """

    resolve: Resolve
    locked: Callable[[Combination], Versions]
    versions: dict[str, Version]
    found: dict[Key, Resolution] = field(default_factory=dict)
    _new: dict[Key, Combination] = field(default_factory=dict)
    _decided: set[str] = field(default_factory=set)

    def keep(self, combination: Combination, resolution: Resolution) -> None:
        """Take a resolution as it stands; others follow it."""
        self.found[combination.key] = resolution
        self._follow(resolution)

    def add(self, combination: Combination) -> None:
        """Resolve one more, close to those before it. Raises what resolving raises."""
        resolution = self.resolve(combination, {**self.versions, **self.locked(combination)})
        self.found[combination.key] = resolution
        self._new[combination.key] = combination
        self._follow(resolution)

    def settle(self) -> None:
        """The second round."""
        wishes = self._wishes()
        while wishes:
            before = self._spread(self.found.values())
            moved = {**self.found, **self._moved(wishes)}
            after = self._spread(moved.values())
            helped = {name: version for name, version in wishes.items() if len(after.get(name, ())) < len(before[name])}
            if helped == wishes:
                if sum(map(len, after.values())) < sum(map(len, before.values())):
                    self.found = moved
                    self.versions.update(wishes)
                return
            wishes = helped

    def _follow(self, resolution: Resolution) -> None:
        """Others follow the first that had a package."""
        self.versions.update({pin.name: pin.version for pin in resolution.pins if pin.name not in self._decided})
        self._decided.update(pin.name for pin in resolution.pins)

    def _wishes(self) -> dict[str, Version]:
        """For each package that some have newer than others: the oldest version of it."""
        spread = self._spread(self.found.values())
        return {name: min(versions) for name, versions in spread.items() if len(versions) > 1}

    def _moved(self, wishes: Versions) -> Mapping[Key, Resolution]:
        """Those that hold a newer version and are not bound to it by a lock, resolved with what is wished for."""
        moved = {}
        for key, combination in self._new.items():
            old = {pin.name: pin.version for pin in self.found[key].pins}
            locked = self.locked(combination)
            wanted = {
                name: version
                for name, version in wishes.items()
                if name in old and name not in locked and _public(old[name]) != _public(version)
            }
            if wanted:
                with suppress(BootstrapError):  # an older version may be broken where a newer one is not
                    moved[key] = self.resolve(combination, {**old, **wanted})
        return moved

    @staticmethod
    def _spread(resolutions: Iterable[Resolution]) -> dict[str, set[Version]]:
        """The versions of every package, builds of one version counted once."""
        spread: dict[str, set[Version]] = {}
        for resolution in resolutions:
            for pin in resolution.pins:
                spread.setdefault(pin.name, set()).add(_public(pin.version))
        return spread


def _public(version: Version) -> Version:
    return version if version.local is None else Version(version.public)
