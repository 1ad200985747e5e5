"""Commands that look and change nothing: the environment's proof, and what needs what."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from bootstrap import stamp
from bootstrap.commands.asked import Asked, environment_of
from bootstrap.commands.choices.site_tables import ensure_usable
from bootstrap.environment import activation, generations, history, verification
from bootstrap.environment.installed import Distribution, installed
from bootstrap.environment.interpreter import Interpreter, describe
from bootstrap.environment.layout import Layout
from bootstrap.environment.proof import prove
from bootstrap.errors import InputError, VerificationError
from profiles import is_family

__all__ = ["Branch", "branches", "tree", "verify_environment"]

_PATIENCE = 60.0  # seconds to wait for a sync that is switching


def verify_environment(asked: Asked) -> Mapping[str, Any]:
    """Prove that the environment is what `sync` made of the lock: every package, every byte, and that torch computes.

    What is not is remembered in the environment, so that the next sync makes it anew, whatever the stamp says.
    Raises InputError if there is no environment of ours, VerificationError with every issue.
    """
    venv, interpreter, layout = _opened(asked)
    expected, guests = _made(venv)
    current = generations.current(venv)
    overridden = history.marker_of(current).get("overridden", ()) if current is not None else ()
    issues = verification.issues(
        *layout.site_packages,
        expected=expected,
        markers=interpreter.markers,
        extras={},
        overridden=overridden,
        guests=guests,
    )
    issues = (*issues, *verification.altered(*layout.site_packages))
    if issues:
        if current is not None:
            history.distrust(current)
        raise VerificationError([*issues, "`torchstrap sync` makes it anew"])
    proof = prove(venv / layout.python, expected)
    return {
        "schema": "torchstrap.verify/1",
        "environment": str(venv),
        "packages": len(expected),
        "proof": asdict(proof),
    }


def _made(venv: Path) -> tuple[Mapping[str, Version], frozenset[str]]:
    """What the last sync put into the environment, by name, and the names of what it kept beside that."""
    try:
        document = json.loads((venv / stamp.OUTCOME).read_bytes())
        packages = {each["name"]: Version(each["version"]) for each in document["packages"]}
        return packages, frozenset(each["name"] for each in document.get("extras", ()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(venv, "was not made by `torchstrap sync`, so there is nothing to compare it with") from error


def tree(asked: Asked) -> Iterator[str]:
    """What needs what, one line per package and requirement; what has been shown is not unfolded again."""
    for each in branches(asked):
        mark = "  [torch family]" if is_family(each.package.normalized) else ""
        again = " (see above)" if each.again else ""
        yield f"{'    ' * each.depth}{each.package.name} {each.package.version}{mark}{again}"


class Branch(NamedTuple):
    """A package at its place in the tree. `again` if what it needs has been shown already."""

    package: Distribution
    depth: int
    again: bool


def branches(asked: Asked) -> Iterator[Branch]:
    """The tree, each package before those that it needs. Raises InputError where there is no environment."""
    ensure_usable()
    _, interpreter, layout = _opened(asked)
    packages: Mapping[str, Distribution] = {each.normalized: each for each in installed(*layout.site_packages)}
    needs = {name: tuple(_needs(each, interpreter.markers, packages)) for name, each in packages.items()}
    wanted = {needed for several in needs.values() for needed in several}
    shown: set[str] = set()
    for name in [*sorted(packages.keys() - wanted), *sorted(packages)]:
        if name not in shown:
            yield from _branch(name, packages, needs, shown, 0)


def _branch(
    name: str,
    packages: Mapping[str, Distribution],
    needs: Mapping[str, Sequence[str]],
    shown: set[str],
    depth: int,
) -> Iterator[Branch]:
    again = name in shown and bool(needs[name])
    yield Branch(packages[name], depth, again)
    if again:
        return
    shown.add(name)
    for needed in needs[name]:
        yield from _branch(needed, packages, needs, shown, depth + 1)


def _needs(package: Distribution, markers: Mapping[str, str], packages: Mapping[str, Distribution]) -> Iterator[str]:
    """The installed packages that one asks for, without its extras."""
    seen: set[str] = set()
    for text in package.requires:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        name = canonicalize_name(requirement.name)
        applies = requirement.marker is None or requirement.marker.evaluate({**markers, "extra": ""})
        if applies and name in packages and name not in seen:
            seen.add(name)
            yield name


def _opened(asked: Asked) -> tuple[Path, Interpreter, Layout]:
    venv = environment_of(asked)
    generations.settled(venv, limit=_PATIENCE)
    python = venv / ("Scripts/python.exe" if activation.WINDOWS else "bin/python")
    if not python.exists():
        raise InputError(venv, "is no environment; make one with `torchstrap sync`, or name another with --venv")
    interpreter = describe(python)
    return venv, interpreter, Layout.of(interpreter, venv, venv)
