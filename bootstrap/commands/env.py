"""`env list`, `env rollback`, `env remove`: the generations of one environment, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from bootstrap import stamp
from bootstrap.commands.asked import Asked, environment_of
from bootstrap.commands.outcome import left_in
from bootstrap.environment import generations, history
from bootstrap.environment.history import Footprint, footprint
from bootstrap.errors import InputError, UsageError
from bootstrap.wheels.disk import size_text
from bootstrap.wheels.making import clear

__all__ = ["LIST_SCHEMA", "Kept", "Removal", "Rollback", "kept", "lines", "remove", "remove_all", "roll_back"]

LIST_SCHEMA = "torchstrap.env-list/1"
ROLLBACK_SCHEMA = "torchstrap.env-rollback/1"
_PATIENCE = 60.0  # seconds to wait for a sync of the same environment


@dataclass(frozen=True, slots=True)
class Kept:
    """One generation. What its sync did not leave word of is None. `used` in seconds since 1970."""

    key: str
    is_current: bool
    torch: str | None
    variant: str | None
    python: str | None
    packages: int | None
    used: float
    size: Footprint

    def to_json(self) -> Mapping[str, Any]:
        """One entry of `env list --json`; sizes in bytes."""
        return {
            "key": self.key,
            "current": self.is_current,
            "torch": self.torch,
            "variant": self.variant,
            "python": self.python,
            "packages": self.packages,
            "used": datetime.fromtimestamp(self.used, timezone.utc).isoformat(timespec="seconds"),
            "size": self.size.to_json(),
        }


def kept(asked: Asked) -> tuple[Kept, ...]:
    """All generations, the one used last first. Raises InputError if there is no environment of ours."""
    venv = _ours(asked)
    current = generations.current(venv)
    return tuple(_described(each, is_current=each == current) for each in generations.listed(venv))


def _described(generation: Path, *, is_current: bool) -> Kept:
    document = left_in(generation)
    packages, choice = document.get("packages"), document.get("choice")
    names = {each["name"]: each["version"] for each in packages} if isinstance(packages, list) else {}
    python = document.get("python")
    return Kept(
        key=generations.key_of(generation),
        is_current=is_current,
        torch=names.get("torch"),
        variant=choice.get("variant") if isinstance(choice, dict) and "torch" in names else None,
        python=python if isinstance(python, str) else None,
        packages=len(names) if isinstance(packages, list) else None,
        used=history.used(generation),
        size=footprint(generation),
    )


def lines(several: Sequence[Kept]) -> Iterator[str]:
    """One line for each generation; the current one has a star."""
    width = max(len(each.key) for each in several)
    for each in several:
        torch = f"torch {each.torch}" if each.torch else "no torch" if each.packages is not None else "?"
        packages = "1 package" if each.packages == 1 else f"{'?' if each.packages is None else each.packages} packages"
        used = datetime.fromtimestamp(each.used, timezone.utc).astimezone().strftime("%Y-%m-%d %H:%M")
        size = f"{size_text(each.size.own)} of its own, {size_text(each.size.shared)} shared with the store"
        python = f"Python {each.python or '?'}"
        mark = "*" if each.is_current else " "
        yield f"{mark} {each.key:{width}}  {torch}, {python}, {packages}, used {used}, {size}"


@dataclass(frozen=True, slots=True)
class Rollback:
    """The generation that `environment` is now. `changed` are files that ask for another one since it was made."""

    environment: Path
    key: str
    changed: tuple[str, ...]

    def to_json(self) -> Mapping[str, Any]:
        """The document of `env rollback --json`."""
        return {
            "schema": ROLLBACK_SCHEMA,
            "environment": str(self.environment),
            "current": self.key,
            "warnings": list(self.warnings()),
        }

    def warnings(self) -> tuple[str, ...]:
        """What the next sync will not leave as it is."""
        if not self.changed:
            return ()
        files = ", ".join(self.changed)
        return (f"{files} changed since {self.key} was made; the next sync or run does what is written there now",)


def roll_back(asked: Asked, key: str | None) -> Rollback:
    """Make the generation used before the environment again, or a named one; at once, as a sync does.

    The next sync looks at everything: it stays if that is what the files and options ask for, and otherwise does what
    they say. Raises InputError if there is none, TryAgainError while a sync is under way, CannotWriteError.
    """
    venv = _ours(asked)
    with generations.locked(venv, limit=_PATIENCE):
        found = history.named(venv, key) if key else history.previous(venv)
        generation = generations.switch(venv, generations.key_of(found))
        changed = _changed_since(venv, generation)
        with suppress(OSError):  # where nothing can be written the stamp still holds, or does not, for what it says
            (generation / stamp.FILE).unlink()
    return Rollback(venv, generations.key_of(generation), changed)


def _changed_since(venv: Path, generation: Path) -> tuple[str, ...]:
    """The files outside an environment that are not as they were when it was stamped."""
    left = stamp.read(str(generation))
    if left is None:
        return ()
    files = {fact: seen for fact, seen in left.facts.items() if fact.startswith("file ")}
    changed = [fact.partition(" ")[2] for fact, seen in files.items() if stamp.observe(fact) != seen]
    return tuple(each for each in changed if not each.startswith(f"{venv}/"))


@dataclass(frozen=True, slots=True)
class Removal:
    """The generations that are gone, and the bytes that are free now (those that the store has too are not)."""

    keys: tuple[str, ...]
    freed: int

    def sentence(self) -> str:
        """What people want to know of it."""
        what = f"removed {', '.join(self.keys)}" if self.keys else "there is nothing to remove"
        return f"{what}; {size_text(self.freed)} are free again" if self.freed else what


def remove(asked: Asked, keys: Sequence[str], *, all_but_current: bool) -> Removal:
    """Remove generations, and what killed syncs left among them.

    Raises InputError for one that is not there, CannotWriteError for the current one, UsageError if none is named.
    """
    if bool(keys) == all_but_current:
        raise UsageError("name the generations to remove (see `torchstrap env list`), or say --all-but-current")
    venv = _ours(asked)
    with generations.locked(venv, limit=_PATIENCE):
        current = generations.current(venv)
        chosen = [history.named(venv, key) for key in keys]
        if all_but_current:
            chosen = [each for each in generations.listed(venv) if each != current]
        names, freed = [generations.key_of(each) for each in dict.fromkeys(chosen)], 0
        for each in dict.fromkeys(chosen):
            size = footprint(each).own
            generations.remove(venv, generations.key_of(each))
            freed += size
        for each in generations.litter(venv):
            freed += footprint(each).own
            clear(each)
    return Removal(tuple(names), freed)


def remove_all(asked: Asked) -> Removal:
    """Remove the environment itself, too. Raises InputError if there is none, CannotWriteError, TryAgainError."""
    venv = _ours(asked)
    with generations.locked(venv, limit=_PATIENCE):
        several = generations.listed(venv)
        names, freed = [generations.key_of(each) for each in several], sum(footprint(each).own for each in several)
        generations.remove_all(venv)
        for each in generations.litter(venv):
            clear(each)
    return Removal(tuple(names), freed)


def _ours(asked: Asked) -> Path:
    venv = environment_of(asked)
    generations.settled(venv, limit=_PATIENCE)
    if not generations.listed(venv):
        problem = "is no environment of torchstrap's" if venv.exists() else "there is no environment"
        raise InputError(venv, f"{problem}; make one with `torchstrap sync`, or name another with --venv")
    return venv
