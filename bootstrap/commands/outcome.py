"""What `sync` did, as a value: the console shows it to people, `--json` to programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bootstrap import stamp
from bootstrap.index.addresses import without_credentials
from bootstrap.resolver.resolution import Pin
from profiles.offer import Choice

__all__ = ["SCHEMA", "Outcome", "Package", "difference", "left_in", "phases_in"]

SCHEMA = "torchstrap.sync/1"


@dataclass(frozen=True, slots=True)
class Package:
    """One installed package, and the very file that it came from. `index` and `file` are None for local sources."""

    name: str
    version: str
    index: str | None
    file: str | None
    sha256: str | None

    @classmethod
    def of(cls, pin: Pin) -> Package:
        """The package that a pin stands for."""
        version = str(pin.version)
        if not pin.files:
            direct = pin.direct
            place = without_credentials(direct.url) if direct else None
            return cls(pin.name, version, None, place, direct.hashes.get("sha256") if direct else None)
        file = pin.files[0]
        return cls(pin.name, version, without_credentials(file.index), file.filename, file.hashes.get("sha256"))

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The environment after a `sync`, and how it differs from the one before.

    `changed` is True when `.venv` is another environment than it was, or would be with `--dry-run`. `guests` are
    packages that a hand put there and `--keep-extras` kept; the lock does not know them. `before` is what was there.
    `phases` are seconds by phase (see stopwatch.py) of the sync that built the environment.
    """

    changed: bool
    choice: Choice
    environment: Path
    python: str
    packages: tuple[Package, ...]
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    guests: Mapping[str, str] = field(default_factory=dict)
    before: tuple[Package, ...] = ()
    phases: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> Mapping[str, Any]:
        """The document of `sync --json`."""
        return {
            "schema": SCHEMA,
            "changed": self.changed,
            "choice": self.choice.to_json(),
            "environment": str(self.environment),
            "python": self.python,
            "packages": [
                {
                    "name": each.name,
                    "version": each.version,
                    "index": each.index,
                    "file": each.file,
                    "sha256": each.sha256,
                }
                for each in self.packages
            ],
            "added": list(self.added),
            "removed": list(self.removed),
            "replaced": list(self.replaced),
            "warnings": list(self.warnings),
            "extras": [{"name": name, "version": version} for name, version in self.guests.items()],
            "phases": dict(self.phases),
        }

    def unchanged(self) -> Outcome:
        """The same environment as the next `sync` will find it: nothing to do, nothing to warn of anew."""
        return replace(self, changed=False, added=(), removed=(), replaced=())

    def diff(self) -> tuple[str, ...]:
        """The packages before and after, with their files, as the lines of a unified difference; none if they agree."""
        from difflib import unified_diff  # noqa: PLC0415 - only for `--diff`

        old, new = (
            [f"{each} {each.file or ''}".rstrip() for each in packages] for packages in (self.before, self.packages)
        )
        name = str(self.environment)
        return tuple(unified_diff(old, new, f"{name} (now)", f"{name} (locked)", lineterm="", n=0))

    def torch(self) -> Package | None:
        """The one torch of this environment, if it has one."""
        return next((each for each in self.packages if each.name == "torch"), None)

    def headline(self) -> str:
        """The line that says what was chosen and why."""
        torch = self.torch()
        if torch is None:
            count = len(self.packages)
            named = "1 package" if count == 1 else f"{count} packages"
            if self.choice.offer.packages is not None:
                taken = f"{self.choice.offer.name}: {self.choice.reason}"
                return f"{self.environment}: {named} for Python {self.python} ({taken})"
            return f"{self.environment}: {named} for Python {self.python}, torch not among them"
        return f"{self.environment}: {torch} ({self.choice.offer.name}): {self.choice.reason}"


def left_in(generation: Path) -> Mapping[str, Any]:
    """The document that the last sync left in a generation; empty where there is none that can be read."""
    try:
        document = json.loads((generation / stamp.OUTCOME).read_bytes())
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def phases_in(generation: Path) -> Mapping[str, float]:
    """Seconds by phase of the sync that built a generation; empty where that is not known."""
    found = left_in(generation).get("phases")
    several = found.items() if isinstance(found, dict) else ()
    return {name: float(each) for name, each in several if type(each) in {int, float} and each >= 0}


def difference(before: Iterable[Package], after: Iterable[Package]) -> tuple[tuple[str, ...], ...]:
    """What was added, removed and replaced, in words; another file of the same version is a replacement too."""
    old, new = ({each.name: each for each in packages} for packages in (before, after))
    added = tuple(str(new[name]) for name in sorted(new.keys() - old.keys()))
    removed = tuple(str(old[name]) for name in sorted(old.keys() - new.keys()))
    replaced = tuple(
        _replaced(old[name], new[name])
        for name in sorted(old.keys() & new.keys())
        if (old[name].version, old[name].sha256) != (new[name].version, new[name].sha256)
    )
    return added, removed, replaced


def _replaced(old: Package, new: Package) -> str:
    if old.version != new.version:
        return f"{new.name} {old.version} -> {new.version}"
    return f"{new.name} {new.version}: {old.file} -> {new.file}"
