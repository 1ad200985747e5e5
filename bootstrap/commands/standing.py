"""What stands already, and what a hand has done to it since: it is named, and then given up or taken along.

fits, untouched                    stays, or is switched to
fits, with packages added by hand  stays with --keep-extras, else it is built again from the lock
fits, changed otherwise            is built again from the lock
does not fit                       another generation is the one; what was added comes along with --keep-extras
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.version import InvalidVersion, Version

from bootstrap.commands.identity import key_of
from bootstrap.commands.outcome import Package, left_in
from bootstrap.commands.session import Session
from bootstrap.environment import generations, history
from bootstrap.environment.drift import Drift, drift
from bootstrap.environment.layout import Layout
from bootstrap.resolver.resolution import Pin
from profiles import is_family

__all__ = ["Standing", "guests_of", "packages_of", "standing", "versions", "versions_of"]


@dataclass(frozen=True, slots=True)
class Standing:
    """The generation that is what is wanted, if there is one; the current one, and what a hand has done inside."""

    generation: Path | None
    current: Path | None
    drift: Drift
    fits: bool
    """Whether the current generation was built as what is wanted."""

    def sentence(self, venv: Path, *, keeping: bool) -> str:
        """What people should know of the drift; "" where there is none."""
        names = ", ".join(each.name for each in self.drift.added if not is_family(each.normalized))
        if not self.drift:
            is_spoiled = self.fits and self.generation is None
            return f"{venv}: not all in it is as it was built; it is built again from the lock" if is_spoiled else ""
        if self.current is not None and self.generation == self.current:
            return f"{venv}: {names} was added by hand and stays, as --keep-extras asks; the lock does not know it"
        end = "it is built again from the lock"
        if not self.fits and self.current is not None:
            key = generations.key_of(self.current)
            end = f"the next environment is the lock's (`torchstrap env rollback {key}` goes back)"
        if names:
            end = f"{end}, with {names}" if keeping else f"{end}; --keep-extras takes {names} along"
        return f"{venv} was changed by hand since it was built: {self.drift}; {end}"


def standing(session: Session, pins: tuple[Pin, ...]) -> Standing:
    """Look at the generations of the session's environment."""
    key = key_of(session, pins)
    current = generations.current(session.venv)
    keys = {each: generations.key_of(each) for each in generations.listed(session.venv)}
    fitting = [each for each, name in keys.items() if name == key or name.startswith(f"{key}-")]
    changes = Drift() if current is None else _changes_to(session, current, pins if current in fitting else None)
    found: Path | None = None
    for each in sorted(fitting, key=lambda each: each != current):
        if not _is_sound(session, each):
            continue
        own = changes if each == current else drift_of(session, each, versions(pins))
        if not own or (each == current and session.asked.keep_extras and _is_only_extras(own)):
            found = each
            break
    return Standing(found, current, changes, current in fitting)


def _changes_to(session: Session, current: Path, pins: tuple[Pin, ...] | None) -> Drift:
    """What a hand has done inside the current generation, built of `pins`, or with None of what it says itself."""
    if pins is not None:
        return drift_of(session, current, versions(pins))
    made = versions_of(current)
    return drift(*history.site_packages(current), expected=made) if made else Drift()


def drift_of(session: Session, generation: Path, expected: Mapping[str, Version]) -> Drift:
    """What a hand has done inside a generation."""
    return drift(*Layout.of(session.interpreter, generation, session.venv).site_packages, expected=expected)


def versions(pins: tuple[Pin, ...]) -> Mapping[str, Version]:
    """What an environment of these pins has to hold."""
    return {pin.name: pin.version for pin in pins}


def versions_of(generation: Path) -> Mapping[str, Version]:
    """What an earlier sync put into a generation; empty if it did not say."""
    try:
        return {each.name: Version(each.version) for each in packages_of(generation)}
    except InvalidVersion:
        return {}


def packages_of(generation: Path | None) -> tuple[Package, ...]:
    """What an earlier sync said that it installed."""
    if generation is None:
        return ()
    try:
        return tuple(Package(**each) for each in left_in(generation)["packages"])
    except (KeyError, TypeError):
        return ()


def guests_of(generation: Path) -> Mapping[str, str]:
    """The packages in a generation, name to version, that the last sync kept although the lock does not know them."""
    try:
        return {each["name"]: each["version"] for each in left_in(generation).get("extras", ())}
    except (KeyError, TypeError):
        return {}


def _is_sound(session: Session, generation: Path) -> bool:
    python = generation / Layout.of(session.interpreter, generation, session.venv).python
    return python.exists() and not history.is_distrusted(generation)


def _is_only_extras(changes: Drift) -> bool:
    extra = not any(is_family(each.normalized) for each in changes.added)
    return extra and not changes.changed and not changes.removed
